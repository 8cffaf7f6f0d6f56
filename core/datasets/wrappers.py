"""JSON files that are one object around the rows: LMFlow's, a list under a key, a row for each key, columns.

Which of them a file is, is decided from its beginning; a file that is a row itself is none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.conversation import Finding, Row
from core.datasets.files import UnusableError
from core.datasets.jsontext import SPACE, Parser, Window, array_rows, skip
from core.formats import recognise

# LMFlow's types that hold something to train a chat model on, and those that do not.
LMFLOW_LAYOUTS = {"conversation": "lmflow", "text2text": "lmflow_text2text", "text_only": "text"}
_LMFLOW_OTHERS = ("float_only", "image_text", "paired_conversation", "paired_text_to_text", "text_to_scored_textlist")
# Keys that say of the list under them that it holds rows, even where it could hold the turns of one conversation.
_ROWS = ("data", "rows", "examples", "samples", "records", "dataset", "entries", "items", "train")
_LMFLOW, _BY_KEY, _COLUMNS, _UNDER = "wrapper", "keys", "columns", "under "


def wrapping(file: Path, head: str, parser: Parser, *, cut: bool) -> str:
    """What a file that begins with an object is: `wrapper` (LMFlow's), `keys`, `columns`, `under KEY`; empty: none.

    `cut`: the head is not the whole file. Raises `UnusableError` when there are several lists of rows.
    """
    members, closed = _members(head, parser)
    kind = members.get("type")
    # The instances of a task beside its instruction are no rows.
    lmflow = "instances" in members and members.keys().isdisjoint(("instruction", "id", "name"))
    if lmflow or (len(members) == 1 and kind in (*LMFLOW_LAYOUTS, *_LMFLOW_OTHERS)):
        return _LMFLOW
    if not members or not (closed or cut):
        return ""
    firsts = {key: value[0] for key, value in members.items() if isinstance(value, list) and value}
    lists = [key for key, first in firsts.items() if not _is_message(first) and _is_row(first, key)]
    itself = recognise(members)
    if itself.layout is not None or itself.refused:
        # Its list is one of rows all the same where it holds lists of messages, or its key says so.
        sure = itself.layout is not None and itself.record is None
        lists = [k for k in lists if isinstance(firsts[k], list) or (sure and k in _ROWS and _is_read(firsts[k]))]
        return _UNDER + lists[0] if len(lists) == 1 else ""
    if len(lists) > 1:
        said = f"holds several lists of rows: {', '.join(lists)}"
        raise UnusableError("IO006", said, file, remedy="write each into a file of its own")
    if lists:
        return _UNDER + lists[0]
    # A single list of messages is a row under a name of its own.
    if all(_is_row(value, "") for value in members.values()) and (len(members) > 1 or not firsts):
        return _BY_KEY
    first = next(_rows_of_columns(members), None) if closed else None
    return _COLUMNS if first is not None and _is_read(first) else ""


def _members(head: str, parser: Parser) -> tuple[dict[str, Any], bool]:
    """What is in the object at the beginning of a file, and whether it closes there with nothing behind it.

    Of a list that does not end within the head there is its first element. LMFlow's rows are not looked at.
    """
    position, members = 1, dict[str, Any]()
    while (position := skip(head, position, SPACE + ",")) < len(head) and head[position] == '"':
        try:
            key, position = parser.at(head, position)
            position = skip(head, position, SPACE + ":")
            if key == "instances":
                return {**members, key: []}, False
            members[key], position = parser.at(head, position)
        except (ValueError, RecursionError, IndexError):
            return _with_first(members, head, position, parser), False
    return members, head[position : position + 1] == "}" and not head[position + 1 :].strip()


def _with_first(members: dict[str, Any], head: str, position: int, parser: Parser) -> dict[str, Any]:
    """The members with the first element of the list that begins at a place and does not end."""
    key = head[:position].rstrip(SPACE + ":").rpartition('"')[0].rpartition('"')[2]
    try:
        return (
            members | {key: [parser.at(head, skip(head, position + 1, SPACE))[0]]} if head[position] == "[" else members
        )
    except (ValueError, RecursionError, IndexError):
        return members


def _is_row(value: Any, key: str) -> bool:
    """Whether a value is a row, or a conversation as a list of its messages."""
    if isinstance(value, list):
        return len(value) > 1 and all(map(_is_message, value))
    found = recognise(value) if isinstance(value, dict) else None
    plain = found is not None and found.layout is not None and found.layout.formatting == "text" and key not in _ROWS
    return found is not None and not plain and (found.layout is not None or bool(found.refused))


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and not {"role", "from"}.isdisjoint(value)


def _is_read(value: Any) -> bool:
    return isinstance(value, dict) and recognise(value).layout is not None


def _rows_of_columns(members: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of columns that are lists of one length, or objects with the same keys, as pandas writes them."""
    columns = [list(c.values()) if isinstance(c, dict) else c for c in members.values()]
    keys = {tuple(column) if isinstance(column, dict) else () for column in members.values()}
    lists = all(isinstance(column, list) and column and len(column) == len(columns[0]) for column in columns)
    if lists and len(keys) == 1:
        yield from (dict(zip(members, row, strict=True)) for row in zip(*columns, strict=True))


def wrapped_rows(text: Window, mode: str, notes: list[Finding], lmflow: list[str]) -> Iterator[Row]:
    """The rows of a file that is such an object; what is around them is named in `notes`, LMFlow's type in `lmflow`."""
    if mode == _COLUMNS:
        whole = text.row()
        members = whole.data if isinstance(whole.data, dict) else {}
        for number, data in enumerate(_rows_of_columns(members), start=1):
            yield Row(data, whole.file, number, lenient=whole.lenient)
        if not members:
            yield whole
        notes.append(_note(text, f"the rows are in columns: {', '.join(members)[:200]}"))
    else:
        text.peek()
        text.position += 1
        if mode == _LMFLOW:
            yield from _lmflow_rows(text, notes, lmflow)
        else:
            yield from _member_rows(text, mode.removeprefix(_UNDER) if mode.startswith(_UNDER) else "", notes)
        if text.peek() == "}":
            text.position += 1
        else:
            notes.append(
                Finding("IO012", "repaired", "the object is not closed: the file may be cut off", str(text.file))
            )
    if text.peek():
        raise UnusableError("IO001", "there is more behind the object around the rows", text.file, text.here())


def _note(text: Window, said: str) -> Finding:
    return Finding("SH115", "kept", said, str(text.file))


def _member_rows(text: Window, key: str, notes: list[Finding]) -> Iterator[Row]:
    """The rows under a key; without one, those under each key."""
    others: list[str] = []
    while text.peek(SPACE + ",") == '"':
        name = text.row().data
        if text.peek() == ":":
            text.position += 1
        following = text.peek()
        if key and name == key and following == "[":
            yield from array_rows(text, notes)
            continue
        row = text.row()
        if not key or row.unreadable:
            yield row
        else:
            others.append(str(name))
    said = f'the rows are the list under "{key}"' if key else "each key of the file has a row"
    notes.append(_note(text, f"{said}; not used: {', '.join(others)[:200]}" if others else said))


def _lmflow_rows(text: Window, notes: list[Finding], lmflow: list[str]) -> Iterator[Row]:
    """The instances of LMFlow's `{"type": …, "instances": […]}`; the type may stand behind them."""
    seen: dict[str, Any] = {}
    while text.peek(SPACE + ",") == '"':
        key = text.row().data
        if text.peek() == ":":
            text.position += 1
        if key == "instances" and text.peek() == "[":
            if "type" in seen:
                lmflow.append(_lmflow_kind(text, seen))
            yield from array_rows(text, notes)
            seen[key] = True
        else:
            text.peek()
            seen[key] = text.row().data
    if seen.get("instances") is not True:
        raise UnusableError("IO010", '"instances" must be a list', text.file)
    _lmflow_kind(text, seen)


def _lmflow_kind(text: Window, seen: dict[str, Any]) -> str:
    """The type of an LMFlow file. Raises `UnusableError` when it holds no conversations."""
    kind = seen.get("type")
    if kind in _LMFLOW_OTHERS:
        raise UnusableError("IO011", f'type "{kind}" holds no conversations to train on', text.file)
    if kind not in LMFLOW_LAYOUTS:
        known = ", ".join(LMFLOW_LAYOUTS)
        raise UnusableError("IO009", f'LMFlow file needs "type": one of {known}; found {kind!r}', text.file)
    return str(kind)
