"""Options of transformers' Trainer, which other tools take under its names: what they are here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.foreign.sheet import (
    Entry,
    Sheet,
    extra,
    fixed,
    missing,
    names_in,
    needless,
    same,
    to,
    when,
)


def run_name(sheet: Sheet, name: str, value: Any) -> None:
    """The folder of a result as the label of a run."""
    sheet.put("run_name", Path(str(value)).name, name)


def reporters(sheet: Sheet, name: str, value: Any) -> None:
    """Loggers; ours is always there, and `all` means none but it."""
    wanted = [word for word in names_in(value) if word not in ("none", "all")]
    if wanted:
        sheet.put("report_to", [*sheet.values.get("report_to", []), *wanted], name)
    else:
        sheet.settle(name, "metrics are always kept with the run")


def best_metric(sheet: Sheet, name: str, value: Any) -> None:
    """`eval_loss` is `loss` here."""
    sheet.put("metric_for_best_model", str(value).removeprefix("eval_"), name)


def held_out(sheet: Sheet, name: str, value: Any) -> None:
    """A part of the rows; a number of rows has no counterpart, and none is not what we do unless asked."""
    if isinstance(value, (int, float)) and 0 < value < 1:
        sheet.put("val_size", value, name)
    elif value == 0:
        sheet.differ(
            name, "0: here 5 % of the rows are held out all the same, to measure on; val_size: 0 trains on all"
        )
    else:
        sheet.differ(name, f"{value}: a number of rows is not understood; val_size is a part of them (0.1 = 10 %)")


def packed(sheet: Sheet, name: str, value: Any) -> None:
    """Windows filled with rows: here a batch's own rows are put one behind the other, so a step sees fewer."""
    why = "rows of a batch go without padding and stay apart (packing: auto); the batch size counts rows, not windows"
    sheet.differ(name, f"{why}: raise it, or the accumulation, for steps as large as before")


def quantised(sheet: Sheet, name: str, value: Any) -> None:
    """4 or 8 bits."""
    if value in (4, 8, "4", "8"):
        sheet.put(f"load_in_{value}bit", True, f"{name}: {value}")
    else:
        sheet.differ(name, f"{value}: models are held in 4 or 8 bits, or in none of them")


def deepspeed(sheet: Sheet, name: str, value: Any) -> None:
    """The stage, from the configuration or the name of its file."""
    told = str(value.get("zero_optimization", {}).get("stage") if isinstance(value, dict) else Path(str(value)).stem)
    stage = next((digit for digit in told if digit in "23"), "")
    if stage:
        sheet.put("distributed", f"zero{stage}", name)
    else:
        sheet.differ(name, "its stage is not seen in its name: give distributed: zero2 or zero3")


fsdp = when(fixed("distributed", "fsdp2"))

TRAINER: dict[str, Entry] = dict.fromkeys(
    (
        "model_name_or_path",
        "num_train_epochs",
        "max_steps",
        "per_device_train_batch_size",
        "per_device_eval_batch_size",
        "gradient_accumulation_steps",
        "gradient_checkpointing",
        "learning_rate",
        "lr_scheduler_type",
        "lr_scheduler_kwargs",
        "warmup_ratio",
        "weight_decay",
        "max_grad_norm",
        "optim",
        "seed",
        "logging_steps",
        "save_steps",
        "eval_steps",
        "save_total_limit",
        "load_best_model_at_end",
        "neftune_noise_alpha",
    ),
    same,
)
TRAINER |= dict.fromkeys(
    (
        "adam_beta1",
        "adam_beta2",
        "adam_epsilon",
        "optim_args",
        "warmup_steps",
        "ddp_timeout",
        "dataloader_num_workers",
        "dataloader_drop_last",
        "tf32",
        "torch_compile",
        "torch_compile_backend",
    ),
    extra,
)
TRAINER |= {
    "output_dir": run_name,
    "run_name": to("run_name"),
    "report_to": reporters,
    "metric_for_best_model": best_metric,
    "bf16": when(fixed("dtype", "bfloat16")),
    "fp16": when(fixed("dtype", "float16")),
    "deepspeed": deepspeed,
    "fsdp": fsdp,
    "fsdp_config": fsdp,
    "save_strategy": needless("checkpoints come with every epoch and at least every tenth of the run; see save_steps"),
    "eval_strategy": needless("evaluated at the end of every epoch; see eval_steps"),
    "evaluation_strategy": needless("evaluated at the end of every epoch; see eval_steps"),
    "overwrite_output_dir": needless("every training is a run with a folder of its own"),
    "group_by_length": needless("rows of like length go together where they are not packed"),
    "logging_dir": needless("metrics lie in the run's folder"),
    "gradient_checkpointing_kwargs": needless("is decided by the trainer"),
    "use_liger_kernel": needless("logits are computed only where a token is trained, in blocks"),
    "remove_unused_columns": needless("rows are read by their format"),
    "do_train": needless("core-cli train trains"),
    "do_eval": missing("core-cli eval measures a run"),
    "do_predict": missing("core-cli eval measures a run, and shows what was written"),
    "resume_from_checkpoint": missing("core-cli train --resume RUN goes on from a run's last whole checkpoint"),
    "push_to_hub": missing("nothing is uploaded; core-cli export writes a folder that can be"),
    "trust_remote_code": missing("code of a model is never run; models that transformers knows need none of it"),
}
"""What transformers' TrainingArguments call what we call it too, or what becomes of it."""
