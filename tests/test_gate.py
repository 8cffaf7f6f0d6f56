"""What cannot work is said before there is a run, all at once, each fault with its field and its remedy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoConfig

from core.auto_length import with_length
from core.checks import check_training
from core.config import TrainConfig
from core.errors import UserError
from core.gate import look_first
from core.run import Run
from core.train import train_run
from tests.bases import base_model
from tests.conftest import small
from tests.test_pack import MODELS, SIZES

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"dataset": ["identity", "identty"]}, 'unknown dataset "identty" — did you mean "identity"?'),
    ({"eval_dataset": ["nowhere.jsonl"]}, "nowhere.jsonl: no such file"),
    ({"template": "chatlm"}, 'unknown template "chatlm" — did you mean "chatml"?'),
    ({"load_in_4bit": True}, "load_in_4bit needs a GPU: leave it off here"),
    ({"attn_implementation": "flash_attention_2"}, "attn_implementation flash_attention_2 needs a GPU: use auto here"),
    ({"max_length": 100_000}, "max_length 100000 is above the model's context of 2048: at most that, or set rope_"),
    ({"rope_factor": 2}, "rope_factor is for rope_scaling"),
    ({"lora_r": 1024}, "lora_r 1024 is above the size of model.layers."),
    ({"lora_target_modules": ["q_proj", "v_prj"]}, 'no linear layer "v_prj" — did you mean "v_proj"?'),
    ({"lora_modules_to_save": ["embed_token"]}, 'no module "embed_token" — did you mean "embed_tokens"?'),
    ({"optim": "adamx"}, 'optim: there is no "adamx"'),
    ({"lr_scheduler_kwargs": {"min": 1}}, "lr_scheduler_kwargs do not fit cosine"),
    ({"loss_weights": {"call": 2}}, 'loss_weights: unknown kind "call"'),
    ({"metric_for_best_model": "tool_call_exact", "eval_generate": 0}, "set eval_generate above 0"),
    ({"report_to": ["wandb", "tensorbord"]}, "report_to: wandb is not installed: pip install wandb"),
    ({}, 'report_to: there is no logger "tensorbord" — did you mean "tensorboard"?'),
    ({"extra": {"adam_beta": 0.9, "fp16": True}}, 'extra: SFTConfig has no option "adam_beta", did you mean "adam_b'),
    ({}, "extra: fp16 is not for a training of ours: use dtype"),
    ({"save_steps": 2.5}, "save_steps 2.5: from 1 on it counts steps, set 2, or below 1 a part of the run"),
    ({"distributed": "zero9"}, 'distributed: no preset and no file "zero9" — did you mean "zero3"?'),
]


def test_all_at_once_before_there_is_a_run(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("core.checks.importlib.util.find_spec", lambda name: None)
    options: dict[str, Any] = {"runs_dir": str(tmp_path / "file" / "runs")}
    for more, _ in FAULTS:
        options |= more
    with pytest.raises(UserError) as refused:
        look_first(TrainConfig(**options))
    words = str(refused.value)
    for fault in [
        *(fault for _, fault in FAULTS),
        f"runs_dir: {tmp_path}/file/runs cannot be written: Not a directory",
    ]:
        assert words.count(fault) == 1, fault
    assert "\n" not in words
    assert not runs.exists()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"eval_steps": 1.5}, "eval_steps 1.5: from 1 on it counts steps"),
        ({"lora_modules_to_save": ["layers"]}, "lora_modules_to_save holds every layer that would get an adapter"),
        ({"extra": {"dataloader_num_workers": -1}}, "extra: dataloader_num_workers should be at least 0, got -1"),
        ({"extra": {"log_level": "loud"}}, "extra: log_level should be one of passive, debug, "),
        ({"extra": {"debug": "underflow_overflow"}}, "extra: debug is not for a training of ours"),
    ],
)
def test_what_used_to_fail_when_the_model_was_there(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(fault)}"):
        check_training(small(**options))


@pytest.mark.parametrize("wrong", [{"template": "chatlm"}, {"model_name_or_path": "/no/such/folder"}])
def test_what_the_window_needs_is_not_all_that_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"(chatlm|there is no such folder).*; load_in_4bit needs a GPU") as refused:
        with_length(TrainConfig(dataset=["identity"], load_in_4bit=True, **wrong))
    assert str(refused.value).count("there is no such folder") + str(refused.value).count("chatlm") == 1


def test_rows_that_weigh_nothing_train_nothing(runs: Path) -> None:
    run = Run.create(small(loss_weights={"text": 0, "reasoning": 0, "stop": 0}))
    with pytest.raises(UserError, match=r"^loss_weights: nothing in the data has a weight above 0"):
        train_run(run)


def test_an_evaluation_at_the_start_needs_held_out_rows_and_is_left_out_without(runs: Path) -> None:
    assert train_run(Run.create(small(extra={"eval_on_start": True}, max_steps=1))) == "finished"


@pytest.mark.parametrize("family", ["mamba2", "jamba", "qwen3_next", "llama"])
def test_packing_that_leaks_is_refused_before_weights_are_read(tmp_path: Path, family: str) -> None:
    options = {name: value for name, value in {**SIZES, **MODELS[family]}.items() if value is not None}
    AutoConfig.for_model(family, **options).save_pretrained(tmp_path)
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    config = small(model_name_or_path=str(tmp_path), max_length=64, packing="on")
    if family == "llama":
        check_training(config)
    else:
        with pytest.raises(UserError, match=r"packing on: not with this model, .*: use auto or off$"):
            check_training(config)


def test_a_folder_without_weights_or_with_pickled_ones_is_refused(tmp_path: Path) -> None:
    config = small(model_name_or_path=base_model(tmp_path), template="chatml", max_length=64)
    check_training(config)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"there are no weights in .*: it takes \.safetensors"):
        check_training(config)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"model_name_or_path: the config of .* cannot be read"):
        check_training(config)


def test_nothing_is_left_where_runs_would_be(runs: Path) -> None:
    look_first(small())
    assert not runs.exists()
