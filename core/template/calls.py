"""One call, or a list of calls, read at a place in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from core.conversation import ToolCall
from core.template.syntax import CallSyntax
from core.template.values import decode_json, parse_literal, skip_space

_NAME = re.compile(r"[^\s<>{}\[\]()\"'`|,;=]+")
_SPOKEN_NAME = re.compile(r"[^<>{}\[\]()\"'`|,;=\n]+")


@dataclass(frozen=True, slots=True)
class Unit:
    """`text[start:end]` holds these calls; `raw` when arguments were written as bare text."""

    start: int
    end: int
    calls: tuple[ToolCall, ...]
    raw: bool = False


def read_unit(text: str, start: int, syntax: CallSyntax, *, next_to_call: bool = False) -> Unit | None:
    """The call whose marker (or, next to another call, whose separator) is at `start`; None when it does not read."""
    opens = syntax.separator if next_to_call and not syntax.open else syntax.marker
    at = skip_space(text, start + len(opens) if text.startswith(opens, start) else start)
    read = {"json": _json, "apart": _apart, "xml": _xml, "literal": _literal}[syntax.kind](text, at, syntax)
    if read is None:
        return None
    calls, end = read
    closed = skip_space(text, end)
    if syntax.close and text.startswith(syntax.close, closed):
        end = closed + len(syntax.close)
    return Unit(start, end, tuple(calls), syntax.kind == "xml")


def _json(text: str, at: int, syntax: CallSyntax) -> tuple[list[ToolCall], int] | None:
    parsed = decode_json(text, at)
    if parsed is None:
        return None
    calls = []
    for item in parsed[0] if isinstance(parsed[0], list) else [parsed[0]]:
        name, arguments = _at_path(item, syntax.name_path), _arguments(_at_path(item, syntax.arguments_path))
        if not isinstance(name, str) or arguments is None:
            return None
        calls.append(ToolCall(name, arguments))
    return (calls, parsed[1]) if calls else None


def _apart(text: str, at: int, syntax: CallSyntax) -> tuple[list[ToolCall], int] | None:
    behind = syntax.behind_name.strip()
    place = text.find(behind, at) if behind else -1
    name = text[at:place].strip() if place >= 0 else ""
    if not name or not _SPOKEN_NAME.fullmatch(name):
        # A model may vary what stands between the name and the arguments.
        found = _NAME.match(text, at)
        brace = text.find("{", at)
        if found is None or not 0 <= brace - found.end() <= len(behind) + 40:
            return None
        name, place, behind = found.group(), brace, ""
    parsed = decode_json(text, skip_space(text, place + len(behind)))
    arguments = _arguments(parsed[0]) if parsed else None
    return ([ToolCall(name, arguments)], parsed[1]) if parsed and arguments is not None else None


def _xml(text: str, at: int, syntax: CallSyntax) -> tuple[list[ToolCall], int] | None:
    behind = syntax.behind_name.strip()
    found = _SPOKEN_NAME.match(text, at)
    if found is None or not found.group().strip() or not text.startswith(behind, skip_space(text, found.end())):
        return None
    name = found.group().strip()
    end = skip_space(text, found.end()) + len(behind) if behind else found.end()
    arguments: dict[str, Any] = {}
    while text.startswith(syntax.key_open, next_at := skip_space(text, end)):
        begins = next_at + len(syntax.key_open)
        assign = text.find(syntax.assign.strip(), begins)
        value = assign + len(syntax.assign.strip())
        stops = text.find(syntax.value_close, value)
        if assign < 0 or stops < 0:
            return None
        arguments[text[begins:assign].strip()] = _bare(text[value:stops], syntax)
        end = stops + len(syntax.value_close)
    if syntax.close and not text.startswith(syntax.close, skip_space(text, end)):
        return None
    return [ToolCall(name, arguments)], end


def _bare(value: str, syntax: CallSyntax) -> str:
    """A parameter's text without the line breaks that the template puts around it."""
    padding = syntax.assign[len(syntax.assign.rstrip()) :]
    if padding and value.startswith(padding):
        value = value[len(padding) :]
        if value.endswith(padding):
            value = value[: -len(padding)]
    return value


def _literal(text: str, at: int, syntax: CallSyntax) -> tuple[list[ToolCall], int] | None:
    place = text.find(syntax.behind_name, at)
    name = text[at:place].strip() if place >= 0 else ""
    if not name or not _SPOKEN_NAME.fullmatch(name):
        return None
    arguments: dict[str, Any] = {}
    end = skip_space(text, place + len(syntax.behind_name))
    try:
        while not text.startswith(syntax.end, end):
            assign = text.index(syntax.assign, end)
            key = text[end:assign].strip().strip(syntax.quote or "\"'")
            arguments[key], end = parse_literal(text, assign + 1, syntax.quote, syntax.raw_texts)
            end = skip_space(text, end)
            if text.startswith(",", end):
                end = skip_space(text, end + 1)
            elif not text.startswith(syntax.end, end):
                return None
    except ValueError:
        return None
    return [ToolCall(name, arguments)], end + len(syntax.end)


def _arguments(value: Any) -> dict[str, Any] | None:
    """Arguments as an object, from an object or from JSON text of one."""
    if isinstance(value, str):
        decoded = decode_json(value.strip(), 0)
        value = decoded[0] if decoded else None
    return value if isinstance(value, dict) else None


def _at_path(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
