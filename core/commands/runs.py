"""core-cli runs: what is running and what has run."""

from __future__ import annotations

import argparse
import json
import sys

from core.commands.command import command, train_options
from core.errors import UserError
from core.run import list_runs, require_run


def _declares_list(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print a JSON list")
    train_options(command, "runs_dir")


@command("runs list", _declares_list)
def runs_list(arguments: argparse.Namespace) -> int:
    """List the runs, newest first."""
    summaries = [run.summary() for run in list_runs(getattr(arguments, "runs_dir", ""))]
    if arguments.json:
        print(json.dumps(summaries))
        return 0
    for run in summaries:
        print(f"{run['state']:<9} {run['step']:>6}/{run['max_steps']:<6} {run['created']:<26} {run['path']}")
    if not summaries:
        print("no runs yet: core-cli train data/recipes/quickstart.yaml", file=sys.stderr)
    return 0


def _declares_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="path or name")


@command("runs stop", _declares_run)
def runs_stop(arguments: argparse.Namespace) -> int:
    """Ask a run to finish its step, save and stop."""
    run = require_run(arguments.run)
    if not run.state().alive:
        raise UserError(f"the run is {run.state().state}, there is nothing to stop", file=run.path, exit_code=1)
    run.request_stop()
    print(f"asked {run.path} to stop", file=sys.stderr)
    return 0
