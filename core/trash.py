"""Deleting a run: into the trash beside it, from where it is taken back, or for good. Never one that is alive."""

from __future__ import annotations

import shutil
from pathlib import Path

from core.disk import flush
from core.errors import UserError, did_you_mean
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


def trashed(runs_dir: Path) -> list[Run]:
    """The runs in the trash of a folder of runs, newest first by their names."""
    return [Run(path.parent) for path in sorted((runs_dir / TRASH).glob("*/run.json"), reverse=True)]


def find_trashed(name: str, runs_dir: Path) -> Run:
    """A run in the trash by its folder's name or its label (the newest of that label). Raises `UserError`."""
    runs = trashed(runs_dir)
    found = [run for run in runs if run.path.name == name] or [run for run in runs if run.name == name]
    if not found:
        remedy = did_you_mean(name, [run.path.name for run in runs])
        raise UserError(f'there is no run "{name}" in the trash', file=runs_dir / TRASH, remedy=remedy)
    return found[0]


def restore(run: Run) -> Run:
    """Take a run out of the trash, back to where the others are; one that has its name by now keeps it."""
    trash = run.path.parent
    place = _free(trash.parent, run.path.name)
    run.path.rename(place)
    flush(trash.parent)
    return Run(place)


def empty(runs_dir: Path) -> int:
    """Delete for good what lies in the trash, and return how many bytes that frees. Raises `UserError`."""
    trash = runs_dir / TRASH
    if not trash.is_dir():
        return 0
    size = size_of(trash)
    try:
        shutil.rmtree(trash)
    except OSError as error:
        raise UserError(f"cannot be emptied: {error.strerror}", file=error.filename or trash) from None
    return size


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
