"""What a training really costs: peak memory and seconds a step, measured by the worker, in `cost.json` of the run."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from core.disk import write_atomic_json
from core.run import Run

# From here on the measurement stands in for the estimate.
MEASURED_STEPS = 10


class Costs(TrainerCallback):
    """Times the steps without the first, which warms up, and without evaluating and saving between them."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.steps, self.spent_s, self.began_s = 0, 0.0, 0.0

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """The clock starts."""
        self.began_s = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """The clock stops; after ten steps there is something to say."""
        self.steps += 1
        if self.steps > 1:
            self.spent_s += time.monotonic() - self.began_s
        if self.steps == MEASURED_STEPS:
            self._write(args)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Say it again, of the whole training."""
        if self.steps > 1:
            self._write(args)

    def _write(self, args: TrainingArguments) -> None:
        cost = {
            "device": args.device.type,
            "memory": peak_bytes(args.device),
            "step_s": round(self.spent_s / (self.steps - 1), 6),
            "steps": self.steps,
        }
        write_atomic_json(self.run.path / "cost.json", cost, durable=False)


def peak_bytes(device: torch.device) -> int:
    """The most memory at once so far: what torch took on a GPU, of the whole process elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
