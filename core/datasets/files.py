"""Files as streams of UTF-8: what kind they are by their content, compression, byte order marks, and clear errors.

The content decides what a file is; its suffix only helps where the content cannot tell (tables as text).
"""

from __future__ import annotations

import codecs
import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Literal, cast

from core.conversation import Finding, snippet
from core.errors import UserError

Kind = Literal["json", "csv", "tsv", "parquet", "arrow", "xlsx"]
LONGEST_LINE = 16 * 1024 * 1024
HEAD = 1 << 20
# What is held in memory of a packed table.
MOST_UNPACKED = 512 * 1024 * 1024
# So much of a packed file is unpacked at once: it may become ten thousand times as much.
_PACKED = 1024
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".xlsx")
COMPRESSED = (".gz", ".zst", ".zstd")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNPACK, _EXPORT = "unpack it, or pack it with gzip or zstd", "write its rows as JSON Lines, CSV or Parquet"
# What is no data file, by its first bytes; the zip archives among them by their suffix; and what to do about it.
_REFUSED = {
    b"BZh": ("bzip2", _UNPACK),
    b"\xfd7zXZ": ("xz", _UNPACK),
    b"7z\xbc\xaf": ("7-Zip", _UNPACK),
    b"Rar!": ("RAR", _UNPACK),
    b"%PDF": ("PDF", _EXPORT),
    b"SQLite format 3": ("an SQLite database", _EXPORT),
    b"\xd0\xcf\x11\xe0": ("an old Excel or Word file", "save it as .xlsx or CSV"),
    b"\x80\x02": ("a pickle, which could run code", _EXPORT),
    b"\x80\x03": ("a pickle, which could run code", _EXPORT),
    b"\x80\x04": ("a pickle, which could run code", _EXPORT),
    b"\x80\x05": ("a pickle, which could run code", _EXPORT),
    b"\x93NUMPY": ("a NumPy array", _EXPORT),
    b"\x89HDF": ("HDF5", _EXPORT),
    b"Obj\x01": ("Avro", _EXPORT),
    b"version https://git-lfs": ("a pointer of Git LFS and not the file itself", "fetch the file with git lfs pull"),
}
_ZIPPED = {".docx": "a Word file", ".ods": "an OpenDocument table", ".odt": "an OpenDocument text"}
# Suffixes of texts that hold no rows, unless they begin like JSON.
_TEXTS = {
    ".md": "Markdown",
    ".txt": "plain text",
    ".log": "plain text",
    ".html": "HTML",
    ".htm": "HTML",
    ".xml": "XML",
    ".yaml": "YAML",
    ".yml": "YAML",
    ".toml": "TOML",
}
_AS_ROWS = 'write one conversation a line, as {"messages": [{"role": "user", "content": "…"}, …]}'


class UnusableError(UserError):
    """A file or dataset that cannot be used as a whole; `finding` has its code and place."""

    def __init__(self, code: str, message: str, file: Path | str, line: int = 0, remedy: str = "") -> None:
        said = message if remedy else f"{message} [{code}]"
        super().__init__(said, file=file, line=line or None, remedy=remedy and f"{remedy} [{code}]")
        self.finding = Finding(code, "stopped", f"{message} — {remedy}" if remedy else message, str(file), line)


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Whatever goes wrong while the file is read becomes one clear error."""
    try:
        yield
    except FileNotFoundError:
        raise UserError("no such file", file=file) from None
    except UnicodeDecodeError as error:
        at = f"cannot decode byte {error.object[error.start] if error.object else 0:#04x}"
        before = snippet(error.object[max(0, error.start - 40) : error.start].decode("utf-8", "ignore"))
        said = f'is not UTF-8: {at} behind "{before}"' if before else f"is not UTF-8: {at}"
        raise UnusableError("IO002", said, file, remedy="save it as UTF-8") from None
    except (gzip.BadGzipFile, zlib.error, EOFError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as error:
        raise _damaged(error, file) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", file=file) from None


def kind_of(file: Path, notes: list[Finding]) -> Kind:
    """What a file holds, by its first bytes. Raises `UserError` for what is no data file."""
    with readable(file), open_bytes(file) as stream:
        head = stream.read(4096)
    suffix = inner_suffix(file)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1") or (head.startswith(b"\xff\xff\xff\xff") and suffix == ".arrow"):
        return "arrow"
    if head.startswith(b"PK"):
        if suffix == ".xlsx":
            return "xlsx"
        if suffix in _ZIPPED:
            raise UnusableError("IO001", f"is {_ZIPPED[suffix]}", file, remedy=_EXPORT)
        raise UnusableError("IO001", "is a zip archive", file, remedy="unpack it and give the folder")
    if head[257:262] == b"ustar":
        raise UnusableError("IO001", "is a tar archive", file, remedy="unpack it and give the folder")
    for magic, (name, remedy) in _REFUSED.items():
        if head.startswith(magic):
            raise UnusableError("IO001", f"is {name}", file, remedy=remedy)
    return _text_kind(file, head, suffix, notes)


def _text_kind(file: Path, head: bytes, suffix: str, notes: list[Finding]) -> Kind:
    marked = any(head.startswith(mark) for mark, _ in _MARKS)
    if not marked and len(head) > 1 and head[:64].count(0) * 3 > len(head[:64]):
        said = "looks like UTF-16 without a byte order mark"
        raise UnusableError("IO002", said, file, remedy="save it as UTF-8")
    text = _decoded(head).lstrip()
    looks_json = text[:1] in ("{", "[")
    if suffix in _TEXTS and not (text[:1] == "{" or (looks_json and text[1:].lstrip()[:1] in ("{", "[", '"', "]"))):
        raise UnusableError("IO001", f"is {_TEXTS[suffix]}, which holds no rows", file, remedy=_AS_ROWS)
    if suffix in (".csv", ".tsv"):
        if not looks_json:
            return "tsv" if suffix == ".tsv" else "csv"
        notes.append(Finding("IO013", "kept", f"read as JSON in spite of {suffix}", str(file)))
    elif suffix in (".parquet", ".arrow", ".xlsx") and not looks_json:
        raise UnusableError("IO001", f"is no {suffix[1:]} file: its first bytes say otherwise", file)
    return "json"


def _decoded(head: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")
    return head.decode(encoding, "replace")


def inner_suffix(file: Path) -> str:
    """The suffix below a compression suffix, in lower case: `.jsonl` of `a.jsonl.gz`."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    while suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def open_bytes(file: Path) -> IO[bytes]:
    """The bytes of a file, or of one in an archive, unpacked when they are gzip or zstd."""
    stream = _open(file)
    magic = stream.peek(4)[:4]
    if magic[:2] == b"\x1f\x8b":
        return cast(IO[bytes], _Unzipped(stream))
    if magic == b"\x28\xb5\x2f\xfd":
        return io.BufferedReader(_Frames(file, stream), HEAD)
    return stream


class _Unzipped(gzip.GzipFile):
    """The bytes of a gzip stream, which is closed with it."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(fileobj=packed)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def is_zip(file: Path) -> bool:
    """Whether a file is a zip archive, and none of the documents that are zipped."""
    with file.open("rb") as stream:
        return stream.read(2) == b"PK" and inner_suffix(file) not in (".xlsx", *_ZIPPED)


def is_tar(file: Path) -> bool:
    """Whether a file is a tar archive, itself plain or compressed."""
    with open_bytes(file) as stream:
        return stream.read(262)[257:] == b"ustar"


def _open(file: Path) -> io.BufferedReader:
    """A file, or one in an archive, whose path goes on behind the archive's."""
    try:
        return file.open("rb")
    except NotADirectoryError:
        archive = next(parent for parent in file.parents if parent.is_file())
    name = file.relative_to(archive)
    if is_zip(archive):
        with zipfile.ZipFile(archive) as packed:
            stream = packed.open(next(info for info in packed.infolist() if Path(info.filename) == name))
        return io.BufferedReader(cast(io.RawIOBase, stream), HEAD)
    return io.BufferedReader(_OfTar(archive, name), HEAD)


class _OfTar(io.RawIOBase):
    """A file of a tar archive, read on from the archive's beginning; its stream is closed with it."""

    def __init__(self, archive: Path, name: Path) -> None:
        with ExitStack() as stack:
            stream = stack.enter_context(open_bytes(archive))
            tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r|"))
            self._inner = tar.extractfile(next(info for info in tar if Path(info.name) == name))
            self._packed = stack.pop_all()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._inner.read(len(buffer)) if self._inner else b""
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        super().close()
        self._packed.close()


class _Frames(io.RawIOBase):
    """A zstd archive, unpacked frame by frame; damage is an error, and so is an end inside a frame.

    (zstandard's own reader takes an archive that was cut off for a whole one.)
    """

    def __init__(self, file: Path, stream: IO[bytes]) -> None:
        import zstandard

        self._new = zstandard.ZstdDecompressor().decompressobj
        self._error = zstandard.ZstdError
        self._file, self._stream, self._frame, self._begun, self._left = file, stream, self._new(), False, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and (packed := self._stream.read(_PACKED)):
            self._left = self._unpacked(packed)
        if not self._left and self._begun:
            raise _damaged("it ends before its end mark", self._file)
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count

    def _unpacked(self, packed: bytes) -> bytes:
        unpacked = b""
        while packed:
            try:
                unpacked += self._frame.decompress(packed)
            except self._error as error:
                raise _damaged(error, self._file) from None
            self._begun, packed = not self._frame.eof, self._frame.unused_data
            if not self._begun:
                self._frame = self._new()
        return unpacked

    def close(self) -> None:
        self._stream.close()
        super().close()


def _damaged(why: object, file: Path) -> UnusableError:
    return UnusableError("IO001", f"damaged archive: {why}", file, remedy="pack it again")


def in_memory(file: Path) -> IO[bytes]:
    """A file that a library must read from memory, unpacked. Raises `UnusableError` when there is too much of it."""
    with open_bytes(file) as stream:
        data = stream.read(MOST_UNPACKED + 1)
    if len(data) > MOST_UNPACKED:
        said = f"unpacked it is larger than {MOST_UNPACKED >> 20} MB"
        raise UnusableError("SH114", said, file, remedy="unpack it, or give it as JSON Lines")
    return io.BytesIO(data)


def open_utf8(file: Path, notes: list[Finding] | None = None) -> IO[bytes]:
    """The text of a file as UTF-8 bytes without a byte order mark; UTF-16 and UTF-32 with a mark are recoded."""
    stream = open_bytes(file)
    start = stream.read(4)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    stream.seek(0) if stream.seekable() else None
    if not stream.seekable():
        stream.close()
        stream = open_bytes(file)
    if encoding is None:
        return stream
    if notes is not None:
        label = "UTF-8 with a byte order mark" if encoding == "utf-8-sig" else encoding.upper()
        notes.append(Finding("IO002", "repaired", f"file is {label}; read as UTF-8", str(file)))
    if encoding == "utf-8-sig":
        stream.read(3)
        return stream
    return io.BufferedReader(_Recoded(stream, encoding), HEAD)


class _Recoded(io.RawIOBase):
    """A stream in another encoding as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream, self._decoder, self._left = stream, codecs.getincrementaldecoder(encoding)(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = self._stream.read(HEAD)
            self._left = self._decoder.decode(piece, final=not piece).encode("utf-8", "replace")
            if not piece:
                break
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
