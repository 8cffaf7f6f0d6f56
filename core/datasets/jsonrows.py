"""JSON files as rows, one at a time: JSON Lines, arrays, objects around rows, objects one after the other.

Nothing is loaded whole. A row that cannot be read is a row with a reason, never an exception; only a file that is
unusable as a whole raises. Line numbers are those of the file; in a file that is one long line they number its rows.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from core.conversation import Finding, Row
from core.datasets.files import HEAD, LONGEST_LINE, UnusableError, inner_suffix, open_utf8, readable
from core.datasets.jsontext import SPACE, Parser, Window, array_rows, row_of, skip, unreadable, value_rows, why_unread
from core.datasets.wrappers import wrapped_rows, wrapping
from core.errors import UserError
from core.formats.text import parse_text

_LINE_SUFFIXES = (".jsonl", ".ndjson")
# Lines are handed on in pieces of about this many bytes.
PIECE = 1 << 20
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)


def json_mode(file: Path, notes: list[Finding], lenient: bool = False) -> str:
    """How a JSON file holds its rows.

    `lines`, `array`, `values` (objects that span lines), or what `core.datasets.wrappers` says of an object around
    them.
    """
    with readable(file), open_utf8(file) as stream:
        raw = stream.read(HEAD)
    head = raw.decode("utf-8", "replace").lstrip(SPACE)
    if not head:
        raise UnusableError("IO005", "the file is empty", file)
    return _mode(file, head, Parser(lenient), notes, cut=len(raw) == HEAD)


def json_rows(
    file: Path, notes: list[Finding], lenient: bool = False, lmflow: list[str] | None = None, mode: str = ""
) -> Iterator[Row]:
    """The rows of a JSON file. What concerns the file goes to `notes`, an LMFlow file's type to `lmflow`."""
    mode = mode or json_mode(file, notes, lenient)
    if mode == "lines":
        for piece in line_pieces(file, notes, lenient):
            yield from (piece,) if isinstance(piece, Row) else rows_of_lines(file, *piece, lenient)
        return
    with readable(file), open_utf8(file, notes) as stream:
        text = Window(file, stream, Parser(lenient))
        if mode == "array":
            yield from _told_apart(array_rows(text, notes))
        elif mode == "values":
            yield from _told_apart(value_rows(text))
        else:
            yield from _told_apart(wrapped_rows(text, mode, notes, [] if lmflow is None else lmflow))


def _told_apart(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows, each on a line of its own: where several share one, all but the first count on from it."""
    last = 0
    for row in rows:
        row.line = last = max(row.line, last + 1)
        yield row


def line_pieces(file: Path, notes: list[Finding], lenient: bool = False) -> Iterator[tuple[int, bytes] | Row]:
    """JSON Lines in pieces of whole lines, each with the number of its first line; a line too long to read is a row.

    The lines that were read before a file turns out to be damaged come before the error.
    """
    with readable(file), open_utf8(file, notes) as stream:
        number, size = 0, 0
        lines: list[bytes] = []
        failed: Exception | None = None
        while True:
            try:
                raw = stream.readline(LONGEST_LINE + 1)
                too_long = len(raw) > LONGEST_LINE and not raw.endswith(b"\n")
                while too_long and (more := stream.readline(HEAD)) and not more.endswith(b"\n"):
                    pass
            except (OSError, EOFError, zlib.error, UserError) as error:
                raw, too_long, failed = b"", False, error
            if lines and (size >= PIECE or too_long or not raw):
                yield number - len(lines) + 1, b"".join(lines)
                lines, size = [], 0
            if not raw:
                break
            number += 1
            if too_long:
                said = f"line is longer than {LONGEST_LINE >> 20} MB"
                yield Row(None, str(file), number, said, unreadable_code="SH114", lenient=lenient)
            else:
                lines.append(raw)
                size += len(raw)
        if failed is not None:
            raise failed


def _mode(file: Path, head: str, parser: Parser, notes: list[Finding], *, cut: bool) -> str:
    by_suffix = inner_suffix(file) in _LINE_SUFFIXES
    line, _, rest = head.partition("\n")
    complete = _parses(parser, line)
    if head[0] == "[":
        if by_suffix and rest.strip() and (complete or line.rstrip().endswith("]")):
            return "lines"
        if by_suffix:
            notes.append(Finding("IO013", "kept", "read as one JSON list in spite of its suffix", str(file)))
        return "array"
    if head[0] == "{":
        one = not (complete and rest.strip())
        wrapper = wrapping(file, head, parser, cut=cut) if one or '"instances"' in head else ""
        if wrapper:
            return wrapper
        if complete or by_suffix or line.rstrip().endswith("}"):
            if rest.strip() and inner_suffix(file) == ".json":
                notes.append(Finding("IO013", "kept", "read as JSON Lines in spite of its suffix", str(file)))
            return "lines"
        return "values"
    if by_suffix:
        return "lines"
    said = f"is not JSON: it begins with {head[:20]!r}"
    raise UnusableError("IO001", said, file, 1, remedy="give JSON, JSON Lines, CSV, TSV, Parquet, Arrow or .xlsx")


def _parses(parser: Parser, line: str) -> bool:
    try:
        return not line[parser.at(line, 0)[1] :].strip()
    except (ValueError, RecursionError):
        return False


def rows_of_lines(file: Path, first: int, data: bytes, lenient: bool = False) -> Iterator[Row]:
    """The rows of whole lines, the first of which is line `first`: usually one a line."""
    parser = Parser(lenient)
    for number, raw in enumerate(_lines(data), start=first):
        try:
            line = raw.decode("utf-8").strip(SPACE)
        except UnicodeDecodeError as error:
            said = f"cannot decode byte {error.start + 1} of the line"
            yield unreadable(file, number, ("IO002", said), parser, raw.decode("utf-8", "backslashreplace"))
            continue
        if line:
            yield from _rows_of_line(file, number, line, parser, cut=not raw.endswith(b"\n"))


def _lines(data: bytes) -> list[bytes]:
    """Lines that end with a line feed; a carriage return alone ends none."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _rows_of_line(file: Path, number: int, line: str, parser: Parser, *, cut: bool) -> Iterator[Row]:
    """The row of a line; several when objects stand one after the other; a reason when there is none."""
    try:
        value, end = parser.at(line, 0)
        if end == len(line):
            yield row_of(file, number, line, value, parser)
        else:
            yield from _rows_in_arow_of(file, number, line, parser)
    except (ValueError, RecursionError) as error:
        repaired = _STRING_OR_COMMA.sub(lambda found: "" if found.group() == "," else found.group(), line)
        if repaired != line and _parses(parser, repaired):
            row = row_of(file, number, repaired, parser.at(repaired, 0)[0], parser)
            row.repaired("IO012", "$", "trailing comma removed")
            yield row
        elif parser.lenient and isinstance(value := parse_text(line)[0], dict):
            row = row_of(file, number, line, value, parser)
            row.repaired("IO001", "$", "row read as a Python literal")
            yield row
        else:
            yield unreadable(file, number, why_unread(error, line, cut=cut), parser, line)


def _rows_in_arow_of(file: Path, number: int, line: str, parser: Parser) -> Iterator[Row]:
    """Objects that follow each other on a line, with or without commas; what does not parse raises `ValueError`."""
    rows, position = [], 0
    while (position := skip(line, position, SPACE + ",")) < len(line):
        value, end = parser.at(line, position)
        rows.append(row_of(file, number, line[position:end], value, parser))
        position = end
    if len(rows) > 1 and not all(isinstance(row.data, dict) for row in rows):
        raise json.JSONDecodeError("Extra data", line, position)
    said = f"{len(rows)} objects on one line" if len(rows) > 1 else "trailing comma removed"
    for row in rows:
        row.repaired("IO012", "$", said)
        yield row
