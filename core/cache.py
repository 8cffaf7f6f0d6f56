"""The folder of checked and encoded datasets: where it is, how large, and what goes when it grows.

Each dataset, as it was read with one set of options, is a folder of its own; a run links to the files that it uses, so
whatever is deleted here is made again when it is needed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

MOST_BYTES = 8 * 2**30
# The folder with how long the rows of datasets are: a few bytes for each.
LENGTHS = "lengths"
_DAY_S = 86_400


def cache_dir() -> Path:
    """`$TUNEBOARD_CACHE`, else `tuneboard` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("TUNEBOARD_CACHE") or Path(home) / "tuneboard") / "data"


def kept() -> dict[Path, int]:
    """The folders in the cache and their bytes; what was not used for longest comes first."""
    try:
        folders = [path for path in cache_dir().iterdir() if path.is_dir()]
    except OSError:
        return {}
    return {path: _size(path) for path in sorted(folders, key=_used)}


def datasets(sizes: Iterable[Path]) -> int:
    """How many of the folders are datasets."""
    return sum(path.name != LENGTHS for path in sizes)


def make_room(newest: Path) -> None:
    """Delete what was not used for longest while there is more than `MOST_BYTES`, and what a killed process left."""
    sizes = kept()
    total = sum(sizes.values())
    for path, size in sizes.items():
        goes = _is_left_over(path) if _is_unfinished(path) else total > MOST_BYTES
        if path != newest and goes:
            shutil.rmtree(path, ignore_errors=True)
            total -= size


def clear() -> tuple[int, int]:
    """Delete everything but what is being written just now; how many datasets went, and their bytes."""
    gone = {path: size for path, size in kept().items() if not _is_unfinished(path) or _is_left_over(path)}
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return datasets(gone), sum(gone.values())


def _is_unfinished(path: Path) -> bool:
    return path.name.startswith(".")


def _is_left_over(path: Path) -> bool:
    return time.time() - _used(path) > _DAY_S


def _used(path: Path) -> float:
    """When it was used last; another process may delete it at any time."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    size = 0
    for file in path.glob("*"):
        try:
            size += file.stat().st_size
        except OSError:
            continue
    return size
