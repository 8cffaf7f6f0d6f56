"""Control tokens that people, tools or models write in content stay plain text.

Before rendering, an invisible break is put into each of them; afterwards the breaks become offsets, across which the
tokenizer does not read. So the template sees content of the same words, and nobody can close a turn but the template.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from core.conversation import Conversation, Finding, Message, RowRefusedError, json_text
from core.kept import kept
from core.shared import KEPT_TOOLS, Shared, characters_of, function_texts
from core.template.sandbox import BREAK

# The first character of each private mark that spans are found with; content that holds one could forge a mark.
MARKS = "\U000f1000\U000f1001" + BREAK
# Stands between texts that are looked at together.
_BETWEEN = "\0"


def protect(conversation: Conversation, control_tokens: Iterable[str]) -> Conversation:
    """The conversation with a break inside every control token that its content, names or tools hold.

    The same object where there is none. Raises `RowRefusedError` for text with our private marks in it.
    """
    tokens = _tokens(frozenset(control_tokens))
    if not _holds_any(conversation, tokens):
        return conversation
    try:
        messages = tuple(_broken_message(message, tokens) for message in conversation.messages)
        tools = tuple(_broken(tool, tokens) for tool in conversation.tools)
    except ValueError as error:
        finding = Finding("MK705", "dropped", str(error), conversation.file, conversation.line)
        raise RowRefusedError(finding) from None
    return replace(conversation, messages=messages, tools=tools)


def _holds_any(conversation: Conversation, tokens: _Tokens) -> bool:
    """Whether there may be a control token anywhere: all texts are looked at together, most have none."""
    messages = conversation.messages
    texts = [text for one in messages for text in (one.content, one.reasoning, one.name, one.tool_call_id)]
    calls = [call for message in messages for call in message.tool_calls]
    texts += [text for call in calls for text in (call.name, call.id)]
    if tokens.text.found(_BETWEEN.join(texts)):
        return True
    if calls and tokens.json.found(json_text([call.arguments for call in calls])):
        return True
    return bool(conversation.tools) and _tools_hold_any(Shared(conversation.tools), tokens)


@kept(KEPT_TOOLS, characters_of)
def _tools_hold_any(tools: Shared, tokens: _Tokens) -> bool:
    texts = function_texts(tools)
    return tokens.json.found(_BETWEEN.join(texts) if all(texts) else json_text(tools.value))


def _broken_message(message: Message, tokens: _Tokens) -> Message:
    calls = tuple(
        replace(
            call,
            name=_broken(call.name, tokens),
            arguments=_broken(call.arguments, tokens),
            id=_broken(call.id, tokens),
        )
        for call in message.tool_calls
    )
    broken = replace(
        message,
        content=_broken(message.content, tokens),
        reasoning=_broken(message.reasoning, tokens),
        name=_broken(message.name, tokens),
        tool_call_id=_broken(message.tool_call_id, tokens),
        tool_calls=calls,
    )
    return message if broken == message else broken


def _broken(value: Any, tokens: _Tokens) -> Any:
    if isinstance(value, str):
        return _broken_text(value, tokens.text.pattern)
    if isinstance(value, dict):
        return {_broken(key, tokens): _broken(item, tokens) for key, item in value.items()}
    return [_broken(item, tokens) for item in value] if isinstance(value, list) else value


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


@dataclass(frozen=True, slots=True)
class _Texts:
    """Finds one of some texts; first by the characters with which they begin, most content has none of these."""

    beginnings: frozenset[str]
    pattern: re.Pattern[str]

    def found(self, text: str) -> bool:
        """Whether there is one in a text."""
        return any(map(text.__contains__, self.beginnings)) and self.pattern.search(text) is not None


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """Control tokens in text, and as they are written in JSON."""

    text: _Texts
    json: _Texts


@lru_cache(maxsize=64)
def _tokens(control_tokens: frozenset[str]) -> _Tokens:
    longest_first = sorted((token for token in control_tokens if len(token) > 1), key=len, reverse=True)
    texts = [*longest_first, *MARKS]
    return _Tokens(_texts(texts), _texts([json_text(text)[1:-1] for text in texts]))


def _texts(texts: list[str]) -> _Texts:
    # Each alternative begins with a character of its own, not with a class of them: so searching skips to those.
    return _Texts(frozenset(text[0] for text in texts), re.compile("|".join(map(re.escape, texts))))
