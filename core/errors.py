"""The one error that a person is meant to read.

Everything wrong that comes from outside (a file, a row, a flag, a config key, a port) ends as a `UserError`: one line
that says what is wrong, where, and how to mend it. The command line prints it and exits with its code; the board shows
it as a message. Any other exception that reaches a person is a bug of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """One clear error: what, where (`file`, `line`) and the remedy.

    `exit_code` is the process's: 2 for unusable input, 1 for a task that failed, 75 for "stopped, can be resumed".
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        remedy: str = "",
        exit_code: int = 2,
    ) -> None:
        where = "" if file is None else f"{file}: " if line is None else f"{file}:{line}: "
        super().__init__(where + message + (f" — {remedy}" if remedy else ""))
        self.exit_code = exit_code


def counted(number: int, one: str, many: str = "") -> str:
    """A number of things in words: `1 row`, `2 rows`; `many` is what is said of several, where an s is not enough."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """`did you mean "x"?` for the nearest of `choices`, else the list of what exists (at most twelve)."""
    known = sorted(choices)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if nearest:
        return f'did you mean "{nearest[0]}"?'
    more = f", … ({len(known)} in all)" if len(known) > 12 else ""
    return "there is: " + ", ".join(known[:12]) + more if known else "there is none"
