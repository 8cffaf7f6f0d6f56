"""core-cli train: start a run and follow it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.auto_length import with_length
from core.commands.command import command
from core.commands.follow import declare_following, follow_to_the_end, resume
from core.config import TrainConfig, add_arguments, config_from_arguments, read_yaml
from core.errors import UserError
from core.foreign import TOOLS, recognise_tool
from core.fullpaths import absolute
from core.gate import look_first
from core.idle import idle
from core.paths import resolve_file
from core.queue import enqueue
from core.run import Run, require_run


def _declares_train(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="options as YAML; flags override it")
    command.add_argument("--resume", metavar="RUN", help="go on with a stopped or killed run, from its last checkpoint")
    command.add_argument(
        "--yes",
        action="store_const",
        const=1.0,
        dest="max_dropped",
        default=argparse.SUPPRESS,
        help="train also when many rows would be dropped (max_dropped 1)",
    )
    declare_following(command)
    add_arguments(command, TrainConfig)


@command("train", _declares_train)
def train(arguments: argparse.Namespace) -> int:
    """Fine-tune a model.

    The run is a detached process with a folder of its own; this command starts it and shows its progress. Ctrl-C asks
    it to save and stop, a second Ctrl-C stops it at once, a third leaves it alone. With --queue it starts when no other
    run of the folder is at work; the order is that of `runs queue`.
    """
    if arguments.resume is not None:
        return resume(require_run(arguments.resume, getattr(arguments, "runs_dir", "")), arguments)
    path = resolve_file(arguments.config) if arguments.config else None
    if path is not None:
        _refuse_foreign(path)
    config = with_length(absolute(config_from_arguments(TrainConfig, arguments, path)))
    look_first(config)
    for line in idle(config):
        print(line, file=sys.stderr)
    return follow_to_the_end(enqueue(config) if arguments.queue else Run.start(config), arguments)


def _refuse_foreign(path: Path) -> None:
    """A config of another tool is taken over by a command of its own, which says what is different."""
    tool = recognise_tool(read_yaml(path))
    if tool:
        remedy = f"core-cli import {path} --output mine.yaml takes it over, and says what is different here"
        raise UserError(f"is a config of {TOOLS[tool].name}", file=path, remedy=remedy)
