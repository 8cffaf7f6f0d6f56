"""Rows into batches, and what a batch gave into sums per kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch

from core.encode import IGNORED
from core.template.spans import KINDS


class Collator:
    """Rows of a batch, padded on the right to the longest: five tensors of shape (batch, length).

    `loss_weights` multiplies the weights of the tokens of a kind; kinds that it does not name keep theirs.
    """

    def __init__(self, pad_token_id: int, loss_weights: Mapping[str, float] | None = None) -> None:
        named = loss_weights or {}
        self.kind_weights = torch.tensor([0.0, *(named.get(kind, 1.0) for kind in KINDS)])
        self.fill = {"input_ids": pad_token_id, "labels": IGNORED, "kinds": 0, "weights": 0.0, "attention_mask": 0}

    def __call__(self, rows: list[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad and stack."""
        full = [{**row, "attention_mask": [1] * len(row["input_ids"])} for row in rows]
        batch = {
            name: torch.nn.utils.rnn.pad_sequence(
                [torch.tensor(row[name]) for row in full], batch_first=True, padding_value=fill
            )
            for name, fill in self.fill.items()
        }
        batch["weights"] = batch["weights"] * self.kind_weights[batch["kinds"]]
        return batch


class Sums:
    """Sums of loss and correct tokens per kind since the last log line."""

    def __init__(self) -> None:
        self._loss: dict[str, float] = defaultdict(float)
        self._correct: dict[str, float] = defaultdict(float)
        self._count: dict[str, int] = defaultdict(int)

    def add(self, losses: torch.Tensor, correct: torch.Tensor, kinds: torch.Tensor) -> None:
        """One batch: three tensors of shape (labels,)."""
        for number, kind in enumerate(KINDS, start=1):
            here = kinds == number
            if count := int(here.sum()):
                self._count[kind] += count
                self._loss[kind] += float(losses[here].sum())
                self._correct[kind] += float(correct[here].sum())

    def take(self) -> dict[str, float]:
        """`loss`, `loss_<kind>`, `accuracy`, `accuracy_<kind>`: means over tokens; then start again."""
        total = sum(self._count.values())
        if not total:
            return {}
        means = {"loss": sum(self._loss.values()) / total, "accuracy": sum(self._correct.values()) / total}
        for kind, count in self._count.items():
            means[f"loss_{kind}"] = self._loss[kind] / count
            means[f"accuracy_{kind}"] = self._correct[kind] / count
        for sums in (self._loss, self._correct, self._count):
            sums.clear()
        return means
