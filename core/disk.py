"""Small files that are whole or absent, flushed so that a power cut does not undo them; and locks on files.

A lock belongs to the open file, so it lives exactly as long as a process that holds that file open: what the kernel
releases by itself cannot be left behind by a crash.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from core.errors import UserError

BALLAST_BYTES = 2**16
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_atomic(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a small file so that a reader sees the old or the new one, never half.

    `durable`: flushed before and after the rename, so that a power cut leaves the old or the new one too.
    """
    stage = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with stage.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        stage.replace(path)
    except OSError:
        with suppress(OSError):
            stage.unlink()
        raise
    if durable:
        flush(path.parent)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[str]]:
    """A text file to write, however large, that is at its place when the block ends without an error, and not before.

    So the file that is read may be the one that is written, and nothing half-written is taken for the whole. What is no
    plain file (a pipe, a device) is written to as it is.
    """
    place = path.resolve()
    plain = place.is_file() or not place.exists()
    stage = place.with_name(f".{place.name}.{os.getpid()}") if plain else place
    try:
        # What cannot be encoded (a lone surrogate, in a message or the name of a file) is written as an escape.
        with stage.open("w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
        if plain:
            stage.replace(place)
    except BaseException:
        if plain:
            with suppress(OSError):
                stage.unlink()
        raise


def write_atomic_json(path: Path, data: Any, *, durable: bool = True) -> None:
    """The same for JSON."""
    write_atomic(path, json.dumps(data, ensure_ascii=False, indent=1), durable=durable)


def flush(path: Path) -> None:
    """Put a file's content, or a folder's list of names, on the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None when it is absent, unreadable or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def json_line(row: Mapping[str, Any]) -> str:
    """A line of a JSON lines file."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def append_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append a line for each row."""
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json_line(row) for row in rows))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file. A half-written last line is left for the next look.

    So is a line that a crash cut short and the next writer went on with: it is no object, and its step is taken again.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    rows = (_json_or_none(line) for line in lines[:-1] if line)
    return [row for row in rows if isinstance(row, dict)]


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def lock_within(file: IO[Any], seconds: float) -> bool:
    """Take the lock of an open file. Whoever looks whether it is held holds it for an instant, hence the few tries."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock of this file."""
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, made if it is absent, for the time of a block; wait for it if another has it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def whole_or_gone(folder: Path) -> Iterator[None]:
    """Fill a fresh folder; when that fails it is deleted, and trouble with the disk is raised as a `UserError`."""
    try:
        yield
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise disk_trouble(error, folder) or error from None


def lay_ballast(place: Path) -> None:
    """A file that makes room for small ones when it is deleted, as far as there is room for it now."""
    with suppress(OSError):
        place.write_bytes(bytes(BALLAST_BYTES))


def write_last_json(path: Path, data: Any, ballast: Path) -> None:
    """The same as `write_atomic_json`, on a full disk too: there the file `ballast` gives way."""
    try:
        write_atomic_json(path, data)
    except OSError as error:
        if not is_full(error):
            raise
        ballast.unlink(missing_ok=True)
        write_atomic_json(path, data)


def is_full(error: BaseException) -> bool:
    """Whether writing failed because the disk is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def disk_trouble(error: BaseException, place: Path | str | None = None) -> UserError | None:
    """What a disk that is full, or a folder that cannot be written, is to a person; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in (*_FULL, *_CLOSED):
        return None
    file = error.filename or place
    if error.errno == errno.EFBIG:
        return UserError("the file is larger than is allowed", file=file, remedy="see ulimit -f", exit_code=1)
    if is_full(error):
        return UserError("the disk is full", file=file, remedy="make room", exit_code=1)
    return UserError(f"it cannot be written: {os.strerror(error.errno or 0)}", file=file, exit_code=1)
