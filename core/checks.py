"""What cannot work, found before the model's weights are loaded: all at once, each with its field and its remedy."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig
from transformers import AutoConfig, AutoModelForCausalLM

from core.config import TrainConfig
from core.errors import UserError, did_you_mean
from core.method import adapter_faults, freeze_faults
from core.model import pick_device, resolve_model
from core.rope import window_faults
from core.sft import optimiser_faults
from core.template.spans import KINDS

ADAPTER_ONLY = ("use_dora", "use_rslora", "loraplus_lr_ratio", "lora_modules_to_save", "adapter_name_or_path")
FLASH_PACKAGES = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def check_training(config: TrainConfig) -> None:
    """Raise one `UserError` that lists every combination that cannot work."""
    faults = [*_method_faults(config), *_loss_faults(config), *optimiser_faults(config)]
    if config.load_in_4bit or config.load_in_8bit:
        faults += _quantisation_faults(config)
    if config.attn_implementation in FLASH_PACKAGES:
        faults += _flash_faults(config)
    faults += _adapter_base_faults(config)
    model = skeleton(config.model_name_or_path)
    if model is not None:
        faults += _model_faults(config, model)
    if faults:
        raise UserError("; ".join(faults))


def skeleton(name: str) -> Any | None:
    """A model without weights, for its shapes; None where it cannot be told without loading (loading then says why)."""
    try:
        shape = AutoConfig.from_pretrained(resolve_model(name))
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(shape)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError):
        return None


def _method_faults(config: TrainConfig) -> list[str]:
    if config.finetuning_type != "lora":
        given = [name for name in ADAPTER_ONLY if config.model_dump()[name]]
        return [f"{name} is for adapters: set finetuning_type lora" for name in given]
    if not config.lora_target_modules and not config.lora_modules_to_save and not config.adapter_name_or_path:
        return ["lora_target_modules names nothing, so nothing would be trained: set all-linear"]
    return []


def _loss_faults(config: TrainConfig) -> list[str]:
    unknown = [kind for kind in config.loss_weights if kind not in KINDS]
    faults = [f'loss_weights: unknown kind "{kind}", {did_you_mean(kind, KINDS)}' for kind in unknown]
    faults += [f"loss_weights: {kind} must be ≥ 0" for kind, weight in config.loss_weights.items() if weight < 0]
    if not any(config.loss_weights.get(kind, 1) for kind in KINDS):
        faults.append("loss_weights: every kind weighs 0, so nothing would be trained")
    return faults


def _model_faults(config: TrainConfig, model: Any) -> list[str]:
    faults = window_faults(config, model)
    if config.finetuning_type == "freeze":
        faults += freeze_faults(model, config.freeze_trainable_layers)
    if config.finetuning_type == "lora" and not config.adapter_name_or_path:
        faults += adapter_faults(config, model)
    return faults


def _adapter_base_faults(config: TrainConfig) -> list[str]:
    faults = []
    for name in config.adapter_name_or_path:
        try:
            base = PeftConfig.from_pretrained(name).base_model_name_or_path
        except (OSError, ValueError, KeyError, TypeError):
            faults.append(f'adapter_name_or_path: there is no adapter at "{name}"')
            continue
        # A base that has moved to another folder is the same base.
        if base and Path(base).name != Path(resolve_model(config.model_name_or_path)).name:
            faults.append(f'adapter_name_or_path: "{name}" sits on {base}: set model_name_or_path to it')
    return faults


def _quantisation_faults(config: TrainConfig) -> Sequence[str]:
    field = "load_in_4bit" if config.load_in_4bit else "load_in_8bit"
    faults = []
    if config.load_in_4bit and config.load_in_8bit:
        faults.append("load_in_4bit and load_in_8bit exclude each other")
    if pick_device(config.device) != "cuda":
        faults.append(f"{field} needs a GPU: leave it off here")
    if importlib.util.find_spec("bitsandbytes") is None:
        faults.append(f"{field} needs bitsandbytes: pip install bitsandbytes")
    if config.finetuning_type != "lora":
        faults.append(f"{field}: weights in few bits cannot be trained, set finetuning_type lora")
    return faults


def _flash_faults(config: TrainConfig) -> Sequence[str]:
    field = f"attn_implementation {config.attn_implementation}"
    package = FLASH_PACKAGES[config.attn_implementation]
    faults = []
    if pick_device(config.device) != "cuda":
        faults.append(f"{field} needs a GPU: use auto here")
    if importlib.util.find_spec(package) is None:
        faults.append(f"{field} needs the package {package}: install it, or use auto")
    if config.dtype == "float32":
        faults.append(f"{field} computes in 16 bits only: set dtype bfloat16")
    return faults
