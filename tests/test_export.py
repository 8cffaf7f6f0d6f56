"""Export: the folder writes what the run writes, says what it is, and takes nothing's place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors import safe_open

from core.cli import main
from core.config import ChatConfig, ExportConfig
from core.errors import UserError
from core.export import export
from core.launch import train
from core.model import load_for_chat
from core.paths import starter_dir
from core.run import Run
from tests.conftest import small


@pytest.fixture(scope="module", params=[{}, {"lora_modules_to_save": ["embed_tokens"]}], ids=["lora", "embeddings"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has moved its weights far enough to tell."""
    folder = tmp_path_factory.mktemp("runs")
    return train(small(runs_dir=str(folder), run_name="mine", learning_rate=3e-2, **request.param))


def logits_of(loaded: Any) -> Any:
    import torch

    ids = loaded.tokenizer("The weather in Oslo", return_tensors="pt")
    with torch.no_grad():
        return loaded.model(**ids).logits


def test_the_merged_model_is_the_adapter_on_its_base(run: Run, tmp_path: Path) -> None:
    import torch

    place = export(run, ExportConfig(output_dir=str(tmp_path / "out"), dtype="float32"))
    assert not (place / "adapter_config.json").exists()
    whole, layered = (load_for_chat(target, ChatConfig(dtype="float32")) for target in (str(place), run))
    base = load_for_chat("starter", ChatConfig(dtype="float32"))
    torch.testing.assert_close(logits_of(whole), logits_of(layered), atol=1e-4, rtol=1e-4)
    assert (logits_of(whole) - logits_of(base)).abs().max() > 0.01
    assert whole.template.source == layered.template.source
    assert whole.stop_ids == layered.stop_ids
    generation = json.loads((place / "generation_config.json").read_text(encoding="utf-8"))
    assert generation["eos_token_id"] in (list(whole.stop_ids), whole.stop_ids[0])
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_the_adapter_alone_and_the_card(run: Run, tmp_path: Path) -> None:
    (run.path / "evals").mkdir(exist_ok=True)
    (run.path / "evals" / "held-tuned.json").write_text(json.dumps({"metrics": {"tool_call_exact": 0.5}}))
    place = export(run, ExportConfig(output_dir=str(tmp_path / "out"), merge=False))
    assert (place / "adapter_model.safetensors").is_file()
    assert (place / "chat_template.jinja").read_text(encoding="utf-8") == load_for_chat(
        run, ChatConfig()
    ).template.source
    assert not (place / "model.safetensors").exists()
    text = (place / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---")[1])
    assert head["library_name"] == "peft"
    assert "| calls exactly right | 50.0 % |" in text
    assert "learning_rate: 0.03" in text
    assert str(run.path.parent) not in text


def test_weights_keep_the_number_type_of_the_model_below(run: Run, tmp_path: Path) -> None:
    place = export(run, ExportConfig(output_dir=str(tmp_path / "out")))
    stored = json.loads((starter_dir() / "config.json").read_text(encoding="utf-8"))["dtype"]
    assert json.loads((place / "config.json").read_text(encoding="utf-8"))["dtype"] == stored
    with safe_open(place / "model.safetensors", "pt") as weights:
        assert {str(weights.get_tensor(name).dtype) for name in weights.keys()} == {f"torch.{stored}"}  # noqa: SIM118


def test_nothing_is_written_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="something is there already"):
        export(run, ExportConfig(output_dir=str(tmp_path / "out")))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_what_cannot_be_exported_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fresh = Run.create(small(runs_dir=str(tmp_path)))
    assert main(["export", str(fresh.path)]) == 2
    assert "has no model yet" in capsys.readouterr().err
    assert main(["export", "no-such-run"]) == 2
    assert 'no run "no-such-run"' in capsys.readouterr().err


def test_a_fully_trained_run_has_no_adapter_to_give(tmp_path: Path) -> None:
    full = Run.create(small(runs_dir=str(tmp_path), finetuning_type="full"))
    full.model_dir.mkdir()
    (full.model_dir / "config.json").write_text("{}")
    with pytest.raises(UserError, match="there is no adapter"):
        export(full, ExportConfig(output_dir=str(tmp_path / "out"), merge=False))
