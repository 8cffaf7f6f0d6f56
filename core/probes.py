"""What a loaded model allows, found out by trying it: no list of families, and no question to its config."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@torch.no_grad()
def head_is_plain(model: Any) -> bool:
    """Whether the output embedding applied to the hidden states gives the model's own logits.

    Families that scale or cap their logits do not; for them all logits are computed. Found out on this very model.
    """
    with _probed(model) as (whole, ids):
        try:
            hidden = whole.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
            return _alike(whole.get_output_embeddings()(hidden), whole(input_ids=ids, use_cache=False).logits)
        except (AttributeError, TypeError, RuntimeError):
            return False


@torch.no_grad()
def padding_is_inert(model: Any) -> bool:
    """Whether padding on the right changes nothing for the tokens before it, even without an attention mask.

    So it is where every token sees only what stands before it; attention without a mask then takes its fast path. Some
    families (experts that share out tokens, attention in both directions) differ. Found out on this very model.
    """
    with _probed(model) as (whole, ids):
        if getattr(whole.config.get_text_config(), "num_local_experts", 0) or getattr(whole.config, "num_experts", 0):
            return False
        padded = torch.nn.functional.pad(ids, (0, 5), value=1)
        try:
            before = whole(input_ids=padded, use_cache=False).logits[:, : ids.shape[1]]
            return _alike(whole(input_ids=ids, use_cache=False).logits, before)
        except (TypeError, RuntimeError):
            return False


@contextmanager
def _probed(model: Any) -> Iterator[tuple[Any, torch.Tensor]]:
    """The model below its adapter, in evaluation mode, and a few token ids, shape (1, 8), to try it with."""
    whole = below_adapter(model)
    was_training = whole.training
    whole.eval()
    try:
        yield whole, torch.arange(1, 9, device=whole.device).unsqueeze(0)
    finally:
        whole.train(was_training)


def below_adapter(model: Any) -> Any:
    """The model itself, where an adapter is put around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-3)
