"""The keeper of a run: a small process that starts the trainer, waits for it, and is there when it is not.

`python -m core.keeper RUN LOCK_FD [--resume]` is what `Run.launch` starts. It writes down how the trainer ended (one
that was killed cannot say so itself), has the stacks of one that hangs written to the log, ends what the trainer left
behind, and starts the next run that waits. Both hold the run's lock: should the keeper be killed, the training goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.ending import settle
from core.errors import UserError
from core.process import Process, listen
from core.pulse import silence
from core.queue import leave, start_next
from core.run import EXIT_STOPPED, Run
from core.state import State
from core.threads import share_cores

TRAINER = ("-m", "core.lead")
LOOK_S = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Keep one run. The exit code is 0 finished, 75 stopped and resumable, 1 anything else."""
    parser = argparse.ArgumentParser(prog="python -m core.keeper", description="The keeper of a run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("lock", type=int, help="file descriptor that holds the run's lock")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args(argv)
    share_cores()
    run = Run(arguments.run)
    listen(run.request_stop)
    os.set_inheritable(arguments.lock, False)
    end = keep(run, arguments.lock, resume=arguments.resume)
    # Let go first: the next run waits until no other is at work.
    os.close(arguments.lock)
    start_next(run.path.parent)
    return 0 if end.state == "finished" else EXIT_STOPPED if end.state == "stopped" else 1


def keep(run: Run, lock: int, *, resume: bool) -> State:
    """Start the trainer and stay with it to its end. Returns how it ended; nothing of it is left alive."""
    leave(run)
    command = [sys.executable, *TRAINER, str(run.path), str(lock), *(["--resume"] if resume else [])]
    # A group of its own: what it starts can be ended with it, and we are not.
    trainer = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(lock,), process_group=0)
    # A folder that was deleted or cannot be written is the trainer's to report; we must stay.
    with contextlib.suppress(OSError):
        run.write_worker(Process.of(trainer.pid))
    status, peak_bytes = wait_for(run, trainer.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(trainer.pid, signal.SIGKILL)
    try:
        return settle(run, status, peak_bytes)
    except OSError as error:
        print(f"error: {error.filename or run.path}: the run's folder cannot be written: {error.strerror}", flush=True)
        return State("failed")


def wait_for(run: Run, trainer: int) -> tuple[int, int]:
    """Its exit code (negative: a signal) and its peak memory in bytes. The stacks of one that is silent are logged."""
    dumped, due = False, 0.0
    while True:
        ended, status, used = os.wait4(trainer, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024
        if time.monotonic() > due:
            due = time.monotonic() + LOOK_S
            heard = silence(run.path)
            stalled = heard is not None and heard.stalled
            if heard is not None and stalled and not dumped:
                print(f"stalled: {heard.describe()}; end it with: core-cli runs stop --kill {run.path}", flush=True)
                # Before its first beat it has no handler yet, and the signal would end it.
                if heard.pid == trainer:
                    os.kill(trainer, signal.SIGUSR1)
            dumped = stalled
        time.sleep(0.1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (UserError, OSError) as error:
        sys.exit(f"error: {error}")
