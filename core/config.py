"""Every knob, once.

A pydantic model per command is the only list of options: name, type, default, bounds, choices, group and help. Flags,
YAML keys, validation, the board's form and `--help` are made from the fields below; to add a knob, add a field. Names
are those of TRL's `SFTConfig` and `ModelConfig`, transformers' `TrainingArguments` and peft's `LoraConfig`.
"""

from __future__ import annotations

import argparse
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from core.errors import UserError, did_you_mean
from core.presets import preset_changes

Group = Literal["model", "data", "method", "optimisation", "run", "generation", "evaluation"]
# What an evaluation logs, without its prefix: losses (less is better), accuracies, and what the model wrote.
BestMetric = Literal[
    "loss",
    "loss_text",
    "loss_reasoning",
    "loss_tool_call",
    "loss_stop",
    "accuracy",
    "accuracy_text",
    "accuracy_reasoning",
    "accuracy_tool_call",
    "accuracy_stop",
    "tool_call_exact",
    "tool_call_name",
    "argument_exact",
    "turn_exact",
    "call_decision",
    "called_when_needed",
    "silent_when_not_needed",
]
ConfigT = TypeVar("ConfigT", bound="Config")


def knob(default: Any, help: str, group: Group, *, main: bool = False, label: str = "", **bounds: Any) -> Any:
    """A field with its help and group. `main` puts it on the first page of the board's form."""
    extra: dict[str, Any] = {"group": group, "main": main}
    if label:
        extra["label"] = label
    if isinstance(default, (list, dict)):
        return Field(
            default_factory=lambda: type(default)(default), description=help, json_schema_extra=extra, **bounds
        )
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Config(BaseModel):
    """What all configs share: unknown keys are errors, values are checked on assignment too."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, protected_namespaces=())


class ModelOptions(Config):
    """How a model is loaded."""

    template: str = knob(
        "auto",
        "Chat template: `auto` (the one that the run was trained with, or the model's own), a name from the library "
        "(chatml), or a .jinja file.",
        "model",
        main=True,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = knob(
        "auto", "Device: the GPU if there is one, else the CPU.", "model"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob(
        "auto",
        "Number type of the weights: bfloat16 on GPUs that compute in it, else float32. Training on a GPU holds what "
        "it trains in float32 always; then this is the type of the frozen weights and of the computing.",
        "model",
    )
    tool_dialect: Literal["auto", "none", "hermes", "react", "glm", "llama3_json", "pythonic"] = knob(
        "auto",
        "How tools and calls are written where the chat template has no way (auto: hermes there). The system prompt "
        "moves into the first user turn where the template has no place for it; none: nothing is rewritten.",
        "model",
    )
    attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3"] = knob(
        "auto",
        "How attention is computed, by transformers' name; auto: flash attention where it is installed and training "
        "runs on a GPU in 16 bits, else what the model prefers.",
        "model",
    )
    chat_template_kwargs: dict[str, Any] = knob(
        {},
        "Variables of the chat template, as {enable_thinking: false}; written into the template that is saved, so that "
        "chat, evaluation and export use the same.",
        "model",
        label="Template variables",
    )
    inline_reasoning: bool = knob(
        False, "Write reasoning as text in <think> tags where the chat template swallows it.", "model"
    )


class DataOptions(Config):
    """Which conversations, and how they become examples."""

    dataset: list[str] = knob([], "Names from dataset_info.json, or files.", "data", main=True, label="Datasets")
    dataset_dir: str = knob(
        "",
        "Folder with dataset_info.json; empty: the samples that ship with Tuneboard.",
        "data",
        label="Dataset folder",
    )
    max_samples: int | None = knob(None, "Use at most this many rows of each dataset.", "data", ge=1)
    max_length: int = knob(
        1024,
        "Longest example in tokens; `overlong` says what becomes of longer conversations. For a training also auto: "
        "see auto_length.",
        "data",
        main=True,
        ge=16,
        le=1_048_576,
    )
    train_on: Literal["assistant", "last_turn", "all"] = knob(
        "assistant",
        "Loss on every assistant turn, on the last one of each conversation only, or on everything but tool results.",
        "data",
    )
    overlong: Literal["windows", "drop_oldest", "drop", "truncate", "error"] = knob(
        "windows",
        "Conversations longer than max_length: several windows in which each turn is trained once, the last exchanges "
        "that fit, no conversation, the first max_length tokens, or an error.",
        "data",
    )
    append_stop: bool = knob(
        True,
        "Where a conversation ends in an answer without a stop token (the template writes it only before the next "
        "message, or never), add it, so that the model learns to stop.",
        "data",
        label="Add the missing stop",
    )
    swallowed: Literal["stop", "drop", "ignore"] = knob(
        "stop",
        "Where the chat template swallows reasoning, or words beside a call, that the data holds: stop and say what "
        "can be done, drop those conversations, or train without what is swallowed.",
        "data",
    )
    unstable_history: Literal["split", "last_turn", "as_rendered", "error"] = knob(
        "split",
        "Where the template shows earlier turns differently later on (it hides old reasoning): a sample for each shown "
        "history, the last turns only, trained as they are shown at the end, or drop the conversation.",
        "data",
    )
    profile: Literal["strict", "default", "lenient"] = knob(
        "default",
        "What becomes of imperfect rows: strict drops what default repairs and stops where default drops; lenient "
        "repairs more.",
        "data",
    )
    drop_duplicates: bool = knob(False, "Drop rows that are exact copies of an earlier row of their dataset.", "data")
    formatting: str = knob("", "Format of the rows; empty: recognised from them.", "data")
    columns: dict[str, str] = knob(
        {}, "Names of the columns, by the words of dataset_info.json: {prompt: question, response: answer}.", "data"
    )
    tags: dict[str, str] = knob({}, "Names of the keys in messages: {role_tag: speaker, content_tag: text}.", "data")
    roles: dict[str, str] = knob({}, "Names of roles, each to one of ours: {customer: user}.", "data")
    mix_strategy: Literal["concat", "interleave_under", "interleave_over"] = knob(
        "concat",
        "Several datasets one after the other, or drawn by weight until the first (under) or the last (over) ends.",
        "data",
    )
    interleave_probs: list[float] = knob([], "Weights of the datasets when they are interleaved; empty: equal.", "data")


class TrainConfig(ModelOptions, DataOptions):
    """Options of `core-cli train` and of the board's Train tab."""

    preset: Literal["balanced", "quick_check", "low_memory", "best_quality", "tool_calling"] = knob(
        "balanced",
        "A named set of differences from the defaults, below whatever else is given; core-cli presets lists them.",
        "model",
        main=True,
    )
    model_name_or_path: str = knob(
        "starter",
        "A model: a Hub name, a folder, or `starter`, the tiny one that is embedded.",
        "model",
        main=True,
        label="Model",
    )
    add_tokens: Literal["auto", "all", "none"] = knob(
        "auto",
        "Control tokens that the chat template writes and the tokenizer lacks. auto: where a turn of the chosen "
        "template would otherwise end in several tokens, its turn markers are added, trained and saved with the "
        "result; all: everything in it that looks like a control token; none: they stay text.",
        "model",
    )
    auto_length: bool = knob(
        False,
        "Decide max_length from the data before the run (max_length: auto means the same): the 99th percentile of the "
        "lengths of at most 2,000 rows, rounded up to a multiple of 64, at least 256 and within the model's context. "
        "Of data above 64 MiB the first 2,000 rows of each dataset are looked at. What max_length says is "
        "replaced.",
        "data",
        label="Window from the data",
    )
    eval_dataset: list[str] = knob([], "Held-out datasets, evaluated while training.", "data")
    val_size: float | None = knob(
        None,
        "Part of the training rows to hold out when there is no eval_dataset (0.1 = 10 %); empty: 5 %, about 200 "
        "conversations at most; 0: none.",
        "data",
        ge=0,
        lt=1,
    )
    eval_generate: int = knob(
        16,
        "On this many held-out turns the model writes at every evaluation, for the figures on tool calls and as "
        "samples; 0: none.",
        "evaluation",
        ge=0,
        le=10_000,
    )
    eval_max_new_tokens: int = knob(
        128, "Longest answer in tokens when the model writes at an evaluation.", "evaluation", ge=1, le=65_536
    )
    eval_steps: float | None = knob(
        None,
        "Evaluate every this many steps, below 1: this part of the whole run, and at the end of every epoch; empty: at "
        "the end of every epoch only.",
        "evaluation",
        gt=0,
    )
    metric_for_best_model: BestMetric = knob(
        "loss",
        "The held-out figure by which the best checkpoint is told: it is kept whatever save_total_limit says.",
        "evaluation",
    )
    load_best_model_at_end: bool = knob(
        False, "The result is the best checkpoint, not the last step.", "evaluation", label="Keep the best model"
    )
    early_stopping_patience: int | None = knob(
        None, "Stop after this many evaluations in a row without a new best; empty: never.", "evaluation", ge=1
    )
    benchmarks: list[str] = knob(
        [],
        "Sets that are kept for measuring (names, files, or a text file with a question a line): training asks before "
        "it uses rows that ask the same.",
        "data",
    )
    split_file: str = knob(
        "", 'A JSON file {"validation": [line, …]}: the lines of the one dataset that are held out.', "data"
    )
    max_dropped: float = knob(
        0.05,
        "Ask before training when more than this part of a dataset's rows would be dropped; 1 never asks, as --yes.",
        "data",
        ge=0,
        le=1,
    )
    dataset_num_proc: int | None = knob(
        None, "Processes that read, render and tokenise large data; empty: one for each core.", "data", ge=1, le=256
    )
    finetuning_type: Literal["lora", "freeze", "full"] = knob(
        "lora",
        "lora trains a small adapter, freeze the last layers, full every weight.",
        "method",
        main=True,
        label="Method",
    )
    lora_r: int = knob(
        16,
        "Size of the adapter: higher learns more and needs more memory.",
        "method",
        main=True,
        ge=1,
        le=1024,
        label="LoRA rank",
    )
    lora_alpha: int = knob(32, "LoRA scaling: updates are multiplied by alpha / rank.", "method", ge=1)
    lora_dropout: float = knob(0.0, "Dropout inside the adapter.", "method", ge=0, lt=1)
    lora_target_modules: list[str] = knob(
        ["all-linear"],
        "Layers that get an adapter: module names, or all-linear (arXiv 2305.14314: all of them are needed).",
        "method",
    )
    use_rslora: bool = knob(False, "Scale by alpha / √rank, for high ranks (rsLoRA).", "method")
    use_dora: bool = knob(False, "Train magnitude and direction apart (DoRA): slower, better at low ranks.", "method")
    init_lora_weights: Literal[
        "default", "gaussian", "olora", "orthogonal", "pissa", "pissa_niter_4", "pissa_niter_16", "mica"
    ] = knob(
        "default",
        "How an adapter begins, by peft's names; pissa and mica take apart every weight at the start, pissa_niter "
        "does it roughly and fast.",
        "method",
    )
    loraplus_lr_ratio: float | None = knob(
        None, "LoRA+: the B matrices learn this many times faster than the A matrices (16 is usual).", "method", gt=0
    )
    lora_modules_to_save: list[str] = knob(
        [], "Modules that are trained whole and saved with the adapter, as embed_tokens.", "method"
    )
    adapter_name_or_path: list[str] = knob(
        [], "Adapters to begin from: all but the last are merged into the model, the last is trained on.", "method"
    )
    freeze_trainable_layers: int = knob(2, "With freeze: how many of the last layers are trained.", "method", ge=1)
    load_in_4bit: bool = knob(False, "QLoRA: hold the model in 4 bits; needs a GPU and bitsandbytes.", "method")
    load_in_8bit: bool = knob(False, "Hold the model in 8 bits; needs a GPU and bitsandbytes.", "method")
    learning_rate: float | None = knob(
        None,
        "Peak learning rate; empty: 2e-4 for LoRA (arXiv 2305.14314), 2e-5 for freeze and full (Stanford Alpaca).",
        "optimisation",
        main=True,
        gt=0,
        le=1,
    )
    num_train_epochs: float = knob(
        3.0, "Passes over the data.", "optimisation", main=True, gt=0, le=10_000, label="Epochs"
    )
    max_steps: int = knob(-1, "Stop after this many optimiser steps; -1: by epochs.", "optimisation", ge=-1)
    per_device_train_batch_size: int = knob(
        8, "Examples in one forward pass.", "optimisation", main=True, ge=1, le=4096, label="Batch size"
    )
    gradient_accumulation_steps: int = knob(
        2,
        "Forward passes per optimiser step: the effective batch is this times the batch size, 16 by default (arXiv "
        "2305.14314).",
        "optimisation",
        main=True,
        ge=1,
        le=4096,
    )
    packing: Literal["auto", "on", "off"] = knob(
        "auto",
        "Put the rows of a batch one behind the other, without padding; attention keeps each to itself. What the "
        "batch holds does not change. auto: on a CPU or with flash attention, where a probe of the model shows that "
        "rows do not leak into each other; else rows of like length are batched together.",
        "optimisation",
    )
    per_device_eval_batch_size: int = knob(8, "Examples in one forward pass of an evaluation.", "optimisation", ge=1)
    lr_scheduler_type: Literal[
        "cosine",
        "linear",
        "constant",
        "constant_with_warmup",
        "cosine_with_restarts",
        "cosine_with_min_lr",
        "cosine_warmup_with_min_lr",
        "warmup_stable_decay",
        "polynomial",
        "inverse_sqrt",
    ] = knob("cosine", "How the learning rate falls, by transformers' names.", "optimisation")
    lr_scheduler_kwargs: dict[str, Any] = knob(
        {}, "What the schedule wants to know, as {min_lr_rate: 0.1} for cosine_with_min_lr.", "optimisation"
    )
    warmup_ratio: float = knob(0.04, "Part of the steps in which the learning rate rises.", "optimisation", ge=0, lt=1)
    optim: str = knob("adamw_torch_fused", "Optimiser, by transformers' name.", "optimisation")
    weight_decay: float = knob(0.0, "Weight decay.", "optimisation", ge=0, le=1)
    max_grad_norm: float = knob(1.0, "Gradients are clipped to this norm.", "optimisation", ge=0)
    gradient_checkpointing: bool = knob(
        False, "Recompute activations in the backward pass: less memory, about a third slower.", "optimisation"
    )
    loss_type: Literal["nll", "dft"] = knob(
        "nll", "nll, or dft: tokens weighted by their own probability (arXiv 2508.05629).", "optimisation"
    )
    loss_weights: dict[str, float] = knob(
        {}, "Weight of the loss by kind, as {tool_call: 1.5}; kinds: text, reasoning, tool_call, stop.", "optimisation"
    )
    neftune_noise_alpha: float | None = knob(
        None, "Noise on the embeddings while training (NEFTune; 5 is usual).", "optimisation", gt=0
    )
    seed: int = knob(42, "Seed of everything random.", "optimisation", ge=0)
    run_name: str = knob("", "A label for the run; empty: made from model and data.", "run", main=True)
    runs_dir: str = knob("", "Folder of the runs; empty: $TUNEBOARD_RUNS or ./runs.", "run")
    num_processes: int | None = knob(
        None,
        "Processes that train together, each on a part of every batch; empty: one for each visible GPU. The effective "
        "batch is the batch size times the accumulation steps times this.",
        "run",
        ge=1,
    )
    distributed: str = knob(
        "auto",
        "How several processes hold a model: auto and ddp each the whole, fsdp2, zero2 and zero3 a part of it (GPUs "
        "only); or an accelerate config file of your own.",
        "run",
    )
    launcher: Literal["local", "ray"] = knob(
        "local",
        "Where processes run: on this machine, or on a Ray cluster ($RAY_ADDRESS; without it, one of this machine).",
        "run",
    )
    num_workers: int = knob(2, "With launcher ray: workers that train together.", "run", ge=1)
    resources_per_worker: dict[str, float] = knob(
        {}, "With launcher ray: what each worker is given beside 1 CPU and, where there are any, 1 GPU.", "run"
    )
    max_failures: int = knob(
        3,
        "With launcher ray: start the workers again from the newest whole checkpoint this many times when one dies.",
        "run",
        ge=0,
    )
    logging_steps: int = knob(1, "Write metrics every this many steps.", "run", ge=1)
    save_steps: float | None = knob(
        None,
        "Checkpoint every this many steps; below 1: this part of the whole run; empty: at the end of every epoch and "
        "at least every tenth of the run.",
        "run",
        gt=0,
    )
    save_total_limit: int = knob(2, "Keep this many checkpoints, and the best one.", "run", ge=1)
    stall_timeout_s: float = knob(
        600,
        "Without progress for this many seconds a run counts as stalled, and its stacks go to the log.",
        "run",
        gt=0,
    )
    on_out_of_memory: Literal["halve", "stop"] = knob(
        "halve",
        "When memory does not suffice: go on from the last checkpoint with half the batch and twice the accumulation, "
        "down to a batch of 1, or stop and say what to change.",
        "run",
    )
    report_to: list[str] = knob(
        [], "Also log to these, where installed: trackio, tensorboard, wandb, swanlab, mlflow.", "run"
    )
    extra: dict[str, Any] = knob({}, "Any other SFTConfig option by its own name.", "run")

    @model_validator(mode="before")
    @classmethod
    def _begin_with_preset(cls, values: Any) -> Any:
        return {**preset_changes(values.get("preset")), **values} if isinstance(values, dict) else values

    @model_validator(mode="before")
    @classmethod
    def _leave_length_to_data(cls, values: Any) -> Any:
        """`max_length: auto` is the default number with `auto_length`."""
        if not isinstance(values, dict) or values.get("max_length") != "auto":
            return values
        return {**{name: value for name, value in values.items() if name != "max_length"}, "auto_length": True}

    def held_out_part(self, conversations: int) -> float:
        """The part of so many conversations that is held out."""
        return self.val_size if self.val_size is not None else min(0.05, 200 / max(1, conversations))

    def ddp_timeout(self) -> float:
        """Seconds that a collective operation may take; SFTConfig's option of that name, through `extra`."""
        return float(self.extra.get("ddp_timeout", 1800))

    def peak_learning_rate(self) -> float:
        """The learning rate, or the default of the method (QLoRA paper, §B.2, for adapters)."""
        return self.learning_rate or (2e-4 if self.finetuning_type == "lora" else 2e-5)


class GenerationOptions(Config):
    """How the model writes."""

    max_new_tokens: int = knob(256, "Longest answer in tokens.", "generation", main=True, ge=1, le=65_536)
    temperature: float = knob(
        0.0, "0 takes the likeliest token; higher is more varied.", "generation", main=True, ge=0, le=5
    )
    top_p: float = knob(
        1.0, "Sample from the likeliest tokens that hold this much probability.", "generation", gt=0, le=1
    )


class EvalConfig(ModelOptions, DataOptions, GenerationOptions):
    """Options of `core-cli eval`."""

    base: bool = knob(
        False,
        "Evaluate the model as it was before the training too, for comparison.",
        "evaluation",
        main=True,
        label="Also before the training",
    )
    examples: int = knob(0, "Print this many whole conversations with what the model wrote.", "evaluation", ge=0)
    batch_size: int = knob(16, "Turns generated at once.", "evaluation", ge=1)


class ChatConfig(ModelOptions, GenerationOptions):
    """Options of `core-cli chat` and of the board's Chat tab."""

    system: str = knob("", "System prompt.", "generation")
    tools: str = knob("", "A JSON file with the tools that the model may call.", "generation")


class ExportConfig(Config):
    """Options of `core-cli export` and of the board's Export tab."""

    output_dir: str = knob(
        "", "A new folder for the model; empty: `exports/` and the run's name. What is there stays.", "run", main=True
    )
    merge: bool = knob(
        True,
        "Merge the adapter into the model's weights; off: the adapter alone, to be put on the same model.",
        "model",
        main=True,
        label="Merge the adapter",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob(
        "auto", "Number type of the weights; auto: the one in which the model below is stored.", "model", main=True
    )
    max_shard_size: str = knob("5GB", "Weights are split into files of at most this size.", "run")


def parse_config(cls: type[ConfigT], values: Mapping[str, Any], *, file: str | Path | None = None) -> ConfigT:
    """Validate `values`; a `UserError` names every bad key (with the nearest known one) and every bad value."""
    try:
        return cls(**values)
    except ValidationError as error:
        lines = [_explain(cls, item) for item in error.errors()]
        raise UserError("; ".join(lines), file=file) from None


def load_config(cls: type[ConfigT], path: Path | None, overrides: Mapping[str, Any]) -> ConfigT:
    """A config from a YAML file (or none) with `overrides` on top. Raises `UserError`.

    A preset in the file is below what the file says; one among the overrides is above it.
    """
    values = read_yaml(path) if path is not None else {}
    return parse_config(cls, {**values, **preset_changes(overrides.get("preset")), **overrides}, file=path)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds one mapping. Raises `UserError` with the line."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("no such file", file=path, remedy="give a YAML file with training options") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", file=path) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise UserError(f"not valid YAML: {problem}", file=path, line=mark.line + 1 if mark else None) from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UserError(f"holds a {type(loaded).__name__}, expected `key: value` lines", file=path)
    return {str(key): value for key, value in loaded.items()}


def dump_yaml(config: Config) -> str:
    """The config as YAML, all keys, in the order of the fields."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def add_arguments(parser: argparse.ArgumentParser, cls: type[Config], *, skip: tuple[str, ...] = ()) -> None:
    """One flag a field (`--learning-rate`), grouped and described as the fields are. Unset flags are left out."""
    groups: dict[str, Any] = {}
    for name, field in cls.model_fields.items():
        if name in skip:
            continue
        title = extra(field)["group"]
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            default=argparse.SUPPRESS,
            help=flag_help(field),
            **_argument_type(name, field),
        )


def config_from_arguments(cls: type[ConfigT], arguments: argparse.Namespace, path: Path | None = None) -> ConfigT:
    """The config that the parsed flags (and a YAML file) ask for."""
    overrides = {name: value for name, value in vars(arguments).items() if name in cls.model_fields}
    return load_config(cls, path, overrides)


def extra(field: FieldInfo) -> dict[str, Any]:
    """The group, label and page of a field."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def default_of(field: FieldInfo) -> Any:
    """A field's default value."""
    return field.get_default(call_default_factory=True, validated_data={})


def bounds_of(field: FieldInfo) -> dict[str, float]:
    """`{"ge": …, "gt": …, "le": …, "lt": …}`, those that the field has."""
    found = {}
    for constraint in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if hasattr(constraint, name):
                found[name] = getattr(constraint, name)
    return found


def value_type(field: FieldInfo) -> Any:
    """The field's type without `| None`."""
    annotation = field.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation


def flag_help(field: FieldInfo) -> str:
    """Help, default and bounds in one line."""
    default = default_of(field)
    shown = "empty" if default in (None, "", [], {}) else " ".join(default) if isinstance(default, list) else default
    limits = ", ".join(
        f"{symbol} {value}"
        for name, symbol in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if (value := bounds_of(field).get(name)) is not None
    )
    return f"{field.description} [{shown}{'; ' + limits if limits else ''}]".replace("%", "%%")


def _argument_type(name: str, field: FieldInfo) -> dict[str, Any]:
    kind = value_type(field)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return {"choices": list(get_args(kind)), "metavar": "{" + ",".join(get_args(kind)) + "}"}
    if get_origin(kind) is list:
        return {"nargs": "*", "metavar": name.upper()}
    if get_origin(kind) is dict:
        return {"type": _mapping, "metavar": "YAML"}
    return {"metavar": name.split("_")[-1].upper()}


def _mapping(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise argparse.ArgumentTypeError(f"not a YAML mapping: {text}") from None


def _explain(cls: type[Config], item: Any) -> str:
    name = str(item["loc"][0]) if item["loc"] else cls.__name__
    if item["type"] == "extra_forbidden":
        return f'unknown option "{name}": {did_you_mean(name, cls.model_fields)}'
    message = item["msg"].replace("Input should", "should")
    return f"{'.'.join(str(part) for part in item['loc'])}: {message}, got {item['input']!r}"
