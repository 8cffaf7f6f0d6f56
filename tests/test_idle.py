"""What is set and does nothing is said; what a preset sets is nobody's wish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.config import TrainConfig
from core.idle import idle


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, []),
        ({"preset": "best_quality", "finetuning_type": "full"}, []),
        ({"preset": "tool_calling", "val_size": 0.1}, []),
        (
            {"preset": "best_quality", "finetuning_type": "full", "lora_r": 8},
            ["lora_r: no effect, full trains no adapter"],
        ),
        (
            {"finetuning_type": "freeze", "lora_alpha": 8, "lora_dropout": 0.1},
            ["lora_alpha, lora_dropout: no effect, freeze trains no adapter"],
        ),
        (
            {"adapter_name_or_path": ["a"], "lora_r": 8, "use_dora": True},
            ["lora_r, use_dora: no effect, the adapter that is trained on keeps its own"],
        ),
        ({"freeze_trainable_layers": 3}, ["freeze_trainable_layers: no effect, that is for finetuning_type freeze"]),
        ({"finetuning_type": "freeze", "freeze_trainable_layers": 3}, []),
        ({"num_workers": 3, "max_failures": 0}, ["num_workers, max_failures: no effect, that is for launcher ray"]),
        (
            {"mix_strategy": "interleave_under", "interleave_probs": [1]},
            ["mix_strategy, interleave_probs: no effect, there is one dataset"],
        ),
        (
            {"dataset": ["a", "b"], "interleave_probs": [1, 2]},
            ["interleave_probs: no effect, that is for mix_strategy interleave_under or interleave_over"],
        ),
        (
            {"eval_dataset": ["a"], "val_size": 0.1},
            ["val_size: no effect, eval_dataset or split_file says what is held out"],
        ),
        (
            {"val_size": 0, "eval_steps": 5},
            ["eval_steps: no effect, with val_size 0 and no eval_dataset nothing is held out"],
        ),
        (
            {"lr_scheduler_type": "constant", "warmup_ratio": 0.1},
            ["warmup_ratio: no effect, lr_scheduler_type constant has no warm-up: constant_with_warmup has"],
        ),
    ],
)
def test_what_does_nothing_is_said(options: dict[str, Any], said: list[str]) -> None:
    assert idle(TrainConfig(**options)) == said


def test_it_is_said_before_the_run_and_in_its_log(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--dataset", "identity", "--max-samples", "4", "--max-steps", "1", "--lora-r", "4"]
    assert main([*words, "--freeze-trainable-layers", "3"]) == 0
    line = "freeze_trainable_layers: no effect, that is for finetuning_type freeze"
    assert line in capsys.readouterr().err.splitlines()
    assert line in next(runs.glob("*/log.txt")).read_text(encoding="utf-8").splitlines()
