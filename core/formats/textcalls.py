"""Calls that are written out as text inside an answer, in the ways that datasets and models write them.

Nothing here evaluates text: arguments are JSON or Python literals. What looks like a call and does not parse is left
as text, and reported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from core.conversation import JsonObject, Row, RowRefusedError, ToolCall
from core.formats.calls import read_call
from core.formats.text import parse_text
from core.formats.vendors import glaive_call


@dataclass(frozen=True, slots=True)
class Found:
    """Calls found in a text: the style, the text without them, and the calls; `failed` is text that did not parse."""

    style: str
    text: str
    calls: tuple[ToolCall, ...]
    failed: str = ""


_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_TOOLCALL = re.compile(r"<TOOLCALL>\s*(.*?)\s*(?:</TOOLCALL>|\Z)", re.DOTALL)
_GLAIVE = re.compile(r"<functioncall>\s*(.*?)\s*(?=<functioncall>|\Z)", re.DOTALL)
_FUNCTION = re.compile(r"<function=([^>\s]+)>\s*(.*?)\s*</function>", re.DOTALL)
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*(\[.*\])\s*\Z", re.DOTALL)
_REACT = re.compile(
    r"^Action:\s*(\S[^\n]*)\n\s*Action Input:\s*(.*?)\s*(?=^Action:|^Observation:|\Z)", re.DOTALL | re.M
)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
# One look at the text decides whether any of the patterns can match at all.
_ANY = re.compile(
    r"<tool_call>|<TOOLCALL>|<functioncall>|<function=|\[TOOL_CALLS\]|^Action:|^API-Request:|^\s*\[", re.MULTILINE
)


def find_calls(text: str) -> Found | None:
    """The calls in a text, or None when it holds nothing that looks like one."""
    if not _ANY.search(text):
        return None
    for style, pattern, read in _STYLES:
        found = list(pattern.finditer(text))
        if found:
            return _read_all(style, text, found, read)
    return _bracketed(text)


def _read_all(
    style: str, text: str, found: list[re.Match[str]], read: Callable[[Row, re.Match[str]], list[ToolCall]]
) -> Found:
    calls: list[ToolCall] = []
    for match in found:
        try:
            calls += read(Row(None), match)
        except RowRefusedError:
            return Found(style, text, (), match.group())
    rest, position = [], 0
    for match in found:
        rest.append(text[position : match.start()])
        position = match.end()
    return Found(style, "".join([*rest, text[position:]]).strip(), tuple(calls))


def _json_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    body = match.group(1)
    inner = _FUNCTION.search(body)
    if inner is not None:
        return _function_calls(row, inner)
    value = parse_text(body)[0]
    return [read_call(row, "$", call) for call in (value if isinstance(value, list) else [value])]


def _glaive_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    return [glaive_call(row, "$", match.group(1))]


def _function_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    """`<function=name>{…}</function>`, or with a `<parameter=key>` for each argument."""
    name, body = match.groups()
    parameters = _PARAMETER.findall(body)
    arguments: Any = dict(parameters) if parameters else body
    return [read_call(row, "$", {"name": name, "arguments": arguments})]


def _react_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    return [read_call(row, "$", {"name": match.group(1).strip(), "arguments": match.group(2)})]


_STYLES: tuple[tuple[str, re.Pattern[str], Callable[[Row, re.Match[str]], list[ToolCall]]], ...] = (
    ("<tool_call>", _TAGGED, _json_calls),
    ("<TOOLCALL>", _TOOLCALL, _json_calls),
    ("<functioncall>", _GLAIVE, _glaive_calls),
    ("<function=…>", _FUNCTION, _function_calls),
    ("[TOOL_CALLS]", _MISTRAL, _json_calls),
    ("Action:", _REACT, _react_calls),
)


def _bracketed(text: str) -> Found | None:
    """ToolACE's `[Name with spaces(a=1), other(b="x")]`, where it is the whole text; API-Bank puts a word before it."""
    body = text.strip().removeprefix("API-Request:").lstrip()
    if not (body.startswith("[") and body.endswith(")]")):
        return None
    calls = []
    for name, inside in _python_calls(body[1:-1]):
        arguments = _keywords(inside)
        if arguments is None:
            return Found("[f(x=1)]", text, (), body)
        calls.append(ToolCall(name, arguments))
    return Found("[f(x=1)]", "", tuple(calls)) if calls else None


def _python_calls(text: str) -> Iterator[tuple[str, str]]:
    """Each `name(inside)` of a list of calls; parentheses inside quotes do not count."""
    position = 0
    while (opened := text.find("(", position)) >= 0:
        closed = closing(text, opened)
        if closed < 0:
            return
        yield text[position:opened].strip(" ,\n"), text[opened + 1 : closed]
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
        values = {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return None
    return None if any(isinstance(value, bytes | set | complex) for value in values.values()) else values
