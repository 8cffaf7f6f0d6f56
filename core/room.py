"""Room on the disk: counted before a training starts, and told when it ends or the folder cannot be written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from core.checkpoint import SPARE_BYTES
from core.disk import disk_trouble, is_full
from core.errors import UserError
from core.trash import size_of


def needed_bytes(model: Any, limit: int) -> int:
    """What a training writes: the checkpoints kept, the best and a new one, and the result.

    A checkpoint has the weights once, and twice more for Adam.
    """
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    return trained * 3 * (limit + 2) + trained + SPARE_BYTES


def check_room(folder: Path, needed: int) -> None:
    """Before a start: are `needed` bytes free, or taken by the run's own checkpoints already? Raises `UserError`."""
    needed = max(SPARE_BYTES, needed - size_of(folder / "checkpoints"))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{needed // 2**20} MiB are needed for checkpoints and the result, {free // 2**20} MiB are free",
            file=folder,
            remedy="make room, or lower save_total_limit",
        )


@contextmanager
def disk_told(folder: Path, needed: int = SPARE_BYTES) -> Iterator[None]:
    """Writing that fails because of the disk or the folder ends as a `UserError`, whichever library it failed in.

    `needed` are the bytes with which it would not have failed.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if not folder.is_dir():
            raise UserError("the run's folder is gone", file=folder, exit_code=1) from None
        free = shutil.disk_usage(folder).free
        if is_full(error):
            raise UserError(
                f"the disk is full: {free // 2**20} MiB are free, {needed // 2**20} MiB needed; "
                "the last whole checkpoint is kept",
                file=folder,
                remedy="make room, then core-cli train --resume",
                exit_code=1,
            ) from None
        trouble = disk_trouble(error, folder)
        if trouble is not None:
            raise trouble from None
        raise
