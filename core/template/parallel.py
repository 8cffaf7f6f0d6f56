"""Calls made at once, written one after the other for templates that allow one a turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.conversation import Conversation, Message


def one_call_a_turn(conversation: Conversation) -> Conversation | None:
    """The conversation with each call in a turn of its own, followed by its result; None where that cannot be done.

    Words and reasoning stay with the first call. It takes a result for every call that was made with others.
    """
    messages: list[Message] = []
    place = 0
    while place < len(conversation.messages):
        message = conversation.messages[place]
        place += 1
        if len(message.tool_calls) < 2:
            messages.append(message)
            continue
        results: list[Message] = []
        while place < len(conversation.messages) and conversation.messages[place].role == "tool":
            results.append(conversation.messages[place])
            place += 1
        by_id = {result.tool_call_id: result for result in results}
        if len(by_id) != len(message.tool_calls) or any(call.id not in by_id for call in message.tool_calls):
            return None
        messages += _pairs(message, by_id)
    return replace(conversation, messages=tuple(messages))


def _pairs(message: Message, results: dict[str, Message]) -> Iterator[Message]:
    for number, call in enumerate(message.tool_calls):
        one = replace(message, tool_calls=(call,))
        yield replace(one, content="", reasoning="") if number else one
        yield results[call.id]
