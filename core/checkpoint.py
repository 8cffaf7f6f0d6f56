"""Folders that are whole or absent: how checkpoints and finished models get onto the disk.

Everything is written into a stage beside its place, flushed, described by a manifest (sizes and SHA-256) that is
written last, and only then renamed. Whatever is interrupted leaves a stage, which the next start clears away. A folder
whose files do not match its manifest is not used, and the file is named.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.disk import flush
from core.errors import UserError

MANIFEST = "manifest.json"
STAGE = ".stage"
# Room that a run leaves on the disk for its log and metrics; less than this counts as full.
SPARE_BYTES = 16 * 2**20


def write_whole(place: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a fresh folder, then put it at `place` in one step. An older folder there is replaced.

    What `write` raises is raised again, with the stage cleared away.
    """
    stage = place.parent / STAGE / place.name
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    with cleared_on_failure(stage):
        write(stage)
        seal(stage)
    move_whole(stage, place)


@contextmanager
def cleared_on_failure(stage: Path) -> Iterator[None]:
    """Clear the stage away when the block that fills it fails; nobody would use it.

    That makes room again, so whether the disk was full is asked before. It is raised as what it is, an `OSError`:
    libraries tell it in their own words, or in none at all (torch.save).
    """
    try:
        yield
    except BaseException as error:
        full = stage.is_dir() and shutil.disk_usage(stage).free < SPARE_BYTES
        shutil.rmtree(stage, ignore_errors=True)
        if full and isinstance(error, Exception) and not isinstance(error, UserError):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(stage.parent.parent)) from error
        raise


def seal(folder: Path) -> None:
    """Flush every file of a folder, and the folders in it, to the disk and write its manifest, last."""
    inside = sorted(path for path in folder.rglob("*") if path != folder / MANIFEST)
    described = {}
    for path in inside:
        flush(path)
        if path.is_file():
            described[str(path.relative_to(folder))] = {"size": path.stat().st_size, "sha256": _sha256(path)}
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(described, indent=1), encoding="utf-8")
    flush(manifest)
    flush(folder)


def move_whole(stage: Path, place: Path) -> None:
    """Rename a sealed stage to its place, and make the rename itself last. What was there goes after that."""
    old = stage.with_name(f"old-{place.name}")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    stage.rename(place)
    flush(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def fault_of(folder: Path) -> str:
    """What is wrong with a sealed folder: empty when it is whole."""
    try:
        described = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        written = [(name, facts["size"], facts["sha256"]) for name, facts in described.items()]
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return f"{folder.name} has no readable {MANIFEST}: it was not written to its end"
    for name, size, digest in written:
        path = folder / name
        if not path.is_file():
            return f"{folder.name}/{name} is missing"
        if path.stat().st_size != size:
            return f"{folder.name}/{name} has {path.stat().st_size} bytes, {size} were written"
        if _sha256(path) != digest:
            return f"{folder.name}/{name} is damaged (its checksum differs)"
    return ""


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, newest first."""
    found = [path for path in folder.glob("checkpoint-*") if path.is_dir() and step_of(path) >= 0]
    return sorted(found, key=step_of, reverse=True)


def newest_whole(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is whole, and what is wrong with the newer ones."""
    faults: list[str] = []
    for path in checkpoints(folder):
        fault = fault_of(path)
        if not fault:
            return path, faults
        faults.append(fault)
    return None, faults


def keep_newest(folder: Path, limit: int, best: int | None = None) -> None:
    """Delete all but the newest `limit` checkpoints, and the one of the step `best`."""
    for path in checkpoints(folder)[limit:]:
        if step_of(path) != best:
            shutil.rmtree(path, ignore_errors=True)


def step_of(checkpoint: Path) -> int:
    """The step in a checkpoint's name; −1 when there is none."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
