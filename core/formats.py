"""Raw records into conversations: one function per format.

A format function takes a `Row` and the `Layout` (which columns and tags the file uses) and returns a `Conversation`.
It only reads; whether the conversation makes sense is for `rules.py`. What it has to repair on the way it notes on the
row, and what cannot be kept it refuses with a code, a JSON path and a reason. The layout's words are those of
LLaMA-Factory's dataset_info.json, so that files written for it work unchanged.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.conversation import Conversation, JsonObject, Message, Role, Row, ToolCall, snippet
from core.errors import UserError, did_you_mean


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out: its format, and the names of its columns and tags where they differ from the format's."""

    formatting: str
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


Reader = Callable[[Row, Layout], Conversation]
FORMATS: dict[str, Reader] = {}

ROLE_ALIASES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "chatgpt": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}
_MESSAGE_KEYS = {"role", "content", "tool_calls", "function_call", "tool_call_id", "name", "weight", "train"} | {
    "reasoning_content",
    "reasoning",
    "thinking",
    "refusal",
    "audio",
    "annotations",
}


def read_row(row: Row, layout: Layout) -> Conversation:
    """The conversation in a row. Raises `RowRefusedError` with the reason when it cannot be read."""
    if not isinstance(row.data, dict):
        raise row.refuse("SH101", "$", f"row is {_type_name(row.data)}, expected an object")
    return reader(layout.formatting)(row, layout)


def reader(formatting: str) -> Reader:
    """The function that reads a format, by name. Raises `UserError` with the nearest name."""
    if formatting not in FORMATS:
        raise UserError(f'unknown format "{formatting}"', remedy=did_you_mean(formatting, FORMATS))
    return FORMATS[formatting]


def detect(record: Any) -> Layout | None:
    """The layout of a record, by its keys; None when nothing fits."""
    if not isinstance(record, dict):
        return None
    if isinstance(record.get("messages"), list):
        return Layout("openai")
    if isinstance(record.get("conversations"), list):
        turns = [turn for turn in record["conversations"] if isinstance(turn, dict)]
        return Layout("openai", {"messages": "conversations"}) if turns and "role" in turns[0] else Layout("sharegpt")
    if "output" in record and ("instruction" in record or "input" in record):
        return Layout("alpaca") if "instruction" in record else Layout("alpaca", {"prompt": "input"})
    for prompt, response in (("prompt", "response"), ("question", "answer"), ("prompt", "completion")):
        if isinstance(record.get(prompt), str) and isinstance(record.get(response), str):
            return Layout("alpaca", {"prompt": prompt, "query": "", "response": response})
    return None


def _format(name: str) -> Callable[[Reader], Reader]:
    def register(function: Reader) -> Reader:
        FORMATS[name] = function
        return function

    return register


@_format("alpaca")
def read_alpaca(row: Row, layout: Layout) -> Conversation:
    """`{"instruction", "input"?, "output", "system"?, "history"?: [[user, assistant], …]}`."""
    columns = {"prompt": "instruction", "query": "input", "response": "output", "system": "system"} | dict(
        layout.columns
    )
    messages = _leading_system(row, columns["system"])
    for index, turn in enumerate(row.data.get(columns.get("history", "history")) or []):
        path = f"history[{index}]"
        if not isinstance(turn, list | tuple) or len(turn) != 2:
            raise row.refuse("SH105", path, "a turn of the history must be a [user, assistant] pair")
        messages.append(Message("user", text_of(row, f"{path}[0]", turn[0])))
        messages.append(Message("assistant", text_of(row, f"{path}[1]", turn[1])))
    for column in (columns["prompt"], columns["response"]):
        if row.data.get(column) in (None, ""):
            raise row.refuse("SH111", column, f'column "{column}" is empty')
    prompt = text_of(row, columns["prompt"], row.data[columns["prompt"]])
    query = row.data.get(columns["query"]) if columns["query"] else None
    if query not in (None, ""):
        prompt += "\n" + text_of(row, columns["query"], query)
    messages.append(Message("user", prompt))
    messages.append(Message("assistant", text_of(row, columns["response"], row.data[columns["response"]])))
    return Conversation(tuple(messages), read_tools(row, columns.get("tools", "tools")), row.file, row.line)


@_format("sharegpt")
def read_sharegpt(row: Row, layout: Layout) -> Conversation:
    """`{"conversations": [{"from", "value"}], "system"?, "tools"?}`; roles `function_call` and `observation` too."""
    columns = {"messages": "conversations", "system": "system", "tools": "tools"} | dict(layout.columns)
    tags = {"role_tag": "from", "content_tag": "value"} | dict(layout.tags)
    roles = _tagged_roles(tags)
    messages = _leading_system(row, columns["system"])
    for index, turn in enumerate(_message_list(row, columns["messages"])):
        path = f"{columns['messages']}[{index}]"
        named, value = _require(row, path, turn, tags["role_tag"]), _require(row, path, turn, tags["content_tag"])
        role = _role(row, f"{path}.{tags['role_tag']}", named, roles)
        at = f"{path}.{tags['content_tag']}"
        if named == tags.get("function_tag", "function_call"):
            messages.append(Message("assistant", tool_calls=_calls_from_text(row, at, value)))
        else:
            messages.append(Message(role, text_of(row, at, value)))
    return Conversation(tuple(messages), read_tools(row, columns.get("tools", "tools")), row.file, row.line)


@_format("openai")
def read_openai(row: Row, layout: Layout) -> Conversation:
    """`{"messages": [{"role", "content", "tool_calls"?, "tool_call_id"?, "weight"?}], "tools"?}`."""
    columns = {"messages": "messages", "system": "system", "tools": "tools"} | dict(layout.columns)
    tags = {"role_tag": "role", "content_tag": "content"} | dict(layout.tags)
    roles = _tagged_roles(tags)
    messages = _leading_system(row, columns["system"])
    for index, message in enumerate(_message_list(row, columns["messages"])):
        messages.append(_openai_message(row, f"{columns['messages']}[{index}]", message, tags, roles))
    return Conversation(tuple(messages), read_tools(row, columns.get("tools", "tools")), row.file, row.line)


@_format("lmflow")
def read_lmflow(row: Row, layout: Layout) -> Conversation:
    """An instance of an LMFlow `conversation` file: `{"system"?, "tools"?, "messages": [{"role", "content"}]}`."""
    return read_openai(row, Layout("openai", layout.columns, layout.tags))


def _openai_message(
    row: Row, path: str, message: JsonObject, tags: Mapping[str, str], roles: Mapping[str, Role]
) -> Message:
    named = _require(row, path, message, tags["role_tag"])
    role = _role(row, f"{path}.{tags['role_tag']}", named, roles)
    unknown = sorted(set(message) - _MESSAGE_KEYS - set(tags.values()))
    if unknown:
        row.kept("SH107", path, f"ignored keys: {', '.join(unknown)}")
    content = message.get(tags["content_tag"])
    calls = _openai_calls(row, path, message)
    if content is None and not calls and role != "tool":
        raise row.refuse("SH106", path, f'message has no "{tags["content_tag"]}"')
    weight = message.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
        raise row.refuse("MK707", f"{path}.weight", f"weight must be a number ≥ 0, got {snippet(weight)}")
    train = message.get("train")
    return Message(
        role=role,
        content=text_of(row, f"{path}.{tags['content_tag']}", content),
        reasoning=_reasoning(row, path, message),
        tool_calls=calls,
        tool_call_id=str(message.get("tool_call_id") or ""),
        name=str(message.get("name") or ""),
        train=False if weight == 0 else train if isinstance(train, bool) else None,
        weight=float(weight) or 1.0,
    )


def _openai_calls(row: Row, path: str, message: JsonObject) -> tuple[ToolCall, ...]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise row.refuse("TC505", f"{path}.tool_calls", f"tool_calls must be a list, got {_type_name(calls)}")
    read = [_call(row, f"{path}.tool_calls[{index}]", call) for index, call in enumerate(calls)]
    legacy = message.get("function_call")
    if legacy:
        row.repaired("TC518", f"{path}.function_call", "old OpenAI function_call converted")
        read.append(_call(row, f"{path}.function_call", legacy))
    return tuple(read)


def _calls_from_text(row: Row, path: str, value: Any) -> tuple[ToolCall, ...]:
    """The calls of a `function_call` turn: JSON text (or an object) of one call or a list of calls."""
    parsed = parse_object_text(value) if isinstance(value, str) else value
    calls = parsed if isinstance(parsed, list) else [parsed]
    if not calls or not all(isinstance(call, dict) for call in calls):
        raise row.refuse("TC504", path, f"a call must be a JSON object or a list of them: {snippet(value)}")
    return tuple(_call(row, path if len(calls) == 1 else f"{path}[{i}]", call) for i, call in enumerate(calls))


def _call(row: Row, path: str, call: Any) -> ToolCall:
    if not isinstance(call, dict):
        raise row.refuse("TC504", path, f"a call must be an object, got {_type_name(call)}")
    function = call["function"] if isinstance(call.get("function"), dict) else call
    name = function.get("name")
    if not isinstance(name, str) or not name.strip():
        raise row.refuse("TC506", path, "tool call without a name")
    arguments = _arguments(row, f"{path}.arguments", function.get("arguments", function.get("parameters")))
    return ToolCall(name.strip(), arguments, str(call.get("id") or ""))


def _arguments(row: Row, path: str, value: Any) -> JsonObject:
    """Arguments as an object; text is parsed (at most three rounds), `null` and `""` mean none."""
    parsed = value
    for _ in range(3):
        if not isinstance(parsed, str) or not parsed.strip():
            break
        text = parsed
        parsed = parse_object_text(text)
        if parsed is None and text.strip() != "null":
            raise row.refuse("TC504", path, f"arguments are not JSON: {snippet(text)}")
    if parsed is None or parsed == "":
        return {}
    if not isinstance(parsed, dict):
        raise row.refuse("TC505", path, f"arguments must be an object, got {_type_name(parsed)}")
    return parsed


def parse_object_text(text: str) -> Any:
    """JSON text, or else a Python literal (`{'a': 1}`), as a value; None when it is neither. Never `eval`."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        pass
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict | list | str) else None


def text_of(row: Row, path: str, value: Any) -> str:
    """Content as text: text parts are joined, numbers and objects written out, other parts refused by name."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, dict | str) for part in value):
        return "".join(_part_text(row, f"{path}[{index}]", part) for index, part in enumerate(value))
    text = json.dumps(value, ensure_ascii=False)
    row.repaired("SH110", path, f"content was {_type_name(value)}; converted to text", value, text)
    return text


def _part_text(row: Row, path: str, part: Any) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type", "text")
    if kind not in ("text", "input_text", "output_text"):
        raise row.refuse("SH109", path, f'part type "{kind}" needs a vision or audio model')
    return str(part.get("text") or part.get("content") or "")


def _reasoning(row: Row, path: str, message: JsonObject) -> str:
    given = {key: message[key] for key in ("reasoning_content", "reasoning", "thinking") if message.get(key)}
    texts = [text_of(row, f"{path}.{key}", value) for key, value in given.items()]
    if len(set(texts)) > 1:
        row.kept("RS603", path, "reasoning given twice; the longest is used")
    return max(texts, key=len, default="")


def read_tools(row: Row, column: str = "tools") -> tuple[JsonObject, ...]:
    """The tool definitions in OpenAI's shape; JSON text is parsed, bare functions are wrapped."""
    value = row.data.get(column)
    if isinstance(value, str):
        if not value.strip():
            return ()
        parsed = parse_object_text(value)
        if not isinstance(parsed, list | dict):
            raise row.refuse("TL402", column, f"tools is not JSON: {snippet(value)}")
        value = parsed
    if not value:
        return ()
    listed = value if isinstance(value, list) else [value]
    return tuple(_tool(row, f"{column}[{index}]", tool) for index, tool in enumerate(listed))


def _tool(row: Row, path: str, tool: Any) -> JsonObject:
    parsed = parse_object_text(tool) if isinstance(tool, str) else tool
    if not isinstance(parsed, dict):
        raise row.refuse("TL402", path, f"a tool must be an object, got {_type_name(tool)}")
    function = parsed["function"] if isinstance(parsed.get("function"), dict) else parsed
    if not isinstance(function.get("name"), str) or not function["name"].strip():
        raise row.refuse("TL402", path, "a tool needs a name")
    filled = dict(function)
    if not isinstance(filled.get("parameters"), dict):
        row.repaired("TL405", path, f"tool {filled['name']}: parameters filled in")
        filled["parameters"] = {"type": "object", "properties": {}}
    filled.setdefault("description", "")
    return {"type": "function", "function": {key: value for key, value in filled.items() if key != "type"}}


def _leading_system(row: Row, column: str) -> list[Message]:
    system = row.data.get(column) if column else None
    return [Message("system", text_of(row, column, system))] if system not in (None, "") else []


def _message_list(row: Row, column: str) -> list[JsonObject]:
    value = row.data.get(column)
    if isinstance(value, str):
        value = parse_object_text(value)
        row.repaired("SH103", column, f"{column} was a JSON string; parsed")
    if not isinstance(value, list):
        raise row.refuse("SH102", column, f'no "{column}" list; keys seen: {", ".join(map(str, row.data))}')
    if not value:
        raise row.refuse("SH104", column, "conversation has no messages")
    for index, message in enumerate(value):
        if not isinstance(message, dict):
            raise row.refuse("SH105", f"{column}[{index}]", f"message is {_type_name(message)}, expected an object")
    return value


def _require(row: Row, path: str, message: JsonObject, key: str) -> Any:
    if key not in message:
        raise row.refuse("SH106", path, f'message has no "{key}"')
    return message[key]


def _tagged_roles(tags: Mapping[str, str]) -> dict[str, Role]:
    """The aliases that everybody uses, and above them the tags that this file declares."""
    declared: dict[str, Role] = {
        "user_tag": "user",
        "assistant_tag": "assistant",
        "observation_tag": "tool",
        "function_tag": "assistant",
        "system_tag": "system",
    }
    return {**ROLE_ALIASES, **{tags[tag]: role for tag, role in declared.items() if tag in tags}}


def _role(row: Row, path: str, named: Any, roles: Mapping[str, Role]) -> Role:
    role = roles.get(named) or roles.get(str(named).lower()) if isinstance(named, str) else None
    if role is None:
        raise row.refuse("RO202", path, f"unknown role {snippet(named)}; {did_you_mean(str(named), roles)}")
    return role


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
