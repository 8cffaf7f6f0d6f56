"""The Train tab's question before a training that would drop many rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from core.queue import waiting
from core.run import list_runs
from webui.tabs.train import TrainTab


@pytest.fixture
def tab(board: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TrainTab:
    monkeypatch.setattr("core.run.KEEPER", ("-m", "tests.faults.keeper"))
    monkeypatch.setattr("webui.roots.Roots.check", lambda *_: None)
    made = TrainTab(board)
    with gr.Row():
        made.put_form()
        made.put_start()
        made.put_run()
    return made


def bad_rows(folder: Path, bad: int) -> Path:
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    lines = [json.dumps(good)] * (20 - bad) + ["{"] * bad
    file = folder / "mine.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def values_of(tab: TrainTab, file: Path, share: float = 0.0, *, queued: bool = False) -> dict[Any, Any]:
    values = {part: part.value for part in tab.form.components.values()}
    values[tab.form.components["dataset"]] = [str(file)]
    return values | {tab.mine: "", tab.board.train_run: None, tab.consent.share: share, tab.consent.queued: queued}


def test_many_rows_that_would_go_are_asked_about_and_nothing_starts(tab: TrainTab, tmp_path: Path) -> None:
    values = values_of(tab, bad_rows(tmp_path, 5))
    _, _, problem, box, text, agree, share, queued, *rest = tab.begin(values)
    assert (problem, box["visible"], share, queued) == ("", True, 0.25, False)
    assert "25 % of the rows of mine" in text
    assert "IO001" in text
    assert agree["value"] == "Drop them and train on the other 15 rows"
    assert len(rest) == 9
    assert not list_runs(str(tmp_path))


def test_who_agrees_gets_a_run_that_says_so(tab: TrainTab, tmp_path: Path) -> None:
    values = values_of(tab, bad_rows(tmp_path, 5), 0.25)
    outputs = tab.agreed(values)
    assert outputs[3]["visible"] is False
    (run,) = list_runs(str(tmp_path))
    assert run.config.max_dropped == 0.25
    assert not waiting(tmp_path)


def test_it_is_asked_again_when_more_would_go_by_now(tab: TrainTab, tmp_path: Path) -> None:
    outputs = tab.agreed(values_of(tab, bad_rows(tmp_path, 8), 0.25))
    assert outputs[3]["visible"] is True
    assert outputs[6] == 0.4
    assert not list_runs(str(tmp_path))


def test_a_preset_says_what_it_is_for_and_fills_the_form(tab: TrainTab) -> None:
    parts = tab.form.components
    shown = tab.filled("low_memory")
    assert shown[parts["preset"]]["info"].startswith("One row at a time")
    assert "gradient_accumulation_steps: 16" in shown[parts["preset"]]["info"]
    assert shown[parts["gradient_accumulation_steps"]] == 16


def test_who_presses_start_sees_at_once_that_something_goes_on(tab: TrainTab) -> None:
    tab.listen()
    for button, place in ((tab.start, tab.problem), (tab.needs.ask, tab.needs.shown)):
        heard = [fn for fn in tab.board.page.fns.values() if (button._id, "click") in fn.targets]
        assert any("tb-wait" in str(fn.js) and fn.outputs == [place] and fn.fn is None for fn in heard)
