"""core-cli chat: talk to a run or a model in the terminal."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.commands.command import command
from core.config import ChatConfig, add_arguments, config_from_arguments
from core.conversation import Message, ToolCall, snippet

if TYPE_CHECKING:
    from core.chat import Chat


def _declares_chat(command: argparse.ArgumentParser) -> None:
    command.add_argument("target", metavar="RUN|MODEL", help="a run (path or name) or a model")
    command.add_argument("--message", metavar="TEXT", help="say this, print the answer and end")
    command.add_argument("--json", action="store_true", help="with --message: print the whole conversation as JSON")
    add_arguments(command, ChatConfig)


@command("chat", _declares_chat)
def chat(arguments: argparse.Namespace) -> int:
    """Talk to a run or a model.

    With --tools FILE.json the model may call; a call is shown, you type its result, and the model goes on. With
    --tools FILE.py the functions in it are called, after you were asked, or at once with --allow-tools.
    """
    from core.chat import Chat

    config = config_from_arguments(ChatConfig, arguments)
    with contextlib.closing(Chat(arguments.target, config)) as talk:
        return _talk(talk, arguments)


def _talk(talk: Chat, arguments: argparse.Namespace) -> int:
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
        talk.messages.append(Message("user", text))
        _answer(talk, talk.answer())
        while calls := talk.waiting:
            for call in calls:
                talk.add_result(call, _result(talk, call))
            _answer(talk, talk.answer())
    return 0


def _result(talk: Chat, call: ToolCall) -> str:
    """What a call gives: of the function if it may run, else as typed."""
    if talk.toolbox is None or call.name not in talk.toolbox.allowed:
        return _ask(f"result of {call.name}> ")
    if call.name not in talk.functions:
        said = _ask(f"run {call.name}? yes, no, or always> ").lower()
        if said[:1] == "a":
            talk.allow(call.name)
        elif said[:1] != "y":
            return json.dumps({"error": "the user does not allow this call"})
    result = talk.toolbox.call(call.name, call.arguments)
    print(f"  ← {snippet(result, 200)}")
    return result


def _answer(talk: Chat, pieces: Iterable[str]) -> None:
    print("model> ", end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
    print("".join(line + "\n" for line in _call_lines(talk)), end="")
    if talk.forgotten:
        print(f"(too long for the model: it did not see the oldest {talk.forgotten} exchanges)", file=sys.stderr)


def _call_lines(talk: Chat) -> list[str]:
    return [f"  → {call.name}({json.dumps(call.arguments, ensure_ascii=False)})" for call in talk.waiting]


def _ask(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        return ""
