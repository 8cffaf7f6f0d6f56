"""Text out of raw values: JSON and Python literals inside text, content in parts, names of types for messages."""

from __future__ import annotations

import ast
import json
import math
import warnings
from typing import Any

from core.conversation import JsonObject, Row, json_text

TEXT_PARTS = ("text", "input_text", "output_text", "refusal")
_TEXT_KEYS = ("text", "content", "value", "refusal")
# Literals are only tried on text that begins like one, and not on text that is too long for Python's parser.
_LITERAL_STARTS = ("{", "[", "(", "'", '"')
_LONGEST_LITERAL = 1_000_000
_DEEPEST = 64
# Python writes no whole number with more than 4,300 digits, though it reads longer ones that are not decimal.
_LARGEST_BITS = 14_000


def parse_object_text(text: str) -> Any:
    """JSON text, or else a Python literal (`{'a': 1}`), as a value; None when it is neither. Never `eval`."""
    return parse_text(text)[0]


def object_in(value: Any) -> JsonObject:
    """The object that a value is, or that it is the JSON text of; else an empty one."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        value = parse_object_text(value)
    return value if isinstance(value, dict) else {}


def parse_text(text: str) -> tuple[Any, str]:
    """The value in a text and how it was written: `json`, `literal`, or `""` (the value is then None)."""
    try:
        return _plain_json(text), "json"
    except (ValueError, RecursionError):
        pass
    value = _literal(text.strip())
    return (value, "literal") if isinstance(value, dict | list | str) else (None, "")


def _plain_json(text: str) -> Any:
    value = STRICT_JSON.decode(text)
    if too_deep(text, value):
        raise ValueError("nested too deeply")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def finite(text: str) -> float:
    """A number that is not whole. Raises `ValueError` for one that only infinity could stand for (1e999)."""
    value = float(text)
    if math.isinf(value):
        raise ValueError("beyond every number that is kept")
    return value


# As strict as the standard: NaN and Infinity are not numbers that another program could read back.
STRICT_JSON = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=finite)


def _literal(text: str) -> Any:
    if not text.startswith(_LITERAL_STARTS) or len(text) > _LONGEST_LITERAL:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return as_json(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def as_json(value: Any, depth: int = 0) -> Any:
    """A literal as JSON would hold it: tuples are lists, keys are text. Raises `ValueError` for what it cannot hold."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json_text(key): as_json(v, depth + 1) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item, depth + 1) for item in value]
    if isinstance(value, int) and value.bit_length() > _LARGEST_BITS:
        raise ValueError("a number with too many digits")
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"JSON has no {type(value).__name__}")


def too_deep(text: str, value: Any, deepest: int = _DEEPEST) -> bool:
    """Whether a parsed value is nested deeper than `deepest`; `text` is what it was parsed from."""
    if text.count("[") + text.count("{") <= deepest:
        return False
    level = [value]
    for _ in range(deepest):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def text_of(row: Row, path: str, value: Any) -> str:
    """Content as text: text parts are joined, numbers and objects written out, other parts refused by name."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, dict | str) for part in value):
        return "".join(part_text(row, f"{path}[{index}]", part) for index, part in enumerate(value))
    text = json_text(value)
    row.repaired("SH110", path, f"content was {type_name(value)}; converted to text", value, text)
    return text


def part_text(row: Row, path: str, part: Any) -> str:
    """The text of one content part. Raises `RowRefusedError` for images, audio and what else is not text."""
    if isinstance(part, str):
        return part
    kind = part.get("type") or "text"
    if kind == "document" and is_text_part(part):
        return str(part["document"]["data"])
    if kind not in TEXT_PARTS or not any(key in part for key in _TEXT_KEYS):
        named = f'type "{kind}"' if part.get("type") else f"with {', '.join(map(str, part)) or 'nothing'}"
        raise row.refuse("SH109", path, f"part {named} needs a vision or audio model")
    found = next((part[key] for key in _TEXT_KEYS if part.get(key) is not None), "")
    if isinstance(found, dict) and isinstance(found.get("value"), str):
        # The Assistants API: the text beside its annotations.
        found = found["value"]
    return found if isinstance(found, str) else json_text(found)


def is_text_part(part: Any) -> bool:
    """Whether a part of a result is text: one that says so, or a document as Cohere's results hold them."""
    if not isinstance(part, dict):
        return False
    inner = part.get("document")
    return (
        "text" in part or part.get("type") == "text" or (isinstance(inner, dict) and isinstance(inner.get("data"), str))
    )


def type_name(value: Any) -> str:
    """A value's type in the words of a message: "an object", "a list", "null"."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
