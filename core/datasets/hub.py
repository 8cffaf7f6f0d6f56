"""A dataset of the Hugging Face Hub as rows, as a stream. Only data is read; a dataset's own code is never run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.conversation import Row
from core.datasets.registry import Source
from core.errors import UserError
from core.hub import asked_for, http_error, hub_fault


def hub_rows(source: Source, lenient: bool = False) -> Iterator[Row]:
    """The rows of a Hub dataset; their `line` is the number of the row. Raises `UserError`."""
    from datasets import load_dataset

    where = source.hub + "".join(f"/{part}" for part in (source.subset, source.folder) if part)
    options: dict[str, Any] = {"split": source.split or "train", "streaming": True}
    options |= {"name": source.subset or None, "revision": source.revision or None, "data_dir": source.folder or None}
    try:
        for number, data in enumerate(load_dataset(asked_for(source.hub), **options), start=1):
            yield Row(data, where, number, lenient=lenient)
    except (OSError, ValueError, RuntimeError, http_error()) as error:
        line = hub_fault() or (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"cannot read the Hub dataset: {line}", file=where, remedy="check name, subset, split and the network"
        ) from None
