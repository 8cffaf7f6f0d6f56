"""What is wrong, in the language of the page.

A `UserError` and the message of a `Finding` are English, for the terminal and for reports too.
`locales/told/<language>.yaml` holds their texts with `{}` for each value; what a message is made of (file, what is
wrong, remedy, several faults, values that are messages) is looked up piece by piece, and a piece without a translation
stays English. In a finding a value is somebody's data and stays as it is, but for those that its translation marks as
words of ours (`{:s}`). Options of the terminal are called what the page calls them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from core.config import TrainConfig
from core.config.knob import value_type
from core.errors import UserError
from core.formats import FORMATS
from webui.markup import note
from webui.texts import Texts

# A longer one holds somebody's data; it is shown as it is.
LONGEST = 2000
REMEDY, FAULTS, PLACE = " — ", "; ", ": "
# What a text looks like, whether it is of several parts, and its translation.
Patterns = tuple[tuple[re.Pattern[str], bool, str], ...]


def told(error: UserError | str, t: Texts) -> str:
    """The message in the page's language."""
    return by_label(_in_language(str(error), t.catalogue.get("told", {})), t)


def told_finding(message: str, t: Texts) -> str:
    """What a finding says, or the evidence for a format, in the page's language."""
    return by_label(told_change(message, t), t)


def told_change(text: str, t: Texts) -> str:
    """What a finding put in place of what there was: words of ours in the page's language, or somebody's data."""
    return _in_language(text, t.catalogue.get("found", {}))


def by_label(message: str, t: Texts) -> str:
    """`--swallowed drop` as “Swallowed: drop”, as the form has it; commands for the terminal stay as they are."""
    return message if "core-cli" in message else _OPTION.sub(lambda found: _labelled(found, t), message)


def _labelled(found: re.Match[str], t: Texts) -> str:
    name, value = found.group(1).replace("-", "_"), found.group(2) or ""
    if name not in TrainConfig.model_fields:
        return found.group()
    kind = value_type(TrainConfig.model_fields[name])
    choices = get_args(kind) if get_origin(kind) is Literal else FORMATS if name == "formatting" else ()
    label = t.label(TrainConfig, name)
    if value in choices or (kind in (int, float) and value[:1].isdigit()):
        return f"“{label}: {value}”"
    return f"“{label}” {value}".rstrip()


_OPTION = re.compile(r"(?<![\w`-])--([a-z]+(?:-[a-z]+)*)(?: ([a-z_0-9.]+)(?![\w.]))?")


def wrong(error: UserError | str, t: Texts) -> str:
    """What is wrong in a box."""
    return note(told(error, t), "bad")


def _in_language(message: str, known: Mapping[str, str]) -> str:
    return _said(message, _patterns(tuple(known.items()))) if known and len(message) <= LONGEST else message


@lru_cache(maxsize=8)
def _patterns(known: tuple[tuple[str, str], ...]) -> Patterns:
    """The texts with the most letters of their own first: others may fit what they fit."""
    ordered = sorted(known, key=lambda pair: len(pair[0].replace("{}", "")), reverse=True)
    return tuple((_pattern(english), _of_several(english), translated) for english, translated in ordered)


def _of_several(text: str) -> bool:
    """Whether a text is of several parts."""
    return FAULTS in text or REMEDY in text


def _pattern(english: str) -> re.Pattern[str]:
    """What the text says with values in it; an ending of a word, or of a value, may be empty."""
    first, *others = english.split("{}")
    pattern, before = re.escape(first), first
    for place, text in enumerate(others):
        ending = before[-1:].isalpha() or (place > 0 and before in ("", '"'))
        pattern += ("(.*?)" if ending else "(.+?)") + re.escape(text)
        before = text
    return re.compile(pattern, re.DOTALL)


def _said(message: str, patterns: Patterns) -> str:
    if whole := _whole(message, patterns):
        return whole
    for sign in (REMEDY, FAULTS):
        parts = message.split(sign)
        said = [_said(part, patterns) for part in parts] if len(parts) > 1 else parts
        if said != parts:
            return (_whole(sign, patterns) or sign).join(said)
    return _whole(message, patterns, across=True) or _behind_its_place(message, patterns)


def _whole(message: str, patterns: Patterns, *, across: bool = False) -> str:
    """The message as one text; what is of several parts is not taken for a value, unless `across`."""
    for pattern, several, translated in patterns:
        match = pattern.fullmatch(message)
        if match and (several or across or not any(map(_of_several, match.groups()))):
            return _Filled(patterns).vformat(translated, match.groups(), {})
    return ""


class _Filled(string.Formatter):
    """Fills values into a translation; those that it marks with `:s` are said in its language too."""

    def __init__(self, patterns: Patterns) -> None:
        self.patterns = patterns

    def format_field(self, value: Any, spec: str) -> str:
        return _said(value, self.patterns) if spec == "s" else str(value)


def _behind_its_place(message: str, patterns: Patterns) -> str:
    """What stands behind the file, or the option, that a message begins with."""
    for place in re.finditer(PLACE, message):
        if whole := _whole(message[place.end() :], patterns):
            return message[: place.end()] + whole
    return message
