"""Do arguments fit a tool's parameters? The part of JSON Schema that tool definitions use.

`type`, `required`, `properties`, `additionalProperties`, `enum`, `const`, `items`, `anyOf`/`oneOf` and local `$ref`.
Keywords that are not known are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.conversation import JsonObject, snippet
from core.formats.text import type_name

_DEEPEST = 24
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}

# What makes a schema more than a plain one, and the types of Python that each type surely takes.
_NOT_PLAIN = frozenset({"$ref", "const", "anyOf", "oneOf"})
_EXACTLY = {"string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,)}


def problems(arguments: JsonObject, schema: JsonObject) -> Iterator[tuple[str, str]]:
    """What does not fit, as (JSON path below the arguments, what is wrong)."""
    if _plainly_fit(arguments, schema):
        return
    yield from _check(arguments, schema, schema, "", 0)
    properties = schema.get("properties")
    if isinstance(properties, dict) and properties and "additionalProperties" not in schema:
        # Tools seldom say that nothing else is allowed, and always mean it.
        for key in arguments:
            if key not in properties:
                yield f".{snippet(key)}", f"argument {snippet(key)} is not described"


def _plainly_fit(arguments: JsonObject, schema: JsonObject) -> bool:
    """Whether arguments fit for sure: each is of the one simple type that its property has, and none is missing."""
    properties, required = schema.get("properties"), schema.get("required", ())
    if not _NOT_PLAIN.isdisjoint(schema) or "enum" in schema or schema.get("type", "object") != "object":
        return False
    if not isinstance(properties, dict) or not isinstance(required, list | tuple):
        return False
    return all(isinstance(key, str) and key in arguments for key in required) and all(
        key in properties and _plainly_is(item, properties[key]) for key, item in arguments.items()
    )


def _plainly_is(value: Any, schema: Any) -> bool:
    """Whether a value is surely of the one simple type that a property has, and one of those that it lists, if any."""
    if not isinstance(schema, dict) or not _NOT_PLAIN.isdisjoint(schema):
        return False
    allowed = schema.get("enum")
    return type(value) in _EXACTLY.get(str(schema.get("type")), ()) and (
        allowed is None or (isinstance(allowed, list) and value in allowed)
    )


def _check(value: Any, schema: Any, root: JsonObject, path: str, depth: int) -> Iterator[tuple[str, str]]:
    schema = _resolved(schema, root)
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return
    name = path.lstrip(".") or "arguments"
    wanted = schema.get("type")
    if not _is(value, wanted):
        words = " or ".join(map(str, wanted)) if isinstance(wanted, list) else wanted
        yield path, f"argument {name} must be {words}, got {type_name(value)}"
        return
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(allowed, list) and allowed and value not in allowed:
        yield path, f"argument {name} must be one of {snippet(allowed)}, got {snippet(value)}"
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list) and options and all(any(_check(value, o, root, path, depth + 1)) for o in options):
        yield path, f"argument {name} fits none of its alternatives"
    if isinstance(value, dict):
        yield from _check_object(value, schema, root, path, depth)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from _check(item, schema["items"], root, f"{path}[{index}]", depth + 1)


def _check_object(value: JsonObject, schema: JsonObject, root: JsonObject, path: str, depth: int) -> Iterator[Any]:
    given, needed = schema.get("properties"), schema.get("required")
    properties: JsonObject = given if isinstance(given, dict) else {}
    required = [key for key in needed if isinstance(key, str)] if isinstance(needed, list) else []
    for key in required:
        if key not in value:
            yield f"{path}.{key}", f"argument {key} is missing"
    for key, item in value.items():
        if key in properties:
            optional = item is None and key not in required
            if not optional:
                yield from _check(item, properties[key], root, f"{path}.{key}", depth + 1)
        elif schema.get("additionalProperties") is False:
            yield f"{path}.{snippet(key)}", f"argument {snippet(key)} is not described"


def _is(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_is(value, one) for one in wanted)
    if not isinstance(wanted, str) or wanted not in _TYPES:
        return True
    if isinstance(value, bool):
        return wanted == "boolean"
    whole = wanted == "integer" and isinstance(value, float) and value.is_integer()
    return isinstance(value, _TYPES[wanted]) or whole


def _resolved(schema: Any, root: JsonObject) -> Any:
    """The schema behind a `$ref` into the same document; anything (`{}`) when it leads nowhere."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    found: Any = root
    for step in reference[2:].split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) and "$ref" not in found else {}
