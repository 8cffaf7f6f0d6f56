"""The trainer of a run, which its keeper starts: one process that trains, or the head of several.

`python -m core.lead RUN LOCK_FD [--resume]` trains by itself (core.train), or starts one process for each GPU
(torch.distributed, joined by core.ranks), gives every one the run's lock, waits for them and says how the run ended. It
is no elastic agent: those answer SIGTERM by ending the processes, we save first; and when one is killed itself its
processes go on, ours end with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core.errors import UserError
from core.halved import halve
from core.outcome import RANKS, Outcome, conclude, decisive, read_outcome
from core.plan import Plan, environment, plan
from core.run import EXIT_STOPPED, Run

# How long the others may take to say why they failed when one has failed, before they are killed.
GRACE_S = 10.0


def run_together(command: list[str], run: Run, lock: int, count: int) -> Outcome:
    """Start `command` in `count` processes of this machine; returns how the run ended, once all of them have.

    Each is told its place by the environment, as torchrun does. The first writes into log.txt as a lone worker would,
    the others into log.1.txt and so on.
    """
    words = run.path / RANKS
    shutil.rmtree(words, ignore_errors=True)
    words.mkdir()
    children = [_start(command, run, lock, number, count) for number in range(count)]
    codes = _wait(children)
    return decisive([read_outcome(words, number, code, count) for number, code in enumerate(codes)])


def _start(command: list[str], run: Run, lock: int, number: int, count: int) -> subprocess.Popen[bytes]:
    place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    threads = max(1, len(os.sched_getaffinity(0)) // count)
    defaults = {
        "OMP_NUM_THREADS": str(threads),
        **dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), _loopback()),
    }
    env = {**defaults, **os.environ, **{name: str(value) for name, value in place.items()}}
    with (run.path / (f"log.{number}.txt" if number else "log.txt")).open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,), env=env)


def _wait(children: list[subprocess.Popen[bytes]]) -> list[int | None]:
    """The exit statuses; None for a process that had to be killed.

    When one fails the others soon fail too, or hang where they wait for it.
    """
    deadline = float("inf")
    hanging: list[subprocess.Popen[bytes]] = []
    while any(child.poll() is None for child in children):
        if deadline == float("inf") and any(_failed(child.poll()) for child in children):
            deadline = time.monotonic() + GRACE_S
        if time.monotonic() > deadline and not hanging:
            hanging = [child for child in children if child.poll() is None]
            for child in hanging:
                child.kill()
        time.sleep(0.1)
    return [None if child in hanging else child.returncode for child in children]


def _failed(returned: int | None) -> bool:
    return returned not in (None, 0, EXIT_STOPPED)


def _loopback() -> str:
    """The name of the interface that leads nowhere else: all processes are on this machine."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def main(argv: list[str] | None = None) -> int:
    """The trainer of a run: exit code 0 finished, 75 stopped and resumable, 1 or 2 failed."""
    parser = argparse.ArgumentParser(prog="python -m core.lead", description="The trainer of a run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("lock", type=int, help="file descriptor that holds the run's lock")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args(argv)
    run = Run(arguments.run)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: run.request_stop())
    try:
        planned = plan(run.config)
        if not planned.together:
            os.environ |= environment(planned)
        else:
            outcome = _lead(run, arguments.lock, planned, resume=arguments.resume)
            conclude(run, outcome)
            return outcome.exit_code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        conclude(run, Outcome("failed", str(error), error.exit_code))
        return error.exit_code
    except BaseException as error:
        conclude(run, Outcome("failed", f"{type(error).__name__}: {error}", 1))
        raise
    from core.train import main as train_alone

    return train_alone([str(run.path), str(arguments.lock), *(["--resume"] if arguments.resume else [])])


def _lead(run: Run, lock: int, planned: Plan, *, resume: bool) -> Outcome:
    """Be the head of the processes that train."""
    if run.config.launcher == "ray":
        from core.cluster import run_on_cluster

        outcome = run_on_cluster(run, resume=resume)
        return _lead(run, lock, planned, resume=True) if outcome.out_of_memory and halve(run) else outcome
    os.environ |= environment(planned)
    with tempfile.TemporaryDirectory(prefix="tuneboard-") as meeting:
        command = [sys.executable, "-m", "core.train", str(run.path), str(lock), *(["--resume"] if resume else [])]
        outcome = run_together([*command, "--meet", str(Path(meeting) / "store")], run, lock, planned.count)
    return _lead(run, lock, planned, resume=True) if outcome.out_of_memory and halve(run) else outcome


if __name__ == "__main__":
    sys.exit(main())
