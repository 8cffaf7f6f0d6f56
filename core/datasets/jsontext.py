"""JSON text seen through a window: its values one after the other, as rows with their lines.

The parser sees repeated keys and NaN, which the standard one swallows.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from core.conversation import Finding, Row, snippet
from core.datasets.files import HEAD, LONGEST_LINE, UnusableError
from core.formats.text import finite, too_deep

SPACE = " \t\r\n"
# Nothing else makes surrogates, however often what it stands for is parsed again.
_NUMBERED = re.compile(r'\\[^"\\/bfnrt]')


class ConstantError(ValueError):
    """NaN, Infinity or what becomes it stands where JSON wants a number."""


class Parser:
    """A JSON parser that remembers the key that an object repeats, and refuses NaN (null in a lenient reading)."""

    def __init__(self, lenient: bool = False) -> None:
        self.lenient, self.repeated, self.constants = lenient, "", 0
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_float=self._number
        )

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
            raise ConstantError(f"{name} is not JSON")
        self.constants += 1

    def _number(self, text: str) -> float | None:
        try:
            return finite(text)
        except ValueError:
            if not self.lenient:
                raise ConstantError(f"{snippet(text)} is beyond every number that is kept") from None
            self.constants += 1
            return None


def skip(text: str, position: int, characters: str) -> int:
    """The place of the next character that is none of `characters`."""
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def row_of(file: Path, number: int, text: str, value: Any, parser: Parser) -> Row:
    """The row of a value that was just parsed from a text."""
    if too_deep(text, value):
        return unreadable(file, number, ("SH114", "nested deeper than 64 levels"), parser, text)
    row = Row(value, str(file), number, lenient=parser.lenient, surrogates=_NUMBERED.search(text) is not None)
    if parser.repeated:
        row.kept("IO003", "$", f'key "{parser.repeated[:60]}" appears twice; the last value is used')
    if parser.constants:
        row.repaired("IO004", "$", "NaN or Infinity read as null")
    return row


def unreadable(file: Path, number: int, why: tuple[str, str], parser: Parser, text: str) -> Row:
    """A row that could not be parsed, with the code and the words for why."""
    return Row(None, str(file), number, why[1], unreadable_code=why[0], lenient=parser.lenient, text=text)


def why_unread(error: ValueError | RecursionError, text: str, *, cut: bool) -> tuple[str, str]:
    """The code and the words for a line that does not parse; `cut` when the file ends with it."""
    if isinstance(error, RecursionError):
        return "SH114", "nested deeper than 64 levels"
    if isinstance(error, ConstantError):
        return "IO004", str(error)
    if not isinstance(error, json.JSONDecodeError):
        return "IO001", f"not valid JSON ({str(error).split(';')[0]})"
    if cut and (error.pos >= len(text) or error.msg.startswith("Unterminated string")):
        return "IO012", "the file ends inside this row"
    return "IO001", f"not valid JSON ({error.msg}, column {error.colno})"


class Window:
    """A window on a long text: `text[position]` is next, `line` its line; values are parsed as they come into view."""

    def __init__(self, file: Path, stream: IO[bytes], parser: Parser) -> None:
        self.file, self.parser = file, parser
        self.text, self.position, self.line, self.ended = "", 0, 1, False
        # How much of the line that the window begins in stands before the window.
        self._before = 0
        self._stream, self._decoder, self._counted = stream, codecs.getincrementaldecoder("utf-8")(), 0

    def fill(self, size: int = HEAD) -> None:
        """Forget what was read and read on."""
        self.here()
        self._before = self.column(self.position) - 1
        self.text, self.position, self._counted = self.text[self.position :], 0, 0
        raw = self._stream.read(size)
        self.text += self._decoder.decode(raw, final=not raw)
        self.ended = not raw

    def here(self) -> int:
        """The line of the next character."""
        self.line += self.text.count("\n", self._counted, self.position)
        self._counted = self.position
        return self.line

    def column(self, position: int) -> int:
        """The place in its line, from 1, of a character of the window."""
        end_of_last = self.text.rfind("\n", 0, position)
        return position - end_of_last if end_of_last >= 0 else self._before + position + 1

    def peek(self, skipped: str = SPACE) -> str:
        """The next character that is none of `skipped`; empty at the end."""
        while True:
            self.position = skip(self.text, self.position, skipped)
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
            except ConstantError:
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
            return unreadable(self.file, number, why, self.parser, "")
        return row_of(self.file, number, self.text[self.start : self.position], value, self.parser)

    def _refused(self, error: ValueError, number: int) -> Row:
        """The row that the end of the file cut off; anything else makes the whole file unusable."""
        code, said = why_unread(error, self.text, cut=self.ended)
        if code == "IO012":
            rest, self.position = self.text[self.position :], len(self.text)
            return unreadable(self.file, number, (code, said), self.parser, rest)
        if not self.ended and len(self.text) - self.position > LONGEST_LINE:
            raise UnusableError("SH114", f"a row is longer than {LONGEST_LINE >> 20} MB", self.file, number) from None
        if isinstance(error, json.JSONDecodeError):
            line = number + self.text.count("\n", self.position, error.pos)
            said = f"not valid JSON: {error.msg} (column {self.column(error.pos)})"
            raise UnusableError("IO001", said, self.file, line) from None
        raise UnusableError(code, said, self.file, number) from None


def array_rows(text: Window, notes: list[Finding]) -> Iterator[Row]:
    """The elements of the list that begins here."""
    text.peek()
    text.position += 1
    while (following := text.peek()) and following != "]":
        yield text.row()
        following = text.peek()
        if following == ",":
            text.position += 1
            if text.peek(SPACE + ",") == "]":
                notes.append(_helped(text, "trailing comma at the end of the list"))
        elif following and following != "]":
            notes.append(_helped(text, "a comma is missing between two rows"))
    if not following:
        notes.append(_helped(text, "the list is not closed: the file may be cut off"))
    text.position += 1


def _helped(text: Window, said: str) -> Finding:
    return Finding("IO012", "repaired", said, str(text.file), text.here())


def value_rows(text: Window) -> Iterator[Row]:
    """Objects one after the other, each over several lines."""
    while text.peek(SPACE + ","):
        yield text.row()
