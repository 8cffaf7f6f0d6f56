"""A source in pieces that can be looked at one by one, by this process or by others, in order.

Lines of JSON stay bytes, which are cheap to cut and to send; every other file is read here and gives rows. What
concerns a whole file goes to `notes`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.conversation import Finding, Row
from core.datasets.files import UnusableError, kind_of
from core.datasets.folders import files_to_read
from core.datasets.jsonrows import json_mode, line_pieces, rows_of_lines
from core.datasets.load import belong_together, file_rows, iterate_rows
from core.datasets.registry import Source
from core.formats import Layout

PIECE_ROWS = 64


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of a JSON Lines file, the first of them number `line`, all to be read with `layout`."""

    file: Path
    line: int
    data: bytes
    layout: Layout | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that were read already."""

    rows: tuple[tuple[Row, Layout | None], ...]


Piece = Lines | Rows


def pieces(
    source: Source, notes: list[Finding], *, lenient: bool = False, most_rows: int | None = None
) -> Iterator[Piece]:
    """The source in pieces; with `most_rows`, only so many rows of it. Raises `UserError`."""
    if source.hub or source.refused or most_rows is not None:
        yield from _chunks(itertools.islice(iterate_rows(source, notes, lenient=lenient), most_rows))
        return
    for file in files_to_read(source, notes):
        kind = kind_of(file, notes)
        mode = json_mode(file, notes, lenient) if kind == "json" else ""
        if mode == "lines" and not belong_together(file, mode, source.layout, lenient):
            yield from _line_pieces(file, source.layout, notes, lenient)
        else:
            yield from _chunks(file_rows(file, kind, mode, source.layout, notes, lenient))


def rows_of(piece: Piece, *, lenient: bool = False) -> Iterator[tuple[Row, Layout | None]]:
    """The rows of a piece, each with its layout."""
    if isinstance(piece, Rows):
        yield from piece.rows
    else:
        yield from ((row, piece.layout) for row in rows_of_lines(piece.file, piece.line, piece.data, lenient))


def _line_pieces(file: Path, layout: Layout | None, notes: list[Finding], lenient: bool) -> Iterator[Piece]:
    for piece in line_pieces(file, notes, lenient):
        if isinstance(piece, Row):
            yield Rows(((piece, layout),))
        else:
            yield Lines(file, *piece, layout)


def _chunks(rows: Iterator[tuple[Row, Layout | None]]) -> Iterator[Rows]:
    """Rows in pieces; those that were read before a file failed come too."""
    chunk: list[tuple[Row, Layout | None]] = []
    failed: UnusableError | None = None
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) == PIECE_ROWS:
                yield Rows(tuple(chunk))
                chunk = []
    except UnusableError as error:
        failed = error
    if chunk:
        yield Rows(tuple(chunk))
    if failed is not None:
        raise failed
