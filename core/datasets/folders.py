"""The files of a source: those of a folder, and those in archives. What of them is passed over is named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from core.conversation import Finding
from core.datasets.archives import NOT_ROWS, members, passed_over
from core.datasets.files import SUFFIXES, UnusableError, inner_suffix
from core.datasets.registry import Source
from core.errors import UserError


def files_of(source: Source) -> list[Path]:
    """The files of a source that is a file or a folder."""
    place = _place(source)
    return data_files(place) if place.is_dir() else [place]


def files_to_read(source: Source, notes: list[Finding]) -> list[Path]:
    """The files of a source, and those in its archives."""
    files = [inside for file in files_of(source) for inside in members(file, notes)]
    notes += [*_not_read(_place(source)), *splits_mixed(source.file, files)]
    return files


def _place(source: Source) -> Path:
    return source.file / source.folder if source.file.is_dir() and source.folder else source.file


def data_files(folder: Path) -> list[Path]:
    """The data files of a folder and the folders in it, by name; a saved `datasets` folder gives its own files.

    Raises `UserError`, also for a folder inside that cannot be read: its files must not be left out in silence.
    """
    if os.path.isfile(folder / "state.json"):
        return sorted(folder.glob("*.arrow"))
    found = sorted(path for path in _files_below(folder) if inner_suffix(path) in SUFFIXES)
    listed = [path for path in found if path.name not in NOT_ROWS]
    if not listed:
        raise UnusableError("IO005", "the folder holds no data files", folder, remedy=", ".join(SUFFIXES))
    return listed


def _not_read(folder: Path) -> list[Finding]:
    """IO015, when a folder holds files that are no data files, if any of them may be meant as data."""
    if not folder.is_dir() or os.path.isfile(folder / "state.json"):
        return []
    others = sorted(path for path in _files_below(folder) if inner_suffix(path) not in SUFFIXES)
    return passed_over(folder, [path.relative_to(folder).as_posix() for path in others])


def splits_mixed(folder: Path, files: list[Path]) -> list[Finding]:
    """IO014, when the files of a folder are named by more than one split."""
    named = (_SPLIT.search(file.relative_to(folder).as_posix().lower()) for file in files if file != folder)
    splits = list(dict.fromkeys(found.group(1) for found in named if found))
    if len(splits) < 2:
        return []
    said = f"the folder holds files of several splits, and all are read: {', '.join(splits)}"
    return [Finding("IO014", "kept", said, str(folder))]


_SPLIT = re.compile(r"(?<![a-z])(train|test|val|validation|dev|eval)(?![a-z])")


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file that is not hidden; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot be read: {error.strerror}", file=error.filename)

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if not name.startswith("."))
        yield from (path for path in paths if path.is_file())
