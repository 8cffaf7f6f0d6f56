"""Rows into batches, and what a batch gave into sums per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from core.label import IGNORED
from core.pack import packed
from core.template.spans import KINDS

Batch = dict[str, Any]


class Collator:
    """Rows as a batch: either padded on the right to the longest, or packed one behind the other.

    Padded, `input_ids` and `attention_mask` have the shape (rows, longest). Packed, `input_ids` and `position_ids` have
    the shape (1, tokens), and the rows' bounds are there as flash attention takes them; a row of padding comes last
    where the tokens are not a `multiple`. Beside that there is one entry for each label, shape (labels,): `targets` are
    the labels, `places` the positions in the flattened batch whose output predicts them, `kinds` and `weights` theirs.
    A row's first token is predicted by nothing and has no loss. `tokens` is how many tokens the rows have.

    `loss_weights` multiplies the weights of the tokens of a kind; kinds that it does not name keep theirs.
    """

    def __init__(
        self, pad_token_id: int, loss_weights: Mapping[str, float] | None = None, *, packs: bool, multiple: int = 1
    ) -> None:
        named = loss_weights or {}
        self.pad_token_id = pad_token_id
        self.kind_weights = np.array([0.0, *(named.get(kind, 1.0) for kind in KINDS)], dtype=np.float32)
        self.packs, self.multiple = packs, multiple

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """Make the batch; without rows one of padding with nothing to learn, for a process that has to keep step."""
        if not rows:
            nothing = {
                "input_ids": [self.pad_token_id] * 2,
                "labels": [IGNORED] * 2,
                "kinds": [0] * 2,
                "weights": [0] * 2,
            }
            return self([nothing]) | {"tokens": 0}
        lengths = [len(row["input_ids"]) for row in rows]
        width = 0 if self.packs else max(lengths)
        if self.packs:
            ids = [torch.from_numpy(np.asarray(row["input_ids"], dtype=np.int64))[None] for row in rows]
            missing = -sum(lengths) % self.multiple
            batch = packed([*ids, *([torch.full((1, missing), self.pad_token_id)] if missing else [])])
        else:
            batch = self._padded(rows, lengths, width)
        starts = np.cumsum([0, *lengths[:-1]]) if self.packs else np.arange(len(rows)) * width
        return batch | self._labels(rows, starts) | {"tokens": sum(lengths)}

    def _padded(self, rows: Sequence[Mapping[str, Any]], lengths: list[int], width: int) -> Batch:
        input_ids = np.full((len(rows), width), self.pad_token_id, dtype=np.int64)
        for place, row, length in zip(input_ids, rows, lengths, strict=True):
            place[:length] = row["input_ids"]
        attention_mask = torch.arange(width) < torch.tensor(lengths)[:, None]
        return {"input_ids": torch.from_numpy(input_ids), "attention_mask": attention_mask.long()}

    def _labels(self, rows: Sequence[Mapping[str, Any]], starts: np.ndarray) -> Batch:
        chosen = [np.flatnonzero(np.asarray(row["labels"])[1:] != IGNORED) + 1 for row in rows]
        places = [own + start - 1 for own, start in zip(chosen, starts, strict=True)]
        kinds = _joined(rows, "kinds", np.int64, chosen)
        weights = _joined(rows, "weights", np.float32, chosen) * self.kind_weights[kinds]
        return {
            "targets": torch.from_numpy(_joined(rows, "labels", np.int64, chosen)),
            "places": torch.from_numpy(np.concatenate(places)),
            "kinds": torch.from_numpy(kinds),
            "weights": torch.from_numpy(weights),
        }


def _joined(
    rows: Sequence[Mapping[str, Any]], name: str, number_type: type, chosen: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """A column of all rows (or what is chosen of each), one row behind the other."""
    columns = [np.asarray(row[name]) for row in rows]
    if chosen is not None:
        columns = [column[own] for column, own in zip(columns, chosen, strict=True)]
    return np.concatenate(columns).astype(number_type)


class Sums:
    """Sums of loss and correct tokens per kind since the last log line, kept on the device.

    Nothing is brought to the host before `take`, so that a GPU is not waited for at every batch.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._precise = torch.float32 if torch.device(device).type == "mps" else torch.float64
        self._kinds = torch.arange(1, len(KINDS) + 1, device=device)
        self._sums = torch.zeros(3, len(KINDS), dtype=self._precise, device=device)

    def add(self, losses: torch.Tensor, correct: torch.Tensor, kinds: torch.Tensor) -> None:
        """One batch: three tensors of shape (labels,)."""
        rows = torch.stack(
            [losses.to(self._precise), correct.to(self._precise), torch.ones_like(losses).to(self._precise)]
        )
        self._sums += rows @ (kinds[:, None] == self._kinds).to(self._precise)

    def merge(self, other: Sums) -> None:
        """Add what another has collected."""
        self._sums += other._sums

    def take(self, over_processes: Callable[[torch.Tensor], torch.Tensor] = torch.clone) -> dict[str, float]:
        """`loss`, `loss_<kind>`, `accuracy`, `accuracy_<kind>`: means over tokens; then start again.

        `over_processes` adds a tensor up over all processes.
        """
        losses, correct, counts = over_processes(self._sums).tolist()
        self._sums.zero_()
        if not sum(counts):
            return {}
        means = {"loss": sum(losses) / sum(counts), "accuracy": sum(correct) / sum(counts)}
        for kind, loss, hits, count in zip(KINDS, losses, correct, counts, strict=True):
            if count:
                means |= {f"loss_{kind}": loss / count, f"accuracy_{kind}": hits / count}
        return means
