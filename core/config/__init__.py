"""Every knob, once.

A pydantic model per command is the only list of options: name, type, default, bounds, choices, group and help. Flags,
YAML keys, validation, the board's form and `--help` are made from the fields in this package; to add a knob, add a
field: to `shared` (what several commands have), `learning` (what of a model is trained, and how), `training` (the rest
of a training) or `commands` (one command's own). Names are those of TRL's `SFTConfig` and `ModelConfig`, transformers'
`TrainingArguments` and peft's `LoraConfig`.
"""

from __future__ import annotations

from core.config.commands import ChatConfig, EvalConfig, ExportConfig, TrainConfig
from core.config.flags import add_arguments, config_from_arguments
from core.config.knob import Config, ConfigT, Group, bounds_of, default_of, extra, value_type
from core.config.read import dump_yaml, load_config, parse_config, read_yaml
from core.config.shared import DataOptions, GenerationOptions, ModelOptions
from core.config.training import BestMetric

__all__ = [
    "BestMetric",
    "ChatConfig",
    "Config",
    "ConfigT",
    "DataOptions",
    "EvalConfig",
    "ExportConfig",
    "GenerationOptions",
    "Group",
    "ModelOptions",
    "TrainConfig",
    "add_arguments",
    "bounds_of",
    "config_from_arguments",
    "default_of",
    "dump_yaml",
    "extra",
    "load_config",
    "parse_config",
    "read_yaml",
    "value_type",
]
