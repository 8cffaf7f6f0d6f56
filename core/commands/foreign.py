"""core-cli import: a training config of another tool as one of ours."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from core.commands.command import command
from core.config import read_yaml
from core.errors import UserError, counted
from core.foreign import TOOLS, Translation, translate
from core.paths import resolve_file, typed


def _declares_import(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", metavar="CONFIG.yaml", help="a training config of another tool")
    command.add_argument("--tool", choices=list(TOOLS), default="", help="whose it is; recognised from its options")
    command.add_argument("--output", metavar="FILE.yaml", help="a new file for our config; else it is printed")
    command.add_argument("--json", action="store_true", help="print options and account as JSON")


@command("import", _declares_import)
def import_config(arguments: argparse.Namespace) -> int:
    """Take over a training config of LLaMA-Factory, axolotl, H2O LLM Studio or TRL.

    Every option is carried over, needs nothing here, or is said to be different; defaults of theirs that are not ours
    are written out. The result is for `core-cli train`.
    """
    path = resolve_file(arguments.config)
    try:
        translation = translate(read_yaml(path), arguments.tool)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if arguments.json:
        print(json.dumps(asdict(translation), ensure_ascii=False, indent=1))
        return 0
    text = translation.yaml(path.name)
    if arguments.output:
        _write(typed(arguments.output), text)
    else:
        print(text)
    _account(translation, arguments.output)
    return 0


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError("exists", file=path, remedy="give --output a new name; what is there stays") from None
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", file=path) from None


def _account(translation: Translation, output: str | None) -> None:
    """How many options became what, and each that is different: beside a printed config on stderr."""
    file = sys.stdout if output else sys.stderr
    counts = f"{len(translation.values)} options, {len(translation.settled)} need nothing"
    different = counted(len(translation.different), "is different", "are different")
    end = f"{different}:" if translation.different else "nothing is different."
    print(f"{translation.tool}: {counts}, {end}", file=file)
    for name, why in translation.different.items():
        print(f"  {name}: {why}", file=file)
    if output:
        print(f"Next: core-cli train {output}", file=file)
