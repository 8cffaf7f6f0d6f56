"""What cannot work, found before the model's weights are loaded: all at once, each with its field and its remedy."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig
from transformers import AutoConfig, AutoModelForCausalLM

from core.best import best_faults
from core.config import TrainConfig, default_of
from core.errors import UserError, did_you_mean
from core.hub import asked_for
from core.method import adapter_faults, freeze_faults, peft_fault
from core.model import pick_device, resolve_model
from core.probes import packing_fault_of
from core.rope import window_faults
from core.router import router_faults
from core.sft import optimiser_faults
from core.template.spans import KINDS
from core.weights import ADAPTER_WEIGHTS, file_fault, weight_faults

ADAPTER_ONLY = (
    "use_dora",
    "use_rslora",
    "init_lora_weights",
    "loraplus_lr_ratio",
    "lora_target_modules",
    "lora_modules_to_save",
    "adapter_name_or_path",
)
HEAVIEST = 1_000_000
# What transformers' Trainer can log to, and the packages of which one does it.
LOGGERS = {
    "trackio": ("trackio",),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "swanlab": ("swanlab",),
    "mlflow": ("mlflow",),
}
FLASH_PACKAGES = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def check_training(config: TrainConfig) -> None:
    """Raise one `UserError` that lists every combination that cannot work."""
    require_none_of(partial(look, config) for look in _LOOKS)


def require_none_of(looks: Iterable[Callable[[], Sequence[str]]]) -> None:
    """Raise one `UserError` with all faults that are found, or that raise one themselves; each is said once."""
    faults: list[str] = []
    for look in looks:
        try:
            faults += look()
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("; ".join(dict.fromkeys(faults)))


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
        given = [name for name in ADAPTER_ONLY if getattr(config, name) != default_of(TrainConfig.model_fields[name])]
        return [f"{name} is for adapters: set finetuning_type lora" for name in given]
    if fault := peft_fault(config):
        return [fault]
    if not config.lora_target_modules and not config.lora_modules_to_save and not config.adapter_name_or_path:
        return ["lora_target_modules names nothing, so nothing would be trained: set all-linear"]
    return []


def _number_faults(config: TrainConfig) -> list[str]:
    faults = []
    if not config.max_steps:
        faults.append("max_steps 0 trains nothing: set -1 to go by epochs, or a number of steps")
    if config.dtype == "float16" and config.finetuning_type != "lora" and pick_device(config.device) == "cpu":
        # An optimiser's smallest numbers are 0 in them; on a GPU what is trained is float32 (core.method).
        faults.append(f"dtype float16: {config.finetuning_type} diverges in it on a CPU, set bfloat16 or float32")
    for name in ("eval_steps", "save_steps"):
        wanted = getattr(config, name)
        if wanted is not None and wanted > 1 and wanted % 1:
            faults.append(
                f"{name} {wanted:g}: from 1 on it counts steps, set {wanted:.0f}, or below 1 a part of the run"
            )
    if config.extra.get("activation_offloading") and pick_device(config.device) != "cuda":
        faults.append("extra: activation_offloading needs a GPU: use gradient_checkpointing here")
    return faults


def _loss_faults(config: TrainConfig) -> list[str]:
    unknown = [kind for kind in config.loss_weights if kind not in KINDS]
    faults = [f'loss_weights: unknown kind "{kind}", {did_you_mean(kind, KINDS)}' for kind in unknown]
    beyond = [kind for kind, weight in config.loss_weights.items() if not 0 <= weight <= HEAVIEST]
    faults += [f"loss_weights: {kind} must be ≥ 0 and ≤ {HEAVIEST:,}" for kind in beyond]
    if not any(config.loss_weights.get(kind, 1) for kind in KINDS):
        faults.append("loss_weights: every kind weighs 0, so nothing would be trained")
    return faults


def _model_faults(config: TrainConfig) -> list[str]:
    model = skeleton(config.model_name_or_path)
    if model is None:
        return []
    faults = [*window_faults(config, model), *router_faults(model.config, config.extra)]
    if config.finetuning_type == "freeze":
        faults += freeze_faults(model, config.freeze_trainable_layers)
    if config.finetuning_type == "lora" and not config.adapter_name_or_path:
        faults += adapter_faults(config, model)
    return faults


def _packing_faults(config: TrainConfig) -> list[str]:
    """Rows that must be packed, and would leak into each other; flash attention is tried on the GPU, when loaded."""
    if config.packing != "on" or config.attn_implementation in FLASH_PACKAGES:
        return []
    try:
        shape = AutoConfig.from_pretrained(resolve_model(config.model_name_or_path))
    except (OSError, ValueError, KeyError):
        return []
    fault = packing_fault_of(shape, None if config.attn_implementation == "auto" else config.attn_implementation)
    return [f"packing on: not with this model, {fault}: use auto or off"] if fault else []


def _folder_faults(config: TrainConfig) -> list[str]:
    """Of a model in a folder: whether there is what is loaded. What is wrong with its tokenizer is said elsewhere."""
    folder = Path(resolve_model(config.model_name_or_path))
    if not folder.is_dir():
        return []
    try:
        AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        return [f"model_name_or_path: the config of {folder} cannot be read: {str(error).strip().splitlines()[0]}"]
    return [f"model_name_or_path: {fault}" for fault in weight_faults(folder)]


def _measuring_faults(config: TrainConfig) -> list[str]:
    """What is to be told by held-out rows, where it is known without the data that there are none."""
    nothing = config.val_size == 0 and not config.eval_dataset and not config.split_file
    return best_faults(config, () if nothing else KINDS, 1)


def _logger_faults(config: TrainConfig) -> list[str]:
    faults = []
    for name in config.report_to:
        if name not in LOGGERS:
            faults.append(f'report_to: there is no logger "{name}" — {did_you_mean(name, LOGGERS)}')
        elif not any(importlib.util.find_spec(package) for package in LOGGERS[name]):
            faults.append(f"report_to: {name} is not installed: pip install {LOGGERS[name][0]}")
    return faults


def _adapter_base_faults(config: TrainConfig) -> list[str]:
    faults = []
    for name in config.adapter_name_or_path:
        try:
            kept = PeftConfig.from_pretrained(asked_for(name))
        except (OSError, ValueError, KeyError, TypeError):
            faults.append(f'adapter_name_or_path: there is no adapter at "{name}"')
            continue
        base = kept.base_model_name_or_path
        if kept.is_prompt_learning:
            faults.append(f'adapter_name_or_path: "{name}" is of the kind {kept.peft_type.value}: give one of LoRA\'s')
        weights = Path(name) / ADAPTER_WEIGHTS
        if os.path.isdir(name) and (fault := file_fault(weights)):
            faults.append(f"adapter_name_or_path: {weights} {fault}: copy the file again")
        # A base that has moved to another folder is the same base.
        if base and Path(base).name != Path(resolve_model(config.model_name_or_path)).name:
            faults.append(f'adapter_name_or_path: "{name}" sits on {base}: set model_name_or_path to it')
    return faults


def _quantisation_faults(config: TrainConfig) -> Sequence[str]:
    if not (config.load_in_4bit or config.load_in_8bit):
        return []
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
    if config.attn_implementation not in FLASH_PACKAGES:
        return []
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


_LOOKS: tuple[Callable[[TrainConfig], Sequence[str]], ...] = (
    _method_faults,
    _number_faults,
    _loss_faults,
    optimiser_faults,
    _logger_faults,
    _measuring_faults,
    _quantisation_faults,
    _flash_faults,
    _adapter_base_faults,
    _packing_faults,
    _folder_faults,
    _model_faults,
)
