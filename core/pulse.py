"""The pulse of a run: a worker that makes progress says so, and one that has been silent for too long is stalled.

Times are monotonic (on Linux one clock for all processes of a boot, standing still while the machine sleeps): neither a
clock that is set nor a laptop that was closed makes a run look stalled. A pulse of another machine or boot is no pulse.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.disk import read_json, write_atomic_json
from core.process import boot_id, is_suspended

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

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Beat while a block that cannot say how far it is computes or reads: what does neither hangs, and is seen."""
        over = threading.Event()

        def watch() -> None:
            before = _spent()
            while not over.wait(min(10.0, self._timeout_s / 5)):
                now = _spent()
                if now != before:
                    self.beat(doing)
                before = now

        self.beat(doing)
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _spent() -> tuple[float, int]:
    """What this process has done: tenths of seconds of processor time, and bytes read; waking up is no work."""
    try:
        io = Path("/proc/self/io").read_text(encoding="ascii")
    except OSError:
        io = ""
    read = next((int(line.split()[1]) for line in io.splitlines() if line.startswith("read_bytes")), 0)
    used = os.times()
    return round(used.user + used.system + used.children_user + used.children_system, 1), read


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
        if is_suspended(self.pid):
            return f"no progress for {self.seconds:.0f} s{while_doing}: suspended; kill -CONT {self.pid} lets it go on"
        return f"no progress for {self.seconds:.0f} s{while_doing}; its stacks are in log.txt"


def silence(run: Path) -> Silence | None:
    """What the last beat says now; None without one, or when it is of another boot or machine."""
    said = read_json(run / PULSE)
    if not isinstance(said, dict) or said.get("boot") != boot_id():
        return None
    return Silence(max(0.0, time.monotonic() - said["monotonic"]), said["timeout_s"], said["doing"], said["pid"])
