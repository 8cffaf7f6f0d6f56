"""Tables as rows: CSV, TSV, Parquet, Arrow and Excel, and tables whose rows are chained into conversations."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from core.conversation import Finding, Row
from core.datasets.files import (
    HEAD,
    LONGEST_LINE,
    MOST_UNPACKED,
    Kind,
    UnusableError,
    in_memory,
    inner_suffix,
    open_utf8,
    readable,
)
from core.formats.names import MESSAGE_COLUMNS, our_name
from core.formats.text import parse_text

_BATCH = 256
_DELIMITERS = ",;\t|"
# What is quoted in a line.
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
# Among so many rows at the top of a sheet its header is looked for.
_TITLE_ROWS = 20


def table_rows(file: Path, kind: Kind, notes: list[Finding], lenient: bool = False) -> Iterator[Row]:
    """The rows of a table file, each an object of its columns; `line` is a text table's line, else the row's number.

    Rows of a file with several sheets have the name of theirs behind the file's, as those of an archive do.
    """
    readers: dict[str, Callable[[Path, list[Finding]], Iterator[tuple[int, Any, str]]]] = {
        "csv": _text_table,
        "tsv": _text_table,
        "parquet": _parquet,
        "arrow": _arrow,
    }
    with readable(file):
        if kind == "xlsx":
            for sheet, number, value, reason in _excel(file, notes):
                yield Row(value, str(sheet), number, reason, lenient=lenient)
            return
        for count, (number, value, reason) in enumerate(readers[kind](file, notes), start=1):
            yield Row(value, str(file), number or count, reason, lenient=lenient)


def _text_table(file: Path, notes: list[Finding]) -> Iterator[tuple[int, Any, str]]:
    # The module's limit is the process's: a cell may be as long as a line of JSON may be.
    csv.field_size_limit(LONGEST_LINE)
    with io.TextIOWrapper(open_utf8(file, notes), encoding="utf-8", newline="") as stream:
        first = stream.readline(LONGEST_LINE + 1)
        delimiter = _delimiter(file, _QUOTED.sub("", first), notes)
        lines = _Lines(first, stream)
        reader = csv.reader(lines, delimiter=delimiter)
        header: list[str] = []
        line = 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield line, None, f"not a table row ({error})"
                line = reader.line_num + lines.skipped + 1
                continue
            if cells is None:
                break
            if not header and cells:
                header = _header(file, cells)
            elif len(cells) > len(header) and header:
                yield line, None, f"row has {len(cells)} cells, the header has {len(header)}"
            elif cells:
                yield line, _decoded(dict(itertools.zip_longest(header, cells, fillvalue=""))), ""
            line = reader.line_num + lines.skipped + 1


def _delimiter(file: Path, header: str, notes: list[Finding]) -> str:
    """What stands between the cells, as the header has it; a .tsv without a tab in it may be no .tsv."""
    most = max(_DELIMITERS, key=header.count)
    if inner_suffix(file) != ".tsv" or "\t" in header or most not in header:
        return "\t" if inner_suffix(file) == ".tsv" else most
    said = f'read with "{most}" between its cells in spite of its suffix'
    notes.append(Finding("IO013", "kept", said, str(file)))
    return most


class _Lines:
    """The lines with NUL characters, which the csv module cannot take, made visible.

    One that is too long raises `csv.Error` in its place; `skipped` counts them.
    """

    def __init__(self, first: str, stream: IO[str]) -> None:
        self._next, self._stream, self.skipped = first, stream, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, ends = self._next, ("\n", "\r")
        if not line:
            raise StopIteration
        too_long = len(line) > LONGEST_LINE and not line.endswith(ends)
        while too_long and (rest := self._stream.readline(HEAD)) and not rest.endswith(ends):
            pass
        self._next = self._stream.readline(LONGEST_LINE + 1)
        if too_long:
            self.skipped += 1
            raise csv.Error(f"line is longer than {LONGEST_LINE >> 20} MB")
        return line.replace("\0", "\ufffd")


def _header(file: Path, cells: Iterable[Any]) -> list[str]:
    names = [str(cell if cell is not None else "").strip() for cell in cells]
    doubled = next((name for name in names if name and names.count(name) > 1), None)
    if doubled is not None:
        raise UnusableError("IO003", f'column "{doubled}" appears twice', file, 1, remedy="rename one")
    if not any(names):
        raise UnusableError("IO005", "the table has no header", file, 1)
    return names


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose lists of messages are parsed: in a table of text they can only be JSON."""
    for column in MESSAGE_COLUMNS:
        text = row.get(column)
        if isinstance(text, str) and text.lstrip()[:1] == "[":
            value, written = parse_text(text)
            row[column] = value if written == "json" else text
    return row


def _parquet(file: Path, notes: list[Finding]) -> Iterator[tuple[int, Any, str]]:
    import pyarrow
    from pyarrow import parquet

    with file.open("rb") if _is_plain(file) else in_memory(file) as source:
        try:
            for batch in parquet.ParquetFile(source).iter_batches(_BATCH):
                yield from _batch(batch)
        except (pyarrow.ArrowException, MemoryError) as error:
            raise UnusableError("IO001", f"damaged parquet file: {_first_line(error)}", file) from None


def _arrow(file: Path, notes: list[Finding]) -> Iterator[tuple[int, Any, str]]:
    """An Arrow file, or a stream, which is how `datasets` saves."""
    import pyarrow

    with file.open("rb") if _is_plain(file) else in_memory(file) as source:
        try:
            if source.read(6) == b"ARROW1":
                reader = pyarrow.ipc.open_file(source)
                batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
            else:
                source.seek(0)
                batches = iter(pyarrow.ipc.open_stream(source))
            for batch in batches:
                yield from _batch(batch)
        except (pyarrow.ArrowException, MemoryError) as error:
            raise UnusableError("IO001", f"damaged arrow file: {_first_line(error)}", file) from None


def _is_plain(file: Path) -> bool:
    return file.suffix.lower() in (".parquet", ".arrow") and file.is_file()


def _batch(batch: Any) -> Iterator[tuple[int, Any, str]]:
    """The rows of a batch, in pieces: a batch of an Arrow file may be the whole of it."""
    # A damaged file can hold offsets that point anywhere; reading them without looking ends the process.
    batch.validate(full=True)
    for start in range(0, batch.num_rows, _BATCH):
        for row in batch.slice(start, _BATCH).to_pylist():
            yield 0, _plain(row), ""


def _plain(value: Any) -> Any:
    """A table's value as JSON would hold it; dates and decimals as their text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _excel(file: Path, notes: list[Finding]) -> Iterator[tuple[Path, int, Any, str]]:
    """The rows of every sheet, one after the other, each with the place that it came from."""
    import zipfile
    from xml.etree.ElementTree import ParseError

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    with in_memory(file) as stream:
        try:
            if sum(part.file_size for part in zipfile.ZipFile(stream).infolist()) > MOST_UNPACKED:
                said = f"unpacked it is larger than {MOST_UNPACKED >> 20} MB"
                raise UnusableError("SH114", said, file, remedy="save it as CSV")
            values = openpyxl.load_workbook(stream, read_only=True, data_only=True).worksheets
            formulas = openpyxl.load_workbook(stream, read_only=True).worksheets
            for sheet, written in zip(values, formulas, strict=True):
                several = len(values) > 1
                place = file / sheet.title if several else file
                for row in _sheet(file, notes, sheet, written, several=several):
                    yield (place, *row)
        except (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, IndexError) as error:
            raise UnusableError("IO001", f"damaged Excel file: {_first_line(error)}", file) from None


def _sheet(
    file: Path, notes: list[Finding], values: Any, formulas: Any, *, several: bool
) -> Iterator[tuple[int, Any, str]]:
    """The rows of a sheet; its header is the first row with several cells, or else the first one that is not empty.

    Where there are several sheets, one with a single column whose name says nothing is left out.
    """
    rows = ((number, *row) for number, row in enumerate(_sheet_rows(values, formulas), start=1))
    given = (row for row in rows if any(text not in (None, "") for text in row[2]))
    first = list(itertools.islice(given, _TITLE_ROWS))
    if not first:
        return
    at = next((at for at, row in enumerate(first) if sum(text not in (None, "") for text in row[2]) > 1), 0)
    header = _header(file, first[at][1])
    if several and len(list(filter(None, header))) == 1 and not our_name(next(filter(None, header))):
        notes.append(Finding("SH107", "kept", f'sheet "{values.title}" has no table and is not read', str(file)))
        return
    if at:
        said = f'sheet "{values.title}": what stands above its header in row {first[at][0]} is not read'
        notes.append(Finding("SH107", "kept", said, str(file)))
    for number, cells, written in itertools.chain(first[at + 1 :], given):
        bare = next((i for i, cell in enumerate(cells) if cell is None and written[i] is not None), None)
        if bare is not None:
            said = f"column {bare + 1} holds a formula without a value; open and save the file in a spreadsheet"
            yield number, None, said
            continue
        yield number, _decoded({name: _cell(cell) for name, cell in zip(header, cells, strict=False) if name}), ""


def _sheet_rows(values: Any, formulas: Any) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """The rows of a sheet as values, and as they are written, where a formula is its own text."""
    yield from zip(values.iter_rows(values_only=True), formulas.iter_rows(values_only=True), strict=True)


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "" if value is None else _plain(value)


def _first_line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
