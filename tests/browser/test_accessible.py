"""The page for those who use a keyboard or a screen reader, or need contrast: every tab, with all of its folds open."""

from __future__ import annotations

import time
from typing import Any

import pytest

from core.run import Run
from tests.browser.test_board import choose, until
from tests.conftest import small

pytestmark = pytest.mark.browser
PATIENCE_S = 120
TABS = ("Data", "Template", "Train", "Evaluate", "Chat", "Export", "Runs")
UNFOLD = "(folds) => folds.filter((fold) => !fold.classList.contains('open')).forEach((fold) => fold.click())"
# Each control needs a name, each picture a text or to be hidden, each fold its state; ids must be single.
NAMELESS = """() => {
  const text = (id) => document.getElementById(id)?.innerText ?? '';
  const name = (e) => (e.getAttribute('aria-label') ?? '').trim()
    || (e.getAttribute('aria-labelledby') ?? '').split(' ').map(text).join(' ').trim()
    || [...(e.labels ?? [])].map((label) => label.textContent).join(' ').trim()
    || (e.matches('button, a, summary, [role=button], [role=tab]') ? e.innerText.trim() || e.title : '');
  const seen = (e) => e.getClientRects().length && !e.closest('[aria-hidden=true]');
  const found = [];
  const controls = 'button, input, textarea, select, a[href], summary, [role=button], [role=tab], [role=progressbar]';
  for (const e of document.querySelectorAll(controls)) {
    if (seen(e) && !name(e)) found.push('no name: ' + e.outerHTML.slice(0, 200));
  }
  for (const e of document.querySelectorAll('img, svg')) {
    const quiet = e.closest('button, a, [role=button], [aria-hidden=true]');
    if (seen(e) && !quiet && !name(e) && !e.getAttribute('alt')) found.push('no text: ' + e.outerHTML.slice(0, 200));
  }
  for (const e of document.querySelectorAll('.gr-accordion > button')) {
    const open = String(e.classList.contains('open'));
    if (seen(e) && e.getAttribute('aria-expanded') !== open) found.push('fold: ' + e.innerText);
  }
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  found.push(...ids.filter((id, place) => id && ids.indexOf(id) !== place).map((id) => 'twice: #' + id));
  return found;
}"""
# WCAG 2 AA: 4.5 to 1, and 3 to 1 for large letters. Colours are asked of a canvas, which knows every notation.
FAINT = """() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const brush = canvas.getContext('2d', {willReadFrequently: true});
  const painted = (colours) => {
    brush.clearRect(0, 0, 1, 1);
    for (const colour of colours) { brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1); }
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    const seen = e.checkVisibility({opacityProperty: true, visibilityProperty: true});
    if (!seen || !walk.currentNode.data.trim()) continue;
    if (e.closest('svg, [aria-hidden=true], .tb-unseen, .sr-only, :disabled, script, style, .tb-break')) continue;
    const behind = [];
    for (let one = e; one; one = one.parentElement) behind.unshift(getComputedStyle(one).backgroundColor);
    const style = getComputedStyle(e), ground = ['white', ...behind];
    const [a, b] = [light(painted(ground)), light(painted([...ground, style.color]))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.add(ratio.toFixed(2) + ' ' + e.className + ': ' + e.innerText.slice(0, 60));
  }
  return [...found];
}"""


@pytest.fixture
def finished(server: Any) -> Run:
    run = Run.create(small(runs_dir=str(server.runs_dir), run_name="a finished one"))
    for step in range(1, 4):
        run.write_metrics({"step": step, "loss": 1 / step, "grad_norm": 2 / step, "elapsed_s": step})
    run.write_state("finished", 3, 3)
    return run


def walk(page: Any, check: str) -> dict[str, list[str]]:
    """What `check` finds in each tab, with its folds open."""
    found = {}
    for tab in TABS:
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_selector(f"#tab-{tab.lower()}:visible")
        if tab == "Runs":
            page.locator("#runs-list [data-run]").first.click()
            page.wait_for_selector("#runs-status .tb-run:visible")
        page.locator(f"#tab-{tab.lower()} .gr-accordion > button").evaluate_all(UNFOLD)
        # The page mends itself a moment after it has changed, and colours move to their new values.
        until_s = time.monotonic() + 10
        while (problems := page.evaluate(check)) and time.monotonic() < until_s:
            page.wait_for_timeout(300)
        if problems:
            found[tab] = problems
    return found


def test_everything_has_a_name_and_folds_say_whether_they_are_open(page: Any, server: Any, finished: Run) -> None:
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    assert walk(page, NAMELESS) == {}
    assert page.locator(".tb-spoken").inner_text() == "finished"


def test_texts_stand_out_in_light_and_dark(page: Any, server: Any, finished: Run) -> None:
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    page.wait_for_selector("#data-summary .tb-sum")
    assert walk(page, FAINT) == {}
    page.get_by_role("button", name="Dark colours").click()
    assert page.locator("body.dark").count() == 1
    assert walk(page, FAINT) == {}


def test_dark_the_dataset_and_the_open_tab_stay_over_a_reload_and_another_language(chromium: Any, server: Any) -> None:
    # A context of its own: what a page is still working on when it is left is said as an error, and is none.
    context = chromium.new_context(locale="en-GB", color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    choose(page, "#data-dataset", "tools_openai")
    until(lambda: "tools_openai" in page.locator("#data-head").inner_text(), "the dataset")
    page.get_by_role("button", name="Dark colours").click()
    page.get_by_role("tab", name="Train", exact=True).click()
    page.reload()
    page.wait_for_selector("#train-start:visible")
    assert page.get_by_role("button", name="Dark colours").get_attribute("aria-pressed") == "true"
    page.get_by_role("link", name="中文").click()
    page.wait_for_selector("html[lang=zh]")
    page.wait_for_selector("#train-start:visible")
    assert page.locator("body.dark").count() == 1
    assert page.locator("#train-start").inner_text() == "开始训练"
    page.get_by_role("tab", name="数据", exact=True).click()
    until(lambda: "tools_openai" in page.locator("#data-head").inner_text(), "the dataset in the other language")
    page.get_by_role("tab", name="训练", exact=True).click()
    page.get_by_role("button", name="深色").click()
    assert page.locator("body.dark").count() == 0
    context.close()


def test_the_keyboard_reaches_tabs_and_folds(page: Any, server: Any) -> None:
    page.goto(server.url)
    page.wait_for_selector("#data-marked mark")
    place = "document.activeElement.innerText || document.activeElement.getAttribute('aria-label')"
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(place))
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        field = page.evaluate("document.activeElement.matches('input, textarea')")
        assert field or ring != "none", f"no ring around {reached[-1]!r}"
    assert ["中文", "Dark colours", *TABS] == reached[:9]
    fold = page.get_by_role("button", name="Model, template and limits")
    fold.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#data-options > button[aria-expanded=true]")
    rows = page.get_by_role("tab", name="Rows")
    rows.focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Report").get_attribute("aria-selected") == "true"
