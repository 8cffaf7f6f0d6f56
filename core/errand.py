"""The process of a task (`core/task.py`): it runs the command, and leaves its exit code behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from core.cli import main as run_command
from core.disk import write_atomic_json
from core.task import VARIABLE


def main(argv: Sequence[str]) -> int:
    """`FOLDER WORDS`: the folder of the task, and the words of the command."""
    folder, code = Path(argv[0]), 1
    os.environ[VARIABLE] = str(folder)
    try:
        code = run_command(argv[1:])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        write_atomic_json(folder / "ended.json", {"code": code})
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
