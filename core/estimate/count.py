"""A model as a training would have it, without its weights: counted, and gone through once (core.estimate.simulate)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftConfig, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from core.config import TrainConfig
from core.embeddings import fit_embeddings, free_tables
from core.errors import UserError
from core.estimate.simulate import Shape, Step, simulate
from core.method import adapter_config, freeze, loading_dtype, widen_trained
from core.model import computes_in_bfloat16, pick_device, resolve_model
from core.vocabulary import NewTokens

# Bytes of a weight in few bits with its part of the scales: nf4 in blocks of 64 with double quantisation; int8 rows.
BYTES_4BIT, BYTES_8BIT = 0.516, 1.01


@dataclass(frozen=True, slots=True)
class Counted:
    """Bytes of the weights and of the trained ones among them, and a step on a batch of `shape`.

    `unpacked` is what a layer takes up beside its weights in few bits, while it is used.
    """

    parameters: int
    weights: int
    trained: int
    trained_bytes: int
    trained_tensors: int
    unpacked: int
    shape: Shape
    step: Step


def count(config: TrainConfig, shape: Shape, new: NewTokens | None = None) -> Counted:
    """The model of a config, with rows for `new` tokens.

    Raises `UserError` when there is none, or when its adapter does not fit it.
    """
    device = pick_device(config.device)
    model = skeleton(config, device, new)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    packed = _packed(model) if config.load_in_4bit or config.load_in_8bit else []
    saved = sum(weight.numel() * weight.element_size() for weight in packed)
    kept = sum(weight.numel() for weight in packed) * (BYTES_4BIT if config.load_in_4bit else BYTES_8BIT)
    parameters = list(model.parameters())
    half = config.dtype != "float32" and computes_in_bfloat16(device)
    return Counted(
        parameters=sum(weight.numel() for weight in parameters),
        weights=sum(weight.numel() * weight.element_size() for weight in parameters) - saved + int(kept),
        trained=sum(weight.numel() for weight in trained),
        trained_bytes=sum(weight.numel() * weight.element_size() for weight in trained),
        trained_tensors=len(trained),
        unpacked=max((weight.numel() * 2 for weight in packed), default=0),
        shape=shape,
        step=simulate(model, shape, device, torch.bfloat16 if half else None),
    )


def skeleton(config: TrainConfig, device: str, new: NewTokens | None = None) -> Any:
    """The model with what is trained of it, on the meta device, in training mode. Raises `UserError`."""
    name = config.model_name_or_path
    try:
        facts = AutoConfig.from_pretrained(resolve_model(name))
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(facts, dtype=loading_dtype(config, device))
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f'cannot read the config of the model "{name}": {reason}') from None
    model.train()
    added = new is not None and bool(new.texts)
    if new is not None and added:
        fit_embeddings(model, new)
    if config.finetuning_type == "freeze":
        freeze(model, config.freeze_trainable_layers)
        if added:
            free_tables(model)
    if config.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    model = model if config.finetuning_type != "lora" else _adapted(model, config, new)
    widen_trained(model, device)
    return model


def _adapted(model: Any, config: TrainConfig, new: NewTokens | None) -> Any:
    """With the adapter, which begins in the plain way: how it really begins would need the weights."""
    wanted = adapter_config(config.model_copy(update={"init_lora_weights": "default"}), model, new)
    if config.adapter_name_or_path:
        wanted = PeftConfig.from_pretrained(config.adapter_name_or_path[-1])
        wanted.inference_mode = False
    adapted = get_peft_model(model, wanted, low_cpu_mem_usage=True)
    if config.gradient_checkpointing:
        adapted.enable_input_require_grads()
    return adapted


def _packed(model: Any) -> list[torch.Tensor]:
    """The weights that are held in few bits: those of the linear layers, without the head and the adapter."""
    head = model.get_output_embeddings()
    return [
        module.weight
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head and "lora_" not in name
    ]
