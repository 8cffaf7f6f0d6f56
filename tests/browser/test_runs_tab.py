"""The Runs tab: what may be done with a run in each state, the queue, and two runs side by side."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from core.config import TrainConfig
from core.queue import enqueue, waiting
from core.run import Run
from core.trash import TRASH
from tests.conftest import small
from webui.form import read_values
from webui.tabs.runs import RunsTab, _into_the_trash, _shift
from webui.tabs.train import TrainTab


@pytest.fixture
def tab(board: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunsTab:
    monkeypatch.setattr("core.run.KEEPER", ("-m", "tests.faults.keeper"))
    made = RunsTab(board)
    made.put_run()
    made.put_facts()
    made.listing, made.detail = gr.HTML(), gr.Row()
    made.trash.put()
    return made


def run_of(tmp_path: Path, label: str, state: Any, **options: Any) -> Run:
    run = Run.create(small(runs_dir=str(tmp_path), run_name=label, **options))
    for step in range(1, 4):
        run.write_metrics({"step": step, "loss": 1.0 / step, "elapsed_s": step})
    run.write_state(state, 3, 3)
    return run


def seen(shown: dict[Any, Any]) -> dict[str, bool]:
    """Which buttons are there."""
    parts = {part.elem_id: update for part, update in shown.items() if isinstance(update, dict)}
    return {name: bool(update.get("visible", True)) for name, update in parts.items() if name}


def test_buttons_follow_the_state(tab: RunsTab, tmp_path: Path) -> None:
    ended = run_of(tmp_path, "ended", "finished")
    stopped = run_of(tmp_path, "stopped", "stopped")
    queued = enqueue(small(runs_dir=str(tmp_path), run_name="queued"))
    for run, there in (
        (ended, {"runs-delete"}),
        (stopped, {"runs-delete", "runs-resume", "runs-requeue"}),
        (queued, {"runs-stop"}),
    ):
        buttons = seen(tab.buttons(run))
        names = ("runs-stop", "runs-kill", "runs-resume", "runs-requeue", "runs-delete")
        assert {name for name in names if buttons[name]} == there


def test_a_refused_action_is_said(tab: RunsTab, tmp_path: Path) -> None:
    shown = tab.doing(Run.kill)(run_of(tmp_path, "ended", "finished").path.name)
    assert "its worker has ended" in shown[tab.problem]
    assert "There is no run" in tab.doing(Run.kill)("../etc")[tab.problem]


def test_the_question_whether_a_run_shall_go_is_about_that_run(tab: RunsTab, tmp_path: Path) -> None:
    first, second = (run_of(tmp_path, label, "finished") for label in ("a", "b"))
    name, shown, button = tab.ask(first.path.name)
    assert (name, shown["visible"], button["value"]) == (first.path.name, True, "Move a to the trash")
    # The answer to a choice that was made before the question, or made of the same run, does not touch it.
    for going in ("", first.path.name):
        answer = tab.pick(going, SimpleNamespace(_data={"run": first.path.name}))
        assert not {tab.going, tab.asked} & answer.keys()
    other = tab.pick(first.path.name, SimpleNamespace(_data={"run": second.path.name}))
    assert (other[tab.going], other[tab.asked]["visible"]) == ("", False)
    assert tab.ask("gone")[1]["visible"] is False


def test_a_page_opens_with_the_run_that_matters_most(tab: RunsTab, tmp_path: Path) -> None:
    assert tab.opened()[tab.chosen] == ""
    run_of(tmp_path, "a", "finished")
    second = run_of(tmp_path, "b", "finished")
    shown = tab.opened()
    assert shown[tab.chosen] == second.path.name
    assert "tb-chosen" in shown[tab.listing]


def test_the_options_of_a_run_fill_the_form_for_the_next(tab: RunsTab, board: Any, tmp_path: Path) -> None:
    run = run_of(tmp_path, "first", "finished", lora_r=7, loss_weights={"tool_call": 2.0}, learning_rate=3e-4)
    train = TrainTab(board)
    with gr.Row():
        train.put_form()
        train.put_start()
        train.put_run()
    updates = train.take(tab.options(run.path.name)[board.train_choice])
    assert updates[board.tabs]["selected"] == "train"
    parts = train.form.components.items()
    again = read_values(TrainConfig, {name: updates[part] for name, part in parts}, train.form.fixed)
    changed = {"run_name", "runs_dir"}
    assert again.model_dump(exclude=changed) == run.config.model_dump(exclude=changed)
    assert again.run_name == ""
    # Asking again for the same is another choice.
    first, second = (tab.options(run.path.name)[board.train_choice] for _ in range(2))
    assert first != second
    assert "There is no run" in tab.options("gone")[tab.problem]


def test_two_runs_side_by_side(tab: RunsTab, tmp_path: Path) -> None:
    first = run_of(tmp_path, "first", "finished", lora_r=7)
    second = run_of(tmp_path, "second", "finished", lora_r=9)
    html = tab.beside(first.path.name, second.path.name)
    assert "<td>lora_r</td><td>7</td><td>9</td>" in html
    assert html.count("<polyline") == 2
    assert tab.beside(first.path.name, None) == ""


def test_the_queue_moves_and_the_trash_takes(tab: RunsTab, tmp_path: Path) -> None:
    first, second = (enqueue(small(runs_dir=str(tmp_path), run_name=label)) for label in ("a", "b"))
    _shift(second, -1)
    assert waiting(tmp_path) == [second, first]
    assert "waiting (1)" in tab.shown("")[tab.listing]
    _shift(second, -1)
    _shift(second, +1)
    assert waiting(tmp_path) == [first, second]
    ended = run_of(tmp_path, "ended", "finished")
    tab.doing(_into_the_trash)(ended.path.name)
    assert (tmp_path / TRASH / ended.path.name).is_dir()


def test_what_lies_in_the_trash_can_be_had_back_or_goes_for_good(tab: RunsTab, tmp_path: Path) -> None:
    trash = tab.trash
    assert trash.shown()[trash.box]["visible"] is False
    runs = [run_of(tmp_path, label, "finished") for label in ("a", "<b>")]
    for run in runs:
        tab.doing(_into_the_trash)(run.path.name)
    shown = trash.shown()
    assert shown[trash.box]["label"] == "Trash (2 · 0 MiB)"
    assert "&lt;b&gt;" in shown[trash.listing]
    shown = trash.back(SimpleNamespace(_data={"back": runs[0].path.name}))
    assert runs[0].path.is_dir()
    assert runs[0].path.name not in shown[trash.listing]
    for name in ("../" + runs[0].path.name, "..", "", runs[0].path.name):
        assert "there is no run" in trash.back(SimpleNamespace(_data={"back": name}))[trash.problem]
    assert trash.emptied()[trash.box]["visible"] is False
    assert not runs[1].path.exists()
    assert not (tmp_path / TRASH).exists()
