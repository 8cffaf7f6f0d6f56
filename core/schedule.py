"""When a training evaluates and saves: at the end of every epoch, beside what goes by steps."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from core.config import TrainConfig

# For what comes with the epochs and at the end, never by steps.
NEVER = 2**31
# A run is saved this often where the config does not say.
SAVES_PER_RUN = 10


class EpochEnds(TrainerCallback):
    """At the last step of an epoch, not after it: what is saved there then knows how it was evaluated."""

    def __init__(self, config: TrainConfig, *, has_eval: bool) -> None:
        self.evaluates, self.saves = has_eval, config.save_steps is None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """The epochs done are a whole number."""
        if state.epoch is not None and abs(state.epoch - round(state.epoch)) < 1e-6:
            control.should_evaluate |= self.evaluates
            control.should_save |= self.saves
