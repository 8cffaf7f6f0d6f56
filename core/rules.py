"""What may be wrong with a conversation: one function per rule.

Each rule takes the messages and tools of one row, repairs what can be repaired without guessing (noting it), refuses
what cannot be kept, and leaves the rest alone. Rules run in the order in which they stand here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.conversation import Conversation, Message, Row, ToolCall

Rule = Callable[[Row, Conversation], Conversation]
RULES: list[Rule] = []


def apply_rules(row: Row, conversation: Conversation) -> Conversation:
    """The conversation after every rule. Raises `RowRefusedError` when one of them cannot let it through."""
    for rule in RULES:
        conversation = rule(row, conversation)
    return conversation


def _rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


@_rule
def one_system_first(row: Row, conversation: Conversation) -> Conversation:
    """RO206, RO207: at most one system message, at the start, and not blank."""
    systems = [message for message in conversation.messages if message.role == "system"]
    others = tuple(message for message in conversation.messages if message.role != "system")
    texts = [message.content for message in systems if message.content.strip()]
    if len(texts) < len(systems):
        row.repaired("RO207", "messages", "empty system prompt ignored")
    if not texts:
        return replace(conversation, messages=others)
    if len(texts) > 1 or conversation.messages[0].role != "system":
        row.repaired("RO206", "messages", "system messages moved to the start and merged")
    return replace(conversation, messages=(Message("system", "\n\n".join(texts)), *others))


@_rule
def no_empty_user(row: Row, conversation: Conversation) -> Conversation:
    """CT301, CT304: a user message says something."""
    for index, message in enumerate(conversation.messages):
        if message.role == "user" and not message.content.strip():
            raise row.refuse("CT301", f"messages[{index}]", "empty user message")
    return conversation


@_rule
def user_first(row: Row, conversation: Conversation) -> Conversation:
    """RO203: after the system message the user speaks first; a greeting by the assistant is removed."""
    start = 1 if conversation.messages[:1] and conversation.messages[0].role == "system" else 0
    body = conversation.messages[start:]
    greeting = len(body) > 1 and body[0].role == "assistant" and not body[0].tool_calls and body[1].role == "user"
    if body and body[0].role != "user" and not greeting:
        raise row.refuse("RO203", f"messages[{start}]", f"starts with {body[0].role}, expected user")
    if greeting:
        row.repaired("RO203", f"messages[{start}]", "greeting before the first user message removed", body[0].content)
        return replace(conversation, messages=conversation.messages[:start] + body[1:])
    return conversation


@_rule
def no_two_users_in_a_row(row: Row, conversation: Conversation) -> Conversation:
    """RO204: user messages that follow each other are merged."""
    merged: list[Message] = []
    for index, message in enumerate(conversation.messages):
        if message.role == "user" and merged and merged[-1].role == "user":
            row.repaired("RO204", f"messages[{index}]", f"merged user messages {index - 1},{index}")
            merged[-1] = replace(merged[-1], content=merged[-1].content + "\n\n" + message.content)
        else:
            merged.append(message)
    return replace(conversation, messages=tuple(merged))


@_rule
def ends_with_the_assistant(row: Row, conversation: Conversation) -> Conversation:
    """RO209, RO210, RO211: what follows the last assistant message teaches nothing and is removed."""
    messages = list(conversation.messages)
    while messages and messages[-1].role != "assistant":
        last = messages.pop()
        code = "RO210" if last.role == "tool" else "RO209"
        row.repaired(code, f"messages[{len(messages)}]", f"last message is from the {last.role}; removed", last.content)
    if not messages:
        raise row.refuse("RO211", "messages", "nothing to learn: no assistant message")
    return replace(conversation, messages=tuple(messages))


@_rule
def results_belong_to_calls(row: Row, conversation: Conversation) -> Conversation:
    """TC509, TC511, TC512, TC514: calls have ids, and every result is tied to one by id, else by order."""
    messages: list[Message] = []
    waiting: list[ToolCall] = []
    made = 0
    for index, message in enumerate(conversation.messages):
        if message.role == "assistant":
            calls = tuple(
                call if call.id else replace(call, id=f"call{made + i:05d}")
                for i, call in enumerate(message.tool_calls)
            )
            made += len(calls)
            waiting = list(calls)
            messages.append(replace(message, tool_calls=calls))
        elif message.role == "tool":
            call = _answered(row, index, message, waiting)
            waiting.remove(call)
            messages.append(replace(message, tool_call_id=call.id, name=call.name))
        else:
            if waiting:
                row.kept("TC513", f"messages[{index}]", f"call {waiting[0].name} has no result")
            waiting = []
            messages.append(message)
    return replace(conversation, messages=tuple(messages))


def _answered(row: Row, index: int, result: Message, waiting: list[ToolCall]) -> ToolCall:
    """The call that a result answers."""
    if not waiting:
        raise row.refuse("TC511", f"messages[{index}]", "tool result with no call")
    by_id = [call for call in waiting if result.tool_call_id and call.id == result.tool_call_id]
    if by_id:
        return by_id[0]
    if result.tool_call_id:
        row.repaired("TC512", f"messages[{index}]", f"result matched to call {waiting[0].name} by order")
    return waiting[0]


@_rule
def empty_answers_are_not_trained(row: Row, conversation: Conversation) -> Conversation:
    """CT303: an assistant message without text and calls is kept as context, not trained."""
    messages = []
    for index, message in enumerate(conversation.messages):
        empty = message.role == "assistant" and not message.content.strip() and not message.tool_calls
        if empty:
            row.kept("CT303", f"messages[{index}]", "empty assistant message is not trained")
        messages.append(replace(message, train=False) if empty else message)
    if not any(message.role == "assistant" and message.train is not False for message in messages):
        raise row.refuse("MK701", "messages", "nothing to train: every assistant message is empty or switched off")
    return replace(conversation, messages=tuple(messages))


@_rule
def calls_are_described(row: Row, conversation: Conversation) -> Conversation:
    """TC507, TL410: calls name a tool that the row describes."""
    known = {tool["function"]["name"] for tool in conversation.tools}
    for index, message in enumerate(conversation.messages):
        for number, call in enumerate(message.tool_calls):
            if call.name not in known:
                code, text = (
                    ("TC507", f'unknown tool "{call.name}"')
                    if known
                    else ("TL410", f"calls {call.name} but no tool is described")
                )
                row.kept(code, f"messages[{index}].tool_calls[{number}]", text)
    return conversation
