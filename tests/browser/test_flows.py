"""What people do on the board, click by click: odd data, the gate, evaluate, export, compare, trash, Python tools."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.paths import starter_dir
from core.run import Run, list_runs
from tests.browser.test_board import choose, open_tab, until
from tests.conftest import small

pytestmark = pytest.mark.browser
TOOLS = '''
from pathlib import Path
Path("loaded").write_text("")

def track_order(order_id: str) -> str:
    """Status of an order."""
    return f"{order_id} has left the harbour"
'''


def finished(server: Any, label: str, **options: Any) -> Run:
    """A run as it is after a training of the whole starter, with the starter as its result."""
    run = Run.create(small(runs_dir=str(server.runs_dir), run_name=label, finetuning_type="full", **options))
    for step in range(1, 4):
        run.write_metrics({"step": step, "loss": 1.0 / step, "elapsed_s": step})
    shutil.copytree(starter_dir(), run.model_dir)
    run.write_state("finished", 3, 3)
    return run


@pytest.fixture
def run(server: Any) -> Iterator[Run]:
    made = finished(server, "whole", lora_r=7)
    yield made
    shutil.rmtree(made.path, ignore_errors=True)


def opened(page: Any, server: Any, tab: str) -> None:
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    open_tab(page, tab)


def test_an_odd_table_is_mapped_and_handed_to_training(page: Any, server: Any) -> None:
    rows = "Links;Rechts\nWas ist rot?;Eine Rose.\nWas ist blau?;Das Meer.\n"
    (server.folder / "odd.csv").write_text(rows, encoding="utf-8")
    opened(page, server, "Data")
    choose(page, "#data-dataset", "odd.csv")
    until(lambda: "2 dropped" in page.locator("#data-summary").inner_text(), "the report of what cannot be read")
    # No row was recognised, so the mapping is open.
    page.wait_for_selector("#map-formatting:visible")
    choose(page, "#map-formatting", "alpaca")
    choose(page, "#map-column-prompt", "Links")
    choose(page, "#map-column-response", "Rechts")
    until(lambda: "2 kept" in page.locator("#data-summary").inner_text(), "the report of the mapped rows")
    until(lambda: "Eine Rose." in page.locator("#data-marked").inner_text(), "the mapped row")
    page.locator("#data-use").click()
    until(lambda: "response: Rechts" in page.locator("#train-command").inner_text(), "the mapping in the command")
    open_tab(page, "Data")
    page.locator("#data-use").click()
    page.wait_for_selector("#train-command:visible")


def test_what_would_read_the_rows_is_one_click_and_the_mapping_closes_behind_it(page: Any, server: Any) -> None:
    talk = {"log": [{"who": "customer", "says": "Hi"}, {"who": "agent", "says": "Good morning"}]}
    (server.folder / "talk.jsonl").write_text(json.dumps(talk) + "\n", encoding="utf-8")
    opened(page, server, "Data")
    choose(page, "#data-dataset", "talk.jsonl")
    page.wait_for_selector("#map-formatting:visible")
    page.locator("#data-offer").click()
    until(lambda: "Good morning" in page.locator("#data-marked").inner_text(), "the row as it was offered")
    until(lambda: "1 kept" in page.locator("#data-summary").inner_text(), "its report")
    assert page.locator("#data-offer").is_hidden()
    assert page.locator("#map-formatting").is_visible()
    choose(page, "#data-dataset", "tools")
    page.wait_for_selector("#map-formatting", state="hidden")
    # What a person opens stays.
    page.locator("#data-mapping > button").click()
    choose(page, "#data-dataset", "talk.jsonl")
    page.wait_for_selector("#data-offer:visible")
    choose(page, "#data-dataset", "tools")
    page.wait_for_selector("#data-offer", state="hidden")
    assert page.locator("#map-formatting").is_visible()


def test_a_sample_that_is_opened_gets_its_tokens_and_stays_in_sight(page: Any, server: Any) -> None:
    turns = [{"role": role, "content": f"{n} " * 90} for n in range(40) for role in ("user", "assistant")]
    (server.folder / "windows.jsonl").write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    opened(page, server, "Data")
    choose(page, "#data-dataset", "windows.jsonl")
    until(lambda: "sample 1 of" in page.locator("#data-marked").inner_text(), "its samples")
    until(lambda: "repaired" in page.locator("#data-head").inner_text(), "the window of the report")
    page.get_by_role("tab", name="Tokens").click()
    third = page.locator("#data-tokens details.tb-sample").nth(2)
    assert third.locator("pre").count() == 0
    third.locator("summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#data-tokens details.tb-sample:nth-of-type(3) > pre mark", state="attached")
    assert page.locator("#data-tokens details[open]").count() == 1
    assert third.locator("summary").evaluate("(one) => one === document.activeElement")
    assert 0 <= third.locator("summary").bounding_box()["y"] < 900


def test_on_a_narrow_page_the_start_is_in_sight_and_says_what_is_missing(page: Any, server: Any) -> None:
    page.set_viewport_size({"width": 800, "height": 700})
    opened(page, server, "Train")
    page.wait_for_selector("#train-start:visible")
    button = page.locator("#train-start").bounding_box()
    assert button["y"] + button["height"] <= 700
    page.locator("#train-start").click()
    until(lambda: "Choose a dataset first." in page.locator("#train-problem").inner_text(), "what is missing")


def test_training_asks_before_it_drops_many_rows(page: Any, server: Any) -> None:
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    bad = {"messages": [{"role": "user", "content": "a"}, {"role": "nobody", "content": "c"}]}
    lines = "".join(json.dumps(row) + "\n" for row in [good] * 6 + [bad] * 4)
    (server.folder / "partly.jsonl").write_text(lines, encoding="utf-8")
    before = len(list_runs(str(server.runs_dir)))
    opened(page, server, "Train")
    choose(page, "#field-dataset", "partly.jsonl")
    page.get_by_role("button", name="Optimisation").click()
    page.locator("#field-max_steps input").fill("1")
    page.locator("#train-start").click()
    page.wait_for_selector("#train-agree:visible")
    assert "40 % of the rows of partly would" in page.locator("#train-consent-text").inner_text()
    assert "RO202" in page.locator("#train-consent-text").inner_text()
    assert len(list_runs(str(server.runs_dir))) == before
    assert page.locator("#train-agree").inner_text() == "Drop them and train on the other 6 rows"
    page.locator("#train-agree").click()
    page.wait_for_selector("#train-status .tb-run")
    assert page.locator("#train-agree").is_hidden()
    begun = list_runs(str(server.runs_dir))
    assert len(begun) == before + 1
    assert begun[0].config.max_dropped == pytest.approx(0.4)
    # It may have come to its end by now.
    with suppress(UserError):
        begun[0].kill()


def test_a_run_is_evaluated_and_exported(page: Any, server: Any, run: Run) -> None:
    opened(page, server, "Evaluate")
    until(lambda: page.locator("#eval-run input").input_value() == run.path.name, "the run")
    choose(page, "#eval-dataset", "tools_heldout")
    page.keyboard.press("Escape")
    page.locator("#eval-max_samples input, #eval-max_samples textarea").first.fill("1")
    page.locator("#eval-start").click()
    page.wait_for_selector("#eval-figures table")
    page.wait_for_selector("#eval-turns .tb-filters")
    page.get_by_role("button", name="all", exact=False).first.click()
    assert not page.locator("#eval-problem").inner_text()

    open_tab(page, "Export")
    until(lambda: page.locator("#export-run input").input_value() == run.path.name, "the run")
    page.locator("#export-output_dir input, #export-output_dir textarea").first.fill("taken")
    page.locator("#export-start").click()
    until(lambda: "model.safetensors" in page.locator("#export-status").inner_text(), "the exported files")
    assert (server.folder / "taken" / "model.safetensors").is_file()
    # It stands there now: nothing is written over it.
    page.locator("#export-start").click()
    until(lambda: "is there already" in page.locator("#export-problem").inner_text(), "the refusal")


def test_two_runs_side_by_side_and_one_into_the_trash_and_back(page: Any, server: Any, run: Run) -> None:
    other = finished(server, "another", lora_r=9)
    opened(page, server, "Runs")
    page.locator(f"#runs-list tr[data-run='{run.path.name}']").click()
    until(lambda: page.locator("#runs-status .tb-run-name").inner_text() == run.name, "the chosen run")
    choose(page, "#runs-other-run", f"another ({other.path.name})")
    page.wait_for_selector("#runs-compared table")
    shown = page.locator("#runs-compared tr", has_text="lora_r").inner_text().split()
    assert shown == ["lora_r", "7", "9"]

    page.locator("#runs-again").click()
    until(lambda: "--lora-r 7" in page.locator("#train-command").inner_text(), "the options of the run in the form")
    open_tab(page, "Runs")
    page.locator(f"#runs-list tr[data-run='{other.path.name}']").click()
    until(lambda: page.locator("#runs-status .tb-run-name").inner_text() == "another", "the other run")
    page.locator("#runs-delete").click()
    page.locator("#runs-sure").click()
    fold = page.locator("#runs-trash > button")
    fold.wait_for()
    assert not other.path.exists()
    fold.click()
    page.locator(f"[data-back='{other.path.name}']").click()
    until(other.path.is_dir, "the run to be back")
    page.wait_for_selector(f"#runs-list tr[data-run='{other.path.name}']")
    page.wait_for_selector("#runs-trash", state="hidden")

    # The page shows still that it was chosen, and the answer to choosing it again takes no question back.
    page.locator(f"#runs-list tr[data-run='{other.path.name}']").click()
    page.locator("#runs-delete").click()
    page.get_by_role("button", name="Move another to the trash").click()
    fold.wait_for()
    # It opens as it was closed, or it is drawn anew and is closed.
    if "open" not in fold.get_attribute("class").split():
        fold.click()
    page.locator("#trash-empty").click()
    page.locator("#trash-sure").click()
    page.wait_for_selector("#runs-trash", state="hidden")
    assert not list((server.runs_dir / ".trash").glob("*"))
    assert run.path.is_dir()


def test_a_file_of_tools_runs_when_one_of_them_is_ticked(page: Any, server: Any, run: Run) -> None:
    (server.folder / "shop.py").write_text(TOOLS, encoding="utf-8")
    opened(page, server, "Chat")
    choose(page, "#chat-target", run.path.name)
    page.get_by_role("button", name="Python tools").click()
    choose(page, "#chat-code", "shop.py")
    page.wait_for_selector("#chat-allowed:visible")
    assert not (server.folder / "loaded").exists()
    page.get_by_label("track_order").check()
    page.locator("#chat-text textarea").fill("Where is my order AB-1234?")
    page.locator("#chat-send").click()
    page.wait_for_selector("#chat-view .tb-bubble.tb-assistant")
    until(lambda: page.locator("#chat-stop").is_disabled(), "the end of the answer")
    assert page.locator("#chat-status .tb-bad").count() == 0
    assert (server.folder / "loaded").exists()


def test_tools_outside_of_the_folders_are_refused(page: Any, server: Any, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(TOOLS, encoding="utf-8")
    opened(page, server, "Chat")
    page.get_by_role("button", name="Python tools").click()
    choose(page, "#chat-code", str(tmp_path / "outside.py"))
    until(lambda: "outside" in page.locator("#chat-code-problem").inner_text(), "the refusal")
    assert page.locator("#chat-allowed").is_hidden()
