"""The pulse of a run: a worker that makes progress says so, and one that has been silent for too long is stalled.

Times are monotonic (on Linux one clock for all processes of a boot, standing still while the machine sleeps): neither a
clock that is set nor a laptop that was closed makes a run look stalled. A pulse of another machine or boot is no pulse.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from core.disk import read_json, write_atomic_json
from core.process import boot_id

PULSE = "pulse.json"
# Beats come with every forward pass; nobody looks more often than this.
LEAST_S = 0.5


class Pulse:
    """The worker's side."""

    def __init__(self, run: Path, timeout_s: float) -> None:
        self._path, self._timeout_s, self._boot = run / PULSE, timeout_s, boot_id()
        self._doing, self._last = "", float("-inf")

    def beat(self, doing: str = "") -> None:
        """Progress was made; `doing` says at what, and stays until the next that says something."""
        now = time.monotonic()
        if now - self._last < LEAST_S and doing in ("", self._doing):
            return
        self._doing, self._last = doing or self._doing, now
        said = {"boot": self._boot, "monotonic": now, "pid": os.getpid(), "timeout_s": self._timeout_s}
        write_atomic_json(self._path, {**said, "doing": self._doing}, durable=False)


@dataclass(frozen=True, slots=True)
class Silence:
    """How long nothing was heard of a worker, and of what it was doing."""

    seconds: float
    timeout_s: float
    doing: str
    pid: int

    @property
    def stalled(self) -> bool:
        """Whether that is too long."""
        return self.seconds > self.timeout_s

    def describe(self) -> str:
        """For a person."""
        while_doing = f" while {self.doing}" if self.doing else ""
        return f"no progress for {self.seconds:.0f} s{while_doing}; its stacks are in log.txt"


def silence(run: Path) -> Silence | None:
    """What the last beat says now; None without one, or when it is of another boot or machine."""
    said = read_json(run / PULSE)
    if not isinstance(said, dict) or said.get("boot") != boot_id():
        return None
    return Silence(max(0.0, time.monotonic() - said["monotonic"]), said["timeout_s"], said["doing"], said["pid"])
