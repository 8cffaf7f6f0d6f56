"""Start a run, and train and wait: the ways from a program. Both look first whether training may begin."""

from __future__ import annotations

from core.auto_length import with_length
from core.config import TrainConfig
from core.errors import UserError
from core.fullpaths import absolute
from core.gate import look_first
from core.run import Run


def start(config: TrainConfig) -> Run:
    """Start a run and return at once. Raises `UserError` before there is a run when it could not train.

    That is a `core.gate.ConsentNeededError` when many rows would be dropped; `config.max_dropped` agrees to it.
    """
    config = with_length(absolute(config))
    look_first(config)
    return Run.start(config)


def train(config: TrainConfig) -> Run:
    """Start a run and block until it ends. Raises `UserError` when it did not finish."""
    run = start(config)
    state = run.wait()
    if state.state != "finished":
        raise UserError(f"the run {state.state}: {state.message}", file=run.path, exit_code=1)
    return run
