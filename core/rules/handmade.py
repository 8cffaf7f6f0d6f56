"""Turns that people formatted for Llama 2 by hand, as LMFlow's users do: `[INST] <<SYS>>…<</SYS>> … [/INST]`."""

from __future__ import annotations

from dataclasses import replace

from core.conversation import Conversation, Message, Row
from core.formats.transcript import llama2_question

_OPEN, _CLOSE = "[INST]", "[/INST]"
_MARKS = (_OPEN, _CLOSE, "<<SYS>>", "<</SYS>>")


def formatted_by_hand(row: Row, conversation: Conversation) -> Conversation:
    """CT306: Llama 2's marks are taken off, so that the template does not write them a second time.

    Only where each of the user's turns is one question in these marks, and the system prompt stands in the first, or
    nowhere; anything else stays as it is.
    """
    if row.formatted or not any(_OPEN in message.content for message in conversation.messages):
        return conversation
    messages: list[Message] = []
    systems: list[str] = []
    for message in conversation.messages:
        found = _question(message.content) if message.role == "user" else ("", message.content)
        if found is None or any(mark in text for mark in _MARKS for text in found):
            return conversation
        messages.append(replace(message, content=found[1]) if message.role == "user" else message)
        systems += [found[0]] if message.role == "user" else []
    own = next((message.content.strip() for message in messages if message.role == "system"), "")
    if any(systems[1:]) or (systems[0] and own not in ("", systems[0])):
        return conversation
    if systems[0] and not own:
        messages = [Message("system", systems[0]), *(message for message in messages if message.role != "system")]
    index, first = next((i, m) for i, m in enumerate(conversation.messages) if m.role == "user")
    words = next(message.content for message in messages if message.role == "user")
    said = "Llama 2's marks, written by hand, are taken off: the template writes its own"
    row.repaired("CT306", f"messages[{index}].content", said, first.content, words)
    return replace(conversation, messages=tuple(messages))


def _question(text: str) -> tuple[str, str] | None:
    """The system prompt and the question in a turn, if it is nothing else; an answer's `</s>` may stand before it."""
    rest = text.strip().removeprefix("</s>").lstrip().removeprefix("<s>").lstrip()
    if not (rest.startswith(_OPEN) and rest.endswith(_CLOSE)):
        return None
    system, words = llama2_question(rest[len(_OPEN) : -len(_CLOSE)])
    return system or "", words
