"""Named sets of differences from the defaults of a training; `TrainConfig(preset=…)` begins with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Preset:
    """What it is for, and what it changes."""

    help: str
    changes: Mapping[str, Any]


PRESETS: Mapping[str, Preset] = {
    "balanced": Preset("The defaults.", {}),
    "quick_check": Preset(
        "Does it run, and do the losses fall? A few rows, twenty steps.",
        {"max_samples": 64, "max_steps": 20, "eval_generate": 4},
    ),
    "low_memory": Preset(
        "One row at a time, activations recomputed; the same rows in a step, slower.",
        {
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 16,
            "per_device_eval_batch_size": 1,
            "gradient_checkpointing": True,
        },
    ),
    "best_quality": Preset(
        "A larger adapter at a lower rate, evaluated often; the result is the checkpoint with the least held-out loss.",
        {
            "lora_r": 64,
            "lora_alpha": 128,
            "learning_rate": 1e-4,
            "eval_steps": 0.1,
            "load_best_model_at_end": True,
            "early_stopping_patience": 3,
        },
    ),
    "tool_calling": Preset(
        "Calls count half as much again; the result is the checkpoint that writes most held-out calls exactly right.",
        {
            "loss_weights": {"tool_call": 1.5},
            "eval_steps": 0.25,
            "eval_generate": 32,
            "eval_max_new_tokens": 256,
            "metric_for_best_model": "tool_call_exact",
            "load_best_model_at_end": True,
        },
    ),
}


def preset_changes(name: Any) -> Mapping[str, Any]:
    """What the preset of that name changes; nothing for what is no preset's name."""
    return PRESETS[name].changes if isinstance(name, str) and name in PRESETS else {}
