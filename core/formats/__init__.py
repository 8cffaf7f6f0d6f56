"""Raw records into conversations: one function per format, and which of them a record needs.

A format function takes a `Row` and the `Layout` (which columns and tags the file uses) and returns a `Conversation`.
It only reads; whether the conversation makes sense is for `core.rules`. What it has to repair on the way it notes on
the row, and what cannot be kept it refuses with a code, a JSON path and a reason. The layout's words are those of
LLaMA-Factory's dataset_info.json, so that files written for it work unchanged.
"""

from core.formats import apps, chat, exports, foreign, lmflow, plain, programs, sessions, spans, transcript, vendors
from core.formats.detect import Recognition, detect, recognise
from core.formats.layout import (
    COLUMNS,
    FORMATS,
    RESERVED,
    Layout,
    Reader,
    ignored_columns,
    read_conversation,
    read_row,
    reader,
)
from core.formats.nearest import lacking, nearest, nearest_options
from core.formats.roles import ROLE_ALIASES
from core.formats.text import parse_object_text, text_of
from core.formats.tools import read_tools

__all__ = [
    "COLUMNS",
    "FORMATS",
    "RESERVED",
    "ROLE_ALIASES",
    "Layout",
    "Reader",
    "Recognition",
    "apps",
    "chat",
    "detect",
    "exports",
    "foreign",
    "ignored_columns",
    "lacking",
    "lmflow",
    "nearest",
    "nearest_options",
    "parse_object_text",
    "plain",
    "programs",
    "read_conversation",
    "read_row",
    "read_tools",
    "reader",
    "recognise",
    "sessions",
    "spans",
    "text_of",
    "transcript",
    "vendors",
]
