"""The states of a run: what it is doing, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StateName = Literal["waiting", "starting", "running", "stalled", "finished", "stopped", "failed", "killed"]
ALIVE: tuple[StateName, ...] = ("starting", "running", "stalled")
RESUMABLE: tuple[StateName, ...] = ("stopped", "failed", "killed")


@dataclass(frozen=True, slots=True)
class State:
    """What a run is doing.

    `waiting`: for its turn; `stalled`: a worker lives but makes no progress; `killed`: it is gone and has not said why.
    """

    state: StateName
    step: int = 0
    max_steps: int = 0
    message: str = ""

    @property
    def alive(self) -> bool:
        """Whether a worker is at work on it."""
        return self.state in ALIVE

    @property
    def over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return not self.alive and self.state != "waiting"

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self.step / self.max_steps if self.max_steps else 0.0
