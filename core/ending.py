"""How a worker ended, and the likeliest cause, from what is known afterwards.

A killed process leaves no word. What remains: its exit status (known to its keeper only), how much memory it had, how
many processes the kernel has killed for lack of memory meanwhile, whether the machine was restarted, and its log.
"""

from __future__ import annotations

import signal
from pathlib import Path

from core.checkpoint import checkpoints
from core.disk import read_json
from core.log import last_error
from core.process import boot_id, out_of_memory_kills
from core.run import UNEXPLAINED, WORKER, Run
from core.state import State, StateName


def ending(run: Run, status: int | None, peak_bytes: int = 0) -> State:
    """The state of a run whose worker is gone. `status` as from `os.waitstatus_to_exitcode`; None: nobody knows it."""
    said = run.said()
    if not said.alive:
        return said
    if _wants_kill(run):
        return State("stopped", said.step, said.max_steps, f"stopped at once, without saving; {_goes_on(run)}")
    if status == -signal.SIGTERM:
        # It saves at this signal, once it listens to signals.
        first = "it went on" if said.step else "its first step"
        return State("stopped", said.step, said.max_steps, f"stopped before {first}; {_goes_on(run)}")
    told = status is None and bool(last_error(run.path / "log.txt"))
    name: StateName = "failed" if told or (status is not None and status >= 0) else "killed"
    return State(name, said.step, said.max_steps, f"{_cause(run, status, peak_bytes)}; {_goes_on(run)}")


def settle(run: Run, status: int | None, peak_bytes: int = 0) -> State:
    """Write down how the worker ended, if it has not said so itself. Only for who holds the run's lock."""
    end = ending(run, status, peak_bytes)
    if end != run.said():
        run.write_state(end.state, end.step, end.max_steps, end.message)
    return end


def _cause(run: Run, status: int | None, peak_bytes: int) -> str:
    said = read_json(run.path / WORKER)
    worker = said if isinstance(said, dict) else {}
    boot = (worker.get("keeper") or {}).get("boot", "")
    grown = f" (it had grown to {peak_bytes / 2**30:.1f} GiB)" if peak_bytes else ""
    if boot and boot != boot_id():
        return "the machine was restarted while it was at work"
    if status in (None, -signal.SIGKILL) and boot and out_of_memory_kills() > worker["out_of_memory_kills"]:
        return f"killed, most likely by the kernel for lack of memory{grown}: try a smaller batch or max_length"
    if status == -signal.SIGKILL:
        return f"killed from outside{grown}: kill -9, a scheduler, or a container's memory limit"
    if status is not None and status < 0:
        return f"it crashed with {signal.Signals(-status).name}{grown}; see log.txt"
    if status is None:
        return last_error(run.path / "log.txt") or UNEXPLAINED
    return last_error(run.path / "log.txt") or f"it ended with exit code {status}; see log.txt"


def _wants_kill(run: Run) -> bool:
    try:
        return (run.path / "stop").read_text(encoding="utf-8") == "kill"
    except OSError:
        return False


def _goes_on(run: Run) -> str:
    found = checkpoints(Path(run.path) / "checkpoints")
    return f"resuming goes on from {found[0].name}" if found else "it has no checkpoint yet: resuming begins again"
