"""Every knob, by program: each choice, both ends of each bound, and what is beyond them.

Whatever is asked for is either refused in one line before there is a run, or trains with finite losses. The walk that
trains with every value takes minutes: `make knobs`.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from transformers.training_args import OptimizerNames

from core.checks import check_training
from core.config import ChatConfig, Config, EvalConfig, ExportConfig, TrainConfig, bounds_of, parse_config, value_type
from core.errors import UserError
from core.gate import look_first
from core.run import Run
from core.train import train_run
from tests.conftest import small

CONFIGS: tuple[type[Config], ...] = (TrainConfig, EvalConfig, ChatConfig, ExportConfig)
SCALED = {"max_length": 4096}
MEASURED = {"dataset": ["tools"], "max_samples": 12, "val_size": 0.3, "eval_steps": 2, "eval_generate": 2}
# What else a value needs to mean anything.
NEEDS: dict[str, dict[str, Any]] = {
    "rope_scaling": SCALED,
    "rope_factor": {"rope_scaling": "yarn"},
    "metric_for_best_model": {**MEASURED, "eval_max_new_tokens": 8},
    "eval_generate": {**MEASURED, "eval_max_new_tokens": 1},
    "eval_steps": MEASURED,
    "per_device_eval_batch_size": MEASURED,
    "early_stopping_patience": MEASURED,
    "load_best_model_at_end": MEASURED,
    "mix_strategy": {"dataset": ["identity", "chat"]},
    "freeze_trainable_layers": {"finetuning_type": "freeze"},
    "preset": {**MEASURED, "eval_max_new_tokens": 8},
    "num_workers": {"launcher": "ray"},
}
KINDS: dict[str, tuple[Any, ...]] = {
    "finetuning_type": ("lora", "freeze", "full"),
    "init_lora_weights": ("default", "pissa_niter_4", "orthogonal", "mica"),
    "use_dora": (False, True),
    "lora_dropout": (0.0, 0.5),
    "loraplus_lr_ratio": (None, 16),
    "optim": ("adamw_torch", "adafactor", "sgd", "rmsprop"),
    "lr_scheduler_type": ("cosine", "constant", "polynomial", "inverse_sqrt"),
    "loss_type": ("nll", "dft"),
    "packing": ("on", "off"),
    "gradient_checkpointing": (False, True),
    "dtype": ("float32", "bfloat16", "auto"),
    "attn_implementation": ("auto", "eager"),
    "neftune_noise_alpha": (None, 5),
}


def choices(cls: type[Config]) -> Iterator[tuple[str, Any]]:
    """Every choice of a config, and both values of what is on or off."""
    for name, field in cls.model_fields.items():
        kind = value_type(field)
        yield from ((name, value) for value in (get_args(kind) if get_origin(kind) is Literal else ()))
        yield from ((name, value) for value in ((False, True) if kind is bool else ()))


def ends(cls: type[Config]) -> Iterator[tuple[str, float, float]]:
    """Both ends of every bound: the last value within, and one beyond."""
    for name, field in cls.model_fields.items():
        step = 1 if value_type(field) is int else 1e-6
        for bound, limit in bounds_of(field).items():
            outwards = -step if bound.startswith("g") else step
            within = limit if bound.endswith("e") else limit - outwards
            yield name, within, limit + (outwards if bound.endswith("e") else 0)


def one_line(error: UserError) -> str:
    """What is said, which is one line."""
    assert "\n" not in str(error)
    return str(error)


def outcome(**options: Any) -> str:
    """Why it is refused, in one line and before the model is loaded; empty when it trains, with finite losses."""
    config = small(**{"max_samples": 8, **options})
    try:
        look_first(config)
    except UserError as error:
        return one_line(error)
    run = Run.create(config)
    try:
        assert train_run(run) == "finished"
    except UserError as error:
        # Only the data tells which kinds of tokens are held out.
        assert run.said().message == "reading the data"
        return one_line(error)
    losses = [line["loss"] for line in run.metrics() if "loss" in line]
    assert losses
    assert all(map(math.isfinite, losses)), losses
    return ""


@pytest.mark.parametrize("cls", CONFIGS)
def test_every_choice_and_end_is_taken_and_what_is_beyond_is_not(cls: type[Config]) -> None:
    for name, value in choices(cls):
        assert getattr(parse_config(cls, {name: value}), name) == value
    for name, within, beyond in ends(cls):
        assert getattr(parse_config(cls, {name: within}), name) == within
        with pytest.raises(UserError, match=rf"^{name}: should be .*, got {beyond!r}$"):
            parse_config(cls, {name: beyond})
    for name, field in cls.model_fields.items():
        if value_type(field) is float:
            with pytest.raises(UserError, match=rf"^{name}: should be "):
                parse_config(cls, {name: math.inf})


def test_every_choice_and_end_is_possible_here_or_refused_by_name() -> None:
    """Without a GPU, and without the packages that are for one."""
    refused: dict[tuple[str, Any], str] = {}
    for name, value in [*choices(TrainConfig), *((name, within) for name, within, _ in ends(TrainConfig))]:
        try:
            check_training(small(**{**NEEDS.get(name, {}), name: value}))
        except UserError as error:
            refused[name, value] = one_line(error)
    beyond_here = {("device", "cuda"), ("device", "mps"), ("load_in_4bit", True), ("load_in_8bit", True)}
    beyond_here |= {("attn_implementation", "flash_attention_2"), ("attn_implementation", "flash_attention_3")}
    # They cannot be without another option, or with this one beside them, or with so small a model.
    lonely = {("lr_scheduler_type", f"cosine_{how}_min_lr") for how in ("with", "warmup_with")}
    lonely |= {("lr_scheduler_type", "warmup_stable_decay"), ("lora_r", 1024), ("max_length", 1_048_576)}
    lonely |= {("rope_factor", 1 + 1e-6), ("rope_scaling", "none")}
    assert refused.keys() == beyond_here | lonely
    for (name, value), words in refused.items():
        assert name in words or str(value) in words


def test_every_optimiser_is_there_or_says_what_to_install() -> None:
    refused = {}
    for name in (str(optimiser.value) for optimiser in OptimizerNames):
        try:
            check_training(small(optim=name))
        except UserError as error:
            refused[name] = one_line(error)
    assert not refused.keys() & {"adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop"}
    assert [name for name, words in refused.items() if f"optim {name}: " not in words] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_steps": 0}, "max_steps 0 trains nothing: set -1"),
        ({"init_lora_weights": "mica", "use_dora": True}, "init_lora_weights mica, .*use_dora True: .*combination"),
        ({"init_lora_weights": "orthogonal", "lora_r": 3}, "lora_r 3, .*must|requires the LoRA rank to be even"),
        ({"init_lora_weights": "pissa", "finetuning_type": "full"}, "init_lora_weights is for adapters"),
        ({"dtype": "float16", "finetuning_type": "full"}, "dtype float16: full diverges in it on a CPU"),
        ({"loss_weights": {"text": 1e300}}, "loss_weights: text must be ≥ 0 and ≤ 1,000,000"),
        ({"optim": "grokadamw"}, "optim grokadamw: Please install grokadamw"),
        ({"device": "mps"}, "device mps: there is no Apple GPU here"),
    ],
)
def test_what_used_to_end_in_a_traceback_or_train_in_vain(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_training(small(**options))


def combinations(count: int) -> list[dict[str, Any]]:
    """So many draws of one value of each kind; what is for adapters is drawn for adapters only."""
    drawn = random.Random(0)
    found = []
    for _ in range(count):
        one = {name: drawn.choice(values) for name, values in KINDS.items()}
        if one["finetuning_type"] != "lora":
            one = {name: value for name, value in one.items() if "lora" not in name and name != "use_dora"}
            one["finetuning_type"] = drawn.choice(("freeze", "full"))
        if one.get("init_lora_weights") == "mica":
            one["use_dora"] = False
        found.append(one)
    return found


@pytest.mark.parametrize("number", range(6))
def test_kinds_of_training_go_together(runs: Path, number: int) -> None:
    assert outcome(**combinations(6)[number]) == ""


@pytest.mark.knobs
@pytest.mark.parametrize("number", range(6, 30))
def test_more_kinds_of_training_go_together(runs: Path, number: int) -> None:
    assert outcome(**combinations(30)[number]) == ""


@pytest.mark.knobs
@pytest.mark.timeout(1800)
def test_every_choice_and_end_trains_or_is_refused_before(runs: Path) -> None:
    for name, value in [*choices(TrainConfig), *((name, within) for name, within, _ in ends(TrainConfig))]:
        with redirect_stdout(io.StringIO()):
            refused = outcome(**{**NEEDS.get(name, {}), name: value})
        print(name, value, refused or "trains", flush=True)
