"""Rows one behind the other in one sequence, without padding, and attention that keeps each row to itself.

A packed batch is one sequence of shape (1, tokens) with position ids that start again at every row and with the rows'
bounds as `cu_seq_lens_q`, as flash attention takes them. Where flash attention is not used, `attend_by_row` makes a
model call its own attention once a row: as much work as for separate rows, and the same numbers.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

# On a CPU the kernels of matrix products are made for one shape each, and kept: lengths that are multiples of these
# (of all tokens or labels together, and of a row in attention) have few shapes, and save more than they cost.
CPU_TOKENS, CPU_ROW = 64, 32
# The ways of attending that are called row by row, and the names of that.
BY_ROW = {"sdpa": "sdpa_by_row", "eager": "eager_by_row"}


def attend_by_row(model: Any) -> None:
    """Make a model's attention keep packed rows apart; batches that are not packed are attended to as before.

    A model that attends otherwise (flash attention) is left alone: it has to see to that itself.
    """
    AttentionInterface.register("sdpa_by_row", _sdpa_by_row)
    AttentionInterface.register("eager_by_row", _eager_by_row)
    AttentionMaskInterface.register("sdpa_by_row", _sdpa_masks)
    AttentionMaskInterface.register("eager_by_row", _eager_masks)
    own = model.config._attn_implementation
    model.set_attn_implementation(BY_ROW.get(own, own))


def attend_as_before(model: Any) -> None:
    """Undo `attend_by_row`."""
    model.set_attn_implementation(model.config._attn_implementation.removesuffix("_by_row"))


def packed(rows: Sequence[torch.Tensor]) -> dict[str, Any]:
    """Rows of token ids (1, length) as what a model reads: one sequence, and where each row begins and ends in it."""
    lengths = [row.shape[1] for row in rows]
    bounds = torch.tensor([0, *lengths], device=rows[0].device).cumsum(0).to(torch.int32)
    return {
        "input_ids": torch.cat(list(rows), dim=1),
        "position_ids": torch.cat([torch.arange(length) for length in lengths]).unsqueeze(0).to(rows[0].device),
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }


def filled(numbers: torch.Tensor, multiple: int) -> torch.Tensor:
    """Numbers of shape (…, length, size) with zeros behind, up to a length that is a multiple."""
    missing = -numbers.shape[-2] % multiple
    return pad(numbers, (0, 0, 0, missing)) if missing else numbers


class RowMasks:
    """The mask of a forward pass, made once, when the first layer asks for it: whole, or row by row."""

    def __init__(self, make: Callable[..., Any], options: dict[str, Any]) -> None:
        self._make = make
        self._options = options
        self._rows: list[tuple[int, int, torch.Tensor | None]] = []

    @functools.cached_property
    def whole(self) -> torch.Tensor | None:
        """The mask of the whole batch, None where causal attention needs none."""
        return self._make(**self._options)

    def rows(self, cu_seq_lens: torch.Tensor) -> list[tuple[int, int, torch.Tensor | None]]:
        """Where each row begins and ends, and its mask; None where causal attention needs none."""
        if not self._rows:
            bounds = itertools.pairwise(cu_seq_lens.tolist())
            self._rows = [(start, end, self._of(start, end)) for start, end in bounds]
        return self._rows

    def _of(self, start: int, end: int) -> torch.Tensor | None:
        length = end - start
        place = {"q_length": length, "kv_length": length, "q_offset": start, "kv_offset": start}
        mask = self._make(**{**self._options, **place, "allow_is_causal_skip": False})
        causal = torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
        return None if mask.dtype == torch.bool and bool((mask == causal).all()) else mask


def _sdpa_masks(**options: Any) -> RowMasks | torch.Tensor | None:
    return RowMasks(sdpa_mask, options) if options["attention_mask"] is None else sdpa_mask(**options)


def _eager_masks(**options: Any) -> RowMasks | torch.Tensor | None:
    return RowMasks(eager_mask, options) if options["attention_mask"] is None else eager_mask(**options)


def _sdpa_by_row(module: torch.nn.Module, *states: Any, **options: Any) -> Any:
    return _by_row(sdpa_attention_forward, module, *states, **options)


def _eager_by_row(module: torch.nn.Module, *states: Any, **options: Any) -> Any:
    # The attention that a family has of its own (sinks, soft caps) stands beside its attention class.
    return _by_row(sys.modules[type(module).__module__].eager_attention_forward, module, *states, **options)


def _by_row(
    attend: Callable[..., Any],
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any,
    cu_seq_lens_q: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention over states of shape (1, heads, tokens, size), returned as (1, tokens, heads, size)."""
    if cu_seq_lens_q is None:
        mask = attention_mask.whole if isinstance(attention_mask, RowMasks) else attention_mask
        return attend(module, query, key, value, mask, **options)
    rows = attention_mask.rows(cu_seq_lens_q)
    # Split, not sliced: the gradients of slices are added up, each in a tensor of the whole batch's size.
    lengths = [end - start for start, end, _ in rows]
    own = zip(*(states.split(lengths, dim=2) for states in (query, key, value)), strict=True)
    parts = []
    for states, length, (_, _, mask) in zip(own, lengths, rows, strict=True):
        # Causal attention does not look at what is behind.
        if mask is None and query.device.type == "cpu":
            states = tuple(filled(one, CPU_ROW) for one in states)
        parts.append(attend(module, *states, mask, **options)[0][:, :length])
    return torch.cat(parts, dim=1), None
