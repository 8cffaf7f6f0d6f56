"""Calls in Python's way, `name(a=1, b="x")`, as text: read as literals, never evaluated."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from core.conversation import JsonObject, ToolCall
from core.formats.text import as_json


def read_python(text: str) -> list[ToolCall]:
    """The calls in a text that is calls in Python's way; none when one of them is not read."""
    read = [(name, _keywords(inside)) for name, inside in python_calls(text)]
    return (
        [ToolCall(name, words) for name, words in read if words is not None]
        if all(name and words is not None for name, words in read)
        else []
    )


def python_calls(text: str) -> Iterator[tuple[str, str]]:
    """Each `name(inside)` of a list of calls; parentheses inside quotes do not count."""
    position = 0
    while (opened := text.find("(", position)) >= 0:
        closed = closing(text, opened)
        if closed < 0:
            return
        yield text[position:opened].strip(" ,;\n"), text[opened + 1 : closed]
        position = closed + 1


def closing(text: str, opened: int) -> int:
    """Where the bracket at `opened` is closed, brackets in quotes apart; -1 when it is not."""
    depth, quote, position = 0, "", opened
    while position < len(text):
        character = text[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return -1


def _keywords(inside: str) -> JsonObject | None:
    """The keyword arguments in `a=1, b="x"`; None when they are not literals, or given by position."""
    try:
        tree = ast.parse(f"f({inside})", mode="eval").body
        if not isinstance(tree, ast.Call) or tree.args or any(word.arg is None for word in tree.keywords):
            return None
        return {str(word.arg): as_json(ast.literal_eval(word.value)) for word in tree.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return None
