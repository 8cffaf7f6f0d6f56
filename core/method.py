"""What of a model is trained: every weight, the last layers, or an adapter, by peft's methods and names."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers.pytorch_utils import Conv1D

from core.config import TrainConfig
from core.embeddings import fit_embeddings, free_tables, train_rows
from core.errors import UserError, did_you_mean
from core.model import computes_in_bfloat16, load_weights, pick_device, pick_dtype
from core.rope import training_shape
from core.vocabulary import NewTokens

ALL = ["all-linear"]
HALVES = (torch.bfloat16, torch.float16)


def load_trainable(
    config: TrainConfig, new: NewTokens | None = None, *, place: bool = True
) -> tuple[Any, LoraConfig | None]:
    """The model in training mode, and the adapter that is to be put on it (None: it carries what is trained).

    With rows for `new` tokens, which are trained too.
    """
    dtype = loading_dtype(config, pick_device(config.device))
    shape = training_shape(config)
    model = load_weights(
        config.model_name_or_path, config, _quantisation(config), place=place, dtype=dtype, shape=shape
    )
    if config.attn_implementation == "auto" and _computes_in_16_bits(config, model):
        prefer_flash_attention(model)
    model.train()
    if new is not None and (new.texts or config.adapter_name_or_path):
        fit_embeddings(model, new)
    if config.finetuning_type == "freeze":
        freeze(model, config.freeze_trainable_layers)
        if new is not None and new.texts:
            free_tables(model)
    if config.finetuning_type != "lora":
        return model, None
    *merged, last = config.adapter_name_or_path or [""]
    for name in merged:
        model = _with_adapter(model, name, trainable=False).merge_and_unload()
    if last:
        return _with_adapter(model, last, trainable=True), None
    if narrow := too_narrow(config, model):
        print(f"no adapter on {len(narrow)} layers narrower than lora_r {config.lora_r}, as {narrow[0]}", flush=True)
    return model, adapter_config(config, model, new)


def loading_dtype(config: TrainConfig, device: str) -> torch.dtype:
    """The number type in which a model that is to be trained on `device` is loaded.

    On a GPU, weights that are all trained are float32, and bfloat16 is what autocast computes in.
    """
    picked: torch.dtype = pick_dtype(config.dtype, device)
    return torch.float32 if device == "cuda" and config.finetuning_type == "full" else picked


def widen_trained(model: nn.Module, device: str) -> None:
    """On a GPU, hold in float32 what is trained: in 16 bits most updates are below the step of the number type.

    What is frozen stays as it is. ZeRO-3 keeps float32 copies of its own.
    """
    if device != "cuda":
        return
    for weight in model.parameters():
        if weight.requires_grad and weight.dtype in HALVES and not hasattr(weight, "ds_tensor"):
            weight.data = weight.data.float()


def prefer_flash_attention(model: Any) -> None:
    """On a GPU, attend by flash attention where it is installed and the model can; it computes in 16 bits only."""
    from transformers.utils import is_flash_attn_2_available

    if model.device.type == "cuda" and is_flash_attn_2_available():
        try:
            model.set_attn_implementation("flash_attention_2")
        except (ValueError, ImportError) as error:
            print(f"no flash attention: {str(error).splitlines()[0]}", flush=True)


def adapter_config(config: TrainConfig, model: nn.Module, new: NewTokens | None = None) -> LoraConfig:
    """The config as peft's, for the rows of `new` tokens too.

    Raises `UserError` when a module is not there, or a rank is above its size.
    """
    faults = adapter_faults(config, model)
    if faults:
        raise UserError("; ".join(faults))
    adapter = LoraConfig(
        r=config.lora_r,
        target_modules="all-linear" if config.lora_target_modules == ALL else config.lora_target_modules,
        exclude_modules=too_narrow(config, model) or None,
        modules_to_save=config.lora_modules_to_save or None,
        task_type="CAUSAL_LM",
        **_kind(config),
    )
    if new is not None and new.texts:
        train_rows(adapter, model, new)
    return adapter


def peft_fault(config: TrainConfig) -> str:
    """Why peft makes no adapter of this kind, tried on one small layer; empty when it does."""
    try:
        # Of the rank it matters whether it is even.
        made = LoraConfig(r=2 + config.lora_r % 2, target_modules=["0"], **_kind(config))
        get_peft_model(nn.Sequential(nn.Linear(8, 8)), made)
    except (ImportError, TypeError, ValueError) as error:
        fault = str(error).strip().splitlines()[0]
        return (
            f"init_lora_weights {config.init_lora_weights}, lora_r {config.lora_r}, use_dora {config.use_dora}: {fault}"
        )
    return ""


def _kind(config: TrainConfig) -> dict[str, Any]:
    """What an adapter is beside its size and place, in peft's words."""
    return {
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "use_rslora": config.use_rslora,
        "use_dora": config.use_dora,
        "init_lora_weights": True if config.init_lora_weights == "default" else config.init_lora_weights,
    }


def adapter_faults(config: TrainConfig, model: nn.Module) -> list[str]:
    """What of the adapter does not fit the model, which may be one without weights."""
    wanted, sizes = config.lora_target_modules, _sizes(model)
    leaves = {name.rpartition(".")[2] for name in sizes}
    if wanted == ALL:
        chosen = sizes
        faults = [] if chosen else ["lora_target_modules: the model has no linear layers, name its modules"]
    else:
        chosen = {name: size for name, size in sizes.items() if name.rpartition(".")[2] in wanted or name in wanted}
        unknown = [name for name in wanted if name not in leaves and name not in sizes]
        faults = [f'lora_target_modules: no linear layer "{n}" — {did_you_mean(n, leaves)}' for n in unknown]
    ordered = sorted(chosen, key=lambda name: chosen[name])
    # Of all layers, a few narrow ones are left without.
    first = ordered[len(ordered) // 2 if wanted == ALL else 0] if ordered else ""
    if first and config.lora_r > chosen[first]:
        faults.append(f"lora_r {config.lora_r} is above the size of {first} ({chosen[first]}): at most {chosen[first]}")
    if chosen and all(set(name.split(".")) & set(config.lora_modules_to_save) for name in chosen):
        faults.append("lora_modules_to_save holds every layer that would get an adapter: set finetuning_type full")
    parts = {name.rpartition(".")[2] for name, _ in model.named_modules() if name}
    absent = [name for name in config.lora_modules_to_save if name.rpartition(".")[2] not in parts]
    return faults + [f'lora_modules_to_save: no module "{name}" — {did_you_mean(name, parts)}' for name in absent]


def too_narrow(config: TrainConfig, model: nn.Module) -> list[str]:
    """Of all linear layers, those that get no adapter: gates and routers that are narrower than its rank."""
    wants_all = config.lora_target_modules == ALL
    return [name for name, size in _sizes(model).items() if wants_all and size < config.lora_r]


def _sizes(model: nn.Module) -> dict[str, int]:
    """The linear layers but for the head, each with the smaller of its two widths."""
    head = model.get_output_embeddings()  # type: ignore[operator]
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear | Conv1D) and m is not head}
    return {name: min(layer.weight.shape) for name, layer in layers.items()}


def trainable_parameters(model: nn.Module) -> int:
    """How many numbers are trained. Raises `UserError` when there are none."""
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not count:
        raise UserError(
            "nothing of this model would be trained", remedy="choose another finetuning_type or other modules"
        )
    return count


def freeze_faults(model: Any, layers: int) -> list[str]:
    """Whether the model has so many layers; it may be one without weights."""
    there = len(model.get_decoder().layers)
    return [f"freeze_trainable_layers {layers}: the model has {there} layers, at most that"] if layers > there else []


def freeze(model: Any, layers: int) -> None:
    """Only the last layers, and the norm behind them, are trained. Raises `UserError` when there are not so many."""
    if faults := freeze_faults(model, layers):
        raise UserError("; ".join(faults))
    decoder = model.get_decoder()
    model.requires_grad_(False)
    for part in [*decoder.layers[-layers:], decoder.norm]:
        part.requires_grad_(True)


def _computes_in_16_bits(config: TrainConfig, model: Any) -> bool:
    """Whether the weights, or autocast, have 16 bits."""
    half = config.dtype != "float32" and computes_in_bfloat16(model.device.type)
    return model.dtype in HALVES or half or (config.dtype == "float16" and model.device.type == "cuda")


def _with_adapter(model: Any, name: str, *, trainable: bool) -> Any:
    try:
        return PeftModel.from_pretrained(model, name, is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f'adapter "{name}" does not fit this model: {reason}', remedy="it must be of the same base"
        ) from None


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
