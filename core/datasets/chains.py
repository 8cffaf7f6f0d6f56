"""Tables whose rows belong together: turns chained by their parents, messages of the same conversation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from core.conversation import Finding, Row
from core.formats.names import folded, our_name

# Columns that say which conversation a message belongs to; who speaks; and what is said.
_TALK = ("conversationid", "convid", "convoid", "dialogid", "dialogueid", "sessionid", "threadid", "chatid")
_ROLE = ("role", "from", "speaker", "author", "sender")
_CONTENT = ("content", "value", "text", "utterance", "message")


def chained(rows: Iterable[Row]) -> Iterator[Row]:
    """One row for each last turn: the chain of table rows that leads to it by `parent_id`, oldest first.

    Of several rows with the same id the last one is the parent of others; each of the others is a last turn itself.
    """
    given = list(rows)
    turns = [row for row in given if isinstance(row.data, dict)]
    by_id = {name: row for row in turns if (name := _name(row.data.get("id")))}
    parents = {_name(row.data.get("parent_id")) for row in turns}
    last = [row for row in turns if (name := _name(row.data.get("id"))) not in parents or by_id.get(name) is not row]
    ends = set(map(id, last))
    for row in given:
        if not isinstance(row.data, dict):
            yield row
        elif id(row) in ends:
            yield _chain(row, by_id)
    yield from _circles(last, by_id)


def _name(value: Any) -> str:
    """An id as text, empty for none: where rows lack one, pandas has nan, and `1.0` for 1."""
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in ("none", "nan", "null") else _WHOLE.sub(r"\1", text)


_WHOLE = re.compile(r"(-?\d+)\.0\Z")


def _chain(last: Row, by_id: dict[str, Row]) -> Row:
    chain, seen, row = [last.data], {_name(last.data.get("id"))}, last
    while parent := _name(row.data.get("parent_id")):
        found = by_id.get(parent)
        if found is None or parent in seen:
            reason = f"parent_id {parent} " + ("is a circle" if found is not None else "is the id of no row")
            return Row(None, last.file, last.line, reason, unreadable_code="SH112", lenient=last.lenient)
        row = found
        seen.add(parent)
        chain.append(row.data)
    return Row({"chain": chain[::-1]}, last.file, last.line, lenient=last.lenient)


def _circles(last: Iterable[Row], by_id: dict[str, Row]) -> Iterator[Row]:
    """A row for each turn that no last turn leads to: its chain goes in a circle."""
    reached: set[str] = set()
    for turn in last:
        reached.add(_name(turn.data.get("id")))
        row = by_id.get(_name(turn.data.get("parent_id")))
        while row is not None and (name := _name(row.data["id"])) not in reached:
            reached.add(name)
            row = by_id.get(_name(row.data.get("parent_id")))
    for name, lost in by_id.items():
        if name not in reached:
            yield Row(None, lost.file, lost.line, "its parents form a circle", unreadable_code="SH112")


def message_columns(row: Row) -> tuple[str, str, str] | None:
    """The columns of rows that are a message each: conversation, role and content; None for other rows."""
    if not isinstance(row.data, dict):
        return None
    talk = next((name for name in row.data if folded(name) in _TALK), None)
    named = {our_name(name) or name: name for name in row.data}
    role = next((named[key] for key in _ROLE if key in named), None)
    content = next((named[key] for key in _CONTENT if key in named), None)
    return (talk, role, content) if talk and role and content else None


def grouped(first: Row, rows: Iterable[Row], columns: tuple[str, str, str], notes: list[Finding]) -> Iterator[Row]:
    """One row for each conversation, where its first message stands; `rows` begin with the `first`.

    Its messages are in the order of the file, or of the column that numbers them. What says nothing about a message or
    its conversation is named in `notes`.
    """
    talk, role, content = columns
    order = next((name for name in first.data if folded(name) in _NUMBERS), "")
    rest = sorted(set(first.data) - {*columns, order, *_OF_A_MESSAGE, *_OF_A_TALK} - {""})
    said = f"each row is a message; those of one {talk} are a conversation"
    said += f", in the order of {order}" if order else ""
    notes.append(Finding("SH115", "kept", f"{said}; not used: {', '.join(rest)}" if rest else said, first.file))
    talks: dict[str, Row] = {}
    numbers: dict[str, list[Any]] = {}
    for row in rows:
        if not isinstance(row.data, dict) or row.data.get(talk) in (None, ""):
            yield row
            continue
        name = str(row.data[talk])
        if name not in talks:
            talks[name] = Row({talk: row.data[talk], "messages": []}, row.file, row.line, lenient=row.lenient)
        given = {key: value for key in _OF_A_MESSAGE if (value := row.data.get(key)) not in (None, "")}
        talks[name].data["messages"].append({**given, "role": row.data.get(role), "content": row.data.get(content)})
        numbers.setdefault(name, []).append(row.data.get(order))
        for key in _OF_A_TALK:
            if row.data.get(key) not in (None, "", []):
                talks[name].data.setdefault(key, row.data[key])
    for name, whole in talks.items():
        if order:
            whole.data["messages"] = _in_order(whole.data["messages"], numbers[name])
        yield whole


def _in_order(messages: list[Any], numbers: list[Any]) -> list[Any]:
    """The messages in the order of their numbers, where all of them have one."""
    try:
        keys = [float(number) for number in numbers]
    except (TypeError, ValueError):
        return messages
    return [messages[at] for at in sorted(range(len(keys)), key=keys.__getitem__)]


# Columns that number the messages of a conversation; that belong to a message; and to the whole conversation.
_NUMBERS = ("turn", "turnindex", "turnidx", "turnid", "messageindex", "messageidx", "position", "sequence", "seq")
_OF_A_MESSAGE = ("tool_calls", "tool_call_id", "name", "reasoning_content", "reasoning", "function_call", "weight")
_OF_A_TALK = ("tools", "system")
