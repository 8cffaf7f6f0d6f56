"""Options of a training around what is learned: what it begins with, how it is measured, how it runs."""

from __future__ import annotations

from typing import Any, Literal

from core.config.knob import Config, knob

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


class StartOptions(Config):
    """The model and the rows that a training begins with, and what is held out."""

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
    rope_scaling: Literal["none", "linear", "yarn", "llama3"] = knob(
        "none",
        "For windows longer than the model's context: scale its rotary positions evenly (linear), or the slow ones "
        "more than the fast ones (yarn, arXiv 2309.00071; llama3 as in Llama 3.1). Kept with the result, so that chat, "
        "evaluation and export read as it was trained.",
        "model",
        label="Longer context",
    )
    rope_factor: float | None = knob(
        None,
        "With rope_scaling: the context becomes this many times longer; empty: as long as max_length.",
        "model",
        gt=1,
        le=1024,
    )
    auto_length: bool = knob(
        True,
        "Decide max_length from the data before the run, unless a number is given for it (max_length: auto means the "
        "same): the 99th percentile of the lengths of at most 2,000 rows, rounded up to a multiple of 64, from 256 to "
        "the model's context.",
        "data",
        main=True,
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


class MeasuringOptions(Config):
    """What is measured while a model is trained."""

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


class RunOptions(Config):
    """Where and how a training runs, and what it keeps."""

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
        [],
        "Also log to these, where installed: trackio, tensorboard, wandb, swanlab, mlflow. The files of the second to "
        "the fourth lie in the run's folder, in `logs`.",
        "run",
    )
    extra: dict[str, Any] = knob({}, "Any other SFTConfig option by its own name.", "run")
