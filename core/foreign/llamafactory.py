"""LLaMA-Factory's training options (version 0.9.5, from its arguments' help and defaults) as ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import UserError
from core.foreign.sheet import (
    Entry,
    Sheet,
    Tool,
    chosen,
    fixed,
    listed,
    missing,
    names_in,
    needless,
    only,
    same,
    to,
    when,
)
from core.foreign.trainer_options import TRAINER, held_out, packed, quantised, reporters


def _stage(sheet: Sheet, name: str, value: Any) -> None:
    if value != "sft":
        raise UserError(f"stage: {value} is not trained here", remedy="only supervised fine-tuning is (stage: sft)")
    sheet.settle(name, "is what is done here")


def _datasets(option: str) -> Entry:
    def entry(sheet: Sheet, name: str, value: Any) -> None:
        online = sheet.given.get("dataset_dir") == "ONLINE"
        names = [f"hf:{word}" if online else str(word) for word in names_in(value)]
        sheet.put(option, names, name)

    return entry


def _folder(sheet: Sheet, name: str, value: Any) -> None:
    if value == "ONLINE":
        sheet.settle(name, "datasets of the Hub are named hf:org/name")
    elif isinstance(value, dict) or str(value).startswith("REMOTE:"):
        sheet.differ(name, "is not a folder: give --dataset-dir the one that holds dataset_info.json")
    else:
        sheet.put("dataset_dir", value, name)


def _template(sheet: Sheet, name: str, value: Any) -> None:
    why = f"{value}: the model's own chat template is used, word for word (template: auto); a base model gets chatml"
    sheet.settle(name, f"{why}. Others: core-cli template list")


def _thinking(sheet: Sheet, name: str, value: Any) -> None:
    if value is False:
        sheet.add("chat_template_kwargs", "enable_thinking", False, f"{name}: false")
    else:
        sheet.settle(name, "is what templates do by themselves")


def _probabilities(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("interleave_probs", [float(word) for word in names_in(value)], name)


def _target(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("lora_target_modules", ["all-linear"] if value == "all" else names_in(value), f"{name}: {value}")


def _pissa(sheet: Sheet, name: str, value: Any) -> None:
    steps = sheet.given.get("pissa_iter", 16)
    sheet.put("init_lora_weights", f"pissa_niter_{steps}" if steps in (4, 16) else "pissa", name)


def _without_checkpointing(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("gradient_checkpointing", value in (False, "false"), f"{name}: {str(value).lower()}")


def _in_order(sheet: Sheet, name: str, value: Any) -> None:
    sheet.add("extra", "train_sampling_strategy", "sequential", name)


def _swanlab(sheet: Sheet, name: str, value: Any) -> None:
    reporters(sheet, name, "swanlab")


def _bfloat16(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("dtype", "bfloat16", name)
    sheet.differ(name, "what is trained is held in float32 on a GPU; only the rest is in bfloat16")


def _defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """What it would use where its config says nothing and our default is another: by its own names."""
    adapters = given.get("finetuning_type", "lora") == "lora"
    ours: dict[str, Any] = {"lora_rank": 8, "lora_alpha": 2 * int(given.get("lora_rank") or 8)} if adapters else {}
    schedule = {"learning_rate": 5e-5, "lr_scheduler_type": "linear", "gradient_accumulation_steps": 1}
    warmup = {} if given.get("warmup_steps") else {"warmup_ratio": 0.0}
    rest = {"dataset_dir": "data", "cutoff_len": 2048, "disable_gradient_checkpointing": False}
    return ours | schedule | warmup | rest


_SEEN = needless("is checked and encoded once; the cache knows every option that matters")
_OPTIMISER = missing("is not here; optim takes transformers' names, as galore_adamw or apollo_adamw")
_TABLE: dict[str, Entry] = {
    **TRAINER,
    "stage": _stage,
    "adapter_name_or_path": listed("adapter_name_or_path"),
    "dataset": _datasets("dataset"),
    "eval_dataset": _datasets("eval_dataset"),
    "dataset_dir": _folder,
    "template": _template,
    "tool_format": needless("calls are written as the chat template writes them"),
    "enable_thinking": _thinking,
    "default_system": missing("a system prompt is written into the rows"),
    "cutoff_len": to("max_length"),
    "train_on_prompt": when(fixed("train_on", "all")),
    "mask_history": when(fixed("train_on", "last_turn")),
    "mix_strategy": same,
    "interleave_probs": _probabilities,
    "preprocessing_num_workers": to("dataset_num_proc"),
    "max_samples": same,
    "val_size": held_out,
    "packing": when(packed),
    "neat_packing": when(packed),
    "finetuning_type": chosen(
        "finetuning_type", {"lora": "lora", "freeze": "freeze", "full": "full"}, "is no method of training here"
    ),
    "lora_rank": to("lora_r"),
    "lora_alpha": same,
    "lora_dropout": same,
    "lora_target": _target,
    "additional_target": listed("lora_modules_to_save"),
    "use_rslora": same,
    "use_dora": same,
    "pissa_init": when(_pissa),
    "pissa_iter": needless("goes with pissa_init"),
    "pissa_convert": missing("an adapter is saved as it was trained; core-cli export merges it"),
    "loraplus_lr_ratio": same,
    "freeze_trainable_layers": same,
    "freeze_trainable_modules": only(("all",), "whole layers are trained"),
    "quantization_bit": quantised,
    "quantization_method": only(("bnb", "bitsandbytes"), "models are quantised with bitsandbytes"),
    "quantization_type": only(("nf4",), "four bits are nf4"),
    "double_quantization": only((True,), "quantisation is double"),
    "rope_scaling": chosen(
        "rope_scaling",
        {"linear": "linear", "yarn": "yarn", "llama3": "llama3"},
        "rope_scaling is linear, yarn or llama3",
    ),
    "flash_attn": chosen(
        "attn_implementation",
        {
            "auto": "auto",
            "disabled": "eager",
            "sdpa": "sdpa",
            "fa2": "flash_attention_2",
            "fa3": "flash_attention_3",
        },
        "is not here",
    ),
    "disable_gradient_checkpointing": _without_checkpointing,
    "pure_bf16": when(_bfloat16),
    "use_dft_loss": when(fixed("loss_type", "dft")),
    "early_stopping_steps": to("early_stopping_patience"),
    "disable_shuffling": when(_in_order),
    "use_swanlab": when(_swanlab),
    "plot_loss": needless("curves are on the board, and figures in the run's folder"),
    "compute_accuracy": needless("is always logged, for words and calls apart"),
    "include_num_input_tokens_seen": needless("tokens are counted anyway"),
    "predict_with_generate": missing(
        "the model writes at every evaluation (eval_generate); core-cli eval does the rest"
    ),
    "resize_vocab": missing("control tokens that the chat template needs are added by themselves (add_tokens)"),
    "add_tokens": missing("tokens that are no control tokens are not added"),
    "add_special_tokens": missing("control tokens that the chat template needs are added by themselves (add_tokens)"),
    "model_revision": only(("main",), "give the folder of that revision as the model"),
    "ray_num_workers": to("num_workers"),
    **dict.fromkeys(
        ("overwrite_cache", "streaming", "buffer_size", "preprocessing_batch_size", "tokenized_path"), _SEEN
    ),
    **dict.fromkeys(("enable_liger_kernel", "use_unsloth", "use_unsloth_gc"), TRAINER["use_liger_kernel"]),
    **dict.fromkeys(("use_galore", "use_apollo", "use_badam", "use_adam_mini", "use_muon"), _OPTIMISER),
    "use_llama_pro": missing("is no method of training here: lora, freeze or full are"),
}
LLAMAFACTORY = Tool(
    "LLaMA-Factory",
    ("stage", "cutoff_len", "lora_rank", "lora_target", "finetuning_type", "template", "flash_attn", "dataset_dir"),
    _TABLE,
    _defaults,
)
