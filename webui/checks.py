"""Checking a dataset beside the page: in a thread of its own, with progress, and given up when nobody waits.

The report is that of `core-cli data check`, from the same cache. Its files are made on demand, beside that cache.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from pathlib import Path

from core.cache import cache_dir
from core.checked import check_dataset
from core.config import TrainConfig
from core.report import Report

# Larger datasets are checked when a person asks for it: it takes minutes.
AT_ONCE_BYTES = 64 << 20
LOOK_EVERY_S = 0.4
EXPORTS_KEPT_S = 24 * 3600
EXPORTED = ("clean.jsonl", "dropped.jsonl", "report.json", "report.md")


class _GivenUpError(Exception):
    """Nobody waits for this check any more."""


@dataclass
class Job:
    """The checks of one page: another one, or a page that is left, ends the one before.

    `asked` is what is being checked, or shown: the many controls of a page often ask for the same at once.
    """

    number: int = 0
    asked: str = ""

    def is_new(self, name: str, config: TrainConfig) -> bool:
        """Whether this is not what was asked for last; it is from now on."""
        before, self.asked = self.asked, f"{name}\0{config.model_dump_json()}"
        return self.asked != before

    def run(self, name: str, config: TrainConfig, output: Path | None = None) -> Iterator[int | Report]:
        """Yields the number of rows so far, and at last the report. Raises `UserError`; ends early when given up."""
        self.number += 1
        mine, rows = self.number, [0]

        def watch(count: int) -> None:
            rows[0] = count
            if self.number != mine:
                raise _GivenUpError

        with ThreadPoolExecutor(1, thread_name_prefix="check") as pool:
            future = pool.submit(check_dataset, name, config, with_model=True, output=output, watch=watch)
            try:
                done = False
                while not done:
                    try:
                        told: int | Report = future.result(timeout=LOOK_EVERY_S)
                        done = True
                    except NotYetError:
                        told = rows[0]
                    # What was overtaken must not write over the one that came after it.
                    if self.number == mine:
                        yield told
            except _GivenUpError:
                return
            finally:
                if self.number == mine and not future.done():
                    self.number += 1


def size_of(file: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is none."""
    if file.is_dir():
        return sum(path.stat().st_size for path in file.rglob("*") if path.is_file())
    return file.stat().st_size if file.is_file() else 0


def exports_dir() -> Path:
    """Where the files of reports lie until they are a day old."""
    return cache_dir().parent / "exports"


def export_folder(name: str, config: TrainConfig) -> Path:
    """A fresh folder for the files of a report; older ones are removed."""
    parent = exports_dir()
    parent.mkdir(parents=True, exist_ok=True)
    for folder in parent.iterdir():
        if time.time() - folder.stat().st_mtime > EXPORTS_KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)
    digest = hashlib.blake2b(f"{name}\0{config.model_dump_json()}\0{time.time_ns()}".encode(), digest_size=16)
    return parent / digest.hexdigest()


def exported(key: str, name: str) -> Path | None:
    """A file of a report, by what stands in its address; None when there is none."""
    if not re.fullmatch(r"[0-9a-f]{32}", key) or name not in EXPORTED:
        return None
    file = exports_dir() / key / name
    return file if file.is_file() else None
