"""Methods: each trains what it says, its result loads again as it was, and what cannot work is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from core.batch import Collator
from core.config import TrainConfig
from core.errors import UserError
from core.method import adapter_config, check_method, load_trainable
from core.model import load_for_chat, load_weights
from core.run import Run
from core.train import train_run
from tests.conftest import small

FEW = {"max_samples": 4, "max_steps": 2}


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 25).unsqueeze(0)).logits


@pytest.mark.parametrize(
    "options",
    [
        {"use_rslora": True},
        {"use_dora": True},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "olora"},
        {"loraplus_lr_ratio": 16},
        {"lora_target_modules": ["q_proj", "v_proj"]},
        {"finetuning_type": "freeze", "freeze_trainable_layers": 1},
        {"loss_type": "dft"},
        {"neftune_noise_alpha": 5},
    ],
    ids=str,
)
def test_what_was_trained_is_what_is_loaded(
    runs: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """The logits of the model as it left training equal those of the model that chat loads."""
    left: list[torch.Tensor] = []
    real = train_run.__globals__["write_whole"]

    def caught(place: Path, write: Any) -> None:
        if place.name == "model":
            model = write.__closure__[0].cell_contents.model.eval()
            left.append(logits(model))
        real(place, write)

    monkeypatch.setitem(train_run.__globals__, "write_whole", caught)
    run = Run.create(small(**FEW, **options))
    assert train_run(run) == "finished"
    loaded = load_for_chat(run, TrainConfig(dtype="float32"))
    torch.testing.assert_close(logits(loaded.model), left[0], rtol=1e-3, atol=1e-3)
    assert not torch.equal(left[0], logits(load_weights("starter", TrainConfig(dtype="float32"))))


def test_freeze_trains_the_last_layers_only() -> None:
    model, adapter = load_trainable(TrainConfig(finetuning_type="freeze", freeze_trainable_layers=1))
    assert adapter is None
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    last = len(model.get_decoder().layers) - 1
    assert trained
    assert all(f"layers.{last}." in name or name.endswith("model.norm.weight") for name in trained)


def test_an_adapter_can_be_trained_on_and_others_merged_first(runs: Path) -> None:
    first = Run.create(small(**FEW))
    train_run(first)
    adapter = str(first.model_dir)
    model, config = load_trainable(TrainConfig(adapter_name_or_path=[adapter, adapter], dtype="float32"))
    assert config is None
    assert any(isinstance(module, BaseTunerLayer) for module in model.modules())
    second = Run.create(small(**FEW, adapter_name_or_path=[adapter]))
    assert train_run(second) == "finished"
    assert (second.model_dir / "adapter_config.json").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"finetuning_type": "full", "use_dora": True}, "use_dora is for adapters"),
        ({"loss_weights": {"tool_cal": 2}}, 'unknown kind "tool_cal", did you mean "tool_call"'),
        ({"loss_weights": {"text": -1}}, "text must be ≥ 0"),
        ({"load_in_4bit": True, "finetuning_type": "full"}, "load_in_4bit needs a GPU.*cannot be trained"),
        ({"load_in_4bit": True, "load_in_8bit": True}, "exclude each other"),
        ({"attn_implementation": "flash_attention_2", "dtype": "float32"}, "needs a GPU.*flash_attn.*16 bits only"),
    ],
)
def test_what_cannot_work_is_refused_all_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_method(TrainConfig(**options))


def test_ranks_and_modules_are_checked_against_the_model() -> None:
    model = load_weights("starter", TrainConfig())
    with pytest.raises(UserError, match=r"lora_r 1024 is above the size of .*at most"):
        adapter_config(TrainConfig(lora_r=1024), model)
    with pytest.raises(UserError, match='no linear layer "q_prj" — did you mean "q_proj"'):
        adapter_config(TrainConfig(lora_target_modules=["q_prj"]), model)
    with pytest.raises(UserError, match="the model has"):
        load_trainable(TrainConfig(finetuning_type="freeze", freeze_trainable_layers=99))
    with pytest.raises(UserError, match='adapter "nowhere" does not fit'):
        load_trainable(TrainConfig(adapter_name_or_path=["nowhere"]))


def test_kinds_are_weighted() -> None:
    row = {"input_ids": [1, 2, 3], "labels": [-100, 2, 3], "kinds": [0, 1, 3], "weights": [0.0, 1.0, 0.5]}
    batch = Collator(0, {"tool_call": 1.5}, packs=True)([row])
    assert batch["weights"].tolist() == [1.0, 0.75]


def test_weights_of_kinds_reach_the_loss(runs: Path) -> None:
    """With calls weighted by nothing, the loss is that of the other kinds."""
    run = Run.create(small(dataset=["tools"], **FEW, loss_weights={"tool_call": 0, "stop": 0}))
    train_run(run)
    line = run.metrics()[0]
    assert line["loss"] == pytest.approx(line["loss_text"], rel=1e-4)
    assert line["loss_tool_call"] > 0
