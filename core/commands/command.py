"""What every command uses: its registration, and how messages, findings and JSON are printed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from core.config import TrainConfig, add_arguments
from core.conversation import Finding, Message, printable

Function = Callable[[argparse.Namespace], int]
Declare = Callable[[argparse.ArgumentParser], None]
COMMANDS: dict[str, tuple[Function, Declare]] = {}


def command(name: str, declare: Declare) -> Callable[[Function], Function]:
    """Register a command: "data show" is `show` below `data`; its docstring is its help; `declare` adds its flags."""

    def register(function: Function) -> Function:
        COMMANDS[name] = (function, declare)
        return function

    return register


def train_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Flags for some of the options of training."""
    add_arguments(parser, TrainConfig, skip=tuple(name for name in TrainConfig.model_fields if name not in names))


def message_lines(message: Message) -> Iterator[str]:
    """A message for the terminal: who, what, with its reasoning before it and each call on a line of its own."""
    if message.reasoning:
        yield f"reasoning: {printable(message.reasoning)}"
    if message.content or not message.tool_calls:
        yield f"{message.role:>9}: {printable(message.content)}"
    for call in message.tool_calls:
        yield printable(f"{message.role:>9}: → {call.name}({json.dumps(call.arguments, ensure_ascii=False)})")


def print_findings(findings: Sequence[Finding], most: int = 10, file: IO[str] | None = None) -> None:
    """The first findings, one a line."""
    for finding in findings[:most]:
        print(printable(str(finding)), file=file or sys.stderr)
    if len(findings) > most:
        print(f"… and {len(findings) - most} more findings", file=file or sys.stderr)
