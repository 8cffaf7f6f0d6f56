"""The layers of a LoRA adapter in fewer passes over memory: the same sums, the same gradients.

peft computes `base(x) + lora_B(lora_A(x)) * scaling` as so many tensors of the output's size, each written and read
again, in the forward and in the backward pass; on a CPU, and for a small rank, that costs more than the products. Here
the product with `lora_B` is added in place, the scaling goes with it, and the gradient is written down.

What is saved is untouched: only the forward pass of the layers changes, and only of layers that do just this sum.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as AdaptedLinear
from torch import nn
from torch.nn.functional import linear


def compute_adapters_in_place(model: nn.Module) -> int:
    """Give the adapted layers of a model this forward pass; returns how many there are that it fits.

    It does not fit layers with several adapters at once, dropout, DoRA and other variants, or biases in the adapter.
    """
    layers = [module for module in model.modules() if type(module) is AdaptedLinear and _fits(module)]
    for layer in layers:
        layer.forward = functools.partial(_forward, layer, layer.forward)
    return len(layers)


def _fits(layer: AdaptedLinear) -> bool:
    names = layer.active_adapters
    if type(layer.base_layer) is not nn.Linear or len(names) != 1 or names[0] not in layer.lora_A:
        return False
    plain = isinstance(layer.lora_dropout[names[0]], nn.Identity) and names[0] not in layer.lora_variant
    return plain and layer.lora_A[names[0]].bias is None and layer.lora_B[names[0]].bias is None


def _forward(layer: AdaptedLinear, plain: Any, x: torch.Tensor, **options: Any) -> torch.Tensor:
    """The layer's output, shape (…, out); `plain` is the layer's own forward pass, for what this one does not fit."""
    name, base = layer.active_adapters[0], layer.base_layer
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    kind = x.device.type
    cast = torch.is_autocast_enabled(kind)
    same = x.dtype == base.weight.dtype == down.dtype == up.dtype
    if options or layer.disable_adapters or layer.merged or not (cast or same):
        return plain(x, **options)
    number_type = torch.get_autocast_dtype(kind) if cast else x.dtype
    with torch.autocast(kind, enabled=False):
        x, weight, down, up = (tensor.to(number_type) for tensor in (x, base.weight, down, up))
        bias = None if base.bias is None else base.bias.to(number_type)
        return _Sum.apply(x, weight, bias, down, up, layer.scaling[name])


class _Sum(torch.autograd.Function):
    """x · weightᵀ + bias + scaling · (x · downᵀ) · upᵀ, for x (…, in), weight (out, in), down (r, in), up (out, r)."""

    @staticmethod
    def forward(
        context: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        """The output; kept are x and what is left of it behind `down`."""
        rows = x.flatten(0, -2)
        small = rows @ down.t()
        out = linear(rows, weight, bias)
        out.addmm_(small, up.t(), alpha=scaling)
        context.save_for_backward(rows, weight, down, up, small)
        context.scaling, context.shape = scaling, x.shape
        return out.view(*x.shape[:-1], out.shape[-1])

    @staticmethod
    def backward(context: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients of what wants one; of weight and bias when they are trained too."""
        rows, weight, down, up, small = context.saved_tensors
        slope, wants = outer[0].flatten(0, -2), context.needs_input_grad
        of_small = (slope @ up).mul_(context.scaling)
        of_x = None
        if wants[0]:
            of_x = (slope @ weight).addmm_(of_small, down).view(context.shape)
        return (
            of_x,
            slope.t() @ rows if wants[1] else None,
            slope.sum(0) if wants[2] else None,
            of_small.t() @ rows if wants[3] else None,
            (slope.t() @ small).mul_(context.scaling) if wants[4] else None,
            None,
        )
