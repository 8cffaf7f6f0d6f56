"""The board in a real browser: look at data, train, close the page, kill the server, chat with the result."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from core.run import list_runs

pytestmark = pytest.mark.browser
PATIENCE_S = 120
RESULT = '{"status": "shipped", "place": "Oslo", "arrives": "2028-11-17"}'


def until(condition: Any, what: str, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.2)


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def choose(page: Any, field: str, value: str) -> None:
    box = page.locator(f"{field} input").first
    box.click()
    box.fill(value)
    box.press("Enter")


def test_data_shows_what_is_trained(page: Any, server: Any) -> None:
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    choose(page, "#data-dataset", "tools")
    page.wait_for_selector("#data-marked pre mark.tb-m-tool_call")
    assert page.locator("#data-marked pre mark.tb-m-stop").first.inner_text() == "<|im_end|>"
    assert "trained" in page.locator("#data-marked .tb-counts").inner_text()
    assert page.locator("#data-talk .tb-call").count() >= 1
    page.locator("#data-next").click()
    until(lambda: "row 2 of" in page.locator("#data-head").inner_text(), "the second row")


def test_data_is_text_and_nothing_else(page: Any, server: Any) -> None:
    hostile = (
        "<img src=http://example.invalid/x.png onerror=alert(1)> ${1+1} {{x}} @children ![](http://example.invalid/y)"
    )
    row = {"messages": [{"role": "user", "content": hostile}, {"role": "assistant", "content": hostile}]}
    (server.folder / "hostile.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    choose(page, "#data-dataset", "hostile.jsonl")
    until(lambda: hostile in page.locator("#data-talk").inner_text(), "the hostile row, letter by letter")
    assert hostile in page.locator("#data-marked").inner_text()
    direction = "(e) => getComputedStyle(e).unicodeBidi"
    assert page.locator("#data-talk .tb-text").first.evaluate(direction) == "plaintext", "Arabic from right to left"
    assert page.locator("#data-talk img, #data-marked img, #data-tokens img, #data-raw img").count() == 0


def test_an_upload_its_report_and_the_row_of_a_finding(page: Any, server: Any) -> None:
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    bad = {"messages": [{"role": "user", "content": "a"}, {"role": "nobody", "content": "c"}]}
    rows = "".join(json.dumps(row) + "\n" for row in (good, bad, good))
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    with page.expect_file_chooser() as chooser:
        page.locator("#data-upload").click()
    chooser.value.set_files({"name": "mine.jsonl", "mimeType": "text/plain", "buffer": rows.encode()})
    until(lambda: "2 kept + 0 repaired + 1 dropped" in page.locator("#data-summary").inner_text(), "the report")
    assert (server.folder / "uploads" / "mine.jsonl").is_file()
    page.get_by_role("tab", name="Report").click()
    assert page.locator("#data-marked").is_hidden()
    page.locator("#data-report tr[data-code=RO202]").click()
    page.get_by_role("button", name="Show row").click()
    until(lambda: "row 2 of 3" in page.locator("#data-head").inner_text(), "the row of the finding")
    assert "dropped" in page.locator("#data-talk").inner_text()
    page.locator("#data-next").click()
    page.get_by_role("tab", name="Tokens").click()
    page.wait_for_selector("#data-tokens mark.tb-m-stop[title*='stop token']")
    page.get_by_role("tab", name="Lengths").click()
    page.wait_for_selector("#data-lengths svg .tb-window-label, #data-lengths .tb-good")
    page.get_by_role("tab", name="Report").click()
    page.locator("#data-make").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="clean.jsonl").click()
    assert len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) == 2
    page.locator("#data-use").click()
    until(lambda: "uploads/mine.jsonl" in page.locator("#train-command").inner_text(), "the dataset in the Train tab")


def test_rows_are_stepped_through_with_the_arrow_keys(page: Any, server: Any) -> None:
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")

    def row() -> str:
        return page.locator("#data-head").inner_text()

    page.locator("#data-talk").click()
    until(lambda: "row 1 of" in row(), "the first row and how many there are")
    page.keyboard.press("ArrowRight")
    until(lambda: "row 2 of" in row(), "the second row")
    page.keyboard.press("ArrowLeft")
    until(lambda: "row 1 of" in row(), "the first row again")
    page.keyboard.press("ArrowRight")
    until(lambda: "row 2 of" in row(), "the second row")
    # Another dataset begins with its first row; it has no second one.
    only = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (server.folder / "only.jsonl").write_text(json.dumps(only) + "\n", encoding="utf-8")
    choose(page, "#data-dataset", "only.jsonl")
    until(lambda: "row 1 of 1" in row(), "the only row")
    # Where a control needs the arrows they are its own.
    page.locator("#data-row input").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("tab", name="Tokens").click()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#data-raw pre:visible")
    assert page.locator("#data-row input").input_value() == "1"


def test_the_findings_of_a_code_begin_in_view(page: Any, server: Any) -> None:
    bad = {"messages": [{"role": "user", "content": "a"}, {"role": "bot", "content": "c"}]}
    odd = [
        {"messages": []},
        {"messages": [{"role": "user", "content": "a"}]},
        {"foo": 1},
        {"messages": ["a"]},
        "[",
        "7",
    ]
    lines = [*map(json.dumps, [bad] * 60), *(line if isinstance(line, str) else json.dumps(line) for line in odd)]
    (server.folder / "codes.jsonl").write_text("\n".join(lines), encoding="utf-8")
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    choose(page, "#data-dataset", "codes.jsonl")
    until(lambda: "60 repaired" in page.locator("#data-summary").inner_text(), "the report")
    page.get_by_role("tab", name="Report").click()
    page.set_viewport_size({"width": 1400, "height": 400})
    page.locator("#data-report tr[data-code=RO201]").click()
    page.wait_for_selector("#data-report h3")
    top = page.locator("#data-report h3").bounding_box()["y"]
    assert 0 <= top < 400


def test_only_the_printed_address_lets_in_and_no_file_of_the_machine_is_served(chromium: Any, server: Any) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    assert page.goto(server.base + "/en/").status == 401
    assert page.get_by_label("Token or password").is_visible()
    assert page.request.get(server.base + "/en/gradio_api/file=/etc/passwd").status == 401
    page.get_by_label("Token or password").fill(server.url.partition("token=")[2])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("#tabs", timeout=PATIENCE_S * 1000)
    for path in ("/etc/passwd", server.folder / "tuneboard/cookie_secret", Path(__file__).resolve()):
        assert page.request.get(f"{server.base}/en/gradio_api/file={path}").status == 403
    foreign = {"Origin": "http://evil.example"}
    assert page.request.post(server.base + "/en/gradio_api/queue/join", headers=foreign).status == 403
    context.close()


def test_a_file_outside_of_the_folder_is_not_shown(page: Any, server: Any) -> None:
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    choose(page, "#data-dataset", "/etc/passwd")
    until(lambda: "outside" in page.locator("#data-head").inner_text(), "the refusal")
    assert "root:" not in page.locator("body").inner_text()


def test_chinese_by_the_locale_of_the_browser(chromium: Any, server: Any) -> None:
    context = chromium.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(server.url, timeout=PATIENCE_S * 1000)
    page.get_by_role("tab", name="训练", exact=True).click(timeout=PATIENCE_S * 1000)
    assert page.locator("#train-start").inner_text() == "开始训练"
    assert "学习率" in page.locator("#field-learning_rate").inner_text()
    context.close()


def test_a_run_outlives_page_and_server_and_can_be_talked_to(page: Any, server: Any) -> None:
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    open_tab(page, "Train")
    # A value out of its bounds gives a message and no run.
    page.locator("#field-lora_r input").fill("5000")
    until(lambda: "lora_r" in page.locator("#train-command").inner_text(), "the message about lora_r")
    page.locator("#field-lora_r input").fill("8")
    choose(page, "#field-dataset", "identity")
    page.get_by_role("button", name="Optimisation").click()
    page.locator("#field-max_steps input").fill("6")
    page.locator("#field-learning_rate input, #field-learning_rate textarea").first.fill("1e-3")
    until(lambda: "--max-steps 6" in page.locator("#train-command").inner_text(), "the command line")
    assert not list_runs(str(server.runs_dir))
    for _ in range(20):
        page.locator("#train-start").dispatch_event("click")
    page.wait_for_selector("#train-status .tb-run")
    assert len(list_runs(str(server.runs_dir))) == 1

    page.reload()
    open_tab(page, "Train")
    page.wait_for_selector("#train-status .tb-run")
    # The page is closed: one that is left open loads itself anew when the server is back.
    page.goto("about:blank")
    server.stop()
    server.start()
    # The browser is still logged in, though the token is another one.
    page.goto(server.base)
    open_tab(page, "Train")
    page.wait_for_selector('#train-status .tb-run[data-state="finished"]')
    assert len(list_runs(str(server.runs_dir))) == 1
    assert "6 / 6" in page.locator("#train-status").inner_text()
    page.wait_for_selector("#train-loss svg polyline")

    open_tab(page, "Runs")
    page.locator("#runs-list tr[data-run]").first.click()
    page.wait_for_selector("#runs-loss svg polyline")
    assert page.locator("#runs-config tr", has_text="lora_r").inner_text().split() == ["lora_r", "8", "16"]
    page.locator("#runs-chat").click()

    page.wait_for_selector("#chat-text", state="visible")
    page.locator("#chat-sample").click()
    until(lambda: page.locator("#chat-text textarea").input_value() != "", "the sample question")
    page.locator("#chat-send").click()
    page.wait_for_selector("#chat-view .tb-bubble.tb-user")
    page.wait_for_selector("#chat-view .tb-bubble.tb-assistant")
    until(lambda: page.locator("#chat-stop").is_disabled(), "the end of the answer")
    assert page.locator("#chat-status .tb-bad").count() == 0


def test_pictures_for_the_readme(page: Any, server: Any, shoot: Any, request: pytest.FixtureRequest) -> None:
    """Not a test: with `--screenshots DIR --showcase RUN` it shows a finished run on the tabs."""
    run = request.config.getoption("--showcase", default=None)
    if not run:
        pytest.skip("no --showcase RUN")
    shown = server.runs_dir / Path(run).resolve().name
    shutil.copytree(run, shown)
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    choose(page, "#data-dataset", "tools")
    page.wait_for_selector("#data-marked pre mark.tb-m-tool_call")
    page.wait_for_selector("#data-summary .tb-sum")
    shoot(page, "data")
    open_tab(page, "Train")
    choose(page, "#train-run", shown.name)
    choose(page, "#field-dataset", "tools")
    choose(page, "#field-dataset", "tools_openai")
    page.keyboard.press("Escape")
    until(lambda: page.locator(".tb-run-name").first.inner_text() in shown.name, "the run")
    page.wait_for_selector("#train-loss svg polyline")
    shoot(page, "train")
    open_tab(page, "Evaluate")
    if list(shown.glob("evals/*-tuned.json")):
        page.wait_for_selector("#eval-turns .tb-turn")
        shoot(page, "evaluate")
    open_tab(page, "Runs")
    page.locator(f"#runs-list tr[data-run='{shown.name}']").click()
    page.wait_for_selector("#runs-loss svg polyline")
    shoot(page, "runs")
    page.locator("#runs-chat").click()
    page.wait_for_selector("#chat-text", state="visible")
    page.locator("#chat-sample").click()
    until(lambda: page.locator("#chat-text textarea").input_value() != "", "the sample question")
    page.locator("#chat-send").click()
    page.wait_for_selector("#chat-view .tb-call")
    page.locator(".tb-result-box:visible textarea").first.fill(RESULT)
    shoot(page, "chat")
