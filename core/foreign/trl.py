"""The YAML that `trl sft --config` takes (TRL 1.x): most of its options are ours by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.foreign.sheet import Entry, Sheet, Tool, chosen, fixed, listed, missing, needless, same, to, when
from core.foreign.trainer_options import TRAINER, packed


def _dataset(sheet: Sheet, name: str, value: Any) -> None:
    config, split = sheet.given.get("dataset_config"), sheet.given.get("dataset_train_split")
    subset = f"/{config}" if config else ""
    sheet.put("dataset", [f"hf:{value}{subset}:{split or 'train'}"], name)


def _peft(sheet: Sheet, name: str, value: Any) -> None:
    sheet.put("finetuning_type", "lora" if value is True else "full", f"{name}: {str(value).lower()}")


def _defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """What it would use where its config says nothing and our default is another: by its own names."""
    warmup = {} if given.get("warmup_steps") else {"warmup_ratio": 0.0}
    rest = {"use_peft": False, "lr_scheduler_type": "linear", "gradient_accumulation_steps": 1}
    return rest | warmup | {"learning_rate": 2e-5, "gradient_checkpointing": True, "max_length": 1024}


_ASSISTANT = needless("loss is on what the assistant writes, whatever the template says of it")
_TABLE: dict[str, Entry] = {
    **TRAINER,
    "dataset_name": _dataset,
    "dataset_config": needless("goes with dataset_name"),
    "dataset_train_split": needless("goes with dataset_name"),
    "dataset_test_split": missing("a split of a dataset that is measured on is an eval_dataset: hf:org/name:test"),
    "datasets": missing("give its files or hf:org/name as dataset: several are several words of it"),
    "dataset_text_field": needless("the format is recognised from the rows; see columns"),
    "dataset_num_proc": same,
    "max_length": same,
    "packing": when(packed),
    "eval_packing": needless("rows stay apart in evaluations too"),
    "padding_free": needless("is what packing: auto does"),
    "assistant_only_loss": _ASSISTANT,
    "completion_only_loss": _ASSISTANT,
    "chat_template_path": to("template"),
    "eos_token": missing("where turns end is found from the chat template"),
    "use_peft": _peft,
    "lora_r": same,
    "lora_alpha": same,
    "lora_dropout": same,
    "lora_target_modules": listed("lora_target_modules"),
    "lora_modules_to_save": listed("lora_modules_to_save"),
    "use_rslora": same,
    "use_dora": same,
    "load_in_4bit": same,
    "load_in_8bit": same,
    "loss_type": same,
    "attn_implementation": same,
    "dtype": same,
    "torch_dtype": to("dtype"),
    "activation_offloading": missing("activations are kept or computed again (gradient_checkpointing)"),
    "model_revision": missing("give the folder of that revision as the model"),
    "dataset_streaming": needless("rows are mapped from the disk"),
    "bf16": when(fixed("dtype", "bfloat16")),
    "task_type": chosen("finetuning_type", {"causal_lm": "lora"}, "only causal language models are trained"),
}
TRL = Tool(
    "TRL",
    ("dataset_name", "dataset_config", "use_peft", "dataset_train_split", "assistant_only_loss", "output_dir"),
    _TABLE,
    _defaults,
)
