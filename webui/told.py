"""What is wrong, in the language of the page.

A `UserError` is English, for the terminal and the log too. `locales/told/<language>.yaml` holds its texts with `{}` for
each value; what a message is made of (file, what is wrong, remedy, several faults, values that are messages) is looked
up piece by piece, and a piece without a translation stays English.
"""

from __future__ import annotations

import re
from functools import lru_cache

from core.errors import UserError
from webui.markup import note
from webui.texts import Texts

# A longer one holds somebody's data; it is shown as it is.
LONGEST = 2000
REMEDY, FAULTS, PLACE = " — ", "; ", ": "
Patterns = tuple[tuple[re.Pattern[str], str], ...]


def told(error: UserError | str, t: Texts) -> str:
    """The message in the page's language."""
    message = str(error)
    known = t.catalogue.get("told", {})
    return _said(message, _patterns(tuple(known.items()))) if known and len(message) <= LONGEST else message


def wrong(error: UserError | str, t: Texts) -> str:
    """The same in a box."""
    return note(told(error, t), "bad")


@lru_cache(maxsize=8)
def _patterns(known: tuple[tuple[str, str], ...]) -> Patterns:
    """The texts with the most letters of their own first: others may fit what they fit."""
    ordered = sorted(known, key=lambda pair: len(pair[0].replace("{}", "")), reverse=True)
    return tuple((_pattern(english), translated) for english, translated in ordered)


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(map(re.escape, english.split("{}"))), re.DOTALL)


def _said(message: str, patterns: Patterns) -> str:
    if whole := _whole(message, patterns):
        return whole
    for sign in (REMEDY, FAULTS):
        if sign in message:
            return sign.join(_said(part, patterns) for part in message.split(sign))
    return _behind_its_place(message, patterns)


def _whole(message: str, patterns: Patterns) -> str:
    for pattern, translated in patterns:
        if found := pattern.fullmatch(message):
            return translated.format(*(_said(value, patterns) for value in found.groups()))
    return ""


def _behind_its_place(message: str, patterns: Patterns) -> str:
    """What stands behind the file, or the option, that a message begins with."""
    for place in re.finditer(PLACE, message):
        if whole := _whole(message[place.end() :], patterns):
            return message[: place.end()] + whole
    return message
