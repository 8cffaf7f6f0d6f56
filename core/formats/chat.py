"""Formats that are lists of messages: OpenAI's and its relatives, ShareGPT, Harmony."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.conversation import Conversation, JsonObject, Message, Role, Row, ToolCall, json_text, snippet
from core.formats.calls import call_list, calls_from_text, read_call
from core.formats.layout import Layout, reads
from core.formats.parts import read_parts
from core.formats.roles import (
    CALL_NAMES,
    OWN_NAMES,
    SHAREGPT_NAMES,
    in_keys_of,
    leading_system,
    message_list,
    require,
    role_of,
)
from core.formats.text import is_text_part, parse_text, type_name
from core.formats.tools import OTHER_COLUMNS, foreign_style, read_tools, tools_elsewhere

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "tool_plan")
_FLAG_KEYS = ("weight", "loss_weight", "train", "training", "loss", "masked")
# axolotl's flags for stretches of a message's characters.
_DETAIL_KEYS = ("train_detail", "training_detail", "message_field_training_detail")
_SAYS_LOSS = frozenset({*_FLAG_KEYS, *_DETAIL_KEYS})
_OPENAI_NAMES = OWN_NAMES | {"function"}
_MESSAGE_KEYS = {"role", "content", "tool_calls", "function_call", "function_calls", "tool_call_id", "refusal"}
_MESSAGE_KEYS |= {
    *REASONING_KEYS,
    *_FLAG_KEYS,
    *_DETAIL_KEYS,
    "eot",
    "ipython",
    "id",
    "system_prompt",
    "additional_kwargs",
}
_HOLD_CALLS = frozenset({"tool_calls", "function_call", "function_calls", "additional_kwargs"})
_HOLD_REASONING = frozenset(REASONING_KEYS)
_CALL_WITH_RESULT = frozenset({"name", "parameters", "observation"})
# What a call begins with that is written among words; rules find it there.
_CALLS_IN_WORDS = ("<function=", "<tool_call", "<function_call", "<invoke ")
_THINK = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_OPENAI_COLUMNS = (
    *("messages", "tools", *OTHER_COLUMNS, "system", "developer", "id", "conversation_id"),
    *("parallel_tool_calls", "tool_choice", "function_call", "reasoning_effort", "model_identity"),
)


@reads("openai", *_OPENAI_COLUMNS)
def read_openai(row: Row, layout: Layout) -> Conversation:
    """`{"messages": [{"role", "content", "tool_calls"?, "tool_call_id"?, "weight"?}], "tools"?}`, and its relatives.

    Relatives: messages as a JSON string, legacy `functions`, torchtune's `masked`, LLaMA-Factory v1's typed parts and
    `loss_weight`, nanochat's `python` parts, Mistral's `interactions`.
    """
    columns = {"messages": "messages", "system": "system", "tools": "tools"} | dict(layout.columns)
    messages = read_messages(row, columns["messages"], layout)
    if "system" in columns:
        messages = leading_system(row, columns["system"], messages)
    style = foreign_style(row.data.get(columns.get("tools", "")))
    if style:
        row.repaired("TL403", columns["tools"], f"tools converted from {style}")
    return conversation_of(row, columns, messages)


@reads("sharegpt", "conversations", "system", "tools", *OTHER_COLUMNS, "id", "conversation_id")
def read_sharegpt(row: Row, layout: Layout) -> Conversation:
    """`{"conversations": [{"from", "value"}], "system"?, "tools"?}`; roles `function_call` and `observation` too."""
    columns = {"messages": "conversations", "system": "system", "tools": "tools"} | dict(layout.columns)
    tags = {"role_tag": "from", "content_tag": "value", "function_tag": "function_call"} | dict(layout.tags)
    messages: list[Message] = []
    for index, turn in enumerate(message_list(row, columns["messages"])):
        path = f"{columns['messages']}[{index}]"
        if tags["role_tag"] not in turn or tags["content_tag"] not in turn:
            turn = in_keys_of(row, path, turn, tags["role_tag"], tags["content_tag"])
        named = require(row, path, turn, tags["role_tag"])
        more = len(turn) > 2
        calls = _calls(row, path, turn) if more and not _HOLD_CALLS.isdisjoint(turn) else ()
        value = turn.get(tags["content_tag"]) if calls else require(row, path, turn, tags["content_tag"])
        role = role_of(row, f"{path}.{tags['role_tag']}", named, layout, SHAREGPT_NAMES)
        at = f"{path}.{tags['content_tag']}"
        if more:
            _note_unknown(row, path, turn, role, tags)
        if named == tags["function_tag"] or (named in CALL_NAMES and role == "assistant"):
            message = _function_call(row, at, value, path)
        elif role == "tool":
            identity, name = str(turn.get("tool_call_id") or ""), str(turn.get("name") or "")
            message = Message("tool", result_text(row, at, value), tool_call_id=identity, name=name, place=path)
        else:
            message = _from_content(row, at, role, value, path)[0]
            reasoning = _reasoning(row, path, turn) if more and not _HOLD_REASONING.isdisjoint(turn) else ""
            if more and (calls or reasoning) and role == "assistant":
                thought = reasoning or message.reasoning
                message = replace(message, reasoning=thought, tool_calls=(*message.tool_calls, *calls))
        messages.append(flagged(row, path, turn, message))
    return conversation_of(row, columns, leading_system(row, columns["system"], messages))


@reads("harmony", *_OPENAI_COLUMNS)
def read_harmony(row: Row, layout: Layout) -> Conversation:
    """OpenAI messages with gpt-oss's channels: `analysis` is reasoning for what follows, `recipient` makes a call."""
    columns = {"messages": "messages", "system": "developer", "tools": "tools"} | dict(layout.columns)
    thinking = ""
    messages: list[Message] = []
    for index, raw in enumerate(message_list(row, columns["messages"])):
        path = f"{columns['messages']}[{index}]"
        plain = {key: value for key, value in raw.items() if key not in ("channel", "recipient", "content_type")}
        if str(raw.get("role")).startswith("functions."):
            plain |= {"role": "tool", "name": raw["role"].removeprefix("functions.")}
        recipient = str(raw.get("recipient") or "")
        if raw.get("channel") == "analysis":
            thinking += read_message(row, path, plain, layout)[0].content
            continue
        if recipient.startswith("functions."):
            call = {"name": recipient.removeprefix("functions."), "arguments": raw.get("content")}
            read = [Message("assistant", tool_calls=(read_call(row, path, call),), place=path)]
        else:
            read = read_message(row, path, plain, layout)
        if thinking and read[0].role == "assistant":
            read[0], thinking = replace(read[0], reasoning=read[0].reasoning or thinking), ""
        elif thinking:
            messages.append(Message("assistant", reasoning=thinking))
            thinking = ""
        messages += read
    if thinking:
        messages.append(Message("assistant", reasoning=thinking))
    return conversation_of(row, columns, leading_system(row, columns["system"], messages))


def read_messages(row: Row, column: str, layout: Layout) -> list[Message]:
    """The messages in a column of OpenAI's shape."""
    return [
        message
        for index, raw in enumerate(message_list(row, column))
        for message in read_message(row, f"{column}[{index}]", raw, layout)
    ]


def read_message(row: Row, path: str, raw: JsonObject, layout: Layout) -> list[Message]:
    """One raw message; several when its parts hold results among the text."""
    tags, raw = _by_tags(row, path, raw, layout)
    named = require(row, path, raw, tags["role_tag"])
    role = role_of(row, f"{path}.{tags['role_tag']}", named, layout, _OPENAI_NAMES)
    _note_unknown(row, path, raw, role, tags)
    calls = () if role != "assistant" or _HOLD_CALLS.isdisjoint(raw) else _calls(row, path, raw)
    content, at = raw.get(tags["content_tag"]), f"{path}.{tags['content_tag']}"
    if role == "assistant" and not calls and str(named).replace("-", "_") in CALL_NAMES:
        return [flagged(row, path, raw, _function_call(row, at, content, path))]
    if not content:
        # OpenAI's refusals; the system prompt of SWE-agent's trajectories.
        content = next((raw[key] for key in ("content", "refusal", "system_prompt") if raw.get(key)), content)
    if isinstance(content, list):
        row.count("SH108")
    if role == "tool":
        if named == "function":
            row.repaired("TC518", path, "old OpenAI function result converted")
        read = _called(row, path, raw) if raw.keys() >= _CALL_WITH_RESULT else [_result(row, at, raw, content, path)]
    else:
        if tags["content_tag"] not in raw and not calls:
            row.mend("SH106", path, f'message has no "{tags["content_tag"]}"', "read as empty")
        read = _from_content(row, at, role, content, path)
        if role == "assistant":
            reasoning = _reasoning(row, path, raw) or read[0].reasoning
            if raw.get("ipython") is True and read[0].content and not calls:
                # torchtune: the text is code for a tool that the row does not describe.
                calls, read[0] = (ToolCall("python", {"code": read[0].content}),), replace(read[0], content="")
            if reasoning or calls:
                read[0] = replace(read[0], reasoning=reasoning, tool_calls=(*read[0].tool_calls, *calls))
    return [flagged(row, path, raw, message) for message in read]


def _result(row: Row, path: str, raw: JsonObject, content: Any, place: str) -> Message:
    more = raw.get("additional_kwargs")
    given = {**more, **raw} if isinstance(more, dict) else raw
    identity, name = str(given.get("tool_call_id") or ""), str(given.get("name") or "")
    return Message("tool", result_text(row, path, content), tool_call_id=identity, name=name, place=place)


def _called(row: Row, path: str, raw: JsonObject) -> list[Message]:
    """A call and its result in one message, as ChatGLM's trainer has them."""
    call = read_call(row, path, {key: raw[key] for key in ("name", "parameters")})
    result = result_text(row, f"{path}.observation", raw["observation"])
    return [Message("assistant", tool_calls=(call,), place=path), Message("tool", result, name=call.name, place=path)]


def _by_tags(row: Row, path: str, raw: JsonObject, layout: Layout) -> tuple[dict[str, str], JsonObject]:
    """The keys of a message's role and content, and the message under them."""
    tags = {"role_tag": "role", "content_tag": "content"} | dict(layout.tags)
    if tags["role_tag"] in raw and tags["content_tag"] in raw:
        return tags, raw
    return tags, in_keys_of(row, path, raw, tags["role_tag"], tags["content_tag"])


def _from_content(row: Row, path: str, role: Role, content: Any, place: str) -> list[Message]:
    """The messages that content makes: usually one; a result inside typed parts splits the turn."""
    if isinstance(content, str):
        return [Message(role, content, place=place)]
    messages: list[Message] = []
    for piece in read_parts(row, path, content):
        messages.append(Message(role, piece.text, piece.reasoning, piece.calls, place=place))
        messages += [Message("tool", result, place=place) for result in piece.results]
    return messages


def flagged(row: Row, path: str, raw: JsonObject, message: Message) -> Message:
    """The message with the loss flags of its raw form: `weight`, `loss_weight`, `train`, `training`, `masked`."""
    if _SAYS_LOSS.isdisjoint(raw) and not isinstance(raw.get("content"), list):
        return message
    given = {key: raw[key] for key in _FLAG_KEYS if raw.get(key) is not None} | _flags_of_parts(row, path, raw)
    if not given:
        return message
    weight = given.get("weight", given.get("loss_weight", 1))
    if isinstance(weight, bool):
        weight = int(weight)
    if not isinstance(weight, int | float) or not 0 <= weight < 1e9:
        said = f"weight must be a number ≥ 0, got {snippet(weight)}"
        row.mend("MK707", f"{path}.weight", said, "read as 1", weight)
        weight = 1
    train = next((given[key] for key in ("train", "training", "loss") if key in given), None)
    if isinstance(given.get("masked"), bool) and train is None:
        train = False if given["masked"] else None
    if train is not None and not isinstance(train, bool | int):
        row.mend("MK707", f"{path}.train", f"train must be true or false, got {snippet(train)}", "left out", train)
        train = None
    if weight == 0 and train:
        row.kept("MK707", path, "weight 0 and train true on the same message; it is not trained")
    switch = False if weight == 0 else None if train is None else bool(train)
    return replace(message, train=switch, weight=float(weight) or 1.0)


def _flags_of_parts(row: Row, path: str, raw: JsonObject) -> JsonObject:
    """What the flags of parts, or of stretches of characters, say of the whole message: nothing, or not to train it."""
    detail = next((raw[key] for key in _DETAIL_KEYS if isinstance(raw.get(key), list) and raw[key]), None)
    parts = raw.get("content") if detail is None else detail
    if not isinstance(parts, list) or not parts:
        return {}
    flags = [next((bool(p[k]) for k in ("train", "weight") if isinstance(p, dict) and k in p), None) for p in parts]
    if all(flag is False for flag in flags):
        return {"train": False}
    if detail is not None:
        row.mend("MK707", path, "only some characters of the message are to be trained", "the whole message is trained")
    return {}


def result_text(row: Row, path: str, value: Any) -> str:
    """A tool's result as text; null and values are written as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(is_text_part(part) for part in value):
        return "".join(piece.text for piece in read_parts(row, path, value))
    text = "null" if value is None else json_text(value)
    row.repaired("TC515", path, f"tool result was {type_name(value)}; converted to text", snippet(value), text)
    return text


def _function_call(row: Row, path: str, value: Any, place: str) -> Message:
    """A ShareGPT `function_call` turn; LLaMA-Factory allows `<think>…</think>` before the JSON."""
    if isinstance(value, list) and value and all(is_text_part(part) for part in value):
        value = "".join(str(part.get("text") or "") for part in value)
    thought = _THINK.match(value) if isinstance(value, str) else None
    rest = value[thought.end() :] if thought else value
    # The words of smolagents before its calls.
    rest = rest.removeprefix("Calling tools:") if isinstance(rest, str) else rest
    reasoning = thought.group(1).strip() if thought else ""
    if isinstance(rest, str) and any(map(rest.__contains__, _CALLS_IN_WORDS)) and not parse_text(rest)[1]:
        return Message("assistant", rest, reasoning, place=place)
    return Message("assistant", "", reasoning, calls_from_text(row, path, rest), place=place)


def _calls(row: Row, path: str, raw: JsonObject) -> tuple[ToolCall, ...]:
    more = raw.get("additional_kwargs")
    raw = {**more, **raw} if isinstance(more, dict) else raw
    key = "tool_calls" if raw.get("tool_calls") else "function_calls"
    calls = call_list(row, f"{path}.{key}", raw.get(key))
    legacy = raw.get("function_call")
    if not legacy:
        return calls
    row.repaired("TC518", f"{path}.function_call", "old OpenAI function_call converted")
    if isinstance(legacy, list):
        return (*calls, *call_list(row, f"{path}.function_call", legacy))
    return (*calls, read_call(row, f"{path}.function_call", legacy))


def _reasoning(row: Row, path: str, raw: JsonObject) -> str:
    given = {key: raw[key] for key in REASONING_KEYS if raw.get(key)}
    texts = ["".join(piece.text for piece in read_parts(row, f"{path}.{key}", value)) for key, value in given.items()]
    if len(set(texts)) > 1:
        row.kept("RS603", path, "reasoning given twice; the longest is used")
    return max(texts, key=len, default="")


def _note_unknown(row: Row, path: str, raw: JsonObject, role: Role, tags: Mapping[str, str]) -> None:
    others_call = role != "assistant" and "tool_calls" in raw
    # Only one of the two is read.
    refuses = bool(raw.get("refusal") and raw.get("content"))
    if raw.keys() <= _MESSAGE_KEYS and not others_call and not refuses:
        return
    known = _MESSAGE_KEYS | set(tags.values()) | ({"name"} if role == "tool" else set())
    known |= _CALL_WITH_RESULT if role == "tool" and raw.keys() >= _CALL_WITH_RESULT else set()
    known -= {key for key, unread in (("tool_calls", others_call), ("refusal", refuses)) if unread}
    if role == "system" and not row.data.get("tools"):
        known |= {"tools", "functions"}
    row.ignored(path, raw, known)


def conversation_of(row: Row, columns: Mapping[str, str], messages: list[Message]) -> Conversation:
    """The conversation with its tools, from the `tools` column or where other files have them."""
    has_calls = any(message.tool_calls for message in messages)
    tools = read_tools(row, columns["tools"], has_calls=has_calls) if columns.get("tools") else ()
    tools = tools or tools_elsewhere(row, columns.get("messages", ""), has_calls=has_calls)
    return Conversation(tuple(messages), tools, row.file, row.line)
