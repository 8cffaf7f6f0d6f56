"""A TrainConfig as TRL's SFTConfig: our options under their names, with what a device and finished rows need set."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import torch
from transformers import get_scheduler
from transformers.training_args import OptimizerNames
from trl import SFTConfig, SFTTrainer

from core.config import TrainConfig
from core.errors import UserError, did_you_mean
from core.extra import extra_faults
from core.model import computes_in_bfloat16, pick_device
from core.schedule import NEVER, SAVES_PER_RUN


def sft_config(config: TrainConfig, output_dir: Path, *, has_eval: bool) -> SFTConfig:
    """Our options as TRL's, with those of `extra`. Raises `UserError` for what of them cannot be."""
    if faults := [*extra_faults(config.extra, get_type_hints(SFTConfig))]:
        raise UserError("; ".join(faults))
    device = pick_device(config.device)
    half = config.dtype != "float32" and computes_in_bfloat16(device)
    options: dict[str, Any] = {
        "output_dir": str(output_dir),
        "learning_rate": config.peak_learning_rate(),
        "activation_checkpointing": config.gradient_checkpointing,
        "warmup_steps": config.warmup_ratio,
        "train_sampling_strategy": "group_by_length",
        "eval_strategy": "steps" if has_eval else "no",
        "eval_steps": _steps(config.eval_steps or NEVER),
        "save_strategy": "steps",
        "save_steps": _steps(config.save_steps or 1 / SAVES_PER_RUN),
        "logging_nan_inf_filter": False,
        "bf16": half and config.dtype != "float16",
        "fp16": config.dtype == "float16" and device == "cuda",
        "use_cpu": device == "cpu",
        "max_length": None,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "remove_unused_columns": False,
        "report_to": config.report_to or "none",
        "save_total_limit": None,
        "disable_tqdm": True,
        "dataloader_pin_memory": device == "cuda",
        "eos_token": None,
    }
    same = set(SFTConfig.__dataclass_fields__) & set(TrainConfig.model_fields) - {
        "learning_rate",
        "gradient_checkpointing",
        "packing",
        "eval_steps",
        "save_steps",
        "save_total_limit",
        "report_to",
        # The best checkpoint is ours to tell: Trainer's must be evaluated and saved at the same steps.
        "metric_for_best_model",
        "load_best_model_at_end",
    }
    options |= {name: getattr(config, name) for name in same}
    try:
        return SFTConfig(**(options | config.extra | ({} if has_eval else {"eval_on_start": False})))
    except (ValueError, TypeError) as error:
        raise UserError(f"these options do not fit together: {str(error).splitlines()[0]}") from None


def _steps(wanted: float) -> float:
    """Below 1 a part of the run, else a whole number."""
    return wanted if wanted < 1 else int(wanted)


def optimiser_faults(config: TrainConfig) -> list[str]:
    """What is wrong with the optimiser, its schedule and `extra`: both are tried out, without a model."""
    faults = [*extra_faults(config.extra, get_type_hints(SFTConfig)), *_schedule_faults(config)]
    names = [str(name.value) for name in OptimizerNames]
    if config.optim not in names:
        return [f'optim: there is no "{config.optim}" — {did_you_mean(config.optim, names)}', *faults]
    return faults or _settings_faults(config)


def _settings_faults(config: TrainConfig) -> list[str]:
    options = sft_config(config, Path(), has_eval=False)
    try:
        kind, settings = SFTTrainer.get_optimizer_cls_and_kwargs(options)
    except (ImportError, TypeError, ValueError) as error:
        # Some are made from the model's modules; they are asked again when it is there.
        needs_model = "to pass a" in str(error) and "model" in str(error)
        return [] if needs_model else [f"optim {config.optim}: {str(error).splitlines()[0]}"]
    try:
        kind([torch.nn.Parameter(torch.zeros(2, 2))], **settings)
    except (TypeError, ValueError) as error:
        return [f"optim {config.optim} refuses its settings: {str(error).splitlines()[0]}"]
    return []


def _schedule_faults(config: TrainConfig) -> list[str]:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    try:
        get_scheduler(config.lr_scheduler_type, optimiser, 1, 10, config.lr_scheduler_kwargs)
    except (TypeError, ValueError, KeyError) as error:
        return [f"lr_scheduler_kwargs do not fit {config.lr_scheduler_type}: {error}"]
    return []
