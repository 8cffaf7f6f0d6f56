"""The log of a run: its end, and what was printed there last as an error."""

from __future__ import annotations

import os
from pathlib import Path


def tail(log: Path, lines: int) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * lines))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def last_error(log: Path) -> str:
    """What a worker printed last as an error, for when it could not write its state any more; empty without one."""
    lines = tail(log, 20).splitlines()
    return next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), "")
