"""The Evaluate tab: what is shown of an evaluation, and one that is made in its own process."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from core.evaluations import task
from core.run import Run
from tests.conftest import small
from webui.judged import PAGE, View, turns_html
from webui.tabs.evaluate import EvaluateTab, status_html
from webui.texts import Texts

T = Texts()
HOSTILE = "<img src=x onerror=alert(1)> ${1+1}"


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def turn(conversation: int, outcome: str, expected: list[Any], written: list[Any], pairs: list[Any]) -> dict[str, Any]:
    return {
        "conversation": conversation,
        "message": 1,
        "reference": {"role": "assistant", "tool_calls": expected},
        "written": {"role": "assistant", "content": "hm", "tool_calls": written},
        "raw": "",
        "outcome": outcome,
        "pairs": pairs,
    }


def content_of(turns: list[Any]) -> dict[str, Any]:
    asked = [{"role": "user", "content": HOSTILE}, {"role": "assistant", "content": "y"}]
    rows = [{"file": "/data/held.jsonl", "line": n + 1, "messages": asked} for n in range(len(turns))]
    return {"metrics": {"tool_call_exact": 0.5, "loss": 1.0, "turns": 2.0}, "turns": turns, "conversations": rows}


RIGHT = turn(0, "exact", [call("f", a=1)], [call("f", a=1)], [[0, 0]])
WRONG = turn(1, "arguments", [call("f", a=1, b=2)], [call("f", a=3, c=4)], [[0, 0]])
OTHER = turn(2, "tools", [call("f", a=1)], [call("g", a=1)], [])


def test_wrong_turns_come_first_and_what_is_wrong_in_them_is_marked() -> None:
    html = turns_html({"tuned": content_of([RIGHT, WRONG, OTHER])}, View(), T)
    assert html.count("<article") == 2
    assert "held.jsonl:1" not in html
    assert html.count('<span class="tb-off">a=<b>3</b></span>') == 1
    assert '<del class="tb-off">b</del>' in html
    assert '<span class="tb-off">c=' in html
    assert '<b class="tb-off">g</b>(<span class="">a=' in html
    assert "<img" not in html
    assert turns_html({"tuned": content_of([RIGHT, WRONG, OTHER])}, View("exact"), T).count("<article") == 1
    assert turns_html({"tuned": content_of([RIGHT, WRONG, OTHER])}, View("all"), T).count("<article") == 3


def test_before_and_after_stand_beside_each_other() -> None:
    before, after = content_of([turn(0, "missed", [call("f", a=1)], [], [])]), content_of([RIGHT])
    html = turns_html({"base": before, "tuned": after}, View("all"), T)
    assert html.index("Expected") < html.index("after") < html.index("before")
    assert "✗ did not call" in html


def test_many_turns_come_in_pages_and_old_files_say_what_to_do() -> None:
    many = [turn(n, "missed", [call("f")], [], []) for n in range(PAGE + 1)]
    assert turns_html({"tuned": content_of(many)}, View("all", 0), T).count("<article") == PAGE
    assert turns_html({"tuned": content_of(many)}, View("all", 99), T).count("<article") == 1
    old = {key: value for key, value in RIGHT.items() if key not in ("outcome", "pairs")}
    assert "evaluate again" in turns_html({"tuned": content_of([old])}, View(), T)


@pytest.fixture
def tab(board: Any) -> EvaluateTab:
    made = EvaluateTab(board)
    with gr.Row():
        made.put_question()
        made.put_results()
    made.listen()
    return made


def run_with_model(folder: Path, **options: Any) -> Run:
    run = Run.create(small(runs_dir=str(folder), **options))
    run.model_dir.mkdir()
    (run.model_dir / "config.json").write_text("{}", encoding="utf-8")
    return run


def test_a_page_opens_with_the_newest_run_and_its_held_out_data(tab: EvaluateTab, tmp_path: Path) -> None:
    shown = tab.opened()
    assert "Train one first" in shown[tab.figures]
    assert shown[tab.start]["interactive"] is False
    run = run_with_model(tmp_path, eval_dataset=["tools_heldout"])
    shown = tab.opened()
    assert shown[tab.run]["value"] == run.path.name
    assert shown[tab.form.components["dataset"]] == ["tools_heldout"]
    assert "press Evaluate" in shown[tab.figures]
    (run.path / "evals").mkdir()
    for label in ("base", "tuned"):
        (run.path / "evals" / f"held-{label}.json").write_text(json.dumps(content_of([RIGHT, WRONG])))
    shown = tab.shown(run.path.name, None, View())
    assert ">before<" in shown[tab.figures]
    assert shown[tab.details]["visible"] is True
    assert shown[tab.turns].count("<article") == 1


def test_what_cannot_be_evaluated_is_said(tab: EvaluateTab, tmp_path: Path) -> None:
    run = run_with_model(tmp_path)
    values = {part: part.value for part in tab.form.components.values()} | {tab.view: View(), tab.run: run.path.name}
    assert "Choose a dataset" in tab.begin(values)[tab.problem]
    values[tab.form.components["dataset"]] = ["/etc/passwd"]
    assert "outside" in tab.begin(values)[tab.problem]
    assert "There is no run" in tab.begin(values | {tab.run: "../x"})[tab.problem]
    assert task(run).state() == "none"


def test_a_failed_evaluation_says_why(tab: EvaluateTab, tmp_path: Path) -> None:
    run = run_with_model(tmp_path)
    task(run).start(["eval", str(run.path), "--dataset", "none.jsonl"])
    while task(run).state() == "running":
        time.sleep(0.05)
    assert "none.jsonl: no such file" in status_html(task(run), T)
