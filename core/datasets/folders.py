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
    return _listed(source)[0]


def files_to_read(source: Source, notes: list[Finding]) -> list[Path]:
    """The files of a source, and those in its archives."""
    listed, others = _listed(source)
    files = [inside for file in listed for inside in members(file, notes)]
    notes += [*passed_over(_place(source), others), *splits_mixed(source.file, files)]
    return files


def _listed(source: Source) -> tuple[list[Path], list[str]]:
    place = _place(source)
    return _divided(place) if place.is_dir() else ([place], [])


def _place(source: Source) -> Path:
    return source.file / source.folder if source.file.is_dir() and source.folder else source.file


def data_files(folder: Path) -> list[Path]:
    """The data files of a folder and the folders in it, by name; a saved `datasets` folder gives its own files.

    Raises `UserError`, also for a folder inside that cannot be read: its files must not be left out in silence.
    """
    return _divided(folder)[0]


def _divided(folder: Path) -> tuple[list[Path], list[str]]:
    """The data files of a folder, and the names of the others that may be meant as data."""
    if os.path.isfile(folder / "state.json"):
        return sorted(folder.glob("*.arrow")), []
    below = sorted(_files_below(folder))
    listed = [path for path in below if inner_suffix(path) in SUFFIXES and path.name not in NOT_ROWS]
    if not listed:
        raise UnusableError("IO005", "the folder holds no data files", folder, remedy=", ".join(SUFFIXES))
    others = [path.relative_to(folder).as_posix() for path in below if inner_suffix(path) not in SUFFIXES]
    return listed, others


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
