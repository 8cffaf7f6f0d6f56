"""Which records are a request to a model with its response beside it, or a request alone."""

from __future__ import annotations

from typing import Any

from core.conversation import JsonObject
from core.formats.names import REQUEST_BODIES, REQUEST_MESSAGES, REQUESTS, RESPONSES
from core.formats.roles import messages_in_text
from core.formats.text import object_in

_LOGGED = frozenset({*REQUESTS, *RESPONSES, "choices"})


def logged(record: JsonObject) -> str:
    """The evidence that a record is a request with its messages inside; empty when it is none."""
    if not any(_may_hold(record[name]) for name in _LOGGED & record.keys()):
        return ""
    column = _messages_of(record)
    if column and _has(record.get("choices"), "message"):
        return f"column {column}, and choices with the answer"
    answer = next((name for name in RESPONSES if object_in(record.get(name))), "")
    output = object_in(record.get(answer)).get("output")
    for name in REQUESTS:
        request = body_of(record.get(name))
        # OpenAI's Responses: a text, and the items that came back.
        if _messages_of(request) or (isinstance(request.get("input"), str) and _has(output, "type")):
            said = f" and {answer}" if answer else ""
            return f"column {name} with messages{said}"
    answers = bool({"choices", "message", "body"} & object_in(record.get(answer)).keys())
    if column and (answers or _has(record.get("output"), "message")):
        return f"column {column}, and {answer or 'output'} with the answer"
    return ""


def _may_hold(value: Any) -> bool:
    """Whether a value is an object or a list, or a text that may be the JSON of one."""
    return value.lstrip()[:1] in ("{", "[") if isinstance(value, str) else isinstance(value, dict | list)


def body_of(value: Any) -> JsonObject:
    """The request or the response that a column holds, without what programs wrap around it."""
    whole = object_in(value)
    return next((body for key in REQUEST_BODIES if (body := object_in(whole.get(key)))), whole)


def _messages_of(request: JsonObject) -> str:
    """The column of a request that holds its messages; empty when there is none."""
    return next((key for key in REQUEST_MESSAGES if _is_listed(request.get(key))), "")


def _is_listed(value: Any) -> bool:
    return isinstance(value, list) or bool(messages_in_text(value))


def _has(value: Any, key: str) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) and key in item for item in value)
