"""How a file is laid out, and the table of the functions that read each layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.conversation import Conversation, Role, Row, RowRefusedError
from core.errors import UserError, did_you_mean
from core.formats.text import type_name
from core.formats.variables import VARIABLES, without_variables

# Columns that trainers and tokenizers read: a row must never be able to replace the template or the labels.
RESERVED = (
    "chat_template",
    "input_ids",
    "labels",
    "attention_mask",
    "position_ids",
    "assistant_masks",
    "completion_mask",
    "seq_lengths",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out: its format, and the names of its columns and tags where they differ from the format's.

    `columns` and `tags` have the words of LLaMA-Factory's dataset_info.json; `roles` maps names of roles that the file
    uses to ours. `found_by` is the evidence for a layout that nobody declared.
    """

    formatting: str
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    found_by: str = field(default="", compare=False)


Reader = Callable[[Row, Layout], Conversation]
FORMATS: dict[str, Reader] = {}
COLUMNS: dict[str, frozenset[str]] = {}


def reads(name: str, *columns: str) -> Callable[[Reader], Reader]:
    """Register a function as the reader of a format, with the columns that it looks at."""

    def register(function: Reader) -> Reader:
        FORMATS[name] = function
        COLUMNS[name] = frozenset(columns)
        return function

    return register


def reader(formatting: str) -> Reader:
    """The function that reads a format, by name. Raises `UserError` with the nearest name."""
    if formatting not in FORMATS:
        raise UserError(f'unknown format "{formatting}"', remedy=did_you_mean(formatting, FORMATS))
    return FORMATS[formatting]


def read_row(row: Row, layout: Layout) -> Conversation:
    """The conversation in a row. Raises `RowRefusedError` with the reason when it cannot be read."""
    if not isinstance(row.data, dict):
        raise row.refuse("SH101", "$", f"row is {type_name(row.data)}, expected an object")
    reserved = [name for name in RESERVED if row.data.get(name) not in (None, "", [], {})]
    if reserved:
        raise row.stop("SH113", reserved[0], f'column "{reserved[0]}" is reserved; rename it')
    if VARIABLES in row.data:
        row = without_variables(row, layout.columns.get("system", "system"), layout.columns.get("tools", "tools"))
    return reader(layout.formatting)(row, layout)


def read_conversation(text: str, file: str) -> tuple[Row, Conversation]:
    """One conversation in OpenAI's shape, `{"messages": […], "tools": […]}`, as it stands. Raises `UserError`."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"not valid JSON: {error.msg}", file=file, line=error.lineno) from None
    except (ValueError, RecursionError):
        raise UserError("not valid JSON: nested too deeply, or a number that is too long", file=file) from None
    row = Row(data, file)
    try:
        return row, read_row(row, Layout("openai"))
    except RowRefusedError as refused:
        raise UserError(str(refused.finding)) from None


def ignored_columns(row: Row, layout: Layout) -> tuple[str, ...]:
    """The columns of a row that its format does not look at."""
    if not isinstance(row.data, dict):
        return ()
    known = {*COLUMNS[layout.formatting], *layout.columns.values(), VARIABLES, *RESERVED}
    return tuple(str(name) for name in row.data if name not in known)
