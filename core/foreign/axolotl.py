"""axolotl's training options (version 0.19, from its schemas and defaults) as ours."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.foreign.sheet import (
    Entry,
    Sheet,
    Tool,
    chosen,
    extra,
    fixed,
    is_empty,
    listed,
    missing,
    names_in,
    needless,
    same,
    to,
    when,
)
from core.foreign.trainer_options import TRAINER, fsdp, held_out, packed, reporters
from core.paths import typed

_COLUMNS = {
    "field_messages": ("columns", "messages"),
    "field_tools": ("columns", "tools"),
    "field_instruction": ("columns", "prompt"),
    "field_input": ("columns", "query"),
    "field_output": ("columns", "response"),
    "field_system": ("columns", "system"),
    "field": ("columns", "text"),
    "message_field_role": ("tags", "role_tag"),
    "message_field_content": ("tags", "content_tag"),
}
# Keys of messages that axolotl lets a config name, and under which names they are read here.
_OWN_KEYS = {
    "field_thinking": ("reasoning_content", "reasoning", "thinking"),
    "message_field_training": ("train", "training", "weight"),
    "message_field_training_detail": ("train_detail", "training_detail", "message_field_training_detail"),
}
# What else a dataset may say and is looked at, or happens here anyway.
_LOOKED_AT = {
    *("path", "type", "name", "split", "revision", "data_files", "ds_type", "message_property_mappings", "roles"),
    *("roles_to_train", "train_on_eos", "chat_template", "shards", "split_thinking", "drop_system_message"),
    *_COLUMNS,
    *_OWN_KEYS,
}
_PLAIN = {"completion": "text", "pretrain": "text"}
_OWN_TEMPLATE = ("tokenizer_default", "tokenizer_default_fallback_chatml")


def _datasets(option: str) -> Entry:
    def entry(sheet: Sheet, name: str, value: Any) -> None:
        items = (
            [item for item in value if isinstance(item, dict) and item.get("path")] if isinstance(value, list) else []
        )
        if not items:
            raise UserError(f"{name}: expected a list of datasets with a path each, got {value!r}")
        sheet.put(option, [word for item in items for word in _names(sheet, item)], f"{name}: path")
        _layouts(sheet, name, items)
        for item in items:
            _remarks(sheet, name, item)

    return entry


def _names(sheet: Sheet, item: Mapping[str, Any]) -> list[str]:
    """A file, a folder, or a dataset of the Hub with subset, split and revision."""
    path = str(item["path"])
    files = [str(file) for file in names_in(item.get("data_files") or [])]
    if files and (os.path.exists(files[0]) or item.get("ds_type") or path in ("json", "csv", "parquet", "arrow")):
        return files
    if os.path.exists(typed(path)) or Path(path).suffix or path.startswith((".", "/", "~")):
        return [path]
    subset = f"/{item['name']}" if item.get("name") else ""
    split = f":{item['split']}" if item.get("split") else ""
    revision = f"@{item['revision']}" if item.get("revision") else ""
    return [f"hf:{path}{subset}{split}{revision}"]


def _layouts(sheet: Sheet, name: str, items: Sequence[Mapping[str, Any]]) -> None:
    """One layout for all becomes the options `columns`, `tags` and `roles`; several need entries of their own."""
    layouts = [_layout(item) for item in items]
    if any(layout != layouts[0] for layout in layouts):
        entries = {Path(str(item["path"])).stem: one for item, one in zip(items, layouts, strict=True) if one}
        text = json.dumps(entries, ensure_ascii=False)
        sheet.differ(name, f"columns differ between the datasets: give each an entry in dataset_info.json, as {text}")
        return
    for option, words in layouts[0].items():
        sheet.put(option, words, f"{name}: {', '.join(_sources(items[0]))}")


def _layout(item: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kind = item.get("type")
    for key, value in {**item, **(kind if isinstance(kind, dict) else {})}.items():
        if key in _COLUMNS and value:
            option, word = _COLUMNS[key]
            found.setdefault(option, {})[word] = value
    for word, tag in (("role", "role_tag"), ("content", "content_tag")):
        if (item.get("message_property_mappings") or {}).get(word):
            found.setdefault("tags", {})[tag] = item["message_property_mappings"][word]
    roles = {name: role for role, names in (item.get("roles") or {}).items() for name in names if name != role}
    if roles:
        found["roles"] = roles
    if isinstance(kind, str) and kind in _PLAIN:
        found["formatting"] = _PLAIN[kind]
    return found


def _sources(item: Mapping[str, Any]) -> list[str]:
    return [key for key in item if key in _COLUMNS or key in ("message_property_mappings", "roles", "type")]


def _remarks(sheet: Sheet, name: str, item: Mapping[str, Any]) -> None:
    """What one dataset asks for besides."""
    where = f"{name}: {item['path']}"
    kind = item.get("type")
    if isinstance(kind, dict) and not is_empty(kind.get("format")):
        sheet.differ(
            f"{where}: format", "turns are written by the chat template (template), not by a pattern of the data"
        )
    trained = item.get("roles_to_train")
    if trained and [str(role) for role in trained] not in (["assistant"], ["gpt"], ["assistant", "gpt"]):
        sheet.differ(
            f"{where}: roles_to_train", "the assistant's turns are trained; train_on: all trains the others too"
        )
    if item.get("train_on_eos") in ("none", "all", "last"):
        sheet.differ(f"{where}: train_on_eos", "the stop of every trained turn is trained, and no other")
    if item.get("chat_template") and item["chat_template"] not in _OWN_TEMPLATE:
        _template(sheet, f"{where}: chat_template", item["chat_template"])
    if item.get("shards"):
        sheet.differ(f"{where}: shards", "max_samples uses a number of rows of each dataset")
    if item.get("drop_system_message"):
        sheet.differ(f"{where}: drop_system_message", "system prompts are kept; take them out of the data")
    _keys_of_messages(sheet, where, item)
    for key in item.keys() - _LOOKED_AT:
        if not is_empty(item[key]):
            sheet.differ(f"{where}: {key}", "has no counterpart here")


def _keys_of_messages(sheet: Sheet, where: str, item: Mapping[str, Any]) -> None:
    """The names that a dataset gives to keys of its messages, where they are read under others."""
    for key, ours in _OWN_KEYS.items():
        if item.get(key) and item[key] not in ours:
            sheet.differ(f"{where}: {key}", f"rename the key {item[key]} of the messages to {ours[0]}")
    for word, named in (item.get("message_property_mappings") or {}).items():
        if word not in ("role", "content", named):
            sheet.differ(f"{where}: message_property_mappings", f"rename the key {named} of the messages to {word}")


def _template(sheet: Sheet, name: str, value: Any) -> None:
    if value == "jinja":
        sheet.settle(name, "see chat_template_jinja")
    elif value in ("chatml", "alpaca"):
        sheet.put("template", value, f"{name}: {value}")
    elif value in _OWN_TEMPLATE:
        sheet.settle(name, "the model's own template, a base model gets chatml (template: auto)")
    else:
        sheet.settle(name, f"{value}: the model's own chat template is used, word for word (template: auto)")


def _own_template(sheet: Sheet, name: str, value: Any) -> None:
    if "{" in str(value):
        sheet.differ(name, "save the text as a .jinja file and give its name: template: FILE.jinja")
    else:
        sheet.put("template", value, name)


def _adapter(sheet: Sheet, name: str, value: Any) -> None:
    if value in (False, "none"):
        sheet.put("finetuning_type", "full", "no adapter")
        return
    if value not in ("lora", "qlora"):
        sheet.differ(name, f"{value}: is no method of training here; finetuning_type is lora, freeze or full")
        return
    sheet.put("finetuning_type", "lora", f"{name}: {value}")
    if value == "qlora":
        sheet.put("load_in_4bit", True, f"{name}: {value}")


def _window(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("max_length", value, name)
    if "excess_length_strategy" not in sheet.given:
        sheet.differ(name, "longer conversations become several windows; to leave them out as before, overlong: drop")


def _number_type(sheet: Sheet, name: str, value: Any) -> None:
    if value in ("auto", "full"):
        sheet.settle(name, "bfloat16 on GPUs that compute in it")
    else:
        sheet.put("dtype", "bfloat16", name)


def _checkpointing(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("gradient_checkpointing", value not in (False, "false"), f"{name}: {str(value).lower()}")
    if isinstance(value, str) and value not in ("true", "false"):
        sheet.differ(name, f"{value}: activations are computed again, not moved away")


def _least_rate(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("lr_scheduler_type", "cosine_with_min_lr", name)
    sheet.put("lr_scheduler_kwargs", {"min_lr_rate": value}, name)


def _per_epoch(option: str) -> Entry:
    def entry(sheet: Sheet, name: str, value: Any) -> None:
        epochs = float(sheet.given.get("num_epochs") or 1)
        parts = float(value) * epochs
        if parts > 1:
            sheet.put(option, round(1 / parts, 4), f"{name}: {value}, as a part of the run")
        else:
            sheet.settle(name, "is done at the end of every epoch")

    return entry


def _logger(word: str) -> Entry:
    def entry(sheet: Sheet, name: str, value: Any) -> None:
        if word not in sheet.values.get("report_to", []):
            reporters(sheet, name, word)

    return entry


def _preference(sheet: Sheet, name: str, value: Any) -> None:
    raise UserError(f"{name}: {value} is not trained here", remedy="only supervised fine-tuning is")


def _defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """What it would use where its config says nothing and our default is another: by its own names."""
    warmup = {} if given.get("warmup_steps") else {"warmup_ratio": 0.03}
    sizes = {"micro_batch_size": 1, "gradient_accumulation_steps": 1, "num_epochs": 1.0, "sequence_len": 512}
    return {"adapter": "none"} | sizes | warmup


_CACHED = needless("data is checked and encoded once; the cache knows every option that matters")
_OWN_CODE = needless("the model's own class is found by its config")
_KERNEL = needless("adapters are computed in few passes where a probe finds that it is safe")
_TABLE: dict[str, Entry] = {
    **TRAINER,
    "base_model": to("model_name_or_path"),
    "datasets": _datasets("dataset"),
    "test_datasets": _datasets("eval_dataset"),
    "rl": _preference,
    "reward_model": when(_preference),
    "chat_template": _template,
    "chat_template_jinja": _own_template,
    "chat_template_kwargs": same,
    "default_system_message": missing("a system prompt is written into the rows"),
    "sequence_len": _window,
    "excess_length_strategy": chosen(
        "overlong", {"drop": "drop", "truncate": "truncate", "raise": "error"}, "is not known"
    ),
    "sample_packing": when(packed),
    "train_on_inputs": when(fixed("train_on", "all")),
    "val_set_size": held_out,
    "dataset_exact_deduplication": when(fixed("drop_duplicates", True)),
    "dataset_processes": to("dataset_num_proc"),
    "dataset_num_proc": same,
    "adapter": _adapter,
    "lora_model_dir": listed("adapter_name_or_path"),
    "lora_r": same,
    "lora_alpha": same,
    "lora_dropout": same,
    "lora_target_modules": listed("lora_target_modules"),
    "lora_target_linear": when(fixed("lora_target_modules", ["all-linear"])),
    "lora_modules_to_save": listed("lora_modules_to_save"),
    "peft_use_dora": to("use_dora"),
    "peft_use_rslora": to("use_rslora"),
    "peft_init_lora_weights": chosen(
        "init_lora_weights",
        {True: "default", **{word: word for word in ("gaussian", "olora", "orthogonal", "pissa", "pissa_niter_4")}},
        "is no way here in which an adapter begins",
    ),
    "loraplus_lr_ratio": same,
    "load_in_4bit": same,
    "load_in_8bit": same,
    "unfrozen_parameters": missing("finetuning_type: freeze trains the last layers (freeze_trainable_layers)"),
    "micro_batch_size": to("per_device_train_batch_size"),
    "eval_batch_size": to("per_device_eval_batch_size"),
    "num_epochs": to("num_train_epochs"),
    "optimizer": to("optim"),
    "lr_scheduler": to("lr_scheduler_type"),
    "cosine_min_lr_ratio": _least_rate,
    "saves_per_epoch": _per_epoch("save_steps"),
    "evals_per_epoch": _per_epoch("eval_steps"),
    "early_stopping_patience": same,
    "bf16": _number_type,
    "bfloat16": when(fixed("dtype", "bfloat16")),
    "float16": when(fixed("dtype", "float16")),
    "float32": when(fixed("dtype", "float32")),
    "flash_attention": needless("flash attention is taken where it is installed (attn_implementation: auto)"),
    "sdp_attention": when(fixed("attn_implementation", "sdpa")),
    "eager_attention": when(fixed("attn_implementation", "eager")),
    "attn_implementation": same,
    "wandb_project": _logger("wandb"),
    "use_wandb": when(_logger("wandb")),
    "mlflow_tracking_uri": _logger("mlflow"),
    "use_mlflow": when(_logger("mlflow")),
    "use_tensorboard": when(_logger("tensorboard")),
    "use_swanlab": when(_logger("swanlab")),
    "special_tokens": missing("control tokens that the chat template needs are added by themselves (add_tokens)"),
    "tokens": missing("tokens that are no control tokens are not added"),
    "hub_model_id": TRAINER["push_to_hub"],
    "auto_resume_from_checkpoints": TRAINER["resume_from_checkpoint"],
    "adam_epsilon": extra,
    "fsdp_version": fsdp,
    "ddp_find_unused_parameters": extra,
    "gradient_checkpointing": _checkpointing,
    "activation_offloading": missing("activations are kept, or computed again (gradient_checkpointing)"),
    "eot_tokens": needless("where turns end is found from the chat template"),
    "processor_type": missing("images, sound and video are not trained on"),
    "loss_watchdog_threshold": missing("a run stops at a loss that is not finite, not at a high one"),
    "loss_watchdog_patience": needless("goes with loss_watchdog_threshold"),
    "batch_size": missing("give per_device_train_batch_size and gradient_accumulation_steps"),
    "quantize_moe_experts": missing("load_in_4bit holds in four bits what bitsandbytes can"),
    "lora_fan_in_fan_out": needless("is found from the layers"),
    "plugins": missing("what plugins do is not done, but that logits are computed in blocks anyway"),
    "pad_to_sequence_len": needless("nothing is padded to the window"),
    "strict": needless("an unknown option is always an error"),
    "save_safetensors": needless("weights are saved as safetensors only"),
    "resize_token_embeddings_to_32x": needless("is decided where tokens are added"),
    **dict.fromkeys(("dataset_prepared_path", "shuffle_merged_datasets", "dataset_keep_in_memory"), _CACHED),
    **dict.fromkeys(("model_type", "tokenizer_type", "tokenizer_use_fast", "is_llama_derived_model"), _OWN_CODE),
    **dict.fromkeys(("is_mistral_derived_model", "is_qwen_derived_model", "is_falcon_derived_model"), _OWN_CODE),
    **dict.fromkeys(("eval_sample_packing", "skip_prepare_dataset", "low_cpu_mem_usage"), _CACHED),
    **dict.fromkeys(
        (
            "liger_rope",
            "liger_rms_norm",
            "liger_layer_norm",
            "liger_glu_activation",
            "liger_fused_linear_cross_entropy",
            "cut_cross_entropy",
            "chunked_cross_entropy",
        ),
        TRAINER["use_liger_kernel"],
    ),
    **dict.fromkeys(("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel"), _KERNEL),
    **dict.fromkeys(
        ("wandb_entity", "wandb_name", "wandb_run_id", "wandb_log_model", "wandb_watch"),
        missing("wandb reads it from the environment"),
    ),
}
AXOLOTL = Tool(
    "axolotl",
    ("base_model", "sequence_len", "micro_batch_size", "datasets", "sample_packing", "val_set_size", "adapter"),
    _TABLE,
    _defaults,
)
