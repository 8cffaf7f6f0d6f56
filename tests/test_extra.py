"""`extra`: every option of SFTConfig is reached, or refused with what to use instead."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from trl import SFTConfig

from core.checks import check_training
from core.config import TrainConfig
from core.errors import UserError
from core.extra import INSTEAD
from core.sft import sft_config
from tests.conftest import small


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"neftune_noise_alph": 5},
            'has no option "neftune_noise_alph", did you mean "neftune_noise_alpha"',
        ),
        ({"learning_rate": 5}, "extra: learning_rate is an option of its own, set learning_rate itself"),
        ({"assistant_only_loss": True}, "extra: assistant_only_loss .*: use train_on"),
        ({"packing_strategy": "wrapped"}, "extra: packing_strategy .*: use packing"),
        ({"dataset_text_field": "content"}, "extra: dataset_text_field .*: use formatting, or columns"),
        ({"adam_beta1": "high"}, "extra: adam_beta1 should be a valid number.*, got 'high'"),
        ({"adam_beta1": 2.0}, "optim adamw_torch_fused refuses its settings: Invalid beta"),
        ({"train_sampling_strategy": "batch_rebalance"}, "extra: train_sampling_strategy should be one of group_by"),
        ({"activation_offloading": True}, "extra: activation_offloading needs a GPU: use gradient_checkpointing"),
        ({"bf16": True, "nosuch": 1}, "extra: bf16 .*: use dtype; extra: SFTConfig has no option"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_use(extra: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_training(TrainConfig(extra=extra))


def test_what_is_left_reaches_sftconfig() -> None:
    """Its own default, given by name, is taken for every option that is neither ours nor refused."""
    fields = {field.name for field in dataclasses.fields(SFTConfig)}
    assert fields >= INSTEAD.keys()
    plain = sft_config(small(), Path("x"), has_eval=False)
    left = {name: getattr(plain, name) for name in fields - INSTEAD.keys() - TrainConfig.model_fields.keys()}
    assert len(left) > 30
    check_training(small(extra={name: value for name, value in left.items() if value is not None}))
    reached = sft_config(small(extra={"adam_beta2": 0.95, "warmup_steps": 7}), Path("x"), has_eval=False)
    assert (reached.adam_beta2, reached.warmup_steps) == (0.95, 7)
