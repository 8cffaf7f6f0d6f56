"""What a training will need, before it starts: memory by part, time, whether the device has room, and what would fit.

Weights, gradients and optimiser are counted on the model's own modules, of which no weight is loaded; activations and
logits come from a step that is gone through without data, on a batch of the longest rows. The time follows from what
that step computes and moves, and from how fast this machine does either, measured for a moment. It is the time of the
training alone, without evaluations and saving.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.checks import check_training
from core.config import TrainConfig
from core.estimate.count import Counted, count
from core.estimate.lengths import Lengths, measure_lengths
from core.estimate.machine import Rates, available_bytes, measure_rates, program_bytes
from core.model import load_vocabulary, pick_device
from core.vocabulary import add_tokens

# The rows of the batch for which a model is counted; what goes with the rows follows for other batches.
COUNTED_ROWS = 4
# Bytes that the optimiser holds for each byte trained, by the beginning of its name; others are counted as Adam's.
OPTIMISER_STATES = {"adafactor": 0.0, "sgd": 0.0, "lion": 1.0, "rmsprop": 1.0, "adagrad": 1.0, "adamw": 2.0}
# Bytes moved for each byte trained while gradients are clipped and a step is taken.
OPTIMISER_MOVES = 16
SHORTEST_WINDOW = 256


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes and seconds. `parts` are the most that there is of each; `memory` is the most that there is at once."""

    device: str
    available: int
    memory: int
    parts: dict[str, int]
    parameters: int
    trained_parameters: int
    rows: int
    longest: int
    steps: int
    step_s: float

    @property
    def fits(self) -> bool:
        """Whether the device has room for it now."""
        return self.memory <= self.available

    @property
    def total_s(self) -> float:
        """The whole training."""
        return self.steps * self.step_s

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {**asdict(self), "fits": self.fits, "total_s": self.total_s}


class Estimator:
    """Rows looked at once and models counted once, for estimates of a config and of changes to it."""

    def __init__(self, config: TrainConfig) -> None:
        """Raises `UserError` for what would also stop the training."""
        check_training(config)
        tokenizer, template = load_vocabulary(config)
        self.new = add_tokens(tokenizer, template.added)
        self.device = pick_device(config.device)
        self.lengths = measure_lengths(config, template, tokenizer)
        self.rates: Rates = measure_rates(self.device, config.dtype)
        self._counted: dict[tuple[Any, ...], Counted] = {}

    def estimate(self, config: TrainConfig) -> Estimate:
        """What this training needs."""
        lengths = self.lengths.within(config.max_length)
        counted = self._count(config, lengths)
        packs = config.packing == "on" or (config.packing == "auto" and self.device == "cpu")
        tokens = lengths.most_tokens(config.per_device_train_batch_size, packs=packs)
        parts, memory = memory_of(config, counted, tokens)
        parts["program"] = program_bytes(self.device)
        return Estimate(
            device=self.device,
            available=available_bytes(self.device),
            memory=memory + parts["program"],
            parts=parts,
            parameters=counted.parameters,
            trained_parameters=counted.trained,
            rows=lengths.rows,
            longest=lengths.longest,
            steps=steps_of(config, lengths.rows),
            step_s=self._seconds(config, counted, lengths),
        )

    def fitting(self, config: TrainConfig) -> dict[str, Any] | None:
        """The least that has to be changed for it to fit: {} if nothing, None when none of these changes helps."""
        changes: list[dict[str, Any]] = [{}]
        for change in possible_changes(config, self.lengths.longest, self.device):
            if self._fits(config, changes):
                break
            changes.append(change)
        if not self._fits(config, changes):
            return None
        # What did not do by itself is left out again, the latest first, where the rest does without it.
        for change in reversed(changes[:-1]):
            fewer = [other for other in changes if other is not change]
            changes = fewer if self._fits(config, fewer) else changes
        return _together(changes)

    def _fits(self, config: TrainConfig, changes: Sequence[dict[str, Any]]) -> bool:
        return self.estimate(config.model_copy(update=_together(changes))).fits

    def _count(self, config: TrainConfig, lengths: Lengths) -> Counted:
        shape = lengths.longest_batch(COUNTED_ROWS)
        key = (config.finetuning_type, config.gradient_checkpointing, config.load_in_4bit, shape)
        if key not in self._counted:
            self._counted[key] = count(config, shape, self.new)
        return self._counted[key]

    def _seconds(self, config: TrainConfig, counted: Counted, lengths: Lengths) -> float:
        """Of one optimiser step, on rows of mean length."""
        rates, step, shape = self.rates, counted.step, counted.shape
        part = lengths.mean * config.per_device_train_batch_size / (shape.rows * shape.length)
        computing = step.flops * part / rates.flops + step.moved * part / rates.moved
        calling = step.calls * rates.call_s
        # A GPU computes while the next call is prepared, a CPU does one after the other.
        once = max(computing, calling) if self.device == "cuda" else computing + calling
        stepping = OPTIMISER_MOVES * counted.trained_bytes / rates.moved
        return once * config.gradient_accumulation_steps + stepping


def memory_of(config: TrainConfig, counted: Counted, tokens: int) -> tuple[dict[str, int], int]:
    """The parts in bytes for a batch of `tokens`, and the most at once: forwards, backwards, or while stepping."""
    part = tokens / (counted.shape.rows * counted.shape.length)
    gradients, step = counted.trained_bytes, counted.step
    activations = step.activations * part
    # As many at a time in a large batch as in a small one.
    logits = step.logits
    back = max(0.0, step.backward - gradients) * part + gradients
    kept = gradients if config.gradient_accumulation_steps > 1 else 0
    optimiser = gradients * _states(config.optim)
    # A step is taken on copies of the trained weights' size.
    highest = max(kept + activations + logits, kept + activations, back, 2 * gradients) + counted.unpacked
    parts = {
        "weights": counted.weights,
        "gradients": gradients,
        "optimiser": optimiser,
        "activations": activations,
        "logits": logits,
    }
    return {name: int(value) for name, value in parts.items()}, int(counted.weights + optimiser + highest)


def _states(optim: str) -> float:
    """Bytes of state for each byte trained; in 8 bits a quarter of it."""
    name = optim.removeprefix("paged_")
    states = next((held for start, held in OPTIMISER_STATES.items() if name.startswith(start)), 2.0)
    return states / 4 if "8bit" in name else states


def steps_of(config: TrainConfig, rows: int) -> int:
    """Optimiser steps of the run."""
    if config.max_steps > 0:
        return config.max_steps
    batches = math.ceil(rows / config.per_device_train_batch_size)
    return math.ceil(config.num_train_epochs * max(1, math.ceil(batches / config.gradient_accumulation_steps)))


def possible_changes(config: TrainConfig, longest: int, device: str) -> Iterator[dict[str, Any]]:
    """What makes a training smaller: first what leaves its result alone, then what costs something."""
    batch, passes = config.per_device_train_batch_size, config.gradient_accumulation_steps
    while batch > 1 and batch % 2 == 0:
        batch, passes = batch // 2, passes * 2
        yield {"per_device_train_batch_size": batch, "gradient_accumulation_steps": passes}
    if not config.gradient_checkpointing:
        yield {"gradient_checkpointing": True}
    if config.finetuning_type != "lora":
        yield {"finetuning_type": "lora", "learning_rate": None}
    if device == "cuda" and not (config.load_in_4bit or config.load_in_8bit):
        yield {"load_in_4bit": True}
    window = min(longest, config.max_length)
    while window // 2 >= SHORTEST_WINDOW:
        window //= 2
        yield {"max_length": window} | ({"auto_length": False} if config.auto_length else {})


def _together(changes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for change in changes for name, value in change.items()}
