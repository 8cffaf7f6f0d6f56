"""Scaled rotary positions: they reach the model, stay with the result, and what cannot be scaled is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForCausalLM, Gemma3TextConfig, GPT2Config

from core.auto_length import with_length
from core.checks import check_training
from core.config import ChatConfig, ExportConfig, TrainConfig
from core.errors import UserError
from core.export import export
from core.generate import context_tokens
from core.method import load_trainable
from core.model import load_for_chat, load_weights
from core.paths import starter_dir
from core.rope import training_shape
from core.run import Run
from core.train import train_run
from core.trainer import Trainer
from core.window_length import Lengths, fitted
from tests.conftest import small
from tests.test_train import weights_of

FEW: dict[str, Any] = {"max_samples": 4, "max_steps": 2, "max_length": 4096}
PLAIN = ChatConfig(dtype="float32")


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 105).unsqueeze(0)).logits


@pytest.mark.parametrize(
    ("kind", "method"), [("linear", "lora"), ("yarn", "lora"), ("yarn", "full"), ("llama3", "lora")]
)
def test_what_was_trained_scaled_is_loaded_scaled(
    runs: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, method: Any
) -> None:
    left: list[torch.Tensor] = []
    real = Trainer.save_whole

    def caught(trainer: Trainer, place: Path) -> None:
        left.append(logits(trainer.model.eval()))
        real(trainer, place)

    monkeypatch.setattr(Trainer, "save_whole", caught)
    run = Run.create(small(**FEW, rope_scaling=kind, finetuning_type=method, learning_rate=1e-5))
    assert train_run(run) == "finished"
    loaded = load_for_chat(run, PLAIN)
    assert context_tokens(loaded) == 4096
    assert torch.equal(logits(loaded.model), left[0])
    # So little is learned in two such steps that what differs is the scaling.
    assert (left[0] - logits(load_weights("starter", PLAIN))).abs().max() > 0.05


def test_an_adapter_takes_its_scaling_along(runs: Path, tmp_path: Path) -> None:
    """Into exports, merged or not, and into a training that goes on from it or from a checkpoint of it."""
    run = Run.create(small(**FEW, rope_scaling="yarn", rope_factor=3))
    train_run(run)
    tuned = logits(load_for_chat(run, PLAIN).model)
    merged = export(run, ExportConfig(output_dir=str(tmp_path / "merged"), dtype="float32"))
    shape = AutoConfig.from_pretrained(merged)
    assert (shape.max_position_embeddings, shape.rope_parameters["factor"]) == (6144, 3)
    torch.testing.assert_close(logits(load_weights(str(merged), PLAIN)), tuned, rtol=1e-4, atol=1e-4)
    alone = export(run, ExportConfig(output_dir=str(tmp_path / "alone"), merge=False))
    assert 'from_pretrained("starter", config=AutoConfig' in (alone / "README.md").read_text(encoding="utf-8")
    checkpoint = next((run.path / "checkpoints").glob("checkpoint-*"))
    for adapter in (run.model_dir, alone, checkpoint):
        on = TrainConfig(adapter_name_or_path=[str(adapter)], max_length=6144, dtype="float32")
        check_training(on)
        assert torch.equal(logits(load_trainable(on)[0].eval()), tuned)
    with pytest.raises(UserError, match=r"scaled already \(yarn by 3\), set none"):
        check_training(on.model_copy(update={"rope_scaling": "linear"}))


def test_the_window_of_an_adapter_may_be_as_long_as_its_scaled_base(tmp_path: Path) -> None:
    for name, context in (("plain", None), ("scaled", 6144)):
        LoraConfig().save_pretrained(tmp_path / name)
        if context:
            shape = AutoConfig.from_pretrained(starter_dir())
            shape.max_position_embeddings = context
            shape.save_pretrained(tmp_path / name)
    for names, window in ((["plain"], 2048), (["scaled"], 4864), (["scaled", "plain"], 4864)):
        config = TrainConfig(adapter_name_or_path=[str(tmp_path / name) for name in names])
        assert fitted(config, Lengths(6, 4810, 4810)).max_length == window


def test_a_resumed_scaled_training_equals_one_that_went_through(runs: Path) -> None:
    options = {**FEW, "max_steps": 4, "rope_scaling": "yarn"}
    straight, stopped = Run.create(small(**options)), Run.create(small(**options))
    assert train_run(straight) == "finished"
    stopped.request_stop()
    assert train_run(stopped) == "stopped"
    (stopped.path / "stop").unlink()
    assert train_run(stopped, resume=True) == "finished"
    first, second = weights_of(straight), weights_of(stopped)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_window_that_the_data_asks_for_may_be_above_the_context() -> None:
    config = small(dataset=["chat"], auto_length=True, rope_scaling="yarn")
    assert with_length(config).max_length >= 256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 4096}, "max_length 4096 is above the model's context of 2048: at most that, or set rope_sc"),
        ({"rope_scaling": "yarn"}, "max_length 1024 is within the model's context of 2048, there is nothing to scale"),
        ({"rope_factor": 2}, "rope_factor is for rope_scaling"),
        (
            {"rope_scaling": "linear", "rope_factor": 1.5, "max_length": 8192},
            "context of 2048 × rope_factor 1.5: at most 3072, or rope_factor 4 or more",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_training(TrainConfig(**options))


def test_a_model_without_rotary_positions_is_refused(tmp_path: Path) -> None:
    shape = GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=64, vocab_size=64)
    AutoModelForCausalLM.from_config(shape).save_pretrained(tmp_path)
    options: dict[str, Any] = {"model_name_or_path": str(tmp_path), "max_length": 128, "lora_r": 2}
    with pytest.raises(UserError, match=r"above the model's context of 64: at most that$"):
        check_training(TrainConfig(**options))
    with pytest.raises(UserError, match=r"rope_scaling yarn: the model has no rotary positions .*, set none"):
        check_training(TrainConfig(**options, rope_scaling="yarn"))


def test_layers_that_see_a_sliding_window_are_not_scaled(tmp_path: Path) -> None:
    made = Gemma3TextConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1,
        head_dim=8, vocab_size=64, max_position_embeddings=128, sliding_window=32, architectures=["Gemma3ForCausalLM"],
    )  # fmt: skip
    AutoModelForCausalLM.from_config(made).save_pretrained(tmp_path)
    config = TrainConfig(model_name_or_path=str(tmp_path), max_length=512, rope_scaling="linear", lora_r=2)
    check_training(config)
    shape = training_shape(config)
    assert shape is not None
    kinds = {name: rope["rope_type"] for name, rope in shape.rope_parameters.items()}
    assert kinds == {"sliding_attention": "default", "full_attention": "linear"}
    assert shape.max_position_embeddings == 512
