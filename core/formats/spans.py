"""Spans of traces: a call of a model as OpenTelemetry's GenAI conventions, OpenInference and OpenLLMetry record it.

Attributes may be flat (`llm.input_messages.0.message.role`), nested, under `attributes`, or a list of keys and values.
A span is rewritten into OpenAI's messages: what was sent to the model, and behind it what came back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from core.conversation import Conversation, JsonObject, Row, json_text
from core.formats.chat import read_openai
from core.formats.layout import Layout, reads
from core.formats.text import object_in, parse_object_text

_PREFIXES = ("attributes.", "gen_ai.", "llm.")
# Where the messages that were sent lie, and where those that came back.
_PLACES = (
    ("llm.input_messages", "llm.output_messages"),
    ("gen_ai.input.messages", "gen_ai.output.messages"),
    ("gen_ai.prompt", "gen_ai.completion"),
    ("pydantic_ai.all_messages", ""),
)
_TOOLS = ("llm.tools", "gen_ai.tool.definitions", "llm.request.functions")
# A key with more dots than this is somebody's joke.
_DEEPEST = 16
_OF_A_SPAN = ("span_id", "spanId", "context", "trace_id", "traceId", "span_kind", "name")
_COLUMNS = ("attributes", "events", "name", "kind", "context", "status", "trace_id", "span_id", "traceId", "spanId")


def span_in(record: JsonObject) -> tuple[str, dict[str, str], str]:
    """Where a record has the messages of a model's call, if it is a span, and its columns; or why it is of no use."""
    if "resourceSpans" in record:
        return "", {}, "a batch of spans; write one span a row: jq -c '.resourceSpans[].scopeSpans[].spans[]'"
    flat = {key: key for key in record if isinstance(key, str) and key.startswith(_PREFIXES)}
    if not flat and ("attributes" not in record or record.keys().isdisjoint(_OF_A_SPAN)):
        return "", {}, ""
    place = _said_in(record)[0]
    return place, flat, "" if place else "a span without the messages of a model's call; leave such spans out"


def _said_in(record: JsonObject) -> tuple[str, list[Any], list[Any]]:
    """Where a span has messages, those that were sent and those that came back; empty when nowhere."""
    attributes = _attributes(record)
    for sent, answered in _PLACES:
        asked = _listed(_at(attributes, sent))
        if asked:
            return sent, asked, _listed(_at(attributes, answered)) if answered else []
    events = [event for event in _listed(record.get("events")) if isinstance(event, dict)]
    told = [_of_event(event) for event in events if str(event.get("name", "")).startswith("gen_ai.")]
    return ("events", told, []) if told else ("", [], [])


@reads("span", *_COLUMNS)
def read_span(row: Row, layout: Layout) -> Conversation:
    """`{"attributes": {"gen_ai.input.messages": …, "gen_ai.output.messages": …}}`, and its relatives."""
    place, asked, answered = _said_in(row.data)
    if not place:
        raise row.refuse("SH102", "attributes", "no messages of a model's call in the span")
    attributes = _attributes(row.data)
    system = _listed(_at(attributes, "gen_ai.system_instructions"))
    given = [_nested(raw) for raw in (*asked, *answered) if isinstance(raw, dict)]
    messages = [message for raw in given for message in _messages(raw)]
    tools = next((tools for name in _TOOLS if (tools := _listed(_at(attributes, name)))), [])
    data: JsonObject = {"messages": messages, "tools": [tool for raw in tools if (tool := _tool(raw))]}
    data["system"] = "".join(_text(object_in(part).get("content", part)) for part in system)
    return read_openai(replace(row, data=data), Layout("openai", roles=layout.roles))


def _attributes(record: JsonObject) -> JsonObject:
    """The attributes of a span as nested objects, however they were written."""
    given = record.get("attributes")
    if isinstance(given, list):
        pairs = (one for one in given if isinstance(one, dict))
        return _nested({str(one.get("key")): _otlp(one.get("value")) for one in pairs})
    inside = object_in(given)
    flat = {key.removeprefix("attributes."): value for key, value in record.items() if str(key).startswith(_PREFIXES)}
    return _nested({**flat, **inside})


def _otlp(value: Any) -> Any:
    """A value as OTLP writes it: `{"stringValue": …}`."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    [(kind, inner)] = value.items()
    if kind == "arrayValue":
        return [_otlp(one) for one in inner.get("values") or []] if isinstance(inner, dict) else []
    if kind == "kvlistValue":
        listed = inner.get("values") or [] if isinstance(inner, dict) else []
        return {str(one.get("key")): _otlp(one.get("value")) for one in listed if isinstance(one, dict)}
    return inner


def _nested(flat: JsonObject) -> JsonObject:
    """An object whose keys have no dots: `{"a.0.b": 1}` is `{"a": [{"b": 1}]}`."""
    whole: JsonObject = {}
    for key, value in flat.items():
        *path, last = str(key).split(".", _DEEPEST)
        at: Any = whole
        for step in path:
            at = at.setdefault(step, {}) if isinstance(at, dict) else None
        if isinstance(at, dict):
            inner = _nested(value) if isinstance(value, dict) else value
            at[last] = {**at[last], **inner} if isinstance(at.get(last), dict) and isinstance(inner, dict) else inner
    return {key: _as_list(value) for key, value in whole.items()}


def _as_list(value: Any) -> Any:
    """A list, where an object has nothing but numbers for keys."""
    if not isinstance(value, dict):
        return value
    inner = {key: _as_list(one) for key, one in value.items()}
    numbered = bool(inner) and all(str(key).isdecimal() for key in inner)
    return [inner[key] for key in sorted(inner, key=int)] if numbered else inner


def _at(attributes: JsonObject, place: str) -> Any:
    at: Any = attributes
    for step in place.split("."):
        at = at.get(step) if isinstance(at, dict) else None
    return at


def _listed(value: Any) -> list[Any]:
    value = parse_object_text(value) if isinstance(value, str) and value.lstrip()[:1] in ("[", "{") else value
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def _of_event(event: JsonObject) -> JsonObject:
    """The message in an event of a span: `gen_ai.user.message`, `gen_ai.choice`."""
    body = {**object_in(event.get("attributes")), **object_in(event.get("body"))}
    inner = object_in(body.get("message"))
    role = "assistant" if event["name"] == "gen_ai.choice" else str(event["name"]).split(".")[1]
    return {"role": role, **body, **inner}


def _messages(raw: JsonObject) -> Iterator[JsonObject]:
    """The messages in one of a span: what is said and called, and results, which may be parts of it."""
    inner = raw["message"] if isinstance(raw.get("message"), dict) else raw
    parts = [object_in(part) for part in _parts(inner)]
    results = [part for part in parts if part.get("type") == "tool_call_response"]
    for part in results:
        given = part.get("response", part.get("result"))
        yield {"role": "tool", "tool_call_id": part.get("id"), "content": _text(given)}
    calls = [part for part in parts if part.get("type") == "tool_call"]
    named = [object_in(call) for call in _listed(inner.get("tool_calls"))]
    calls += [object_in(call.get("tool_call")) or call for call in named if call]
    message = {"role": inner.get("role"), "content": _content(inner, parts)}
    message |= {key: inner[key] for key in ("tool_call_id", "name", "reasoning_content") if inner.get(key)}
    thought = "".join(_text(part.get("content")) for part in parts if part.get("type") in ("reasoning", "thinking"))
    message |= {"reasoning_content": thought} if thought else {}
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    if message["content"] or calls or not results:
        yield message


def _parts(inner: JsonObject) -> Iterable[Any]:
    """The parts of a message: GenAI's, or OpenInference's, which lie in an object each."""
    contents = (object_in(object_in(one).get("message_content")) for one in _listed(inner.get("contents")))
    return [*_listed(inner.get("parts")), *contents]


def _content(inner: JsonObject, parts: list[JsonObject]) -> Any:
    """What a message says. Parts that are no text stay parts, for the reader of messages to refuse them by name."""
    said = [
        part for part in parts if part.get("type") not in ("tool_call", "tool_call_response", "reasoning", "thinking")
    ]
    if not said:
        return inner.get("content")
    return [{**part, "text": part.get("text", part.get("content"))} for part in said]


def _call(call: JsonObject) -> JsonObject:
    function = object_in(call.get("function")) or call
    return {"id": call.get("id"), "function": {key: function.get(key) for key in ("name", "arguments")}}


def _tool(raw: Any) -> JsonObject:
    """The definition of a tool, out of the JSON text or the object that a span has it in."""
    tool = object_in(raw)
    inner = object_in(tool.get("tool")) or _nested(tool).get("tool") or tool
    found = object_in(inner.get("json_schema")) if isinstance(inner, dict) else {}
    found = found or (inner if isinstance(inner, dict) else {})
    return (
        {**found, "parameters": object_in(found["parameters"])} if isinstance(found.get("parameters"), str) else found
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json_text(value)
