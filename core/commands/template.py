"""core-cli template: which chat templates there are, what one can express, what it renders, and reading text back."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from core.commands.command import command, print_findings
from core.conversation import RowRefusedError
from core.errors import UserError
from core.paths import resolve_file

if TYPE_CHECKING:
    from core.template.sandbox import Template


def _declares_list(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


@command("template list", _declares_list)
def template_list(arguments: argparse.Namespace) -> int:
    """List the chat templates that ship with Tuneboard."""
    from core.template.choose import library_names

    names = ["auto", *library_names()]
    print(json.dumps(names) if arguments.json else "\n".join(names))
    return 0


def _declares_tokens(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--special-tokens",
        nargs="*",
        default=[],
        metavar="NAME=TEXT",
        help="what a template file may print, for instance bos_token=<s> (without a tokenizer beside it)",
    )
    command.add_argument("--json", action="store_true", help="print JSON")


def _declares_card(command: argparse.ArgumentParser) -> None:
    command.add_argument("template", metavar="MODEL|NAME|FILE", help="a model, a name from the library or a file")
    _declares_tokens(command)


@command("template card", _declares_card)
def template_card(arguments: argparse.Namespace) -> int:
    """Show what a chat template expresses, swallows or refuses."""
    from core.template.probe import card, lines_of

    found = card(_template(arguments))
    print(json.dumps(found.to_json(), ensure_ascii=False, indent=1) if arguments.json else "\n".join(lines_of(found)))
    return 0


def _declares_render(command: argparse.ArgumentParser) -> None:
    command.add_argument("--template", required=True, metavar="MODEL|NAME|FILE", help="as for `template card`")
    command.add_argument("--conversation", required=True, metavar="FILE.json", help='{"messages": […], "tools": […]}')
    command.add_argument(
        "--train-on", choices=["assistant", "last_turn", "all"], default="assistant", help="[assistant]"
    )
    command.add_argument(
        "--unstable-history",
        choices=["split", "last_turn", "as_rendered", "error"],
        default="split",
        help="what to do where earlier turns are shown differently later on [split]",
    )
    _declares_tokens(command)


@command("template render", _declares_render)
def template_render(arguments: argparse.Namespace) -> int:
    """Render a conversation: the samples, with what is trained in ⟦ ⟧."""
    from core.formats import read_conversation
    from core.template.spans import render

    template = _template(arguments)
    path = resolve_file(arguments.conversation)
    row, conversation = read_conversation(_text(path), str(path))
    try:
        samples = render(conversation, template, arguments.train_on, arguments.unstable_history)
    except RowRefusedError as refused:
        samples = []
        row.findings.append(refused.finding)
    findings = [*row.findings, *(note for sample in samples for note in sample.notes)]
    if arguments.json:
        shown = [{"text": sample.text, "spans": [span._asdict() for span in sample.spans]} for sample in samples]
        print(json.dumps({"samples": shown, "findings": [asdict(f) for f in findings]}, ensure_ascii=False, indent=1))
    else:
        print("\n\n".join(sample.marked() for sample in samples))
        print_findings(findings)
    return 0 if samples else 1


def _declares_read(command: argparse.ArgumentParser) -> None:
    command.add_argument("--template", required=True, metavar="MODEL|NAME|FILE", help="as for `template card`")
    command.add_argument("--text", required=True, metavar="FILE", help="what the model wrote")
    command.add_argument("--tools", metavar="FILE", help="a JSON file with the tools that were offered")
    _declares_tokens(command)


@command("template read", _declares_read)
def template_read(arguments: argparse.Namespace) -> int:
    """Read what a model wrote: its words, reasoning and calls, as a message in OpenAI's shape."""
    from core.chat import read_tools_file
    from core.template.reader import describe, read_answer

    tools = read_tools_file(resolve_file(arguments.tools)) if arguments.tools else ()
    answer = read_answer(_text(resolve_file(arguments.text)), _template(arguments), tools)
    print(json.dumps(describe(answer.message), ensure_ascii=False, indent=1))
    print_findings(answer.findings)
    return 0


def _template(arguments: argparse.Namespace) -> Template:
    """A library name or a file stands alone; anything else is a model, whose tokenizer brings the template."""
    from core.template.choose import bare_template, choose_template, library_names, token_pairs

    name: str = arguments.template
    path = resolve_file(name)
    if name in library_names() or os.path.isfile(path):
        return bare_template(name if name in library_names() else str(path), token_pairs(arguments.special_tokens))
    from core.model import load_tokenizer

    try:
        return choose_template("auto", load_tokenizer(name))
    except UserError as error:
        if os.path.isdir(path):
            return bare_template(str(path), token_pairs(arguments.special_tokens))
        if "/" in name:
            raise
        raise UserError(f"{error}, or a template of the library: {', '.join(library_names())}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", file=path) from None
