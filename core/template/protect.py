"""Control tokens that people, tools or models write in content stay plain text.

Before rendering, an invisible break is put into each of them; afterwards the breaks become offsets, across which the
tokenizer does not read. So the template sees content of the same words, and nobody can close a turn but the template.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from operator import is_
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
    try:
        messages = tuple(_broken_message(message, pattern) for message in conversation.messages)
        tools = tuple(_broken(tool, pattern) for tool in conversation.tools)
    except ValueError as error:
        finding = Finding("MK705", "dropped", str(error), conversation.file, conversation.line)
        raise RowRefusedError(finding) from None
    if all(map(is_, messages, conversation.messages)) and all(map(is_, tools, conversation.tools)):
        return conversation
    return replace(conversation, messages=messages, tools=tools)


def _broken_message(message: Message, pattern: re.Pattern[str]) -> Message:
    texts = [message.content, message.reasoning, message.name, message.tool_call_id]
    for call in message.tool_calls:
        texts += [call.name, call.id]
    if not any(map(pattern.search, texts)) and not any(_holds(call.arguments, pattern) for call in message.tool_calls):
        return message
    calls = tuple(
        replace(
            call,
            name=_broken(call.name, pattern),
            arguments=_broken(call.arguments, pattern),
            id=_broken(call.id, pattern),
        )
        for call in message.tool_calls
    )
    return replace(
        message,
        content=_broken(message.content, pattern),
        reasoning=_broken(message.reasoning, pattern),
        name=_broken(message.name, pattern),
        tool_call_id=_broken(message.tool_call_id, pattern),
        tool_calls=calls,
    )


def _holds(value: Any, pattern: re.Pattern[str]) -> bool:
    """Whether there is a control token anywhere in the value."""
    if isinstance(value, str):
        return pattern.search(value) is not None
    if isinstance(value, dict):
        return any(pattern.search(key) or _holds(item, pattern) for key, item in value.items())
    return isinstance(value, list) and any(_holds(item, pattern) for item in value)


def _broken(value: Any, pattern: re.Pattern[str]) -> Any:
    if not _holds(value, pattern):
        return value
    if isinstance(value, str):
        return _broken_text(value, pattern)
    if isinstance(value, dict):
        return {_broken(key, pattern): _broken(item, pattern) for key, item in value.items()}
    return [_broken(item, pattern) for item in value]


def unprotected_text(text: str) -> tuple[str, tuple[int, ...]]:
    """The text without the breaks, and the offsets at which they were."""
    if BREAK not in text:
        return text, ()
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
    # Each alternative begins with a character of its own, not with a class of them: so searching skips to those.
    return re.compile("|".join(map(re.escape, [*longest_first, *MARKS])))
