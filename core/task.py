"""A core-cli command at work on a run in a process of its own: it goes on when the page that asked for it is closed.

task.json      the words of the command, its process, when it began
progress.json  what is being done, and how far it is
ended.json     the exit code; missing while it works, and when it was killed
log.txt        everything that it prints
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from signal import SIGKILL
from typing import Any, Literal

from core.disk import locked, read_json, write_atomic_json
from core.errors import UserError
from core.process import Process
from core.run import import_path

# Names the folder of the task to the process that works on it.
VARIABLE = "TUNEBOARD_TASK"
TaskState = Literal["none", "running", "done", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is: what it is doing, and the parts that are done, of all of them (0 when that is not known)."""

    doing: str = ""
    done: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """The folder of a task; everything is read from its files when asked for."""

    folder: Path

    def start(self, words: Sequence[str]) -> None:
        """Start `core-cli WORDS`. Raises `UserError` while the last one is at work, or when the folder is no good."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder / "lock"):
                self._start(list(words))
        except OSError as error:
            raise UserError(f"cannot start: {error.strerror}", file=error.filename or self.folder) from None

    def _start(self, words: list[str]) -> None:
        if self.state() == "running":
            raise UserError("this is being done already", file=self.folder, exit_code=1)
        for name in ("progress.json", "ended.json"):
            (self.folder / name).unlink(missing_ok=True)
        with (self.folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "core.errand", str(self.folder.resolve()), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": import_path(), "PYTHONUNBUFFERED": "1"},
            )
        born = Process.of(process.pid)
        began = datetime.now().astimezone().isoformat(timespec="seconds")
        facts = {"words": words, "began": began, "process": born.to_json() if born else None}
        write_atomic_json(self.folder / "task.json", facts)

    @property
    def facts(self) -> dict[str, Any]:
        """The content of task.json."""
        facts = read_json(self.folder / "task.json")
        return facts if isinstance(facts, dict) else {}

    @property
    def process(self) -> Process | None:
        """The process that was started last, whether it lives or not."""
        return Process.from_json(self.facts.get("process"))

    def state(self) -> TaskState:
        """What became of it. `stopped`: its process is gone without a word."""
        if not self.facts:
            return "none"
        ended = read_json(self.folder / "ended.json")
        if isinstance(ended, dict):
            return "done" if ended.get("code") == 0 else "failed"
        process = self.process
        if process is not None and process.alive:
            return "running"
        # It may have said its last word between our two looks.
        return self.state() if (self.folder / "ended.json").exists() else "stopped"

    def progress(self) -> Progress:
        """How far it is."""
        said = read_json(self.folder / "progress.json")
        try:
            return Progress(str(said["doing"]), int(said["done"]), int(said["of"]))
        except (KeyError, TypeError, ValueError):
            return Progress()

    def stop(self) -> None:
        """End it at once; does nothing when it has ended."""
        process = self.process
        if process is not None and self.state() == "running":
            process.signal(SIGKILL)

    def log(self) -> str:
        """What it has printed."""
        try:
            return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def problem(self) -> str:
        """Why it failed: its `error:` line, else the end of its log."""
        lines = [line for line in self.log().splitlines() if line.strip()]
        said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return said[-1] if said else lines[-1] if lines else "it ended without a word"


def tell(doing: str, done: int, of: int) -> None:
    """Said by a command of how far it is, to the task as which it runs, if it does."""
    folder = os.environ.get(VARIABLE)
    if folder:
        write_atomic_json(Path(folder) / "progress.json", {"doing": doing, "done": done, "of": of}, durable=False)
