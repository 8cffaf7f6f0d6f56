"""core-cli train: start a run and follow it."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from typing import Any

from core.commands.command import command
from core.config import TrainConfig, add_arguments, config_from_arguments
from core.errors import UserError
from core.paths import resolve_file
from core.run import EXIT_STOPPED, Run, State, require_run


def _declares_train(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="options as YAML; flags override it")
    command.add_argument("--resume", metavar="RUN", help="go on with a stopped or killed run, from its last checkpoint")
    command.add_argument("--detach", action="store_true", help="return at once; the run goes on by itself")
    command.add_argument("--json", action="store_true", help="print the run as JSON at the end")
    add_arguments(command, TrainConfig)


@command("train", _declares_train)
def train(arguments: argparse.Namespace) -> int:
    """Fine-tune a model.

    The run is a detached process with a folder of its own; this command starts it and shows its progress. Ctrl-C asks
    it to save and stop, a second Ctrl-C leaves it alone.
    """
    if arguments.resume:
        run = require_run(arguments.resume, getattr(arguments, "runs_dir", ""))
        run.launch(resume=True)
    else:
        path = resolve_file(arguments.config) if arguments.config else None
        config = config_from_arguments(TrainConfig, arguments, path)
        _check_inputs(config)
        run = Run.start(config)
    print(f"run {run.path}", file=sys.stderr)
    state = run.state() if arguments.detach else _follow(run)
    if arguments.json:
        print(json.dumps(run.summary()))
    return _exit_code(run, state)


def _check_inputs(config: TrainConfig) -> None:
    """What can be seen to be wrong before a worker starts."""
    from core.datasets import find_source

    if not config.dataset:
        raise UserError("no dataset", remedy="give --dataset with a name from dataset_info.json or a file")
    for name in [*config.dataset, *config.eval_dataset]:
        find_source(name, config.dataset_dir)


def _follow(run: Run) -> State:
    """Print metrics as they come, until the run ends."""
    shown = 0
    last_s = 0.0
    asked = False
    # A scheduler that ends this command means the training: it saves, and the exit code says that it can go on.
    signal.signal(signal.SIGTERM, lambda *_: run.request_stop())
    while True:
        try:
            state = run.state()
            lines = run.metrics()
            due = time.monotonic() - last_s > 2 or not state.alive
            if len(lines) > shown and due:
                shown, last_s = len(lines), time.monotonic()
                print(_progress_line(state, lines), file=sys.stderr)
            if not state.alive:
                return state
            time.sleep(0.2)
        except KeyboardInterrupt:
            if asked:
                raise
            asked = True
            run.request_stop()
            print("stopping after this step; Ctrl-C again to leave it", file=sys.stderr)


SHOWN = {
    "loss": "loss",
    "loss_text": "text",
    "loss_tool_call": "calls",
    "eval_loss": "held out",
    "eval_tool_call_exact": "calls right",
}


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
    if state.alive:
        return 0
    if state.state == "stopped":
        print(f"stopped at step {state.step}; go on with: core-cli train --resume {run.path}", file=sys.stderr)
        return EXIT_STOPPED
    raise UserError(f"the run {state.state}: {state.message}", file=run.path / "log.txt", exit_code=1)
