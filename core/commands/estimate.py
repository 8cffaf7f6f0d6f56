"""core-cli estimate: what a training would need, without starting it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from core.auto_length import with_length
from core.commands.command import command
from core.config import TrainConfig, add_arguments, config_from_arguments
from core.paths import resolve_file

if TYPE_CHECKING:
    from core.estimate import Estimate


def _declares_estimate(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="options as YAML; flags override it")
    command.add_argument("--json", action="store_true", help="print the figures as JSON")
    add_arguments(command, TrainConfig)


@command("estimate", _declares_estimate)
def estimate(arguments: argparse.Namespace) -> int:
    """Say what a training would need: memory by part, and time.

    Takes the options of `core-cli train`. Where the device has too little room, the smallest change that fits is named.
    No weight is loaded. Exit code 1: it does not fit.
    """
    from core.estimate import Estimator

    path = resolve_file(arguments.config) if arguments.config else None
    config = with_length(config_from_arguments(TrainConfig, arguments, path))
    estimator = Estimator(config)
    needed = estimator.estimate(config)
    changes = estimator.fitting(config)
    if arguments.json:
        print(json.dumps({**needed.to_json(), "changes": changes}, indent=1))
    else:
        print("\n".join(estimate_lines(needed, changes)))
    return 0 if needed.fits else 1


def estimate_lines(needed: Estimate, changes: dict[str, Any] | None) -> Iterator[str]:
    """For the terminal."""
    yield f"{needed.parameters:,} parameters, {needed.trained_parameters:,} of them trained"
    yield f"{needed.rows:,} rows, the longest of {needed.longest} tokens"
    for name, size in needed.parts.items():
        yield f"{name:>12} {mebibytes(size):>12}"
    room = f"{mebibytes(needed.available)} free on this {needed.device}"
    yield f"{'at once':>12} {mebibytes(needed.memory):>12}  {room}: {'fits' if needed.fits else 'does not fit'}"
    yield f"{'time':>12} {needed.step_s:>10.3g} s  a step, {needed.steps} steps: {duration(needed.total_s)}"
    if changes:
        yield "it fits with " + " ".join(_flag(name, value) for name, value in changes.items())
    elif changes is None:
        yield "nothing here makes it fit: take a smaller model"


def mebibytes(size: int) -> str:
    """In MiB or GiB."""
    return f"{size / 2**20:,.0f} MiB" if size < 10 * 2**30 else f"{size / 2**30:,.1f} GiB"


def duration(seconds: float) -> str:
    """In the two largest units."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def _flag(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    return f"--no-{flag}" if value is False else f"--{flag} {'' if value is True or value is None else value}"
