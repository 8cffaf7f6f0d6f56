"""Rules about who speaks when: system first, user first, turns in order, the assistant last."""

from __future__ import annotations

from dataclasses import replace

from core.conversation import Conversation, Message, Row
from core.rules.content import is_blank


def one_system_first(row: Row, conversation: Conversation) -> Conversation:
    """RO206, RO207: at most one system message, at the start, and not blank."""
    systems = [message for message in conversation.messages if message.role == "system"]
    if not systems:
        return conversation
    others = tuple(message for message in conversation.messages if message.role != "system")
    texts = [message.content for message in systems if not is_blank(message.content)]
    if len(texts) < len(systems):
        row.repaired("RO207", "messages", "empty system prompt ignored")
    if not texts:
        return replace(conversation, messages=others)
    last = max(index for index, message in enumerate(conversation.messages) if message.role == "system")
    if others and last == len(conversation.messages) - 1 and len(texts) > 1:
        row.repaired("RO209", f"messages[{last}]", "last message is from the system; removed", texts.pop())
    if len(texts) > 1 or conversation.messages[0].role != "system":
        row.repaired("RO206", "messages", "system messages moved to the start and merged", texts[-1])
    return replace(conversation, messages=(Message("system", "\n\n".join(texts), place=systems[0].place), *others))


def no_empty_user(row: Row, conversation: Conversation) -> Conversation:
    """CT301, CT304: a user message says something."""
    for index, message in enumerate(conversation.messages):
        if message.role == "user" and is_blank(message.content):
            code, said = (
                ("CT304", "user message of white space only") if message.content else ("CT301", "empty user message")
            )
            raise row.refuse(code, f"messages[{index}]", said)
    return conversation


def user_first(row: Row, conversation: Conversation) -> Conversation:
    """RO203: after the system message the user speaks first; a greeting by the assistant is removed."""
    start = 1 if conversation.messages[:1] and conversation.messages[0].role == "system" else 0
    body = conversation.messages[start:]
    if not body or body[0].role == "user":
        return conversation
    path = f"messages[{start}]"
    first_user = next((index for index, message in enumerate(body) if message.role == "user"), None)
    if first_user == 1 and body[0].role == "assistant" and not body[0].tool_calls:
        row.repaired("RO203", path, "greeting before the first user message removed", body[0].content)
    elif first_user is None:
        raise row.refuse("RO203", path, f"starts with {body[0].role}, expected user")
    else:
        row.mend("RO203", path, f"starts with {body[0].role}, expected user", "removed up to the first user message")
    return replace(conversation, messages=conversation.messages[:start] + body[first_user:])


def no_two_users_in_a_row(row: Row, conversation: Conversation) -> Conversation:
    """RO204: user messages that follow each other are merged."""
    merged: list[Message] = []
    for index, message in enumerate(conversation.messages):
        if message.role == "user" and merged and merged[-1].role == "user":
            said = "merged with the user message before it"
            row.repaired("RO204", f"messages[{index}]", said, message.content)
            merged[-1] = replace(merged[-1], content=merged[-1].content + "\n\n" + message.content)
        else:
            merged.append(message)
    return conversation if len(merged) == len(conversation.messages) else replace(conversation, messages=tuple(merged))


def no_two_assistants_in_a_row(row: Row, conversation: Conversation) -> Conversation:
    """RO205: assistant messages that follow each other are merged, unless text follows a call or their flags differ."""
    merged: list[Message] = []
    for index, message in enumerate(conversation.messages):
        last = merged[-1] if merged else None
        if last is None or last.role != "assistant" or message.role != "assistant":
            merged.append(message)
        elif (last.tool_calls and message.content) or (last.train, last.weight) != (message.train, message.weight):
            row.kept("RO205", f"messages[{index}]", "two assistant messages in a row, kept apart")
            merged.append(message)
        else:
            said = "merged with the assistant message before it"
            row.repaired("RO205", f"messages[{index}]", said, message.content)
            merged[-1] = _joined(last, message)
    return conversation if len(merged) == len(conversation.messages) else replace(conversation, messages=tuple(merged))


def _joined(first: Message, second: Message) -> Message:
    return replace(
        first,
        content="\n\n".join(text for text in (first.content, second.content) if text),
        reasoning="\n\n".join(text for text in (first.reasoning, second.reasoning) if text),
        tool_calls=first.tool_calls + second.tool_calls,
    )


def ends_with_the_assistant(row: Row, conversation: Conversation) -> Conversation:
    """RO209, RO210, RO211: what follows the last assistant message teaches nothing and is removed."""
    if conversation.messages and conversation.messages[-1].role == "assistant":
        return conversation
    messages = list(conversation.messages)
    while messages and messages[-1].role != "assistant":
        last = messages.pop()
        if not any(message.role == "assistant" for message in messages):
            raise row.refuse("RO211", "messages", "nothing to learn: no assistant message")
        code = "RO210" if last.role == "tool" else "RO209"
        said = (
            "tool result at the end has no answer" if last.role == "tool" else f"last message is from the {last.role}"
        )
        row.repaired(code, f"messages[{len(messages)}]", f"{said}; removed", last.content)
    if not messages:
        raise row.refuse("RO211", "messages", "nothing to learn: no assistant message")
    return replace(conversation, messages=tuple(messages))


def empty_answers_are_not_trained(row: Row, conversation: Conversation) -> Conversation:
    """CT303, CT304, RS608, MK701: an answer without text and calls is context; a row of only such is dropped."""
    messages = []
    changed = False
    for index, message in enumerate(conversation.messages):
        empty = message.role == "assistant" and not message.tool_calls and is_blank(message.content)
        if empty:
            code, said = "CT303", "empty assistant message is not trained"
            if message.reasoning:
                code, said = "RS608", "reasoning without an answer is not trained"
            elif message.content:
                code, said = "CT304", "assistant message of white space only is not trained"
            row.kept(code, f"messages[{index}]", said)
            changed = True
        messages.append(replace(message, train=False) if empty else message)
    if not any(message.role == "assistant" and message.train is not False for message in messages):
        raise row.refuse("MK701", "messages", "nothing to train: every assistant message is empty or switched off")
    return replace(conversation, messages=tuple(messages)) if changed else conversation
