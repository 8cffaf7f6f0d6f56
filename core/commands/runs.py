"""core-cli runs: what waits, what is at work and what has run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.checkpoint import MANIFEST, checkpoints, fault_of
from core.commands.command import command, train_options
from core.commands.follow import declare_following, resume
from core.compare import comparison, evaluations, figures, from_defaults
from core.disk import read_json
from core.environment import STARTS
from core.errors import UserError
from core.forecast import keep_estimate, need_of
from core.paths import runs_dir_of
from core.queue import look_after, move, stop, waiting
from core.run import list_runs, require_run
from core.trash import delete, empty, find_trashed, restore, size_of, trashed


def _declares_list(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print a JSON list")
    train_options(command, "runs_dir")


@command("runs list", _declares_list)
def runs_list(arguments: argparse.Namespace) -> int:
    """List the runs, newest first. Who looks also starts the run whose turn it is."""
    folder = _looked_after(arguments)
    none = f"no run in {folder}: core-cli train data/recipes/quickstart.yaml makes one"
    _print_runs([run.summary() for run in list_runs(str(folder))], arguments.json, none)
    return 0


@command("runs queue", _declares_list)
def runs_queue(arguments: argparse.Namespace) -> int:
    """List the runs that wait for their turn, the next one first; started if nothing is at work."""
    folder = _looked_after(arguments)
    _print_runs([run.summary() for run in waiting(folder)], arguments.json, f"no run waits in {folder}")
    return 0


def _declares_move(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="path or name of a run that waits")
    command.add_argument("place", metavar="PLACE", type=int, help="its new place in the queue; 1 is the next")


@command("runs move", _declares_move)
def runs_move(arguments: argparse.Namespace) -> int:
    """Put a waiting run at another place in the queue."""
    run = require_run(arguments.run)
    print(f"{run.path} is number {move(run, arguments.place)} of the queue", file=sys.stderr)
    return 0


def _declares_show(command: argparse.ArgumentParser) -> None:
    _declares_run(command)
    command.add_argument("--json", action="store_true", help="print everything as one JSON object")
    command.add_argument("--verify", action="store_true", help="read the checkpoints and check their sums")
    command.add_argument("--estimate", action="store_true", help="estimate what it needs, to see beside the measured")


@command("runs show", _declares_show)
def runs_show(arguments: argparse.Namespace) -> int:
    """Show a run: its state, options, figures, checkpoints, rows and environment."""
    run = require_run(arguments.run)
    if arguments.estimate:
        from core.estimate import Estimator

        keep_estimate(run, Estimator(run.config).estimate(run.config))
    shown = {
        **run.summary(),
        "facts": run.facts,
        "options": from_defaults(run.config),
        "figures": figures(run),
        "evaluations": evaluations(run),
        "needs": need_of(run),
        "checkpoints": [_checkpoint(path, verify=arguments.verify) for path in checkpoints(run.path / "checkpoints")],
        "report": read_json(run.path / "report.json"),
        "starts": read_json(run.path / STARTS) or [],
        "bytes": size_of(run.path),
    }
    print(json.dumps(shown, ensure_ascii=False, indent=1) if arguments.json else "\n".join(_show_lines(shown)))
    return 0


def _declares_stop(command: argparse.ArgumentParser) -> None:
    _declares_run(command)
    command.add_argument("--kill", action="store_true", help="at once, without saving; whole checkpoints stay")


@command("runs stop", _declares_stop)
def runs_stop(arguments: argparse.Namespace) -> int:
    """Ask a run to finish its step, save and stop; take one that waits out of the queue."""
    run = require_run(arguments.run)
    state = run.state()
    if state.over:
        raise UserError(f"the run is {state.state}, there is nothing to stop", file=run.path, exit_code=1)
    if arguments.kill and state.alive:
        run.kill()
        print(f"{run.path}: {run.wait().message}", file=sys.stderr)
        return 0
    stop(run)
    asked = "taken out of the queue" if state.state == "waiting" else "asked to stop after its step"
    print(f"{run.path}: {asked}", file=sys.stderr)
    return 0


def _declares_resume(command: argparse.ArgumentParser) -> None:
    _declares_run(command)
    declare_following(command)


@command("runs resume", _declares_resume)
def runs_resume(arguments: argparse.Namespace) -> int:
    """Go on with a run that was stopped, failed or was killed; the same as `train --resume`."""
    return resume(require_run(arguments.run), arguments)


def _declares_compare(command: argparse.ArgumentParser) -> None:
    command.add_argument("runs", metavar="RUN", nargs="+", help="two or more runs, by path or name")
    command.add_argument("--json", action="store_true", help="print JSON")


@command("runs compare", _declares_compare)
def runs_compare(arguments: argparse.Namespace) -> int:
    """Show runs side by side: the options that differ, and their figures."""
    if len(arguments.runs) < 2:
        raise UserError("one run cannot be compared", remedy="name two or more")
    compared = comparison([require_run(name) for name in arguments.runs])
    if arguments.json:
        print(json.dumps(compared, ensure_ascii=False, indent=1))
        return 0
    parts = [
        ("", {"run": [run["name"] for run in compared["runs"]], "state": [run["state"] for run in compared["runs"]]}),
        ("options that differ", compared["options"]),
        ("training (held-out figures: the last; others: the mean of the last tenth)", compared["figures"]),
        *((f"evaluation on {data}", values) for data, values in compared["evaluations"].items()),
    ]
    print("\n".join(line for title, rows in parts for line in _side_by_side(title, rows)))
    return 0


def _declares_delete(command: argparse.ArgumentParser) -> None:
    command.add_argument("runs", metavar="RUN", nargs="+", help="runs, by path or name")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--forever", action="store_true", help="free the disk; without it they go to the trash")


@command("runs delete", _declares_delete)
def runs_delete(arguments: argparse.Namespace) -> int:
    """Move runs to the trash beside them, or with --forever delete them. Never one that waits or is at work."""
    runs = list({run.path.resolve(): run for run in map(require_run, arguments.runs)}.values())
    busy = next((run for run in runs if not run.state().over), None)
    if busy is not None:
        raise UserError(f"the run is {busy.state().state}", file=busy.path, remedy="stop it first: core-cli runs stop")
    for run in runs:
        holds = "with a trained model" if run.has_model else "without a result"
        print(f"{run.path}: {run.state().state}, {holds}, {_bytes(size_of(run.path))}", file=sys.stderr)
    if not arguments.yes and not _agreed("delete for good" if arguments.forever else "move to the trash"):
        raise UserError("nothing was deleted", exit_code=1)
    for run in runs:
        place = delete(run, forever=arguments.forever)
        where = "deleted" if arguments.forever else f"now {place} (have it again: core-cli runs restore {place.name})"
        print(f"{run.path.name}: {where}", file=sys.stderr)
    return 0


def _declares_restore(command: argparse.ArgumentParser) -> None:
    command.add_argument("runs", metavar="RUN", nargs="+", help="runs in the trash, by folder name or label")
    train_options(command, "runs_dir")


@command("runs restore", _declares_restore)
def runs_restore(arguments: argparse.Namespace) -> int:
    """Take runs back out of the trash."""
    found = [find_trashed(name, _folder(arguments)) for name in arguments.runs]
    for run in dict.fromkeys(found):
        print(f"{run.path.name}: now {restore(run).path}", file=sys.stderr)
    return 0


def _declares_trash(command: argparse.ArgumentParser) -> None:
    command.add_argument("--empty", action="store_true", help="delete all of it for good")
    command.add_argument("--yes", action="store_true", help="with --empty: do not ask")
    train_options(command, "runs_dir")


@command("runs trash", _declares_trash)
def runs_trash(arguments: argparse.Namespace) -> int:
    """List the runs in the trash with their sizes, or with --empty delete them for good."""
    runs = trashed(_folder(arguments))
    for run in runs:
        print(f"{_bytes(size_of(run.path)):>10}  {run.path.name}  {run.name}")
    if not runs:
        print("the trash is empty", file=sys.stderr)
    elif arguments.empty:
        if not arguments.yes and not _agreed(f"delete {len(runs)} run(s) for good"):
            raise UserError("nothing was deleted", exit_code=1)
        print(f"{_bytes(empty(_folder(arguments)))} freed", file=sys.stderr)
    return 0


def _declares_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="path or name")


def _folder(arguments: argparse.Namespace) -> Path:
    return runs_dir_of(getattr(arguments, "runs_dir", ""))


def _looked_after(arguments: argparse.Namespace) -> Path:
    """The folder of the runs, after what was due is done; where one may only read it, that is said."""
    folder = _folder(arguments)
    try:
        look_after(folder, _tell)
    except UserError as error:
        _tell(f"nothing was started: {error}")
    return folder


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _agreed(what: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError("nobody can be asked here", remedy="add --yes", exit_code=1)
    return input(f"{what}? [y/N] ").strip().lower() in ("y", "yes")


def _print_runs(summaries: list[dict[str, Any]], as_json: bool, none: str) -> None:
    if as_json:
        print(json.dumps(summaries))
        return
    for run in summaries:
        print(f"{run['state']:<9} {run['step']:>6}/{run['max_steps']:<6} {run['created']:<26} {run['path']}")
    if not summaries:
        print(none, file=sys.stderr)


def _checkpoint(path: Path, *, verify: bool) -> dict[str, Any]:
    whole = not fault_of(path) if verify else (path / MANIFEST).is_file()
    return {"name": path.name, "bytes": size_of(path), "whole": whole, "fault": fault_of(path) if verify else ""}


def _show_lines(shown: dict[str, Any]) -> list[str]:
    progress = f"step {shown['step']}/{shown['max_steps']}"
    lines = [f"{shown['name']}: {shown['state']}, {progress}, {_bytes(shown['bytes'])}", f"  {shown['path']}"]
    lines += [f"  {shown['message']}"] if shown["message"] else []
    lines += ["", "asked for (what is not at its default)"]
    lines += [f"  {name}: {pair['value']}  (default {pair['default']})" for name, pair in shown["options"].items()]
    lines += ["", "figures (held-out ones: the last; others: the mean of the last tenth)"]
    lines += [f"  {name}: {value:.6g}" for name, value in shown["figures"].items()]
    for data, metrics in shown["evaluations"].items():
        lines += ["", f"evaluation on {data}", *(f"  {name}: {_value(value)}" for name, value in metrics.items())]
    lines += _or_damaged("cost.json or estimate.json", lambda: _need_lines(shown["needs"]))
    lines += ["", "checkpoints"]
    for checkpoint in shown["checkpoints"]:
        whole = "whole" if checkpoint["whole"] else checkpoint["fault"] or "not written to its end"
        lines.append(f"  {checkpoint['name']}: {_bytes(checkpoint['bytes'])}, {whole}")
    lines += ["", "rows", *_or_damaged("report.json", lambda: _row_lines(shown["report"]))]
    lines += ["", "made by", f"  {shown['facts'].get('command')}"]
    lines += [f"  commit {shown['facts'].get('commit') or 'unknown'}"]
    starts = shown["starts"]
    return lines + _or_damaged("environment.json", lambda: [line for start in starts for line in _start_lines(start)])


def _or_damaged(file: str, make: Callable[[], list[str]]) -> list[str]:
    """What is made of a file of the run, line by line; where its content is not what we write, only that is said."""
    try:
        return make()
    except (AttributeError, KeyError, TypeError, ValueError):
        return [f"  {file} is damaged"]


def _need_lines(needs: dict[str, dict[str, Any]]) -> list[str]:
    """What it took, beside what was estimated."""
    if not needs:
        return []
    lines = ["", "needs"]
    for label, told, say in (("memory at once", needs["memory"], _bytes), ("a step", needs["step_s"], _seconds)):
        values = [f"{say(value)} {how}" for how, value in told.items() if value is not None]
        lines.append(f"  {label}: {', '.join(values)}")
    return lines


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s"


def _row_lines(report: dict[str, Any] | None) -> list[str]:
    """What became of the rows."""
    if report is None:
        return []
    return [
        "  " + ", ".join(f"{count} {fate}" for fate, count in report["rows"].items()),
        f"  {report.get('samples')} samples, {report.get('trained_tokens')} of {report.get('tokens')} tokens",
    ]


def _start_lines(start: dict[str, Any]) -> list[str]:
    """What a start of the worker ran on."""
    after = f", from {start['resumed_from']}" if start["resumed_from"] else ""
    device = ", ".join(start["gpus"]) if "gpus" in start else f"{start['device']} ({start.get('processor')})"
    packages = ", ".join(f"{name} {version}" for name, version in start["packages"].items())
    together = f"{start.get('processes', 1)} process(es), {start.get('distributed', 'ddp')}"
    where = f"commit {start.get('commit') or 'unknown'}, {start.get('threads', '?')} threads each"
    return [
        f"  started {start['started']}{after} on {start['machine']}: {device}",
        f"    {together}, {where}",
        f"    python {start['python']}, {packages}",
    ]


def _side_by_side(title: str, rows: dict[str, list[Any]]) -> list[str]:
    if not rows:
        return ["", title, "  none"]
    shown = {name: [_value(value) for value in values] for name, values in rows.items()}
    width = max(map(len, shown))
    columns = [max(map(len, column)) for column in zip(*shown.values(), strict=True)]
    lines = [
        f"  {name:<{width}}  " + "  ".join(f"{cell:>{w}}" for cell, w in zip(cells, columns, strict=True))
        for name, cells in shown.items()
    ]
    return ["", title, *lines] if title else lines


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def _bytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"
