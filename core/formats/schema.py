"""Parameters of a tool into JSON Schema: flat maps, Python's and Google's names of types, and what is missing."""

from __future__ import annotations

import re
from typing import Any

from core.conversation import JsonObject, Row, snippet

JSON_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}
_SAME_TYPE = {
    "dict": "object",
    "hashmap": "object",
    "map": "object",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "arraylist": "array",
    "str": "string",
    "text": "string",
    "char": "string",
    "float": "number",
    "double": "number",
    "int": "integer",
    "long": "integer",
    "bool": "boolean",
    "none": "null",
    "nonetype": "null",
}
_OPTIONAL = re.compile(r"\s*,\s*optional\b.*$|\s*\(optional\)\s*$", re.IGNORECASE | re.DOTALL)
_GENERIC = re.compile(r"(?:typing\.)?(\w+)\s*\[(.*)\]$", re.DOTALL)
_DESCRIBES = {"type", "description", "title"}
_NESTED_UNDER = ("items", "additionalProperties", "not", "prefixItems", "anyOf", "oneOf", "allOf")


def json_schema(row: Row, path: str, name: str, parameters: Any) -> JsonObject:
    """The parameters of tool `name` as a JSON Schema object; what was converted or filled in is noted on the row."""
    if isinstance(parameters, dict) and list(parameters) == ["json"]:
        parameters = parameters["json"]  # Bedrock's inputSchema.
    if _is_listed(parameters):
        parameters = {item["name"]: {k: v for k, v in item.items() if k != "name"} for item in parameters}
    if not isinstance(parameters, dict) or not parameters:
        if parameters is not None and parameters not in ({}, []):
            row.repaired("TL405", path, f"tool {name}: parameters filled in", parameters, "{}")
        elif parameters is None:
            row.repaired("TL405", path, f"tool {name}: parameters filled in", "null", "{}")
        return {"type": "object", "properties": {}}
    converted: list[str] = []
    schema = _flat(parameters, converted) if _is_flat(parameters) else _schema(parameters, converted)
    if schema.get("type") != "object":
        schema = {**schema, "type": "object"}
    if not isinstance(schema.get("properties", {}), dict):
        row.repaired("TL405", path, f"tool {name}: parameters filled in", schema["properties"], "{}")
        schema["properties"] = {}
    schema.setdefault("properties", {})
    if converted:
        shown = ", ".join(dict.fromkeys(converted))
        row.repaired("TL404", path, f"tool {name}: parameter types converted ({snippet(shown)})")
    return schema


def _is_listed(parameters: Any) -> bool:
    """`[{"name": "city", "type": "str", "description": …}]`: a list of named parameters."""
    return isinstance(parameters, list) and all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in parameters
    )


def _is_flat(parameters: JsonObject) -> bool:
    """`{"city": {"type": "str", "description": …}}` without the schema around it."""
    if "properties" in parameters or isinstance(parameters.get("type"), str) or "$ref" in parameters:
        return False
    return all(isinstance(item, dict) and _DESCRIBES & item.keys() for item in parameters.values())


def _flat(parameters: JsonObject, converted: list[str]) -> JsonObject:
    """A flat map as a schema; what is neither optional nor has a default is required."""
    converted.append("flat map → object")
    required = [
        key
        for key, item in parameters.items()
        if "default" not in item and not _OPTIONAL.search(str(item.get("type", ""))) and item.get("required", True)
    ]
    cleaned = {key: {k: v for k, v in item.items() if k != "required"} for key, item in parameters.items()}
    properties = {key: _schema(item, converted) for key, item in cleaned.items()}
    schema: JsonObject = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


def _schema(value: Any, converted: list[str]) -> Any:
    """A schema with JSON Schema's own names of types, all the way down."""
    if isinstance(value, list):
        return [_schema(item, converted) for item in value]
    if not isinstance(value, dict):
        return value
    out: JsonObject = {}
    for key, item in value.items():
        if item is None and key != "default":
            continue  # Arrow fills the keys that other tools have with nulls.
        if key in ("properties", "$defs", "definitions") and isinstance(item, dict):
            out[key] = {name: _schema(inner, converted) for name, inner in item.items() if inner is not None}
        elif key in _NESTED_UNDER:
            out[key] = _schema(item, converted)
        elif key == "type":
            out |= _type(item, converted)
        elif key == "required" and not isinstance(item, list):
            continue  # `required: true` on a property means nothing to JSON Schema.
        else:
            out[key] = item
    return out


def _type(name: Any, converted: list[str]) -> JsonObject:
    if not isinstance(name, str) or name in JSON_TYPES:
        return {"type": name}
    bare = _OPTIONAL.sub("", name).strip()
    schema = _python_type(bare)
    converted.append(f"{name} → {schema.get('type', 'any')}")
    return schema


def _python_type(name: str) -> JsonObject:
    """`List[int]`, `Optional[str]`, `DICT`, `double` … as a schema; `{}` (anything) when the name says nothing."""
    lowered = name.lower()
    same = lowered if lowered in JSON_TYPES else _SAME_TYPE.get(lowered)
    if same:
        return {"type": same}
    generic = _GENERIC.match(name)
    if generic is None:
        return {}
    outer, inner = generic.group(1).lower(), generic.group(2)
    if outer == "optional":
        return _python_type(inner.strip())
    if outer in ("list", "set", "sequence", "iterable", "array"):
        items = _python_type(inner.strip())
        return {"type": "array", "items": items} if items else {"type": "array"}
    return {"type": _SAME_TYPE[outer]} if outer in _SAME_TYPE else {}
