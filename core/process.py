"""Which process that was: a number alone is given out again, so a process is its number, its birth and the boot.

Read from Linux's /proc. Where there is none, a process is never found, and nothing is ever signalled by mistake.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PROC = Path("/proc")
# Signals by which a terminal or a scheduler asks a process to end.
ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine. `born` counts clock ticks since the boot, which no setting of the clock changes."""

    pid: int
    born: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The living process with this number; None when there is none, or only its remains."""
        fields = _facts(pid)
        return None if not fields or fields[0] in ("Z", "X") else cls(pid, int(fields[19]), boot_id())

    @classmethod
    def from_json(cls, data: Any) -> Process | None:
        """What `to_json` wrote; None for anything else."""
        try:
            return cls(int(data["pid"]), int(data["born"]), str(data["boot"]))
        except (KeyError, TypeError, ValueError):
            return None

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @property
    def alive(self) -> bool:
        """Whether it is this very process that lives under the number."""
        return Process.of(self.pid) == self

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to it and, if it leads a group, to its group. False when it is gone."""
        try:
            if not self.alive:
                return False
            leads = os.getpgid(self.pid) == self.pid
            (os.killpg if leads else os.kill)(self.pid, number)
        except ProcessLookupError:
            return False
        return True


@contextmanager
def deaf() -> Iterator[None]:
    """Processes that are started in the block are born with the signals of `ASKING` held back, until they `listen`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen(handler: Callable[[], object]) -> None:
    """Heed requests to end from now on, those too that came since the process was born."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: handler())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)


def is_suspended(pid: int) -> bool:
    """Whether a process was stopped by a signal (SIGSTOP, Ctrl-Z) or a debugger, and waits to go on."""
    return _facts(pid)[:1] in (["T"], ["t"])


def _facts(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; empty when there is none."""
    try:
        # The name in parentheses may hold spaces and parentheses itself.
        return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def boot_id() -> str:
    """The same from boot to boot of a machine; empty where it is not known."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for lack of memory since the boot; 0 where that is not known."""
    try:
        lines = (PROC / "vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
