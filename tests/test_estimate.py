"""The estimate: counted on the model itself, the same as a real step holds, and changes that really make it fit."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from peft import get_peft_model

from core.cli import main
from core.config import TrainConfig
from core.estimate import Estimator
from core.estimate.count import count, skeleton
from core.estimate.lengths import Lengths
from core.estimate.need import steps_of
from core.estimate.simulate import Shape, simulate
from core.method import load_trainable, trainable_parameters
from tests.conftest import small

BATCH = Shape(rows=2, length=64, trained=50)


@pytest.mark.parametrize("method", ["lora", "freeze", "full"])
def test_weights_are_counted_without_loading_them(method: str) -> None:
    config = small(finetuning_type=method)
    counted = count(config, BATCH)
    model, adapter = load_trainable(config)
    model = get_peft_model(model, adapter) if adapter else model
    assert counted.trained == trainable_parameters(model)
    assert counted.parameters == sum(weight.numel() for weight in model.parameters())
    assert counted.weights == 4 * counted.parameters


@pytest.mark.parametrize(
    "options", [{"finetuning_type": "full"}, {"finetuning_type": "freeze"}, {}, {"lora_modules_to_save": ["lm_head"]}]
)
def test_on_a_gpu_what_is_trained_counts_in_float32(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: True)
    model = skeleton(small(dtype="auto", **options), "cuda")
    kinds = {weight.requires_grad: weight.dtype for weight in model.parameters()}
    assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {torch.float32}
    assert kinds.get(False, torch.bfloat16) == torch.bfloat16


def test_a_few_layers_tell_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    few = simulate(skeleton(small(), "cpu"), BATCH, "cpu")
    monkeypatch.setattr("core.estimate.simulate.MORE", 99)
    whole = simulate(skeleton(small(), "cpu"), BATCH, "cpu")
    for name in ("activations", "logits", "backward", "flops", "moved", "calls"):
        assert getattr(few, name) == pytest.approx(getattr(whole, name), rel=0.01), name


def test_activations_are_what_a_real_step_keeps() -> None:
    """Counted on the real model: every storage that autograd keeps for the way back, weights apart."""
    config = small(finetuning_type="full")
    step = simulate(skeleton(config, "cpu"), BATCH, "cpu")
    model, _ = load_trainable(config)
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    ids = torch.ones((BATCH.rows, BATCH.length), dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.get_decoder()(input_ids=ids, use_cache=False)
    assert step.activations == pytest.approx(sum(storage.nbytes() for storage in kept.values()), rel=0.1)


def test_recomputing_needs_less_memory_and_more_work() -> None:
    plain = count(small(), BATCH).step
    less = count(small(gradient_checkpointing=True), BATCH).step
    assert less.activations < plain.activations / 4
    assert less.flops > plain.flops * 1.2


def test_batches_padded_or_packed() -> None:
    lengths = Lengths(100, (10, 20, 30), ((100, 40), (90, 50), (30, 10)))
    assert lengths.mean == 20
    assert lengths.longest_batch(2) == Shape(2, 100, 90)
    assert lengths.longest_batch(6) == Shape(6, 100, 200)
    assert lengths.most_tokens(4, packs=False) == 400
    assert 80 <= lengths.most_tokens(4, packs=True) <= 120
    assert lengths.within(50).longest_batch(2) == Shape(2, 50, 90)


def test_steps_are_those_of_the_trainer() -> None:
    options: dict[str, Any] = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    assert steps_of(TrainConfig(**options, num_train_epochs=3), 17) == 9
    assert steps_of(TrainConfig(**options, max_steps=5), 17) == 5


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(TrainConfig(dataset=["tools"], max_samples=40))


HALF = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}
ONE = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 16}


@pytest.mark.parametrize("changes", [{}, HALF, ONE, ONE | {"gradient_checkpointing": True}])
def test_the_least_change_that_fits(
    estimator: Estimator, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Where there is room for just that much: nothing, then smaller batches with as many rows a step, then slower."""
    config = TrainConfig(dataset=["tools"], max_samples=40)
    room = estimator.estimate(config.model_copy(update=changes)).memory
    monkeypatch.setattr("core.estimate.need.available_bytes", lambda device: room)
    found = estimator.fitting(config)
    assert found is not None
    smaller = config.model_copy(update=found)
    assert estimator.estimate(smaller).fits
    assert set(found) <= set(changes)
    assert smaller.per_device_train_batch_size * smaller.gradient_accumulation_steps == 16
    monkeypatch.setattr("core.estimate.need.available_bytes", lambda device: 2**20)
    assert estimator.fitting(config) is None


def test_the_command_says_it_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["estimate", "--dataset", "identity", "--max-samples", "8"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["fits"]
    assert said["changes"] == {}
    assert said["memory"] > said["parts"]["weights"] + said["parts"]["activations"]
    assert said["total_s"] == pytest.approx(said["steps"] * said["step_s"])
    monkeypatch.setattr("core.estimate.need.available_bytes", lambda device: 2**20)
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "does not fit" in out
    assert "nothing here makes it fit" in out
