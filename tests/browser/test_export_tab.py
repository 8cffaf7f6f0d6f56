"""The Export tab: what it offers for a run, what it refuses, and what it shows of a folder that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from core.disk import write_atomic_json
from core.export import task
from core.run import Run
from tests.conftest import small
from webui.tabs.export import ExportTab


@pytest.fixture
def tab(board: Any) -> ExportTab:
    made = ExportTab(board)
    with gr.Row():
        made.put_question()
        made.status = gr.HTML()
    made.listen()
    return made


def run_with(folder: Path, file: str) -> Run:
    run = Run.create(small(runs_dir=str(folder)))
    run.model_dir.mkdir()
    (run.model_dir / file).write_text("{}", encoding="utf-8")
    return run


def values_of(tab: ExportTab, run: Run, **given: Any) -> dict[Any, Any]:
    values = {part: part.value for part in tab.form.components.values()} | {tab.run: run.path.name}
    return values | {tab.form.components[name]: value for name, value in given.items()}


def test_merging_is_offered_for_adapters_only(tab: ExportTab, tmp_path: Path) -> None:
    assert "Train one first" in tab.opened()[tab.status]
    adapter = tab.shown(run_with(tmp_path, "adapter_config.json").path.name)
    whole = tab.shown(run_with(tmp_path, "config.json").path.name)
    merge = tab.form.components["merge"]
    assert (adapter[merge]["visible"], whole[merge]["visible"]) == (True, False)
    assert "An adapter on starter." in adapter[tab.kind]
    assert "Nothing exported yet" in whole[tab.status]


def test_nothing_is_written_over_or_outside(tab: ExportTab, tmp_path: Path) -> None:
    run = run_with(tmp_path, "config.json")
    assert "is there already" in tab.begin(values_of(tab, run, output_dir=str(tmp_path)))[tab.problem]
    assert "outside" in tab.begin(values_of(tab, run, output_dir="/var/tmp/none"))[tab.problem]
    assert task(run).state() == "none"


def test_a_folder_that_is_there_is_shown_with_its_use(tab: ExportTab, tmp_path: Path) -> None:
    run, place = run_with(tmp_path, "config.json"), tmp_path / "my model"
    task(run).folder.mkdir(parents=True)
    write_atomic_json(task(run).folder / "task.json", {"words": ["export", "x", "--output-dir", str(place)]})
    write_atomic_json(task(run).folder / "ended.json", {"code": 0})
    assert "Nothing exported yet" in tab.shown(run.path.name)[tab.status]
    place.mkdir()
    (place / "model.safetensors").write_bytes(b"0" * 3000)
    shown = tab.shown(run.path.name)[tab.status]
    assert "3 KiB" in shown
    assert f"vllm serve &#x27;{place}&#x27;" in shown
