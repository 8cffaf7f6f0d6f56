"""Reading back what the template writes: the text of an answer into content and calls.

The reader is not written per model: a sentinel call is rendered with the template, and what surrounds the name and the
arguments there is what is looked for in the model's text. Calls written as JSON (an object, or a list of objects,
between any two texts) are covered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from core.conversation import Conversation, JsonObject, Message, ToolCall
from core.template.sandbox import Template, TemplateRefusedError
from core.template.spans import render

_NAME, _KEY, _VALUE = "sentinel_name", "sentinel_key", "sentinel value"


@dataclass(frozen=True, slots=True)
class CallSyntax:
    """How calls are written: between `open` and `close`, as JSON with the name and the arguments at these keys."""

    open: str
    close: str
    name_path: tuple[str, ...]
    arguments_path: tuple[str, ...]


def call_syntax(template: Template) -> CallSyntax | None:
    """How this template writes calls; None when it writes none, or not as JSON."""
    schema = {"type": "object", "properties": {_KEY: {"type": "string", "description": "a text"}}}
    tool = {"type": "function", "function": {"name": _NAME, "description": "a tool", "parameters": schema}}
    call = ToolCall(_NAME, {_KEY: _VALUE}, "abcdefghi")
    conversation = Conversation((Message("user", "question"), Message("assistant", tool_calls=(call,))), (tool,))
    try:
        sample = render(conversation, template)[0]
    except TemplateRefusedError:
        return None
    text = "".join(sample.text[span.start : span.end] for span in sample.spans if span.kind == "tool_call")
    found = _first_json(text, _NAME)
    if found is None:
        return None
    start, end, value = found
    inner = value[0] if isinstance(value, list) else value
    name_path = _path_to(inner, lambda item: item == _NAME)
    arguments_path = _path_to(inner, lambda item: isinstance(item, dict) and item.get(_KEY) == _VALUE)
    if name_path is None or arguments_path is None:
        return None
    return CallSyntax(text[:start].strip(), text[end:].strip(), name_path, arguments_path)


def read(text: str, syntax: CallSyntax | None) -> Message:
    """The assistant's message in `text` (without its stop token).

    A call that does not parse stays in the content as text; calls before and after it are kept.
    """
    if syntax is None:
        return Message("assistant", text.strip())
    content: list[str] = []
    calls: list[ToolCall] = []
    position = 0
    while (found := _next_call(text, syntax, position)) is not None:
        start, end, read_calls = found
        content.append(text[position:start])
        calls += read_calls
        position = end
    content.append(text[position:])
    numbered = tuple(ToolCall(call.name, call.arguments, f"call{i:05d}") for i, call in enumerate(calls))
    return Message("assistant", "".join(content).strip(), tool_calls=numbered)


def visible(text: str, syntax: CallSyntax | None) -> str:
    """What may be shown of an unfinished answer: nothing of a call, and no half of the marker that opens one."""
    if syntax is None:
        return text
    if not syntax.open:
        return "" if text.lstrip()[:1] in ("{", "[") else text
    at = text.find(syntax.open)
    if at >= 0:
        return text[:at]
    for length in range(min(len(syntax.open) - 1, len(text)), 0, -1):
        if syntax.open.startswith(text[-length:]):
            return text[:-length]
    return text


def _next_call(text: str, syntax: CallSyntax, position: int) -> tuple[int, int, list[ToolCall]] | None:
    """The next call that parses, as (start, end, calls)."""
    while (start := text.find(syntax.open, position) if syntax.open else _bare_start(text, position)) >= 0:
        body = _skip_space(text, start + len(syntax.open))
        parsed = _decode(text, body)
        calls = None if parsed is None else _calls_in(parsed[0], syntax)
        if parsed is not None and calls:
            end = _skip_space(text, parsed[1])
            closed = syntax.close and text.startswith(syntax.close, end)
            return start, end + len(syntax.close) if closed else parsed[1], calls
        position = start + max(len(syntax.open), 1)
    return None


def _bare_start(text: str, position: int) -> int:
    """A call without an opening text can only be the whole answer."""
    start = _skip_space(text, position)
    return start if not text[:start].strip() and text[start : start + 1] in ("{", "[") else -1


def _calls_in(value: Any, syntax: CallSyntax) -> list[ToolCall] | None:
    items = value if isinstance(value, list) else [value]
    calls = []
    for item in items:
        name, arguments = _at(item, syntax.name_path), _at(item, syntax.arguments_path)
        if isinstance(arguments, str):
            decoded = _decode(arguments, 0)
            arguments = decoded[0] if decoded else None
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return None
        calls.append(ToolCall(name, arguments))
    return calls


def _first_json(text: str, needle: str) -> tuple[int, int, Any] | None:
    """The first JSON object or list in the text that holds `needle`, as (start, end, value)."""
    for start, character in enumerate(text):
        if character in "{[":
            parsed = _decode(text, start)
            if parsed is not None and needle in text[start : parsed[1]]:
                return start, parsed[1], parsed[0]
    return None


def _decode(text: str, start: int) -> tuple[Any, int] | None:
    try:
        return json.JSONDecoder().raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError):
        return None


def _path_to(value: Any, wanted: Any) -> tuple[str, ...] | None:
    if not isinstance(value, dict):
        return None
    for key, item in value.items():
        if wanted(item) or (isinstance(item, str) and (parsed := _decode(item, 0)) and wanted(parsed[0])):
            return (key,)
        deeper = _path_to(item, wanted)
        if deeper is not None:
            return (key, *deeper)
    return None


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def describe(message: Message) -> JsonObject:
    """The message in OpenAI's shape, for programs and for the page."""
    return Conversation((message,)).to_openai()["messages"][0]
