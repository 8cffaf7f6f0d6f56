"""Weights that are not whole, or not this model's, are named before they are loaded or then, never made up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core.checks import check_training
from core.config import TrainConfig
from core.errors import UserError
from core.model import load_weights
from core.paths import starter_dir
from core.weights import weight_faults
from tests.conftest import small


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(starter_dir(), tmp_path / "model"))


def test_files_that_are_not_whole_are_named(model: Path) -> None:
    file = model / "model.safetensors"
    whole = file.read_bytes()
    assert weight_faults(model) == []
    for left, said in (
        (whole[:-1], f"has {len(whole) - 1:,} bytes of {len(whole):,}"),
        (whole + b"x", f"has {len(whole) + 1:,} bytes of {len(whole):,}"),
        (whole[:100], "is no .safetensors file, or damaged"),
        (b"", "is no .safetensors file, or damaged"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is no .safetensors file, or damaged"),
        (b"\x02" + bytes(7) + b"[]", "is no .safetensors file, or damaged"),
    ):
        file.write_bytes(left)
        with pytest.raises(UserError) as refused:
            check_training(small(model_name_or_path=str(model)))
        assert str(refused.value) == f"model_name_or_path: {file} {said}: copy the file again"


def test_a_missing_part_is_named(model: Path) -> None:
    first, second = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
    (model / "model.safetensors").rename(model / first)
    index = model / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": first, "b": second, "c": second}}), encoding="utf-8")
    assert weight_faults(model) == [f"{model / second} cannot be read (No such file or directory): copy the file again"]
    index.write_text("[]", encoding="utf-8")
    assert weight_faults(model) == [f"{index} is no list of weights: copy the model's folder again"]


@pytest.mark.parametrize("changed", ["num_hidden_layers", "intermediate_size"])
def test_weights_that_a_model_lacks_are_not_made_up(model: Path, changed: str) -> None:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config[changed] += 1
    config.pop("layer_types", None)
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(
        UserError, match=r'the weights of ".*" lack model\.layers\.\S+ and \d+ more, or have them in ano'
    ):
        load_weights(str(model), TrainConfig(device="cpu"))


def test_an_adapter_without_weights_or_of_a_kind_that_is_not_trained_is_refused(tmp_path: Path) -> None:
    said = {"peft_type": "LORA", "base_model_name_or_path": "/x/starter", "r": 4, "target_modules": ["q_proj"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(UserError, match=r"^adapter_name_or_path: .*/adapter_model\.safetensors cannot be read"):
        check_training(small(adapter_name_or_path=[str(tmp_path)]))
    said = {"peft_type": "PREFIX_TUNING", "base_model_name_or_path": "/x/starter", "task_type": "CAUSAL_LM"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(UserError, match=r'^adapter_name_or_path: ".*" is of the kind PREFIX_TUNING: give one of LoRA'):
        check_training(small(adapter_name_or_path=[str(tmp_path)]))
