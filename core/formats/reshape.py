"""Rows that no format fits, made into rows that one may fit: names translated, a wrapper opened, messages as a list.

Each way gives a candidate, with the words for what was done. Nothing is left out: what does not become part of the
conversation stays a column. Whether a format fits a candidate is for `core.formats.detect`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from core.conversation import Finding, JsonObject, Row, RowRefusedError
from core.formats.names import MESSAGE_COLUMNS, REQUESTS, RESPONSES, folded, our_name
from core.formats.roles import role_word
from core.formats.text import parse_object_text

_DEEPEST = 2
# Columns about the conversation, never with it inside.
_ABOUT = frozenset({"metadata", "meta", "info", "extra", "extrainfo", "config", "usage", "stats"})
# Columns that may hold messages by speakers whose names say nothing about their roles.
_TALKS = frozenset(map(folded, MESSAGE_COLUMNS)) | {"chat", "history", "log", "utterances", "content"}
# Under which keys a message may have its role and its content, the likeliest first.
_ROLE_KEYS = ("role", "from", "speaker", "author", "sender", "who", "source", "agent")
# Keys that say of a message whether the user said it.
_BY_THE_USER = ("is_user", "is_human", "isUser", "fromUser")
_CONTENT_KEYS = ("content", "value", "text", "utterance", "message", "body", "blocks")


def candidates(record: Any, depth: int = 0) -> Iterator[tuple[JsonObject, str]]:
    """What a record may be meant as, the simplest first."""
    parsed = _parsed(record)
    if isinstance(parsed, list):
        yield from _of_a_list(parsed)
    if not isinstance(parsed, dict):
        return
    named, translated = _renamed(parsed)
    said = f"columns {translated}" if translated else "the row was JSON text" if isinstance(record, str) else ""
    if said:
        yield named, said
    talk, how = _with_messages(named)
    if talk:
        yield talk, ", ".join(filter(None, [said, how]))
    if depth < _DEEPEST:
        yield from _opened(named, depth)


def _opened(record: JsonObject, depth: int) -> Iterator[tuple[JsonObject, str]]:
    """The record with what is in its one object, or in those of a request and its response, among its columns.

    The only one of several possible `instances` of an instruction is such an object, too.
    """
    instances = record.get("instances")
    single = {"instances": instances[0]} if isinstance(instances, list) and len(instances) == 1 else {}
    opened = {key: _parsed(value) for key, value in {**record, **single}.items()}
    objects = {key: inner for key, inner in opened.items() if isinstance(inner, dict) and inner}
    objects = {key: inner for key, inner in objects.items() if folded(key) not in _ABOUT}
    whole = {name: value for inner in objects.values() for name, value in inner.items()}
    asked = [key for key in objects if key in REQUESTS]
    two = len(objects) == 2 and len(asked) == 1 and any(key in RESPONSES for key in objects)
    if len(objects) != 1 and not (two and len(whole) == sum(map(len, objects.values()))):
        return
    around = {key: value for key, value in record.items() if key not in objects}
    said = f"opened column {' and '.join(objects)}"
    yield {**around, **whole}, said
    for candidate, then in candidates(whole, depth + 1):
        yield {**around, **candidate}, f"{said}, {then}"


def _parsed(value: Any) -> Any:
    """The object or list that a text is of, or the value itself."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return parse_object_text(value)
    return value


def _of_a_list(listed: list[Any]) -> Iterator[tuple[JsonObject, str]]:
    if len(listed) > 1 and len(listed) % 2 == 0 and all(isinstance(item, str) for item in listed):
        yield {"conversations": listed}, "the row was a list of texts"
    messages = _messages_in(listed)
    if messages:
        yield {"messages": messages}, "the row was a list of messages"


def _renamed(record: JsonObject) -> tuple[JsonObject, str]:
    """The record with our names for its columns, and which were translated; a name that two would get stays."""
    ours = {key: our_name(key) or key for key in record}
    given = list(ours.values())
    new = {key: name if given.count(name) == 1 else key for key, name in ours.items()}
    changed = ", ".join(f"{key} ({name})" for key, name in new.items() if name != key)
    return ({new[key]: value for key, value in record.items()}, changed) if changed else (record, "")


def _with_messages(record: JsonObject) -> tuple[JsonObject, str]:
    """The record with the one column that holds messages of some kind as a plain list of them."""
    found: dict[str, list[JsonObject]] = {}
    for key, value in record.items():
        talk = folded(key) in _TALKS
        messages = _messages_in(_parsed(value)) or (_pairs_in(_parsed(value)) if talk else [])
        if messages and (talk or any(role_word(str(message["role"])) for message in messages)):
            found[key] = messages
    if len(found) != 1:
        return {}, ""
    [(column, messages)] = found.items()
    said = f"messages of column {column} as a plain list"
    if _is_dialogue_with_a_system(messages):
        messages = [{**m, "role": "assistant" if m["role"].lower() == "system" else "user"} for m in messages]
        said += ', role "system" as the assistant'
    return {**{key: value for key, value in record.items() if key != column}, "messages": messages}, said


def _messages_in(value: Any) -> list[JsonObject]:
    """The messages that a value holds, with the keys role and content; none when not all of it are messages."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, dict):
        value = _rows_of_columns(value) or list(value.values())
    if not isinstance(value, list) or len(value) < 2:
        return []
    messages = [_message(item) for item in value]
    return messages if all(messages) else []


def _pairs_in(value: Any) -> list[JsonObject]:
    """The messages of a list of pairs of texts: what the user says and the answer to it."""
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        return []
    if not all(isinstance(text, str) for pair in value for text in pair):
        return []
    names = ("user", "assistant")
    return [{"role": name, "content": text} for pair in value for name, text in zip(names, pair, strict=True)]


def _is_dialogue_with_a_system(messages: list[JsonObject]) -> bool:
    """Whether it is the system that answers the user, as in sets of task dialogues."""
    said = [str(message["role"]).lower() for message in messages]
    return set(said) == {"user", "system"} and said[0] == "user"


def _rows_of_columns(value: JsonObject) -> list[JsonObject]:
    """The objects that an object of lists of the same length holds: `{"role": […], "content": […]}`."""
    lists = list(value.values())
    if len(lists) < 2 or not all(isinstance(column, list) and len(column) == len(lists[0]) for column in lists):
        return []
    return [dict(zip(value, row, strict=True)) for row in zip(*lists, strict=True)]


def _message(item: Any) -> JsonObject:
    """One message with the keys role and content; empty when it is none."""
    if isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) for part in item):
        return {"role": item[0], "content": item[1]} if role_word(item[0]) else {}
    if not isinstance(item, dict):
        return {}
    if len(item) == 1:
        [(key, value)] = item.items()
        if isinstance(value, dict):
            return _message(value)
        return {"role": key, "content": value} if isinstance(value, str) and role_word(str(key)) else {}
    item = _with_role(item)
    named = {our_name(key) or key: key for key in item}
    role = next((named[key] for key in _ROLE_KEYS if key in named), None)
    content = next((named[key] for key in _CONTENT_KEYS if key in named and named[key] != role), None)
    if role is None or (content is None and "tool_calls" not in named):
        return {}
    ours = {role: "role", content: "content"}
    return {ours.get(key, our_name(key) or key): value for key, value in item.items()}


def _with_role(item: JsonObject) -> JsonObject:
    """The message that an item holds; or the item with a role, where a key says whether the user said it."""
    inner = item.get("message")
    if isinstance(inner, dict) and "role" in inner:
        return inner
    flag = next((key for key in _BY_THE_USER if isinstance(item.get(key), bool)), "")
    if not flag:
        return item
    rest = {key: value for key, value in item.items() if key != flag}
    return {"role": "user" if item[flag] else "assistant", **rest}


@contextmanager
def in_own_names(row: Row, record: JsonObject) -> Iterator[None]:
    """What is found while a `record` that was made of a row is read gets the paths into the row itself."""

    def own(finding: Finding) -> Finding:
        return replace(finding, path=own_path(finding.path, record, row.data))

    try:
        yield
    except RowRefusedError as refused:
        raise RowRefusedError(own(refused.finding)) from None
    finally:
        row.findings[:] = map(own, row.findings)


def own_path(path: str, record: JsonObject, given: Any) -> str:
    """Where in `given` lies what `path` leads to in the `record` that was made of it; the same path if unknown."""
    here: Any = record
    own = ""
    for step in re.finditer(r"\[(\d{1,9})\]|\.?([^.\[\]]+)", path):
        index, name = step.groups()
        if index and isinstance(here, list) and isinstance(given, list) and int(index) < len(here) == len(given):
            own += f"[{index}]"
            here, given = here[int(index)], given[int(index)]
        elif name and isinstance(here, dict) and name in here and (way := _way_to(here[name], name, given)):
            own += "".join(f".{key}" for key in way)
            here = here[name]
            for key in way:
                given = given[key]
        else:
            return path
        if here is given:
            return (own + path[step.end() :]).removeprefix(".")
    return own.removeprefix(".")


def _way_to(value: Any, name: str, given: Any, depth: int = 0) -> tuple[str, ...]:
    """The keys that lead to a value, or to the list that it was made of; none where that is not certain."""
    if not isinstance(given, dict):
        return ()
    same = [key for key, inner in given.items() if inner is value]
    named = [key for key in same if key == name or our_name(key) == name]
    if len(named or same) == 1:
        return (str((named or same)[0]),)
    inside = [
        (key, way)
        for key, inner in given.items()
        if depth < _DEEPEST and (way := _way_to(value, name, inner, depth + 1))
    ]
    if len(inside) == 1:
        return (str(inside[0][0]), *inside[0][1])
    lists = [key for key, inner in given.items() if isinstance(inner, list) and isinstance(value, list)]
    made = [
        key for key in lists if len(given[key]) == len(value) and all(isinstance(item, dict) for item in given[key])
    ]
    return (str(made[0]),) if len(made) == 1 and not same else ()
