"""What a template writes around calls, as marks: white space may vary in them, and holes stand for ids and names."""

from __future__ import annotations

import re
from functools import lru_cache

# A call's id, or a number that counts calls; a name of a tool, or of one of its parameters.
ID, NAME = "\x01", "\x02"
_HOLES = {ID: r"[^\s<>{}\[\]()\"'`|,]*?", NAME: r"[^\s<>{}\[\]()\"'`|,;=]+?"}
_IN_HOLE = {hole: re.compile(pattern.rstrip("*+?")) for hole, pattern in _HOLES.items()}
_LONGEST_HOLE = 80


def find(text: str, mark: str, start: int) -> tuple[int, int] | None:
    """Where the mark next stands at or behind `start`: (start, end)."""
    found = _pattern(mark).search(text, start)
    return (found.start(), found.end()) if found else None


def after(text: str, mark: str, start: int) -> int:
    """Where the mark ends that stands at `start`, white space aside; -1 where it does not."""
    found = _spaced(mark).match(text, start)
    return found.end() if found else -1


def without_end(text: str, mark: str) -> str | None:
    """The text without the mark at its end, white space aside; None where it does not end with it."""
    found = _ending(mark).search(text) if mark else None
    return text[: found.start()] if found else None


def begun(text: str, mark: str) -> int | None:
    """Where, at the end of the text, the mark stands whole or begun; None where it does not."""
    if not mark:
        return None
    holes = sum(mark.count(hole) for hole in _HOLES)
    first = max(0, len(text) - len(mark) - holes * _LONGEST_HOLE)
    return next((at for at in range(first, len(text)) if _begins(text, at, mark, 0)), None)


def is_begun(text: str, mark: str) -> bool:
    """Whether the text, from its first character on, may become a text that begins with the mark."""
    return after(text, mark, 0) >= 0 or _begins(text.lstrip(), 0, mark.lstrip(), 0)


def _begins(text: str, at: int, mark: str, place: int) -> bool:
    """Whether the whole rest of the text agrees with the mark from `place` on."""
    while place < len(mark) and at < len(text):
        wanted = mark[place]
        if wanted in _HOLES:
            return _through_hole(text, at, mark, place)
        if wanted.isspace():
            while at < len(text) and text[at].isspace():
                at += 1
        elif text[at] == wanted:
            at += 1
        else:
            return False
        place += 1
    return at == len(text)


def _through_hole(text: str, at: int, mark: str, place: int) -> bool:
    allowed = _IN_HOLE[mark[place]]
    end = at
    while True:
        if _begins(text, end, mark, place + 1):
            return True
        if end == len(text) or not allowed.match(text[end]):
            return False
        end += 1


@lru_cache(maxsize=1024)
def _pattern(mark: str) -> re.Pattern[str]:
    return re.compile(_source(mark))


@lru_cache(maxsize=1024)
def _spaced(mark: str) -> re.Pattern[str]:
    return re.compile(r"\s*" + _source(mark))


@lru_cache(maxsize=1024)
def _ending(mark: str) -> re.Pattern[str]:
    return re.compile(_source(mark) + r"\s*\Z")


def _source(mark: str) -> str:
    parts = re.split(rf"(\s+|[{ID}{NAME}])", mark)
    return "".join(_HOLES.get(part) or (r"\s*" if part.isspace() else re.escape(part)) for part in parts if part)
