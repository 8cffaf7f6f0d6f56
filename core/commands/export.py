"""core-cli export: a run's result as a folder that other programs read."""

from __future__ import annotations

import argparse
import json
import sys

from core.commands.command import command
from core.config import ExportConfig, add_arguments, config_from_arguments


def _declares_export(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="a finished run (path or name)")
    command.add_argument("--json", action="store_true", help="print the folder and its files as JSON")
    add_arguments(command, ExportConfig)


@command("export", _declares_export)
def export(arguments: argparse.Namespace) -> int:
    """Write a run's model into a folder of its own, for transformers, vLLM and others.

    The adapter is merged into the weights unless --no-merge is given. Tokenizer, the chat template that was trained,
    generation config and a model card go with it. Nothing that exists is written over.
    """
    from core.export import export as write
    from core.run import require_run
    from core.task import tell

    def told(doing: str) -> None:
        tell(doing, 0, 0)
        print(doing, file=sys.stderr, flush=True)

    place = write(require_run(arguments.run), config_from_arguments(ExportConfig, arguments), told)
    files = {file.name: file.stat().st_size for file in sorted(place.iterdir())}
    if arguments.json:
        print(json.dumps({"path": str(place), "files": files}, indent=1))
    else:
        print(f"{place}: {sum(files.values()) / 2**20:.1f} MiB in {len(files)} files")
        print(f"talk to it:  core-cli chat {place}")
    return 0
