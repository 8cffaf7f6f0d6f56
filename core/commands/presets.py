"""core-cli presets: the named sets of options for a training."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from core.commands.command import command
from core.presets import PRESETS


def _declares_presets(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print them as JSON")


@command("presets", _declares_presets)
def presets(arguments: argparse.Namespace) -> int:
    """List the presets and what each changes of the defaults.

    Use one with `core-cli train --preset NAME`, or as `preset: NAME` in a YAML file.
    """
    if arguments.json:
        print(json.dumps({name: asdict(preset) for name, preset in PRESETS.items()}, indent=1))
        return 0
    for name, preset in PRESETS.items():
        print(f"{name}: {preset.help}")
        for option, value in preset.changes.items():
            print(f"    {option}: {json.dumps(value)}")
    return 0
