"""What becomes of another tool's options: the sheet that a translation fills in, and the entries of its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Entry = Callable[["Sheet", str, Any], None]


@dataclass
class Sheet:
    """A translation at work: the options as given, ours so far with where each comes from, and what is to be said."""

    given: Mapping[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    different: dict[str, str] = field(default_factory=dict)
    default_of: str = ""

    def put(self, option: str, value: Any, origin: str) -> None:
        """One of our options, and the words of theirs that it comes from; what is put last holds."""
        told = f"{origin}, the default of {self.default_of}" if self.default_of else origin
        before = self.origins.get(option)
        self.values[option] = value
        self.origins[option] = f"{before}, {told}" if before else told

    def add(self, option: str, key: str, value: Any, origin: str) -> None:
        """One entry of an option of ours that is a mapping, as `extra`."""
        self.put(option, {**self.values.get(option, {}), key: value}, origin)

    def settle(self, name: str, why: str) -> None:
        """An option that needs nothing here."""
        if not self.default_of:
            self.settled[name] = why

    def differ(self, name: str, why: str) -> None:
        """An option that is not carried over, or not wholly, and what a person can do."""
        if not self.default_of:
            self.different[name] = why


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool whose configs are read: its name, some options that only it has, and what becomes of each option.

    `defaults` gives, for a config, what the tool would use where it says nothing and our default is another.
    """

    name: str
    own: tuple[str, ...]
    table: Mapping[str, Entry]
    defaults: Callable[[Mapping[str, Any]], dict[str, Any]]


def same(sheet: Sheet, name: str, value: Any) -> None:
    """An option that is ours too, under the same name."""
    sheet.put(name, value, name)


def to(option: str) -> Entry:
    """An option that has another name here."""

    def entry(sheet: Sheet, name: str, value: Any) -> None:
        sheet.put(option, value, name)

    return entry


def listed(option: str) -> Entry:
    """Names as a list, or in one text with commas, under our name."""

    def entry(sheet: Sheet, name: str, value: Any) -> None:
        sheet.put(option, names_in(value), name)

    return entry


def chosen(option: str, words: Mapping[Any, Any], otherwise: str) -> Entry:
    """A choice by their words, each to a value of ours; `otherwise` is what to say of another one."""

    def entry(sheet: Sheet, name: str, value: Any) -> None:
        key = value.lower() if isinstance(value, str) else value
        if key in words:
            sheet.put(option, words[key], f"{name}: {_word(value)}")
        else:
            sheet.differ(name, f"{_word(value)}: {otherwise}")

    return entry


def needless(why: str) -> Entry:
    """An option that needs nothing here."""

    def entry(sheet: Sheet, name: str, value: Any) -> None:
        sheet.settle(name, why)

    return entry


def missing(why: str) -> Entry:
    """An option that asks for something that is not done here; switched off it asks for nothing."""

    def entry(sheet: Sheet, name: str, value: Any) -> None:
        if value in (False, "none", "no"):
            sheet.settle(name, "is not asked for")
        else:
            sheet.differ(name, why)

    return entry


def only(accepted: tuple[Any, ...], otherwise: str) -> Entry:
    """An option that needs nothing where its value is one of these; `otherwise` is what to say of another one."""

    def entry(sheet: Sheet, name: str, value: Any) -> None:
        if value in accepted:
            sheet.settle(name, "is so here")
        else:
            sheet.differ(name, f"{_word(value)}: {otherwise}")

    return entry


def when(entry: Entry, otherwise: Entry | None = None) -> Entry:
    """For switches: the entry when it is on, else the other one (or nothing to say)."""

    def decide(sheet: Sheet, name: str, value: Any) -> None:
        chosen_entry = entry if value not in (False, "false", "no") else otherwise
        (chosen_entry or needless("is not asked for"))(sheet, name, value)

    return decide


def fixed(option: str, value: Any) -> Entry:
    """A switch that means one value of an option of ours."""

    def entry(sheet: Sheet, name: str, given: Any) -> None:
        sheet.put(option, value, f"{name}: {_word(given)}")

    return entry


def extra(sheet: Sheet, name: str, value: Any) -> None:
    """An option of transformers' that is reached through `extra`."""
    sheet.add("extra", name, value, name)


def names_in(value: Any) -> list[Any]:
    """`"a, b"`, `["a", "b"]` or one value as a list."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def is_empty(value: Any) -> bool:
    """A key without a value, as templates of configs leave them."""
    return value is None or value in ("", "None", [], {})


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
