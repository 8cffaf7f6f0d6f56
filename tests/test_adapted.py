"""The adapter's layers in fewer passes: peft's own sums and gradients, and peft's own pass where they would differ."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from core.adapted import compute_adapters_in_place


def adapted(*, bias: bool = True, **options: Any) -> Any:
    """Two linear layers with an adapter that is not zero."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 24, bias=bias), nn.GELU(), nn.Linear(24, 6, bias=bias))
    settings: dict[str, Any] = {"r": 4, "lora_alpha": 9, "target_modules": ["0", "2"], "init_lora_weights": False}
    return get_peft_model(model, LoraConfig(**settings | options))


def answers(model: Any, number_type: torch.dtype | None = None) -> dict[str, torch.Tensor]:
    """Output and all gradients, the input's too; under autocast when a number type is given."""
    torch.manual_seed(1)
    x = torch.randn(3, 5, 12, requires_grad=True)
    with torch.autocast("cpu", dtype=number_type, enabled=number_type is not None):
        out = model(x)
    (out.float() ** 2).sum().backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert x.grad is not None
    return {"out": out.detach(), "x": x.grad, **grads}


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"use_rslora": True}, {"modules_to_save": ["2"]}])
def test_sums_and_gradients_are_those_of_peft(options: dict[str, Any]) -> None:
    plain = adapted(**options)
    ours = copy.deepcopy(plain)
    assert compute_adapters_in_place(ours) > 0
    expected, found = answers(plain), answers(ours)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-5, msg=lambda t, name=name: f"{name}: {t}")


def test_weights_below_the_adapter_may_be_trained_too() -> None:
    plain = adapted()
    plain.requires_grad_(True)
    ours = copy.deepcopy(plain)
    compute_adapters_in_place(ours)
    expected, found = answers(plain), answers(ours)
    assert "base_model.model.0.base_layer.weight" in expected
    assert "base_model.model.0.base_layer.bias" in expected
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-5, msg=lambda t, name=name: f"{name}: {t}")


def test_16_bits_are_no_further_from_32_than_those_of_peft() -> None:
    plain = adapted()
    ours = copy.deepcopy(plain)
    compute_adapters_in_place(ours)
    exact, peft, fused = (answers(copy.deepcopy(plain)), *(answers(m, torch.bfloat16) for m in (plain, ours)))
    assert fused["out"].dtype == peft["out"].dtype == torch.bfloat16
    for name, tensor in exact.items():
        assert fused[name].dtype == peft[name].dtype
        spread = tensor.std()
        assert (fused[name] - tensor).abs().mean() <= (peft[name] - tensor).abs().mean() + 1e-3 * spread, name


@pytest.mark.parametrize("options", [{"lora_dropout": 0.1}, {"use_dora": True}])
def test_what_it_does_not_fit_is_left_alone(options: dict[str, Any]) -> None:
    model = adapted(**options)
    assert compute_adapters_in_place(model) == 0


def test_a_disabled_and_a_merged_adapter_are_heeded() -> None:
    model = adapted()
    below, x = copy.deepcopy(model), torch.randn(2, 12)
    compute_adapters_in_place(model)
    with model.disable_adapter(), below.disable_adapter():
        torch.testing.assert_close(model(x), below(x))
    before = model(x)
    model.merge_adapter()
    torch.testing.assert_close(model(x), before)
