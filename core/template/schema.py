"""A call's arguments against its tool's JSON schema: cast where nothing is lost, a finding where they do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.conversation import Finding, JsonObject, ToolCall, snippet
from core.errors import did_you_mean
from core.template.values import as_looks

_TYPES = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def fitted(call: ToolCall, tools: Sequence[JsonObject], raw: bool) -> tuple[ToolCall, list[Finding]]:
    """The call with its arguments cast by the schema, and what does not fit.

    `raw`: every argument was written as bare text (XML parameters), so its type is the schema's.
    """
    schemas = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in tools}
    findings: list[Finding] = []
    if tools and call.name not in schemas:
        message = f'unknown tool "{call.name}": {did_you_mean(call.name, schemas)}'
        findings.append(Finding("TC507", "kept", message))
    schema = schemas.get(call.name, {})
    properties = schema.get("properties") or {}
    arguments: JsonObject = {}
    for key, value in call.arguments.items():
        types = _types(properties.get(key))
        arguments[key] = _cast(value, types, raw)
        if types and not _fits(arguments[key], types):
            problem = f"is {snippet(arguments[key], 30)}, expected {' or '.join(types)}"
            findings.append(Finding("TC508", "kept", f"{call.name}: argument {key} {problem}"))
    for key in schema.get("required") or ():
        if key not in call.arguments:
            findings.append(Finding("TC508", "kept", f"{call.name}: argument {key} is missing"))
    return ToolCall(call.name, arguments, call.id), findings


def parameters_of(tool: JsonObject) -> frozenset[str]:
    """The names of a tool's parameters; none where it does not say."""
    return frozenset((tool["function"].get("parameters") or {}).get("properties") or ())


def _types(schema: Any) -> tuple[str, ...]:
    """The JSON types that a property may have; empty when it does not say."""
    if not isinstance(schema, dict):
        return ()
    said = schema.get("type")
    types = [said] if isinstance(said, str) else list(said) if isinstance(said, list) else []
    for variant in schema.get("anyOf") or schema.get("oneOf") or ():
        types += _types(variant)
    if schema.get("nullable") and types:
        types.append("null")
    return tuple(kind for kind in types if kind in _TYPES)


def _fits(value: Any, types: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, float) and value.is_integer() and "integer" in types:
        return True
    return any(isinstance(value, _TYPES[kind]) for kind in types)


def _cast(value: Any, types: tuple[str, ...], raw: bool) -> Any:
    if not isinstance(value, str):
        return int(value) if isinstance(value, float) and types == ("integer",) and value.is_integer() else value
    if raw and "null" in types and value in ("null", "None"):
        return None
    if raw and not value.strip() and types in (("object",), ("array",)):
        return {} if types == ("object",) else []
    if "string" in types or (not types and not raw):
        return value
    read = as_looks(value)
    if types:
        return read if _fits(read, types) else value
    # Nothing says what it is: a number, a word like true, a list or an object is taken for what it looks like.
    return value if isinstance(read, str) else read
