"""Conversations into other people's formats. What a format can hold comes back exactly; what it cannot is named.

A writer returns the row and what it lost on the way; a row that the format cannot express at all is None, and the
losses say why.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from core.conversation import Conversation, JsonObject, Message, ToolCall, made_id
from core.errors import UserError, did_you_mean

Written = tuple[JsonObject | None, list[str]]
Writer = Callable[[Conversation], Written]
_MISTRAL_ID = re.compile(r"[A-Za-z0-9]{9}")


def openai_row(conversation: Conversation) -> JsonObject:
    """The canonical row: OpenAI's shape; plain text as `text` or `segments`."""
    if not conversation.plain:
        return conversation.to_openai()
    if len(conversation.messages) == 1 and conversation.messages[0].train is not False:
        return {"text": conversation.messages[0].content}
    return {"segments": [{"label": m.train is not False, "text": m.content} for m in conversation.messages]}


def to_openai(conversation: Conversation) -> Written:
    """OpenAI's messages: holds everything."""
    return openai_row(conversation), []


def to_trl(conversation: Conversation) -> Written:
    """TRL's messages: arguments as objects."""
    row = openai_row(conversation)
    for written, message in zip(row.get("messages", []), conversation.messages, strict=False):
        for raw, call in zip(written.get("tool_calls", []), message.tool_calls, strict=True):
            raw["function"]["arguments"] = call.arguments
    return row, []


def to_mistral(conversation: Conversation) -> Written:
    """mistral-finetune's messages: call ids of exactly nine letters and digits, no reasoning."""
    if conversation.plain:
        return openai_row(conversation), []
    losses = _flags_lost(conversation) + _reasoning_lost(conversation)
    given = {call.id for message in conversation.messages for call in message.tool_calls}
    fresh = (name for number in range(10**5) if (name := made_id(number)) not in given)
    ids = {name: name if _MISTRAL_ID.fullmatch(name) else next(fresh) for name in sorted(given)}
    if any(old != new for old, new in ids.items()):
        losses.append("call ids")
    messages = [
        Message(
            m.role,
            m.content,
            tool_calls=tuple(ToolCall(call.name, call.arguments, ids[call.id]) for call in m.tool_calls),
            tool_call_id=ids.get(m.tool_call_id, m.tool_call_id),
            name=m.name,
        )
        for m in conversation.messages
    ]
    return Conversation(tuple(messages), conversation.tools).to_openai(), losses


def to_sharegpt(conversation: Conversation) -> Written:
    """ShareGPT with `function_call` and `observation`, as LLaMA-Factory reads it."""
    if conversation.plain:
        return None, ["text without turns"]
    messages, losses = _by_order(conversation)
    losses = [*_ids_lost(conversation), *losses]
    turns: list[JsonObject] = []
    for message in messages:
        turns += _sharegpt_turns(message)
        around = (message.reasoning, message.content)
        if message.reasoning and around != tuple(text.strip() for text in around):
            losses.append("white space around reasoning")
        if "</think>" in message.reasoning:
            losses.append("where reasoning that holds </think> ends")
        if message.tool_calls and message.content:
            losses.append("text beside a call (it becomes a turn of its own)")
    row: JsonObject = {"conversations": turns}
    if conversation.tools:
        row["tools"] = json.dumps([tool["function"] for tool in conversation.tools], ensure_ascii=False)
    return row, list(dict.fromkeys(losses))


def _sharegpt_turns(message: Message) -> Iterator[JsonObject]:
    flags: JsonObject = {} if message.train is None else {"train": message.train}
    flags |= {} if message.weight == 1.0 else {"weight": message.weight}
    thought = f"<think>{message.reasoning}</think>" if message.reasoning else ""
    if message.content or not message.tool_calls:
        speaker = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}[message.role]
        yield {"from": speaker, "value": thought + message.content, **flags}
        thought = ""
    if message.tool_calls:
        yield {"from": "function_call", "value": thought + _calls_text(message.tool_calls), **flags}


def to_lmflow(conversation: Conversation) -> Written:
    """An instance of LMFlow's `conversation`: calls and results under its roles `function` and `observation`."""
    if conversation.plain:
        return None, ["text without turns"]
    messages, mixed = _by_order(conversation)
    losses = _flags_lost(conversation) + _reasoning_lost(conversation) + _ids_lost(conversation) + mixed
    row: JsonObject = {"messages": []}
    for message in messages:
        if message.role == "system":
            row["system"] = message.content
        elif message.role == "tool":
            row["messages"].append({"role": "observation", "content": message.content})
        elif message.content or not message.tool_calls:
            row["messages"].append({"role": message.role, "content": message.content})
        if message.tool_calls:
            row["messages"].append({"role": "function", "content": _calls_text(message.tool_calls)})
            if message.content:
                losses.append("text beside a call (it becomes a message of its own)")
    if conversation.tools:
        row["tools"] = [json.dumps(tool["function"], ensure_ascii=False) for tool in conversation.tools]
    return row, list(dict.fromkeys(losses))


def to_alpaca(conversation: Conversation) -> Written:
    """Alpaca with `history`: text in pairs only."""
    if conversation.plain:
        return None, ["text without turns"]
    messages = [message for message in conversation.messages if message.role != "system"]
    if _has_calls(conversation):
        return None, ["tool calls"]
    pairs = list(zip(messages[::2], messages[1::2], strict=False))
    ordered = len(messages) % 2 == 0 and all((u.role, a.role) == ("user", "assistant") for u, a in pairs)
    if not ordered or not pairs:
        return None, ["turns that do not alternate"]
    question, answer = pairs[-1]
    if not answer.content.strip():
        return None, ["an empty last answer"]
    row: JsonObject = {"instruction": question.content, "input": "", "output": answer.content}
    if conversation.messages[0].role == "system":
        row["system"] = conversation.messages[0].content
    if pairs[:-1]:
        row["history"] = [[user.content, assistant.content] for user, assistant in pairs[:-1]]
    lost = _flags_lost(conversation) + _reasoning_lost(conversation)
    return row, lost + (["tool definitions"] if conversation.tools else [])


WRITERS: dict[str, Writer] = {
    "openai": to_openai,
    "trl": to_trl,
    "mistral": to_mistral,
    "sharegpt": to_sharegpt,
    "lmflow": to_lmflow,
    "alpaca": to_alpaca,
}


def writer(name: str) -> Writer:
    """The function that writes a format, by name. Raises `UserError` with the nearest name."""
    if name not in WRITERS:
        raise UserError(f'cannot write "{name}"', remedy=did_you_mean(name, WRITERS))
    return WRITERS[name]


def file_text(name: str, rows: Iterable[JsonObject]) -> Iterator[str]:
    """The pieces of a file of rows: JSON Lines, or LMFlow's wrapper around its instances."""
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    if name != "lmflow":
        yield from (line + "\n" for line in lines)
        return
    yield '{"type": "conversation", "instances": [\n'
    for number, line in enumerate(lines):
        yield (",\n" if number else "") + line
    yield "\n]}\n"


def _by_order(conversation: Conversation) -> tuple[list[Message], list[str]]:
    """The messages for a format without ids, where the first result is that of the first call; and what that loses."""
    messages: list[Message] = []
    losses: list[str] = []
    for caller, results in _turns_of(conversation.messages):
        asked = [call.id for call in caller.tool_calls]
        given = [result.tool_call_id for result in results]
        if 0 < len(given) < len(asked):
            losses.append("which of several calls a result belongs to")
        ordered = sorted(results, key=lambda result: asked.index(result.tool_call_id))
        if ordered != results:
            losses.append("the order of results")
        messages += [caller, *ordered]
    return messages, losses


def _turns_of(messages: Sequence[Message]) -> Iterator[tuple[Message, list[Message]]]:
    """Each message that is no result, with the results behind it."""
    starts = [index for index, message in enumerate(messages) if message.role != "tool"]
    for begin, end in itertools.pairwise([*starts, len(messages)]):
        yield messages[begin], list(messages[begin + 1 : end])


def _calls_text(calls: tuple[ToolCall, ...]) -> str:
    written: list[Any] = [{"name": call.name, "arguments": call.arguments} for call in calls]
    return json.dumps(written[0] if len(written) == 1 else written, ensure_ascii=False)


def _has_calls(conversation: Conversation) -> bool:
    return any(message.tool_calls or message.role == "tool" for message in conversation.messages)


def _ids_lost(conversation: Conversation) -> list[str]:
    """Ids of calls that are others than those that calls without ids get."""
    ids = [call.id for message in conversation.messages for call in message.tool_calls]
    return ["call ids"] if ids != [made_id(number) for number in range(len(ids))] else []


def _flags_lost(conversation: Conversation) -> list[str]:
    flagged = any(message.train is not None or message.weight != 1.0 for message in conversation.messages)
    return ["loss flags and weights"] if flagged else []


def _reasoning_lost(conversation: Conversation) -> list[str]:
    return ["reasoning"] if any(message.reasoning for message in conversation.messages) else []
