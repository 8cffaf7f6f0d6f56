"""Values as models write them in calls: JSON, Python literals, and texts between quotes of a template's own."""

from __future__ import annotations

import json
import re
from typing import Any

_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None, "none": None}
_WORD = re.compile("|".join(_WORDS))
_BARE_KEY = re.compile(r"[^\s\"':,{}\[\]()][^:,{}\[\]()]*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_HEX = {"x": 2, "u": 4, "U": 8}
_DEEPEST = 100


def decode_json(text: str, start: int) -> tuple[Any, int] | None:
    """The JSON value at `start` and where it ends; None when there is none. Line breaks inside texts are forgiven."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError):
        return None


def parse_literal(text: str, start: int, quote: str = "", raw: bool = False, depth: int = 0) -> tuple[Any, int]:
    """The value at `start` and where it ends. `quote` is a template's own quotation mark; `raw`: nothing is escaped.

    Raises `ValueError` when there is no value.
    """
    start = skip_space(text, start)
    first = text[start : start + 1]
    if depth > _DEEPEST or not first:
        raise ValueError("no value")
    if quote and text.startswith(quote, start):
        end = text.find(quote, start + len(quote))
        if end < 0:
            raise ValueError("a text that does not end")
        return text[start + len(quote) : end], end + len(quote)
    if first in "\"'":
        return _parse_text(text, start, raw)
    if first in "[(":
        return _parse_list(text, start, quote, raw, depth)
    if first == "{":
        return _parse_object(text, start, quote, raw, depth)
    number = _NUMBER.match(text, start)
    if number is not None:
        written = number.group()
        return (int(written) if written.lstrip("-").isdigit() else float(written)), number.end()
    word = _WORD.match(text, start)
    if word is None:
        raise ValueError("no value")
    return _WORDS[word.group()], word.end()


def as_looks(text: str) -> Any:
    """A text as what it looks like: JSON, or a literal of Python; itself where it looks like neither."""
    found = decode_json(text.strip(), 0)
    if found is not None and found[1] == len(text.strip()):
        return found[0]
    try:
        value, end = parse_literal(text, 0)
    except ValueError:
        return text
    return value if not text[end:].strip() else text


def skip_space(text: str, position: int) -> int:
    """The next position that is not a space."""
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _parse_text(text: str, start: int, raw: bool) -> tuple[str, int]:
    mark = text[start]
    out: list[str] = []
    at = start + 1
    while at < len(text):
        character = text[at]
        if character == mark and (not raw or _closes(text, at + 1)):
            return "".join(out), at + 1
        if character == "\\" and not raw and at + 1 < len(text):
            written, at = _unescaped(text, at + 1)
            out.append(written)
            continue
        out.append(character)
        at += 1
    raise ValueError("a text that does not end")


def _closes(text: str, after: int) -> bool:
    """Whether a quotation mark ends the text: what follows goes on with the list, or ends it."""
    after = skip_space(text, after)
    return after == len(text) or text[after] in ",)]}:"


def _unescaped(text: str, at: int) -> tuple[str, int]:
    """What the escape whose letter is at `at` stands for, and where it ends."""
    letter = text[at]
    if letter in _HEX:
        digits = text[at + 1 : at + 1 + _HEX[letter]]
        try:
            code = int(digits, 16)
        except ValueError:
            return "\\" + letter, at + 1
        end = at + 1 + _HEX[letter]
        low = text[end + 2 : end + 6] if text.startswith("\\u", end) else ""
        if 0xD800 <= code < 0xDC00 and low:
            return chr(0x10000 + ((code - 0xD800) << 10) + (int(low, 16) - 0xDC00)), end + 6
        return chr(code), end
    if letter in _ESCAPES:
        return _ESCAPES[letter], at + 1
    return (letter if letter in "\\\"'/" else "\\" + letter), at + 1


def _parse_list(text: str, start: int, quote: str, raw: bool, depth: int) -> tuple[list[Any], int]:
    close = "]" if text[start] == "[" else ")"
    items: list[Any] = []
    at = skip_space(text, start + 1)
    while not text.startswith(close, at):
        value, at = parse_literal(text, at, quote, raw, depth + 1)
        items.append(value)
        at = _after_comma(text, at, close)
    return items, at + 1


def _parse_object(text: str, start: int, quote: str, raw: bool, depth: int) -> tuple[dict[str, Any], int]:
    out: dict[str, Any] = {}
    at = skip_space(text, start + 1)
    while not text.startswith("}", at):
        quoted = text[at : at + 1] in ("'", '"') or (quote and text.startswith(quote, at))
        if quoted:
            key, at = parse_literal(text, at, quote, raw, depth + 1)
        else:
            found = _BARE_KEY.match(text, at)
            if found is None:
                raise ValueError("a key is missing")
            key, at = found.group().strip(), found.end()
        at = skip_space(text, at)
        if not text.startswith(":", at):
            raise ValueError("a value is missing")
        out[str(key)], at = parse_literal(text, at + 1, quote, raw, depth + 1)
        at = _after_comma(text, at, "}")
    return out, at + 1


def _after_comma(text: str, at: int, close: str) -> int:
    at = skip_space(text, at)
    if text.startswith(",", at):
        return skip_space(text, at + 1)
    if not text.startswith(close, at):
        raise ValueError(f"a comma or {close} is missing")
    return at
