"""Where in a row lies what a rule found in its conversation: `messages[2].content` as `conversations[1].value`.

Rules count the messages of the conversation. A system prompt may come from a column of its own, keys have other names,
and messages were merged or left out: each message knows its place in the row, and the path begins there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from core.conversation import Finding, Message
from core.formats.names import MESSAGE_KEYS

_MESSAGE = re.compile(r"messages\[(\d{1,9})\](.*)", re.DOTALL)
_CALL = re.compile(r"\.tool_calls\[(\d{1,9})\](\.arguments.*)", re.DOTALL)
_STEP = re.compile(r"\[(\d{1,9})\]|\.?([^.\[\]]+)")
_CONTENT_KEYS = tuple(dict.fromkeys(content for _, content in MESSAGE_KEYS))


def in_the_row(findings: Iterable[Finding], messages: tuple[Message, ...], data: Any) -> list[Finding]:
    """Findings about the messages of a conversation, with paths into the row; those of no known place stay."""
    return [replace(finding, path=_path(finding.path, messages, data)) for finding in findings]


def _path(path: str, messages: tuple[Message, ...], data: Any) -> str:
    found = _MESSAGE.fullmatch(path)
    if found is None or int(found[1]) >= len(messages):
        return path
    place = messages[int(found[1])].place
    raw = _at(data, place) if place else None
    return path if raw is None else place + _within(found[2], raw)


def _at(value: Any, place: str) -> Any:
    """What lies at a place; None where the row does not have it."""
    for index, name in _STEP.findall(place):
        if name and isinstance(value, dict):
            value = value.get(name)
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    return value


def _within(rest: str, raw: Any) -> str:
    """The way on from a message to its content or to one of its calls, under the keys of the row."""
    if not isinstance(raw, dict):
        return ""
    if rest.startswith(".tool_calls") and isinstance(raw.get("tool_calls"), list):
        call = _CALL.fullmatch(rest)
        inner = _at(raw, f"tool_calls[{call[1]}].function") if call else None
        return f".tool_calls[{call[1]}].function{call[2]}" if call and isinstance(inner, dict) else rest
    if rest.startswith((".content", ".tool_calls")):
        key = next((key for key in _CONTENT_KEYS if key in raw), "")
        return f".{key}" if key else ""
    return rest
