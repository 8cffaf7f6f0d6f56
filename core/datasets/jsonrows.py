"""JSON files as rows, one at a time: JSON Lines, arrays, LMFlow's wrapper, objects one after the other.

Nothing is loaded whole. A row that cannot be read is a row with a reason, never an exception; only a file that is
unusable as a whole raises. The parser sees repeated keys and NaN, which the standard one swallows, and line numbers
are those of the file.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from core.conversation import Finding, Row
from core.datasets.files import HEAD, LONGEST_LINE, UnusableError, inner_suffix, open_utf8, readable
from core.errors import UserError
from core.formats.text import parse_text, too_deep

_LINE_SUFFIXES = (".jsonl", ".ndjson")
# Lines are handed on in pieces of about this many bytes.
PIECE = 1 << 20
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)
_SPACE = " \t\r\n"
# LMFlow's types that hold something to train a chat model on, and those that do not.
LMFLOW_LAYOUTS = {"conversation": "lmflow", "text2text": "lmflow_text2text", "text_only": "text"}
_LMFLOW_OTHERS = ("float_only", "image_text", "paired_conversation", "paired_text_to_text", "text_to_scored_textlist")


class _ConstantError(ValueError):
    """NaN or Infinity stands where JSON wants a number."""


class Parser:
    """A JSON parser that remembers the key that an object repeats, and refuses NaN (null in a lenient reading)."""

    def __init__(self, lenient: bool = False) -> None:
        self.lenient, self.repeated, self.constants = lenient, "", 0
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant)

    def at(self, text: str, position: int) -> tuple[Any, int]:
        """The value at a position and where it ends. Raises `ValueError` or `RecursionError`."""
        self.repeated, self.constants = "", 0
        return self._decoder.raw_decode(text, position)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            self.repeated = next(key for key in keys if keys.count(key) > 1)
        return made

    def _constant(self, name: str) -> None:
        if not self.lenient:
            raise _ConstantError(f"{name} is not JSON")
        self.constants += 1


def json_mode(file: Path, notes: list[Finding], lenient: bool = False) -> str:
    """How a JSON file holds its rows: `lines`, `array`, `wrapper` (LMFlow's) or `values` (objects that span lines)."""
    with readable(file), open_utf8(file) as stream:
        raw = stream.read(HEAD)
    head = raw.decode("utf-8", "replace").lstrip(_SPACE)
    if not head:
        raise UnusableError("IO005", "the file is empty", file)
    return _mode(file, head, Parser(lenient), notes)


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
        text = _Text(file, stream, Parser(lenient))
        if mode == "array":
            yield from _array(text, notes)
        elif mode == "values":
            yield from _values(text)
        else:
            yield from _wrapper(text, notes, [] if lmflow is None else lmflow)


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


def _mode(file: Path, head: str, parser: Parser, notes: list[Finding]) -> str:
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
        if _is_wrapper(head, parser):
            return "wrapper"
        if complete or by_suffix or line.rstrip().endswith("}"):
            if rest.strip() and inner_suffix(file) == ".json":
                notes.append(Finding("IO013", "kept", "read as JSON Lines in spite of its suffix", str(file)))
            return "lines"
        return "values"
    if by_suffix:
        return "lines"
    raise UnusableError("IO001", f"is not JSON: it begins with {head[:20]!r}", file, 1)


def _parses(parser: Parser, line: str) -> bool:
    try:
        return not line[parser.at(line, 0)[1] :].strip()
    except (ValueError, RecursionError):
        return False


def _is_wrapper(head: str, parser: Parser) -> bool:
    """Whether the first object has `instances` at its top, or an LMFlow type and nothing else."""
    position, seen = 1, {}
    while (position := _skip(head, position, _SPACE + ",")) < len(head) and head[position] == '"':
        try:
            key, position = parser.at(head, position)
            position = _skip(head, position, _SPACE + ":")
            if key == "instances":
                return True
            seen[key], position = parser.at(head, position)
        except (ValueError, RecursionError, IndexError):
            break
    kind = seen.get("type")
    return isinstance(kind, str) and kind in (*LMFLOW_LAYOUTS, *_LMFLOW_OTHERS) and len(seen) == 1


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def rows_of_lines(file: Path, first: int, data: bytes, lenient: bool = False) -> Iterator[Row]:
    """The rows of whole lines, the first of which is line `first`: usually one a line."""
    parser = Parser(lenient)
    for number, raw in enumerate(_lines(data), start=first):
        try:
            line = raw.decode("utf-8").strip(_SPACE)
        except UnicodeDecodeError as error:
            said = f"cannot decode byte {error.start + 1} of the line"
            yield _unreadable(file, number, ("IO002", said), parser, raw.decode("utf-8", "backslashreplace"))
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
            yield _row(file, number, line, value, parser)
        else:
            yield from _rows_in_a_row(file, number, line, parser)
    except (ValueError, RecursionError) as error:
        repaired = _STRING_OR_COMMA.sub(lambda found: "" if found.group() == "," else found.group(), line)
        if repaired != line and _parses(parser, repaired):
            row = _row(file, number, repaired, parser.at(repaired, 0)[0], parser)
            row.repaired("IO012", "$", "trailing comma removed")
            yield row
        elif parser.lenient and isinstance(value := parse_text(line)[0], dict):
            row = _row(file, number, line, value, parser)
            row.repaired("IO001", "$", "row read as a Python literal")
            yield row
        else:
            yield _unreadable(file, number, _reason(error, line, cut=cut), parser, line)


def _rows_in_a_row(file: Path, number: int, line: str, parser: Parser) -> Iterator[Row]:
    """Objects that follow each other on a line, with or without commas; what does not parse raises `ValueError`."""
    rows, position = [], 0
    while (position := _skip(line, position, _SPACE + ",")) < len(line):
        value, end = parser.at(line, position)
        rows.append(_row(file, number, line[position:end], value, parser))
        position = end
    if len(rows) > 1 and not all(isinstance(row.data, dict) for row in rows):
        raise json.JSONDecodeError("Extra data", line, position)
    said = f"{len(rows)} objects on one line" if len(rows) > 1 else "trailing comma removed"
    for row in rows:
        row.repaired("IO012", "$", said)
        yield row


def _row(file: Path, number: int, text: str, value: Any, parser: Parser) -> Row:
    if too_deep(text, value):
        return _unreadable(file, number, ("SH114", "nested deeper than 64 levels"), parser, text)
    row = Row(value, str(file), number, lenient=parser.lenient)
    if parser.repeated:
        row.kept("IO003", "$", f'key "{parser.repeated[:60]}" appears twice; the last value is used')
    if parser.constants:
        row.repaired("IO004", "$", "NaN or Infinity read as null")
    return row


def _unreadable(file: Path, number: int, why: tuple[str, str], parser: Parser, text: str) -> Row:
    return Row(None, str(file), number, why[1], unreadable_code=why[0], lenient=parser.lenient, text=text)


def _reason(error: ValueError | RecursionError, text: str, *, cut: bool) -> tuple[str, str]:
    """The code and the words for a line that does not parse; `cut` when the file ends with it."""
    if isinstance(error, RecursionError):
        return "SH114", "nested deeper than 64 levels"
    if isinstance(error, _ConstantError):
        return "IO004", str(error)
    if not isinstance(error, json.JSONDecodeError):
        return "IO001", f"not valid JSON ({str(error).split(';')[0]})"
    if cut and (error.pos >= len(text) or error.msg.startswith("Unterminated string")):
        return "IO012", "the file ends inside this row"
    return "IO001", f"not valid JSON ({error.msg}, column {error.colno})"


class _Text:
    """A window on a long text: `text[position]` is next, `line` its line; values are parsed as they come into view."""

    def __init__(self, file: Path, stream: IO[bytes], parser: Parser) -> None:
        self.file, self.parser = file, parser
        self.text, self.position, self.line, self.ended = "", 0, 1, False
        self._stream, self._decoder, self._counted = stream, codecs.getincrementaldecoder("utf-8")(), 0

    def fill(self, size: int = HEAD) -> None:
        """Forget what was read and read on."""
        self.here()
        self.text, self.position, self._counted = self.text[self.position :], 0, 0
        raw = self._stream.read(size)
        self.text += self._decoder.decode(raw, final=not raw)
        self.ended = not raw

    def here(self) -> int:
        """The line of the next character."""
        self.line += self.text.count("\n", self._counted, self.position)
        self._counted = self.position
        return self.line

    def peek(self, skipped: str = _SPACE) -> str:
        """The next character that is none of `skipped`; empty at the end."""
        while True:
            self.position = _skip(self.text, self.position, skipped)
            if self.position < len(self.text):
                return self.text[self.position]
            if self.ended:
                return ""
            self.fill()

    def value(self) -> Any:
        """The value that begins here. Raises `ValueError` or `RecursionError` when there is none."""
        size = HEAD
        while True:
            try:
                value, end = self.parser.at(self.text, self.position)
                if end < len(self.text) or self.ended:
                    break
            except _ConstantError:
                raise
            except (ValueError, RecursionError):
                if self.ended or len(self.text) - self.position > LONGEST_LINE:
                    raise
            self.fill(size)
            size *= 2
        self.start, self.position = self.position, end
        return value

    def row(self) -> Row:
        """The row that begins here."""
        number = self.here()
        try:
            value = self.value()
        except UnicodeDecodeError:
            raise
        except RecursionError:
            raise UnusableError("SH114", "nested deeper than 64 levels", self.file, number) from None
        except ValueError as error:
            return self._refused(error, number)
        if self.position - self.start > LONGEST_LINE:
            why = ("SH114", f"row is longer than {LONGEST_LINE >> 20} MB")
            return _unreadable(self.file, number, why, self.parser, "")
        return _row(self.file, number, self.text[self.start : self.position], value, self.parser)

    def _refused(self, error: ValueError, number: int) -> Row:
        """The row that the end of the file cut off; anything else makes the whole file unusable."""
        code, reason = _reason(error, self.text, cut=self.ended)
        if code == "IO012":
            rest, self.position = self.text[self.position :], len(self.text)
            return _unreadable(self.file, number, (code, reason), self.parser, rest)
        if not self.ended and len(self.text) - self.position > LONGEST_LINE:
            raise UnusableError("SH114", f"a row is longer than {LONGEST_LINE >> 20} MB", self.file, number) from None
        if isinstance(error, json.JSONDecodeError):
            line = number + self.text.count("\n", self.position, error.pos)
            column = error.pos - self.text.rfind("\n", 0, error.pos)
            raise UnusableError("IO001", f"not valid JSON: {error.msg} (column {column})", self.file, line) from None
        raise UnusableError(code, reason, self.file, number) from None


def _array(text: _Text, notes: list[Finding]) -> Iterator[Row]:
    """The elements of the list that begins here."""
    text.peek()
    text.position += 1
    while (following := text.peek()) and following != "]":
        yield text.row()
        following = text.peek()
        if following == ",":
            text.position += 1
            if text.peek(_SPACE + ",") == "]":
                notes.append(_helped(text, "trailing comma at the end of the list"))
        elif following and following != "]":
            notes.append(_helped(text, "a comma is missing between two rows"))
    if not following:
        notes.append(_helped(text, "the list is not closed: the file may be cut off"))
    text.position += 1


def _helped(text: _Text, said: str) -> Finding:
    return Finding("IO012", "repaired", said, str(text.file), text.here())


def _values(text: _Text) -> Iterator[Row]:
    """Objects one after the other, each over several lines."""
    while text.peek(_SPACE + ","):
        yield text.row()


def _wrapper(text: _Text, notes: list[Finding], lmflow: list[str]) -> Iterator[Row]:
    """The instances of LMFlow's `{"type": …, "instances": […]}`; the type may stand behind them."""
    text.peek()
    text.position += 1
    seen: dict[str, Any] = {}
    while text.peek(_SPACE + ",") == '"':
        key = text.row().data
        if text.peek() == ":":
            text.position += 1
        if key == "instances" and text.peek() == "[":
            if "type" in seen:
                lmflow.append(_lmflow_kind(text, seen))
            yield from _array(text, notes)
            seen[key] = True
        else:
            text.peek()
            seen[key] = text.row().data
    if seen.get("instances") is not True:
        raise UnusableError("IO010", '"instances" must be a list', text.file)
    _lmflow_kind(text, seen)


def _lmflow_kind(text: _Text, seen: dict[str, Any]) -> str:
    """The type of an LMFlow file. Raises `UnusableError` when it holds no conversations."""
    kind = seen.get("type")
    if kind in _LMFLOW_OTHERS:
        raise UnusableError("IO011", f'type "{kind}" holds no conversations to train on', text.file)
    if kind not in LMFLOW_LAYOUTS:
        known = ", ".join(LMFLOW_LAYOUTS)
        raise UnusableError("IO009", f'LMFlow file needs "type": one of {known}; found {kind!r}', text.file)
    return str(kind)
