"""Control tokens that people, tools or models write in content stay plain text.

Before rendering, an invisible break is put into each of them; afterwards the breaks become offsets, across which the
tokenizer does not read. So the template sees content of the same words, and nobody can close a turn but the template.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from core.conversation import Conversation, Finding, Message, RowRefusedError
from core.template.sandbox import BREAK

# The first character of each private mark that spans are found with; content that holds one could forge a mark.
MARKS = "\U000f1000\U000f1001" + BREAK


def protect(conversation: Conversation, control_tokens: Iterable[str]) -> Conversation:
    """The conversation with a break inside every control token that its content, names or tools hold.

    What needs no break stays the same object. Raises `RowRefusedError` for text with our private marks in it.
    """
    pattern = _pattern(frozenset(control_tokens))

    def broken(value: Any) -> Any:
        if isinstance(value, str):
            return _broken_text(value, pattern) if pattern.search(value) else value
        if isinstance(value, dict):
            made: Any = {broken(key): broken(item) for key, item in value.items()}
            return made if made != value else value
        if isinstance(value, list):
            made = [broken(item) for item in value]
            return made if made != value else value
        return value

    def message(of: Message) -> Message:
        calls = tuple(
            replace(call, name=broken(call.name), arguments=broken(call.arguments), id=broken(call.id))
            for call in of.tool_calls
        )
        changed = {
            "content": broken(of.content),
            "reasoning": broken(of.reasoning),
            "name": broken(of.name),
            "tool_call_id": broken(of.tool_call_id),
        }
        same = calls == of.tool_calls and all(getattr(of, name) == value for name, value in changed.items())
        return of if same else replace(of, tool_calls=calls, **changed)

    try:
        messages = tuple(message(of) for of in conversation.messages)
        tools = tuple(broken(tool) for tool in conversation.tools)
    except ValueError as error:
        finding = Finding("MK705", "dropped", str(error), conversation.file, conversation.line)
        raise RowRefusedError(finding) from None
    if tools == conversation.tools:
        tools = conversation.tools
    return replace(conversation, messages=messages, tools=tools)


def unprotected_text(text: str) -> tuple[str, tuple[int, ...]]:
    """The text without the breaks, and the offsets at which they were."""
    places = [found.start() for found in re.finditer(BREAK, text)]
    return text.replace(BREAK, ""), tuple(place - number for number, place in enumerate(places))


def _broken_text(text: str, pattern: re.Pattern[str]) -> str:
    if any(mark in text for mark in MARKS):
        raise ValueError("holds one of the private characters U+F1000 to U+F1002, which mark places while rendering")
    return pattern.sub(lambda found: found.group()[:1] + BREAK + pattern.sub(_again, found.group()[1:]), text)


def _again(found: re.Match[str]) -> str:
    """A control token inside a control token."""
    return found.group()[:1] + BREAK + found.group()[1:]


@lru_cache(maxsize=64)
def _pattern(control_tokens: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted((token for token in control_tokens if len(token) > 1), key=len, reverse=True)
    return re.compile("|".join([*(re.escape(token) for token in longest_first), f"[{MARKS}]"]))
