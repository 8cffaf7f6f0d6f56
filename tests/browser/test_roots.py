"""Files that a browser names lie under the declared folders, whatever links and registries say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.config import TrainConfig
from core.errors import UserError
from webui.roots import Roots


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (tmp_path / "secret.jsonl").write_text('{"messages": []}\n', encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "option",
    [
        {"dataset": ["/etc/passwd"]},
        {"eval_dataset": ["../secret.jsonl"]},
        {"dataset": ["no/such/../../../file.jsonl"]},
        {"template": "/etc/passwd"},
        {"dataset_dir": "/etc"},
        {"model_name_or_path": "/etc"},
        {"model_name_or_path": "../x"},
        {"adapter_name_or_path": ["~/adapter"]},
    ],
)
def test_files_outside_are_refused(work: Path, option: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="outside"):
        Roots.of("").check_config(TrainConfig(**option))


def test_links_and_registries_do_not_lead_out(work: Path) -> None:
    roots = Roots.of("")
    (work / "rows.jsonl").symlink_to(work.parent / "secret.jsonl")
    folder = work / "folder"
    folder.mkdir()
    (folder / "rows.jsonl").symlink_to(work.parent / "secret.jsonl")
    entry = {"mine": {"file_name": "../secret.jsonl", "formatting": "openai"}}
    (work / "dataset_info.json").write_text(json.dumps(entry), encoding="utf-8")
    for option in ({"dataset": ["rows.jsonl"]}, {"dataset": ["folder"]}, {"dataset": ["mine"], "dataset_dir": "."}):
        with pytest.raises(UserError, match="outside"):
            roots.check_config(TrainConfig(**option))
    # A folder that a person declares is inside.
    Roots.of("", [str(work.parent)]).check_config(TrainConfig(dataset=["mine"], dataset_dir="."))


def test_names_that_are_no_files_pass(work: Path) -> None:
    Roots.of("").check_config(
        TrainConfig(model_name_or_path="Qwen/Qwen3-0.6B", dataset=["identity", "hf:org/name"], template="chatml")
    )
