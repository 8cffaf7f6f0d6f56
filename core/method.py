"""What of a model is trained: every weight, the last layers, or an adapter, by peft's methods and names.

What cannot work is found before the model is loaded where it can be, all at once, each with its field and remedy.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from torch import nn

from core.config import TrainConfig
from core.errors import UserError, did_you_mean
from core.model import load_weights, pick_device
from core.template.spans import KINDS

ADAPTER_ONLY = ("use_dora", "use_rslora", "loraplus_lr_ratio", "lora_modules_to_save", "adapter_name_or_path")


def check_method(config: TrainConfig) -> None:
    """Raise one `UserError` that lists every combination that cannot work."""
    faults = []
    if config.finetuning_type != "lora":
        faults += [
            f"{name} is for adapters: set finetuning_type lora" for name in ADAPTER_ONLY if getattr(config, name)
        ]
    faults += [
        f'loss_weights: unknown kind "{kind}", {did_you_mean(kind, KINDS)}'
        for kind in config.loss_weights
        if kind not in KINDS
    ]
    faults += [f"loss_weights: {kind} must be ≥ 0" for kind, weight in config.loss_weights.items() if weight < 0]
    if config.load_in_4bit or config.load_in_8bit:
        faults += _quantisation_faults(config)
    if config.attn_implementation.startswith("flash"):
        faults += _flash_faults(config)
    if faults:
        raise UserError("; ".join(faults))


def load_trainable(config: TrainConfig) -> tuple[Any, LoraConfig | None]:
    """The model in training mode, and the adapter that is to be put on it (None: it carries what is trained)."""
    model = load_weights(config.model_name_or_path, config, quantisation=_quantisation(config))
    if config.attn_implementation == "auto":
        prefer_flash_attention(model)
    model.train()
    if config.finetuning_type == "freeze":
        freeze(model, config.freeze_trainable_layers)
    if config.finetuning_type != "lora":
        return model, None
    *merged, last = config.adapter_name_or_path or [""]
    for name in merged:
        model = _with_adapter(model, name, trainable=False).merge_and_unload()
    if last:
        return _with_adapter(model, last, trainable=True), None
    return model, adapter_config(config, model)


def prefer_flash_attention(model: Any) -> None:
    """On a GPU and in 16 bits, attend by flash attention where it is installed and the model can."""
    from transformers.utils import is_flash_attn_2_available

    if model.device.type == "cuda" and model.dtype != torch.float32 and is_flash_attn_2_available():
        try:
            model.set_attn_implementation("flash_attention_2")
        except (ValueError, ImportError) as error:
            print(f"no flash attention: {str(error).splitlines()[0]}", flush=True)


def adapter_config(config: TrainConfig, model: nn.Module) -> LoraConfig:
    """The config as peft's. Raises `UserError` when a module is not there, or a rank is above its size."""
    wanted = config.lora_target_modules
    everything = wanted == ["all-linear"]
    head = model.get_output_embeddings()  # type: ignore[operator]
    sizes = {
        name: module for name, module in model.named_modules() if isinstance(module, nn.Linear) and module is not head
    }
    leaves = {name.rpartition(".")[2] for name in sizes}
    unknown = [] if everything else [name for name in wanted if name not in leaves and name not in sizes]
    if unknown:
        raise UserError(f'lora_target_modules: no linear layer "{unknown[0]}"', remedy=did_you_mean(unknown[0], leaves))
    chosen = {n: m for n, m in sizes.items() if everything or n.rpartition(".")[2] in wanted or n in wanted}
    for name, module in chosen.items():
        size = min(module.in_features, module.out_features)
        if config.lora_r > size:
            raise UserError(f"lora_r {config.lora_r} is above the size of {name} ({size})", remedy=f"at most {size}")
    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear" if everything else wanted,
        modules_to_save=config.lora_modules_to_save or None,
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        init_lora_weights=True if config.init_lora_weights == "default" else config.init_lora_weights,
        task_type="CAUSAL_LM",
    )


def trainable_parameters(model: nn.Module) -> int:
    """How many numbers are trained. Raises `UserError` when there are none."""
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not count:
        raise UserError(
            "nothing of this model would be trained", remedy="choose another finetuning_type or other modules"
        )
    return count


def freeze(model: Any, layers: int) -> None:
    """Only the last layers, and the norm behind them, are trained."""
    decoder = model.get_decoder()
    if layers > len(decoder.layers):
        raise UserError(f"freeze_trainable_layers {layers}: the model has {len(decoder.layers)} layers")
    model.requires_grad_(False)
    for part in [*decoder.layers[-layers:], decoder.norm]:
        part.requires_grad_(True)


def _with_adapter(model: Any, name: str, *, trainable: bool) -> Any:
    try:
        return PeftModel.from_pretrained(model, name, is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f'adapter "{name}" does not fit this model: {reason}', remedy="it must be of the same base"
        ) from None


def _quantisation_faults(config: TrainConfig) -> list[str]:
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


def _flash_faults(config: TrainConfig) -> list[str]:
    package = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}[
        config.attn_implementation
    ]
    faults = []
    if pick_device(config.device) != "cuda":
        faults.append(f"attn_implementation {config.attn_implementation} needs a GPU: use auto here")
    if importlib.util.find_spec(package) is None:
        faults.append(f"attn_implementation {config.attn_implementation} needs the package {package}, or use auto")
    if config.dtype == "float32":
        faults.append("attn_implementation: flash attention computes in 16 bits only, set dtype bfloat16")
    return faults


def _quantisation(config: TrainConfig) -> Any:
    if not (config.load_in_4bit or config.load_in_8bit):
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=config.load_in_4bit,
        load_in_8bit=config.load_in_8bit,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
