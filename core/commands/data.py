"""core-cli data: look at datasets before training on them."""

from __future__ import annotations

import argparse
import json
import sys

from core.commands.command import command, message_lines, print_findings, train_options
from core.config import TrainConfig, config_from_arguments


def _declares_show(command: argparse.ArgumentParser) -> None:
    command.add_argument("dataset", metavar="DATASET", help="a name from dataset_info.json, or a file")
    command.add_argument("--row", type=int, default=1, metavar="N", help="which row, from 1 [1]")
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    train_options(command, "model_name_or_path", "template", "dataset_dir", "max_length", "train_on")


@command("data show", _declares_show)
def data_show(arguments: argparse.Namespace) -> int:
    """Show what a row becomes: the raw row, the conversation, and the text with what is trained in ⟦ ⟧."""
    from core.preview import preview

    name = arguments.dataset
    arguments.dataset = [name]
    shown = preview(name, arguments.row, config_from_arguments(TrainConfig, arguments))
    if arguments.json:
        print(json.dumps(shown.to_json(), ensure_ascii=False))
        return 0
    print(f"── {shown.source.file}, row {arguments.row} (line {shown.row.line}) ──")
    print(json.dumps(shown.row.data, ensure_ascii=False, indent=1))
    print_findings(shown.findings, file=sys.stdout)
    if shown.conversation is not None:
        print("\n── conversation ──")
        for message in shown.conversation.messages:
            print("\n".join(message_lines(message)))
    for number, (sample, example) in enumerate(zip(shown.samples, shown.examples, strict=True), start=1):
        counts = f"{len(example.input_ids)} tokens, {example.trained} trained"
        print(f"\n── sample {number} of {len(shown.samples)}: {counts} ──")
        print(sample.marked())
    return 0


def _declares_list(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print a JSON list")
    train_options(command, "dataset_dir")


@command("data list", _declares_list)
def data_list(arguments: argparse.Namespace) -> int:
    """List the registered datasets."""
    from core.datasets import registry

    sources = registry(getattr(arguments, "dataset_dir", ""))
    if arguments.json:
        rows = [
            {"name": s.name, "file": str(s.file), "format": s.layout.formatting if s.layout else None}
            for s in sources.values()
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for source in sources.values():
        print(f"{source.name:<20} {source.layout.formatting if source.layout else '':<10} {source.description}")
    return 0
