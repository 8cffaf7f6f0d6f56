"""What a loaded model allows, found out by trying it: no list of families, and no question to its config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from core.pack import attend_as_before, attend_by_row, packed

# What a model raises that cannot do what is tried.
CANNOT = (AttributeError, TypeError, ValueError, RuntimeError, KeyError, IndexError, AssertionError)
# Widths of layers that look at one position at a time.
_THIN = ("intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size", "intermediate_size_mlp")
# Two rows to try with, the second one longer: what leaks into it, or pushes its tokens out, comes from the first.
LENGTHS = (17, 26)
# What rounding may change, as a part of the logits' spread: in float32, and in 16 bits. Products of other shapes are
# summed in another order. What leaks changes logits by as much as they are.
SAME_SHAPES = (1e-4, 3e-2)
OTHER_SHAPES = (1e-3, 0.2)


@torch.no_grad()
def head_is_plain(model: Any) -> bool:
    """Whether the output embedding applied to the hidden states gives the model's own logits.

    Families that scale or cap their logits do not; for them the model computes the logits itself.
    """
    with _probed(model) as whole:
        first, _ = _rows(whole)
        try:
            hidden = whole.get_decoder()(input_ids=first, use_cache=False).last_hidden_state
            return _alike(whole.get_output_embeddings()(hidden), _logits(whole, input_ids=first), SAME_SHAPES)
        except CANNOT:
            return False


@torch.no_grad()
def padding_is_inert(model: Any) -> bool:
    """Whether padding on the right changes nothing for the tokens, even without an attention mask.

    So it is where every token sees only what stands before it; attention without a mask then takes its fast path. It is
    not where padding takes places that tokens of other rows would have had (experts of limited capacity).
    """
    with _probed(model) as whole:
        first, second = _rows(whole)
        padding = torch.full((1, LENGTHS[1] - LENGTHS[0]), 1, device=first.device)
        try:
            together = _logits(whole, input_ids=torch.cat([torch.cat([first, padding], dim=1), second]))
            apart = [_logits(whole, input_ids=row) for row in (first, second)]
            beside = (together[:1, : LENGTHS[0]], together[1:])
            return all(_alike(a, b, OTHER_SHAPES) for a, b in zip(beside, apart, strict=True))
        except CANNOT:
            return False


@torch.no_grad()
def packing_fault(model: Any) -> str:
    """Make the model keep packed rows apart; why it cannot, or nothing. If it cannot, it is left as it was."""
    with _probed(model) as whole:
        rows = _rows(whole)
        try:
            apart = [_logits(whole, input_ids=row) for row in rows]
            attend_by_row(whole)
            fault = _leak(whole, rows, apart)
        except CANNOT as error:
            fault = f"it refuses a packed batch ({type(error).__name__}: {str(error).splitlines()[0][:100]})"
        if fault:
            attend_as_before(whole)
        return fault


def packing_fault_of(shape: Any, attention: str | None) -> str:
    """Why a model with this transformers config cannot keep packed rows apart, found out without its weights.

    A random model of the same kind is tried: the first layers, until there is one of each sort, and thin where
    positions do not meet. Empty also where no such model can be made; the loaded model will be tried again. `attention`
    is its way of attending.
    """
    text = shape.get_text_config()
    sorts = list(getattr(text, "layer_types", None) or ())
    layers = max([2, *(sorts.index(sort) + 1 for sort in sorts)])
    thin: dict[str, Any] = {name: 64 for name in _THIN if isinstance(getattr(text, name, None), int)}
    thin |= {"vocab_size": 128, "num_hidden_layers": layers, "pad_token_id": None}
    # Some families derive the sorts from the number of the layer.
    if sorts and not isinstance(getattr(type(text), "layer_types", None), property):
        thin["layer_types"] = sorts[:layers]
    try:
        for name, value in thin.items():
            setattr(text, name, value)
        with torch.random.fork_rng(devices=[]):
            model = AutoModelForCausalLM.from_config(text, attn_implementation=attention, dtype=torch.float32)
        return packing_fault(model)
    except CANNOT:
        return ""


def _leak(model: Any, rows: Sequence[torch.Tensor], apart: Sequence[torch.Tensor]) -> str:
    """What of the first row reaches the second when they are packed."""
    together = _logits(model, **packed(rows)).split(LENGTHS, dim=1)
    changed = _logits(model, **packed([rows[0].flip(1), rows[1]])).split(LENGTHS, dim=1)
    if not _alike(changed[1], together[1], SAME_SHAPES):
        return "a row changes when the row before it is another one"
    if not all(_alike(a, b, OTHER_SHAPES) for a, b in zip(together, apart, strict=True)):
        return "rows come out other than they do alone"
    return ""


def below_adapter(model: Any) -> Any:
    """The model itself, where an adapter is put around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


@contextmanager
def _probed(model: Any) -> Iterator[Any]:
    """The model below its adapter, in evaluation mode; flash attention, which wants 16 bits, gets them by autocast."""
    whole = below_adapter(model)
    was_training = whole.training
    whole.eval()
    flash = "flash" in whole.config._attn_implementation and whole.dtype == torch.float32
    try:
        with torch.autocast(whole.device.type, torch.bfloat16, enabled=flash):
            yield whole
    finally:
        whole.train(was_training)


def _rows(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Two rows of token ids, shape (1, length), that differ everywhere; small ids, which every vocabulary has."""
    first, second = (torch.arange(length, device=model.device).unsqueeze(0) for length in LENGTHS)
    return 1 + first * 5 % 89, 1 + second * 7 % 97


def _logits(model: Any, **inputs: Any) -> torch.Tensor:
    return model(**inputs, use_cache=False).logits


def _alike(a: torch.Tensor, b: torch.Tensor, rounding: tuple[float, float]) -> bool:
    """Equal but for rounding, by the size of the logits themselves: those of a fresh model are small."""
    allowed = rounding[b.dtype != torch.float32] * b.float().std()
    return bool(((a.float() - b.float()).abs().max() <= allowed).item())
