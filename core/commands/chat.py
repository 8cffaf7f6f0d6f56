"""core-cli chat: talk to a run or a model in the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

from core.commands.command import command
from core.config import ChatConfig, add_arguments, config_from_arguments


def _declares_chat(command: argparse.ArgumentParser) -> None:
    command.add_argument("target", metavar="RUN|MODEL", help="a run (path or name) or a model")
    command.add_argument("--message", metavar="TEXT", help="say this, print the answer and end")
    command.add_argument("--json", action="store_true", help="with --message: print the whole conversation as JSON")
    add_arguments(command, ChatConfig)


@command("chat", _declares_chat)
def chat(arguments: argparse.Namespace) -> int:
    """Talk to a run or a model.

    With --tools FILE the model may call; a call is shown, you type its result, and the model goes on.
    """
    config = config_from_arguments(ChatConfig, arguments)
    from core.chat import Chat

    talk = Chat(arguments.target, config)
    if arguments.message is not None:
        for piece in talk.stream(arguments.message):
            if not arguments.json:
                print(piece, end="", flush=True)
        print(json.dumps(talk.conversation().to_openai(), ensure_ascii=False) if arguments.json else "")
        if not arguments.json:
            print("\n".join(_call_lines(talk)), end="\n" if talk.waiting else "")
        return 0
    print("Write a message; an empty line or Ctrl-D ends the chat.", file=sys.stderr)
    while text := _ask("you> "):
        _answer(talk, talk.stream(text))
        while calls := talk.waiting:
            for call in calls:
                talk.add_result(call, _ask(f"result of {call.name}> "))
            _answer(talk, talk.answer())
    return 0


def _answer(talk: Any, pieces: Iterable[str]) -> None:
    print("model> ", end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
    print("".join(line + "\n" for line in _call_lines(talk)), end="")
    if talk.forgotten:
        print(f"(too long for the model: it did not see the oldest {talk.forgotten} exchanges)", file=sys.stderr)


def _call_lines(talk: Any) -> list[str]:
    return [f"  → {call.name}({json.dumps(call.arguments, ensure_ascii=False)})" for call in talk.waiting]


def _ask(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        return ""
