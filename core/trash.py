"""Deleting a run: into the trash beside it, from where it can be taken back, or for good. Never one that is alive."""

from __future__ import annotations

import shutil
from pathlib import Path

from core.disk import flush
from core.errors import UserError
from core.run import Run

TRASH = ".trash"


def delete(run: Run, *, forever: bool = False) -> Path:
    """Move a run into the trash and return its new place; `forever`: delete it, and return the place that it had.

    Raises `UserError` for a run that waits or is alive, and when the folder cannot be moved.
    """
    if run.waits:
        raise UserError("the run waits in the queue", file=run.path, remedy="take it out first: core-cli runs stop")
    trash = run.path.parent / TRASH
    # Nobody can start it while it goes, and who waited for the lock finds that the run is gone.
    with run.held():
        trash.mkdir(exist_ok=True)
        place = _free(trash, run.path.name)
        run.path.rename(place)
        flush(trash)
    if forever:
        shutil.rmtree(place)
        return run.path
    return place


def size_of(folder: Path) -> int:
    """What a folder takes on the disk, in bytes; a file with several names counts once."""
    sizes = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            facts = path.stat()
            sizes[facts.st_ino] = facts.st_size
    return sum(sizes.values())


def _free(folder: Path, name: str) -> Path:
    """A place in the trash that nothing has: an older run of that name stays."""
    numbers = range(2, 1000)
    return next(
        path for path in [folder / name, *(folder / f"{name}-{number}" for number in numbers)] if not path.exists()
    )
