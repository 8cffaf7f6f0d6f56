"""Zip and tar archives as folders of data files, read where they are: nothing is unpacked onto the disk.

A file in an archive has a path like any other, which goes on behind the archive's: `talks.zip/train/a.jsonl`. What
cannot be read that way within bounds (a name that leads out, an archive in an archive, too many or too large files,
passwords) is one clear error, before any row is read.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from core.conversation import Finding
from core.datasets.files import SUFFIXES, UnusableError, inner_suffix, is_tar, is_zip, open_bytes, readable

ARCHIVES = (".zip", ".tar", ".tgz")
MOST_FILES = 1_000
# To find a file of a tar one must read what stands before it.
MOST_IN_TAR = 100
MOST_BYTES = 64 * 1024**3
_NESTED = (*ARCHIVES, ".7z", ".rar", ".bz2", ".xz")
# Written beside data, about it.
NOT_ROWS = ("dataset_info.json", "dataset_dict.json", "state.json")
_DESCRIBES = re.compile(r"(^|/)(readme|licen[cs]e|notice|citation|changelog)[^/]*$|\.md$")


def members(file: Path, notes: list[Finding]) -> list[Path]:
    """The data files in an archive, by name; the file itself where it is no archive. Raises `UnusableError`."""
    with readable(file):
        if is_zip(file):
            found, most = _in_zip(file), MOST_FILES
        elif is_tar(file):
            found, most = _in_tar(file), MOST_IN_TAR
        else:
            return [file]
    read = sorted(name for name in found if inner_suffix(Path(name)) in SUFFIXES and Path(name).name not in NOT_ROWS)
    others = sorted(found.keys() - set(read))
    nested = next((name for name in others if Path(name).suffix.lower() in _NESTED), "")
    if nested:
        raise UnusableError("IO001", f"holds another archive: {nested}", file, remedy="unpack it and give the folder")
    if not read:
        raise UnusableError("IO005", "the archive holds no data files", file, remedy=", ".join(SUFFIXES))
    if len(read) > most:
        said = f"holds {len(read)} data files, more than {most}"
        raise UnusableError("SH114", said, file, remedy="unpack it and give the folder")
    notes += passed_over(file, others)
    return [file / name for name in read]


def passed_over(place: Path, names: Sequence[str]) -> list[Finding]:
    """IO015 for files of a folder or of an archive that are not read, but for those that only describe it."""
    others = [name for name in names if not _DESCRIBES.search(name.lower())]
    shown = ", ".join(others[:10]) + ", …" * (len(others) > 10)
    return [Finding("IO015", "kept", f"files that are not read: {shown}", str(place))] if others else []


def _in_zip(file: Path) -> dict[str, int]:
    found = dict[str, int]()
    with zipfile.ZipFile(file) as packed:
        for info in packed.infolist():
            folder = info.filename.endswith("/")
            if not folder and _counted(file, found, info.filename, info.file_size) and info.flag_bits & 1:
                raise UnusableError("IO001", "needs a password", file, remedy="unpack it and give the folder")
    return found


def _in_tar(file: Path) -> dict[str, int]:
    found = dict[str, int]()
    with open_bytes(file) as stream, tarfile.open(fileobj=stream, mode="r|") as packed:
        for info in packed:
            if info.isfile():
                _counted(file, found, info.name, info.size)
            elif not info.isdir():
                said = f"holds {info.name}, which is a link or no file"
                raise UnusableError("IO001", said, file, remedy="unpack it and give the folder")
    return found


def _counted(file: Path, found: dict[str, int], given: str, size: int) -> bool:
    """Add a file of an archive to those that were found; False for what systems hide there."""
    place = PurePosixPath(given)
    if place.is_absolute() or not place.parts or ".." in place.parts or "\\" in given or "\0" in given:
        said = f"holds a name that leads out of it: {given!r}"
        raise UnusableError("IO001", said, file, remedy="pack it again with plain names")
    if any(part.startswith(".") or part == "__MACOSX" for part in place.parts):
        return False
    if str(place) in found:
        raise UnusableError("IO001", f"holds two files of the name {place}", file, remedy="pack it again")
    found[str(place)] = size
    if sum(found.values()) > MOST_BYTES:
        said = f"unpacked it is larger than {MOST_BYTES >> 30} GB"
        raise UnusableError("SH114", said, file, remedy="unpack it and give the folder")
    return True
