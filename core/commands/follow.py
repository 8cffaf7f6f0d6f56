"""Following a run in the terminal: its figures as they come, Ctrl-C, and the exit code at its end."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from typing import Any

from core.errors import UserError
from core.queue import enqueue_resumed, leave, look_after, stop, waiting
from core.run import EXIT_STOPPED, Run
from core.state import State

AGAIN = {
    1: "stopping after this step; Ctrl-C again to stop at once, without saving",
    2: "stopped at once; whole checkpoints stay",
}
SHOWN = {
    "loss": "loss",
    "loss_text": "text",
    "loss_tool_call": "calls",
    "eval_loss": "held out",
    "eval_tool_call_exact": "calls right",
}


def declare_following(command: argparse.ArgumentParser) -> None:
    """Flags of every command that starts a run."""
    command.add_argument("--queue", action="store_true", help="wait until no other run of the folder is at work")
    command.add_argument("--detach", action="store_true", help="return at once; the run goes on by itself")
    command.add_argument("--json", action="store_true", help="print the run as JSON at the end")


def resume(run: Run, arguments: argparse.Namespace) -> int:
    """Go on with a run from its last checkpoint, now or when its turn comes, and follow it."""
    state = run.state()
    if state.state == "finished":
        raise UserError("the run has finished: there is nothing to resume", file=run.path, exit_code=1)
    if arguments.queue:
        enqueue_resumed(run)
    else:
        leave(run)
        run.launch(resume=True)
    return follow_to_the_end(run, arguments)


def follow_to_the_end(run: Run, arguments: argparse.Namespace) -> int:
    """What a command that started a run does then. Returns its exit code; raises `UserError` when the run failed."""
    print(f"run {run.path}", file=sys.stderr)
    if arguments.queue:
        look_after(run.path.parent)
    state = run.state() if arguments.detach else _follow(run)
    if arguments.json:
        print(json.dumps(run.summary()))
    return _exit_code(run, state)


def _follow(run: Run) -> State:
    """Print metrics as they come, until the run ends."""
    # A scheduler that ends this command means the training: it saves, and the exit code says that it can go on.
    signal.signal(signal.SIGTERM, lambda *_: stop(run))
    shown, last_s, pressed, said = 0, 0.0, 0, ""
    while True:
        try:
            state = run.state()
            if state.state == "waiting":
                said = _said(_place(run), said)
                look_after(run.path.parent)
            elif state.state == "stalled":
                said = _said(f"stalled: {state.message}; end it with: core-cli runs stop --kill {run.path}", said)
            lines = run.metrics()
            if len(lines) > shown and (time.monotonic() - last_s > 2 or state.over):
                shown, last_s = len(lines), time.monotonic()
                print(_progress_line(state, lines), file=sys.stderr)
            # Not before the worker has let go: whoever resumes it next would be refused.
            if state.over and not run.is_locked():
                return state
            time.sleep(1 if state.state == "waiting" else 0.2)
        except KeyboardInterrupt:
            pressed += 1
            if pressed > 2:
                raise
            print(AGAIN[pressed], file=sys.stderr)
            if pressed == 1:
                stop(run)
            elif run.is_locked():
                run.kill()


def _said(line: str, before: str) -> str:
    """Print a line unless it was the last one, apart from its figures."""
    if line.partition(":")[0] != before.partition(":")[0]:
        print(line, file=sys.stderr)
    return line


def _place(run: Run) -> str:
    names = [one.path.name for one in waiting(run.path.parent)]
    return f"waiting, as number {names.index(run.path.name) + 1}" if run.path.name in names else "waiting"


def _progress_line(state: State, lines: list[dict[str, Any]]) -> str:
    latest: dict[str, Any] = {}
    for line in lines[-20:]:
        latest |= line
    shown = [f"step {state.step}/{state.max_steps}"]
    for key, label in SHOWN.items():
        if key in latest:
            shown.append(f"{label} {latest[key]:.3f}")
    return "  ".join([*shown, f"{latest.get('elapsed_s', 0):.0f} s"])


def _exit_code(run: Run, state: State) -> int:
    if state.state == "finished":
        print(f"finished: {run.model_dir}", file=sys.stderr)
        return 0
    if not state.over:
        return 0
    if state.state == "stopped":
        why = f" ({state.message})" if state.message else ""
        print(f"stopped at step {state.step}{why}; go on with: core-cli train --resume {run.path}", file=sys.stderr)
        return EXIT_STOPPED
    raise UserError(f"the run {state.state}: {state.message}", file=run.path / "log.txt", exit_code=1)
