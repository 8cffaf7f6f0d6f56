"""Records of programs that put a chat into a shape of their own: logs of requests, LangChain, Bedrock.

Each is rewritten into the shape of a format that is read already, and read by it. Nothing is added; what has no place
there is refused by name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.conversation import Conversation, JsonObject, Row, json_text
from core.formats.chat import conversation_of, read_message
from core.formats.detect import recognise
from core.formats.layout import Layout, reader, reads
from core.formats.logged import body_of
from core.formats.names import REQUEST_MESSAGES, REQUESTS, RESPONSES
from core.formats.roles import message_list, messages_in_text
from core.formats.text import object_in
from core.formats.vendors import read_anthropic

_LOG_COLUMNS = ("id", "custom_id", "method", "url", "model", "error", "created_at", "timestamp")


@reads("request_log", "messages", "tools", "system", "choices", *REQUESTS, *RESPONSES, *_LOG_COLUMNS)
def read_request_log(row: Row, layout: Layout) -> Conversation:
    """A request as it was sent, in any vendor's shape, with the response to it: `{"request": {…}, "response": {…}}`.

    The request may also be the row itself; OpenAI's batch files have it under `body`, and no response.
    """
    named = ((name, found) for name in REQUESTS if (found := body_of(row.data.get(name))))
    beside = {key: value for key, value in row.data.items() if key not in (*RESPONSES, "choices")}
    name, request = next(((n, r) for n, r in named if not {*REQUEST_MESSAGES}.isdisjoint(r)), ("$", beside))
    column, asked = _asked(row, name, request)
    response = next((key for key in RESPONSES if key in row.data and row.data[key] is not None), "")
    if "choices" in row.data:
        answer = _answer(row, "$", row.data, asked)
    else:
        answer = _answer(row, response, row.data[response], asked) if response else []
    whole = {key: value for key, value in request.items() if key not in ("input", "prompt")}
    whole |= {column: asked if _ends_with(asked, answer) else [*asked, *answer]}
    inner = recognise(whole)
    if inner.layout is None or inner.also or inner.record is not None or inner.layout.formatting == "request_log":
        raise row.refuse("IO006", name, inner.refused or "the request has no format that is known")
    return reader(inner.layout.formatting)(replace(row, data=whole), inner.layout)


def _asked(row: Row, name: str, request: JsonObject) -> tuple[str, list[Any]]:
    """The messages of a request, and the column to read them from with the answer behind them."""
    for key in REQUEST_MESSAGES:
        value = request.get(key)
        if isinstance(value, str):
            value = messages_in_text(value) or ([{"role": "user", "content": value}] if key == "input" else None)
        if isinstance(value, list):
            # LangSmith has a list of messages for each of several prompts.
            value = value[0] if len(value) == 1 and isinstance(value[0], list) else value
            plain = key == "prompt" or (key == "input" and not any("type" in i for i in value if isinstance(i, dict)))
            return "messages" if plain and not isinstance(request.get(key), str) else key, value
    raise row.refuse("SH102", name, "no list of messages in the request")


def _answer(row: Row, path: str, response: Any, asked: list[Any]) -> list[JsonObject]:
    """The message (OpenAI Responses: the items) in a response to what was asked."""
    if isinstance(response, str) and not object_in(response):
        return [{"role": "assistant", "content": response}]
    if isinstance(response, list):
        response = {"choices": response}
    whole = object_in(response)
    body = body_of(whole)
    for key, inner in (("choices", "message"), ("candidates", "content"), ("generations", "message")):
        listed = body.get(key)
        listed = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], list) else listed
        if isinstance(listed, list) and listed and isinstance(listed[0], dict):
            if len(listed) > 1:
                row.kept("SH107", f"{path}.{key}", f"{len(listed)} answers to one request; the first is read")
            body = {"message": listed[0].get(inner)}
    if isinstance(body.get("messages"), list):
        return _behind(asked, body["messages"])
    output = body.get("output")
    if isinstance(output, list):
        return [item for item in output if isinstance(item, dict)]
    message = output.get("message") if isinstance(output, dict) else body.get("message")
    message = body if message is None and "role" in body else message
    if isinstance(message, dict) and message.get("lc"):
        return [message]
    if not isinstance(message, dict):
        raise row.refuse("SH102", path, "no message in the response")
    return [{key: value for key, value in message.items() if key in _OF_A_MESSAGE}]


def _ends_with(asked: list[Any], answer: list[JsonObject]) -> bool:
    """Whether the messages of a request end with the answer already, as those of an agent's whole run do."""
    said = [one.get("content") if isinstance(one, dict) else None for one in (*asked[-1:], *answer)]
    return len(said) == 2 and bool(said[0]) and said[0] == said[1]


def _behind(asked: list[Any], listed: list[Any]) -> list[JsonObject]:
    """The messages of a response, without those of the request where it begins with them."""
    said = [one.get("content") if isinstance(one, dict) else None for one in asked]
    begins = [one.get("content") if isinstance(one, dict) else None for one in listed[: len(said)]] == said
    return [one for one in listed[len(said) if begins else 0 :] if isinstance(one, dict)]


_OF_A_MESSAGE = {"role", "content", "parts", "tool_calls", "function_call", "refusal", "tool_plan"}
_OF_A_MESSAGE |= {"reasoning_content", "reasoning", "thinking"}


@reads("langchain", "messages", "tools", "system", "id")
def read_langchain(row: Row, layout: Layout) -> Conversation:
    """LangChain's messages, as `dumps`, `messages_to_dict` or `model_dump` write them."""
    columns = {"messages": "messages", "system": "system", "tools": "tools"} | dict(layout.columns)
    names = Layout("openai", roles={"human": "user", "ai": "assistant", "function": "tool", **layout.roles})
    messages = [
        message
        for index, raw in enumerate(message_list(row, columns["messages"]))
        for message in read_message(row, f"{columns['messages']}[{index}]", _langchain_message(raw), names)
    ]
    return conversation_of(row, columns, messages)


def _langchain_message(raw: JsonObject) -> JsonObject:
    """One message with OpenAI's keys."""
    inner = next((raw[key] for key in ("kwargs", "data") if isinstance(raw.get(key), dict)), raw)
    kind = str(inner.get("type") or raw.get("type") or "")
    if raw.get("lc") and kind in ("", "constructor"):
        named = raw.get("id")
        kind = str(named[-1]) if isinstance(named, list) and named else ""
    kind = kind.removesuffix("Chunk").removesuffix("Message").lower()
    more = object_in(inner.get("additional_kwargs"))
    message = {key: inner[key] for key in ("content", "tool_call_id", "name") if key in inner}
    message["role"] = inner.get("role", kind) if kind == "chat" else kind
    calls = inner.get("tool_calls") or more.get("tool_calls")
    if calls:
        message["tool_calls"] = calls
        if isinstance(message.get("content"), list):
            # The same calls stand in the blocks of a vendor, too.
            message["content"] = [p for p in message["content"] if not _is_call_block(p)]
    return message | {key: more[key] for key in ("reasoning_content", "function_call") if more.get(key) and not calls}


def _is_call_block(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in ("tool_use", "tool_call", "function_call")


@reads("bedrock", "messages", "system", "toolConfig", "schemaVersion", "modelId", "inferenceConfig", "id")
def read_bedrock(row: Row, layout: Layout) -> Conversation:
    """Amazon Bedrock's Converse: parts are known by their one key (`text`, `toolUse`, `toolResult`, …)."""
    column = layout.columns.get("messages", "messages")
    messages = [
        {**raw, "content": [_bedrock_block(row, f"{column}[{index}].content", part) for part in raw["content"]]}
        if isinstance(raw.get("content"), list)
        else raw
        for index, raw in enumerate(message_list(row, column))
    ]
    config = row.data.get("toolConfig")
    listed = config.get("tools") if isinstance(config, dict) else None
    given = listed if isinstance(listed, list) else []
    specs = [tool.get("toolSpec") for tool in given if isinstance(tool, dict)]
    tools = [
        {"name": s.get("name"), "description": s.get("description", ""), "input_schema": _json_of(s.get("inputSchema"))}
        for s in specs
        if isinstance(s, dict)
    ]
    return read_anthropic(replace(row, data={**row.data, "messages": messages, "tools": tools}), Layout("anthropic"))


def _bedrock_block(row: Row, path: str, part: Any) -> JsonObject:
    """One part as Anthropic's block. Raises `RowRefusedError` for what is not text."""
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    # A table fills the other kinds with nulls.
    given = [(key, value) for key, value in part.items() if value is not None] if isinstance(part, dict) else []
    kind, inner = given[0] if given else (type(part).__name__, None)
    if isinstance(inner, dict) and kind == "toolUse":
        return {
            "type": "tool_use",
            "id": inner.get("toolUseId"),
            "name": inner.get("name"),
            "input": inner.get("input"),
        }
    if isinstance(inner, dict) and kind == "toolResult":
        content = inner.get("content") or []
        parts = [_result_part(row, path, one) for one in (content if isinstance(content, list) else [content])]
        return {"type": "tool_result", "tool_use_id": inner.get("toolUseId"), "content": parts}
    if isinstance(inner, dict) and kind == "reasoningContent":
        said = inner.get("reasoningText")
        text = said.get("text", "") if isinstance(said, dict) else ""
        return {"type": "thinking", "thinking": text} if text else {"type": "redacted_thinking"}
    raise row.refuse("SH109", path, f'part "{kind}" is nothing that a text model reads')


def _result_part(row: Row, path: str, part: Any) -> JsonObject:
    if isinstance(part, dict) and part.get("json") is not None:
        return {"type": "text", "text": json_text(part["json"])}
    return _bedrock_block(row, path, part)


def _json_of(schema: Any) -> Any:
    return schema.get("json", schema) if isinstance(schema, dict) else schema
