"""The form is the config: every field goes there and comes back, and what is wrong never starts a run."""

from __future__ import annotations

import fcntl
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import gradio as gr
import pytest
from pydantic.fields import FieldInfo

from core.config import ChatConfig, TrainConfig, bounds_of, default_of, value_type
from core.errors import UserError
from core.run import Run, list_runs
from core.trash import delete, restore
from webui.form import command_line, component, from_config, read_values, to_config
from webui.live import FRESH_S, Changes
from webui.tabs.train import TrainTab
from webui.texts import load_texts


def another(info: FieldInfo) -> Any:
    """A valid value that is not the default."""
    kind, default = value_type(info), default_of(info)
    if get_origin(kind) is Literal:
        return next(value for value in get_args(kind) if value != default)
    if kind is int:
        return 24 if default is None else default + 1
    part = 0.125 if bounds_of(info).get("gt", 0) < 0.125 else bounds_of(info)["gt"] + 1
    others = {bool: not default, float: part, str: "chatml", dict: {"tool_call": "1.5"}}
    others[list] = [0.25] if get_args(kind) == (float,) else ["identity"]
    return others[get_origin(kind) or kind]


@pytest.mark.parametrize("name", TrainConfig.model_fields)
def test_every_field_goes_to_the_form_and_comes_back(name: str) -> None:
    info = TrainConfig.model_fields[name]
    for value in (default_of(info), another(info)):
        config = TrainConfig(**{name: value})
        assert getattr(read_values(TrainConfig, {name: from_config(info, value)}, {}), name) == getattr(config, name)


@pytest.mark.parametrize("name", TrainConfig.model_fields)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_field_has_a_component_with_label_and_help(name: str, language: str) -> None:
    with gr.Blocks():
        part = component(TrainConfig, name, load_texts(language))
    assert part.label
    assert part.info
    info = TrainConfig.model_fields[name]
    assert to_config(TrainConfig, name, part.value) == default_of(info) or name == "runs_dir"


def test_the_command_line_goes_by_the_preset() -> None:
    """What a preset sets is not repeated, and what was set back to the default is said."""
    config = TrainConfig(preset="best_quality", lora_r=16)
    assert command_line(config, "core-cli train").split() == (
        ["core-cli", "train", "\\", "--preset", "best_quality", "\\", "--lora-r", "16"]
    )


def test_the_command_line_names_only_what_is_not_default() -> None:
    config = TrainConfig(dataset=["a", "b c"], lora_r=8, gradient_checkpointing=True, extra={"neftune_noise_alpha": 5})
    line = command_line(config, "core-cli train")
    assert line.replace(" \\\n   ", "") == (
        "core-cli train --dataset a 'b c' --lora-r 8 --gradient-checkpointing --extra '{neftune_noise_alpha: 5}'"
    )


def test_unknown_and_foreign_values_are_refused() -> None:
    with pytest.raises(UserError, match="unknown option"):
        read_values(TrainConfig, {"lora_rank": 8}, {})
    with pytest.raises(UserError, match="lora_r"):
        read_values(TrainConfig, {"lora_r": 5000}, {})
    with pytest.raises(UserError, match="lora_r"):
        read_values(TrainConfig, {"lora_r": 2.5}, {})
    with pytest.raises(UserError, match="learning_rate"):
        read_values(TrainConfig, {"learning_rate": "fast"}, {})
    with pytest.raises(UserError, match="extra"):
        read_values(TrainConfig, {"extra": "{"}, {})
    with pytest.raises(UserError, match="temperature"):
        read_values(ChatConfig, {"temperature": -1}, {})


@pytest.fixture
def tab(board: Any) -> TrainTab:
    made = TrainTab(board)
    made.put_form()
    made.put_start()
    made.put_run()
    made.listen()
    return made


def values_of(tab: Any, **changed: Any) -> dict[Any, Any]:
    values = {part: part.value for part in tab.form.components.values()}
    values |= {tab.form.components[name]: value for name, value in changed.items()}
    return values | {tab.mine: "", tab.board.train_run: None}


def test_a_value_out_of_bounds_gives_a_message_and_no_run(tab: Any, tmp_path: Path) -> None:
    for wrong in ({"lora_r": 5000}, {"dataset": []}, {"dataset": ["tolls"]}, {"learning_rate": "x"}):
        assert "tb-bad" in tab.begin(values_of(tab, **{"dataset": ["identity"], **wrong}))[2]
    assert list_runs(str(tmp_path)) == []


def test_twenty_clicks_start_one_run(tab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []

    def launch(run: Run, *, resume: bool = False) -> None:
        held.append((run.path / "lock").open("a"))
        fcntl.flock(held[-1], fcntl.LOCK_EX)
        run.write_state("starting")

    monkeypatch.setattr(Run, "launch", launch)
    values = values_of(tab, dataset=["identity"])
    values[tab.mine] = tab.begin(values)[1]
    for _ in range(19):
        assert "in progress" in tab.begin(values)[2]
    assert len(list_runs(str(tmp_path))) == 1
    held[0].close()


def test_pages_are_told_of_what_is_new_and_of_nothing_else(tab: Any, tmp_path: Path) -> None:
    changes = Changes(str(tmp_path))
    marks = [changes.mark()]
    run = Run.create(TrainConfig(dataset=["identity"], runs_dir=str(tmp_path)))
    for change in (lambda: None, lambda: run.write_metrics({"step": 1, "loss": 2.5}), lambda: None, run.request_stop):
        change()
        time.sleep(FRESH_S * 1.2)
        marks.append(changes.mark())
    assert [before == after for before, after in pairwise(marks)] == [False, False, True, False]
    assert "polyline" in tab.watched(run.path.name)[1]
    restore(Run(delete(run)))
    time.sleep(FRESH_S * 1.2)
    assert changes.mark() != marks[-1], "a run that was away between two looks"
