"""What would be on the disk if the power went now, by what POSIX promises and no more.

Of a file what was last flushed, of a folder the names that it had when it was last flushed. What was not flushed may be
there (`eager`) or not: both are tried before and after every call that changes the disk. The content of a file that was
not flushed is gone in either case: that is how freshly renamed files of no length come about.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class PowerCut:
    """Watches a folder, whose content is taken as flushed, and checks what a power cut would leave at each point."""

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, check: Callable[[Path], None], scratch: Path
    ) -> None:
        self.root, self.check, self.scratch = root, check, scratch
        self.names: dict[int, dict[str, int]] = {}
        self.contents: dict[int, bytes] = {}
        # An open file keeps its number, so that no later file is taken for it.
        self.kept: list[int] = []
        self.points = 0
        self.busy = False
        for path in [root, *root.rglob("*")]:
            self._flushed(path)
        monkeypatch.setattr(os, "fsync", self._watched(os.fsync, flushes=True))
        for name in ("rename", "replace", "unlink", "rmdir", "mkdir"):
            monkeypatch.setattr(os, name, self._watched(getattr(os, name)))

    def left(self, *, eager: bool) -> Path:
        """A copy of what would be left."""
        self.busy = True
        try:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self._lay(self.root.stat().st_ino, self.root, self.scratch, eager=eager)
        finally:
            self.busy = False
        return self.scratch

    def _lay(self, number: int, now: Path | None, place: Path, *, eager: bool) -> None:
        place.mkdir(parents=True)
        entries = dict(self.names.get(number, {}))
        if eager and now is not None:
            entries = {path.name: path.stat().st_ino for path in now.iterdir()}
        for name, inside in entries.items():
            path = now / name if now is not None else None
            is_folder = inside in self.names or (path is not None and path.is_dir() and path.stat().st_ino == inside)
            if is_folder:
                self._lay(inside, path if path is not None and path.is_dir() else None, place / name, eager=eager)
            else:
                (place / name).write_bytes(self.contents.get(inside, b""))

    def _flushed(self, path: Path) -> None:
        number = path.stat().st_ino
        self.kept.append(os.open(path, os.O_RDONLY))
        if path.is_dir():
            self.names[number] = {inside.name: inside.stat().st_ino for inside in path.iterdir()}
        else:
            self.contents[number] = path.read_bytes()

    def _watched(self, real: Callable[..., Any], flushes: bool = False) -> Callable[..., Any]:
        def call(*positional: Any, **named: Any) -> Any:
            self._look()
            result = real(*positional, **named)
            if flushes and not self.busy:
                self._flushed(Path(os.readlink(f"/proc/self/fd/{positional[0]}")))
            self._look()
            return result

        return call

    def _look(self) -> None:
        if self.busy:
            return
        self.points += 1
        for eager in (False, True):
            self.check(self.left(eager=eager))
