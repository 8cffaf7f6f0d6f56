"""Which length a part of many samples does not exceed: of a check's figures, of its picture, of a window that fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def quantile(lengths: Iterable[Sequence[int]], part: float) -> int:
    """The least length that this part of the samples does not exceed; `lengths` are (length, count) in order."""
    lengths = list(lengths)
    total, seen = sum(count for _, count in lengths), 0
    for length, count in lengths:
        seen += count
        if seen >= part * total:
            return length
    return 0
