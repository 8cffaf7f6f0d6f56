"""Tool calls out of raw values: names, arguments however they were written, and ids."""

from __future__ import annotations

from typing import Any

from core.conversation import JsonObject, Row, ToolCall, snippet
from core.formats.pythoncalls import read_python
from core.formats.text import parse_text, type_name

_ROUNDS = 3
# Under which keys a call has its name and its arguments.
_NAMES = ("name", "tool_name", "toolName")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input", "kwargs")
_IDS = ("id", "tool_call_id", "call_id", "toolCallId")
_CALL_KEYS = frozenset({*_NAMES, *_ARGUMENTS, *_IDS, "function", "type", "part_kind", "index"})


def calls_from_text(row: Row, path: str, value: Any) -> tuple[ToolCall, ...]:
    """The calls of a `function_call` turn: JSON text (or an object) of one call or a list of calls."""
    parsed, written = parse_text(value) if isinstance(value, str) else (value, "json")
    if not written and (called := read_python(value.strip())):
        row.repaired("TC503", path, "call read as Python literal", value, ", ".join(call.name for call in called))
        return tuple(called)
    if written == "literal":
        row.repaired("TC503", path, "call read as Python literal", value, parsed)
    calls = parsed if isinstance(parsed, list) else [parsed]
    if not calls or not all(isinstance(call, dict) for call in calls):
        raise row.refuse("TC504", path, f"a call must be a JSON object or a list of them: {snippet(value)}")
    listed = isinstance(parsed, list)
    return tuple(read_call(row, f"{path}[{i}]" if listed else path, call) for i, call in enumerate(calls))


def call_list(row: Row, path: str, value: Any) -> tuple[ToolCall, ...]:
    """The calls in a `tool_calls` value: a list of call objects, or JSON text of one."""
    if not value:
        return ()
    if isinstance(value, str):
        return calls_from_text(row, path, value)
    if not isinstance(value, list):
        raise row.refuse("TC505", path, f"tool_calls must be a list, got {type_name(value)}")
    for index, call in enumerate(value):
        if isinstance(call, dict):
            inner = call.get("function")
            row.ignored(f"{path}[{index}]", call, _CALL_KEYS)
            row.ignored(f"{path}[{index}].function", inner if isinstance(inner, dict) else {}, _CALL_KEYS)
    return tuple(read_call(row, f"{path}[{index}]", call) for index, call in enumerate(value))


def read_call(row: Row, path: str, call: Any) -> ToolCall:
    """One call: `{"id"?, "function": {"name", "arguments"}}` or the inner object alone."""
    if isinstance(call, str):
        call = parse_text(call)[0]
    if not isinstance(call, dict):
        raise row.refuse("TC504", path, f"a call must be an object, got {type_name(call)}")
    inner = isinstance(call.get("function"), dict)
    function = call["function"] if inner else call
    name = next((function[key] for key in _NAMES if function.get(key)), None)
    if not isinstance(name, str) or not name.strip():
        raise row.refuse("TC506", path, "tool call without a name")
    key = next((key for key in _ARGUMENTS if key in function), "arguments")
    arguments = arguments_of(row, f"{path}.function.{key}" if inner else f"{path}.{key}", function.get(key))
    identity = next((call[key] for key in _IDS if call.get(key)), "")
    return ToolCall(name.strip(), arguments, str(identity))


def arguments_of(row: Row, path: str, value: Any) -> JsonObject:
    """Arguments as an object; text is parsed (at most three rounds), `null` and `""` mean none."""
    parsed, rounds = value, 0
    while isinstance(parsed, str) and parsed.strip() and rounds < _ROUNDS:
        text, rounds = parsed, rounds + 1
        parsed, written = parse_text(text)
        if not written:
            raise row.refuse("TC504", path, f"arguments are not JSON: {snippet(text)}")
        if written == "literal":
            row.repaired("TC503", path, "arguments read as Python literal", text, parsed)
    if rounds == 1:
        row.count("TC501")
    elif rounds > 1:
        row.repaired("TC502", path, f"arguments were encoded {rounds} times", value, parsed)
    if parsed is None or (isinstance(parsed, str) and not parsed.strip()):
        return {}
    if not isinstance(parsed, dict):
        raise row.refuse("TC505", path, f"arguments must be an object, got {type_name(parsed)}")
    return parsed
