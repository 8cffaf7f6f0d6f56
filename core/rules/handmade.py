"""Turns that people formatted for Llama 2 by hand, as LMFlow's users do: `[INST] <<SYS>>…<</SYS>> … [/INST]`."""

from __future__ import annotations

import re
from dataclasses import replace

from core.conversation import Conversation, Message, Row

# A turn that is nothing but question in these marks; the end of the answer before it may stand in front.
_TURN = re.compile(
    r"\s*(?:</s>\s*)?(?:<s>\s*)?\[INST\]\s*(?:<<SYS>>\s*(?P<system>.*?)\s*<</SYS>>\s*)?(?P<words>.*?)\s*\[/INST\]\s*",
    re.DOTALL,
)
_MARKS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")


def formatted_by_hand(row: Row, conversation: Conversation) -> Conversation:
    """CT306: Llama 2's marks are taken off, so that the template does not write them a second time.

    Only where each of the user's turns is one question in these marks, and the system prompt stands in the first, or
    nowhere; anything else stays as it is.
    """
    if row.formatted or not any("[INST]" in message.content for message in conversation.messages):
        return conversation
    found = [_TURN.fullmatch(m.content) if m.role == "user" else None for m in conversation.messages]
    users = [match for match, m in zip(found, conversation.messages, strict=True) if m.role == "user"]
    plain = [match["words"] if match else m.content for match, m in zip(found, conversation.messages, strict=True)]
    plain += [match["system"] or "" for match in found if match]
    if not all(users) or any(mark in text for text in plain for mark in _MARKS):
        return conversation
    systems = [match["system"] for match in users if match and match["system"]]
    own = next((m.content.strip() for m in conversation.messages if m.role == "system"), "")
    if len(systems) > 1 or (systems and users[0] and not users[0]["system"]) or (systems and own not in ("", *systems)):
        return conversation
    messages = [
        replace(message, content=match["words"]) if match else message
        for match, message in zip(found, conversation.messages, strict=True)
    ]
    if systems and not own:
        messages = [Message("system", systems[0]), *(message for message in messages if message.role != "system")]
    index = next(index for index, match in enumerate(found) if match)
    before = conversation.messages[index].content
    said = "Llama 2's marks, written by hand, are taken off: the template writes its own"
    row.repaired("CT306", f"messages[{index}].content", said, before, plain[index])
    return replace(conversation, messages=tuple(messages))
