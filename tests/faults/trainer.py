"""A trainer that trains nothing, in a second instead of ten: it does what the run's label says, or dies of it."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from core.pulse import Pulse
from core.run import EXIT_STOPPED, Run


def main() -> int:
    run = Run(Path(sys.argv[1]))
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: run.request_stop())
    if run.name.startswith("early"):
        return failed()
    run.write_state("running", 1, 9)
    Pulse(run.path, timeout_s=0.5 if run.name.startswith("hang") else 600).beat("training")
    word = run.name.partition(" ")[0]
    if word == "hang":
        falls_silent_here()
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "fail":
        return failed()
    if word == "orphan":
        # What it leaves behind holds the run's lock, and is to be ended with it.
        subprocess.Popen(["sleep", "300"], pass_fds=(int(sys.argv[2]),))
    if word == "busy":
        time.sleep(300)
    while word == "hold" and not run.stop_requested():
        time.sleep(0.05)
    run.write_state("stopped" if word == "hold" else "finished", 9, 9)
    return EXIT_STOPPED if word == "hold" else 0


def failed() -> int:
    print("error: the reason in one line", flush=True)
    return 1


def falls_silent_here() -> None:
    time.sleep(300)


if __name__ == "__main__":
    sys.exit(main())
