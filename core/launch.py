"""Train and wait: the one-line way from a program. `Run.start` is the way that does not wait."""

from __future__ import annotations

from core.config import TrainConfig
from core.errors import UserError
from core.run import Run


def train(config: TrainConfig) -> Run:
    """Start a run and block until it ends. Raises `UserError` when it did not finish."""
    run = Run.start(config)
    state = run.wait()
    if state.state != "finished":
        raise UserError(f"the run {state.state}: {state.message}", file=run.path, exit_code=1)
    return run
