"""The loss that spreads tokens over the experts of a model: whether it is wanted, and with which weight.

A model computes it itself, from how its routers chose (`aux_loss`); transformers adds it to the loss where the model's
config has `output_router_logits`. So do we, and `extra: {router_aux_loss_coef: …}` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WEIGHT, WANTED = "router_aux_loss_coef", "output_router_logits"


def router_weight(shape: Any, extra: Mapping[str, Any]) -> float:
    """What the loss is multiplied by, for a transformers config and our `extra`; 0: it is not computed."""
    text = shape.get_text_config()
    if not hasattr(text, WANTED):
        return 0.0
    own = getattr(text, WEIGHT, 0.0) if getattr(text, WANTED) else 0.0
    return float(extra.get(WEIGHT, own) or 0.0)


def router_faults(shape: Any, extra: Mapping[str, Any]) -> list[str]:
    """Whether a weight is given to a model without experts."""
    if not extra.get(WEIGHT) or hasattr(shape.get_text_config(), WANTED):
        return []
    return [f"extra: {WEIGHT} is for models with experts whose routers can be asked: leave it out for this one"]


def router_words(shape: Any, weight: float) -> str:
    """For the log of a run: whether the loss is part of the training; empty for a model without experts."""
    if not hasattr(shape.get_text_config(), WANTED):
        return ""
    if weight:
        return f"the loss of the routers (aux_loss) counts {weight:g} times"
    return f"the loss of the routers is left out, as the model's config says; extra: {{{WEIGHT}: 0.001}} adds it"
