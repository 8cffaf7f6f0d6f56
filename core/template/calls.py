"""One call, or a list of calls, read at a place in a text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from typing import Any

from core.conversation import ToolCall
from core.template import marks
from core.template.syntax import CallSyntax
from core.template.values import as_looks, decode_json, parse_literal, skip_space

_NAME = re.compile(r"[^\s<>{}\[\]()\"'`|,;=]+")
_SPOKEN_NAME = re.compile(r"[^<>{}\[\]()\"'`|,;=\n]+")
_KEY = re.compile(r"[^()\[\]{}\"'=:,\n]+")
_ANY_KEY = r"[^\s,=()\[\]{}\"']+"
_DEEPEST = 50
# The tools that there are, with the names of their parameters.
Known = Mapping[str, Set[str]]


@dataclass(frozen=True, slots=True)
class Unit:
    """`text[start:end]` holds these calls; `raw` when arguments were written as bare text."""

    start: int
    end: int
    calls: tuple[ToolCall, ...]
    raw: bool = False


def read_unit(text: str, start: int, at: int, syntax: CallSyntax, known: Known, *, whole: bool = True) -> Unit | None:
    """The call that is opened from `start` to `at`, where it begins; None when it does not read.

    `whole`: the text goes no further, which may be what ends the call.
    """
    at = skip_space(text, at)
    if syntax.kind == "literal":
        read = _literal(text, at, syntax, known, whole)
    else:
        read = {"json": _json, "apart": _apart, "xml": _xml}[syntax.kind](text, at, syntax)
    if read is None:
        return None
    calls, end, raw = read
    closed = marks.after(text, syntax.close, end) if syntax.close else -1
    return Unit(start, closed if closed >= 0 else end, tuple(calls), raw)


_Read = tuple[list[ToolCall], int, bool]


def _json(text: str, at: int, syntax: CallSyntax) -> _Read | None:
    parsed = decode_json(text, at) or python_value(text, at)
    if parsed is None:
        return None
    calls: list[ToolCall] = []
    for item in parsed[0] if isinstance(parsed[0], list) else [parsed[0]]:
        named = _keyed(item) if syntax.keyed else _named(item, syntax)
        if not named:
            return None
        calls += named
    return (calls, parsed[1], False) if calls else None


def _named(item: Any, syntax: CallSyntax) -> list[ToolCall]:
    name, arguments = _at_path(item, syntax.name_path), _arguments(_at_path(item, syntax.arguments_path))
    return [ToolCall(name, arguments)] if isinstance(name, str) and arguments is not None else []


def _keyed(item: Any) -> list[ToolCall]:
    if not isinstance(item, dict) or not all(isinstance(_arguments(value), dict) for value in item.values()):
        return []
    return [ToolCall(name, _arguments(value) or {}) for name, value in item.items()]


def python_value(text: str, at: int) -> tuple[Any, int] | None:
    """An object or a list as Python writes it, with single quotes."""
    try:
        return parse_literal(text, at) if text.startswith(("{", "["), at) else None
    except ValueError:
        return None


def _apart(text: str, at: int, syntax: CallSyntax) -> _Read | None:
    behind = marks.find(text, syntax.behind_name.strip(), at) if syntax.behind_name.strip() else None
    name = text[at : behind[0]].strip() if behind else ""
    place = behind[1] if behind else -1
    if not name or not _SPOKEN_NAME.fullmatch(name):
        # A model may vary what stands between the name and the arguments.
        found = _NAME.match(text, at)
        brace = text.find("{", at)
        if found is None or not 0 <= brace - found.end() <= len(syntax.behind_name) + 40:
            return None
        name, place = found.group(), brace
    parsed = decode_json(text, skip_space(text, place))
    arguments = _arguments(parsed[0]) if parsed else None
    return ([ToolCall(name, arguments)], parsed[1], False) if parsed and arguments is not None else None


def _xml(text: str, at: int, syntax: CallSyntax) -> _Read | None:
    found = _SPOKEN_NAME.match(text, at)
    name = found.group().strip() if found else ""
    end = marks.after(text, syntax.behind_name, found.end()) if found and name else -1
    if end < 0:
        return None
    try:
        arguments, end = _parameters(text, end, syntax, _filled(syntax.close, name), 0)
    except ValueError:
        return None
    closed = marks.after(text, _filled(syntax.close, name), end) if syntax.close else end
    return ([ToolCall(name, arguments)], closed, not syntax.assign_data) if closed >= 0 else None


def _filled(mark: str, name: str) -> str:
    """A mark that repeats a name."""
    return mark.replace(marks.NAME, name)


def _parameters(text: str, at: int, syntax: CallSyntax, close: str, depth: int) -> tuple[dict[str, Any], int]:
    """Parameters one after the other up to `close`, and where they end. Raises `ValueError`."""
    arguments: dict[str, Any] = {}
    while not (close and marks.after(text, close, at) >= 0):
        begins = marks.after(text, syntax.key_open, at)
        if begins < 0:
            break
        assigned = [marks.find(text, mark.strip(), begins) for mark in (syntax.assign, syntax.assign_data) if mark]
        first = min((found for found in assigned if found), default=None)
        if first is None or depth > _DEEPEST:
            raise ValueError("a parameter without a value")
        key = text[begins : first[0]].strip()
        is_text = first == assigned[0]
        value_close = _filled(syntax.value_close, key)
        value, at = _value(text, first[1], syntax, value_close, depth)
        arguments[key] = decoded(value) if syntax.assign_data and not is_text and isinstance(value, str) else value
    return arguments, at


def _value(text: str, at: int, syntax: CallSyntax, close: str, depth: int) -> tuple[Any, int]:
    if syntax.nested and marks.after(text, close, at) < 0 and marks.after(text, syntax.key_open, at) >= 0:
        inner, end = _nested(text, at, syntax, close, depth)
        if end >= 0:
            return inner, end
    ends = _end_of_text(text, at, syntax, close)
    return _bare(text[at : ends[0]], syntax), ends[1]


def _end_of_text(text: str, at: int, syntax: CallSyntax, close: str) -> tuple[int, int]:
    """Where a parameter's text ends, and where what closes it ends. Raises `ValueError`."""
    opened = marks.after(text, syntax.wrap[0], at) if syntax.wrap[0] else -1
    start = marks.find(text, syntax.wrap[1], opened) if opened >= 0 else None
    found = marks.find(text, close, start[1] if start else at)
    if found is None:
        raise ValueError("a value that does not end")
    return found


def _nested(text: str, at: int, syntax: CallSyntax, close: str, depth: int) -> tuple[Any, int]:
    """Parameters inside a parameter: an object, or the items of a list; (…, -1) where it is neither."""
    items: list[Any] = []
    inner: dict[str, Any] = {}
    while (ends := marks.after(text, close, at)) < 0:
        # One by one: the items of a list all have the same name.
        one, at = _parameter(text, at, syntax, depth + 1)
        if one is None:
            return None, -1
        items.append(one[1])
        inner[one[0]] = one[1]
    return (items if syntax.item and set(inner) == {syntax.item} else inner), ends


def _parameter(text: str, at: int, syntax: CallSyntax, depth: int) -> tuple[tuple[str, Any] | None, int]:
    begins = marks.after(text, syntax.key_open, at)
    assigned = marks.find(text, syntax.assign.strip(), begins) if begins >= 0 and depth <= _DEEPEST else None
    if assigned is None:
        return None, at
    key = text[begins : assigned[0]].strip()
    try:
        value, end = _value(text, assigned[1], syntax, _filled(syntax.value_close, key), depth)
    except ValueError:
        return None, at
    return (key, as_looks(value) if isinstance(value, str) else value), end


def decoded(value: str) -> Any:
    """A value that is JSON, or else its text."""
    found = decode_json(value.strip(), 0)
    return found[0] if found is not None and found[1] == len(value.strip()) else as_looks(value)


def _bare(value: str, syntax: CallSyntax) -> str:
    """A parameter's text without the line breaks that the template puts around it, or its wrapping."""
    padding = syntax.assign[len(syntax.assign.rstrip()) :]
    if padding and value.startswith(padding):
        value = value[len(padding) :]
        if value.endswith(padding):
            value = value[: -len(padding)]
    opens, closes = syntax.wrap
    if opens and value.startswith(opens) and value.endswith(closes):
        return value[len(opens) : len(value) - len(closes)]
    return value


def _literal(text: str, at: int, syntax: CallSyntax, known: Known, whole: bool) -> _Read | None:
    place = text.find(syntax.behind_name, at)
    name = text[at:place].strip() if place >= 0 else ""
    if not name or not _SPOKEN_NAME.fullmatch(name):
        return None
    arguments: dict[str, Any] = {}
    end = skip_space(text, place + len(syntax.behind_name))
    try:
        while not text.startswith(syntax.end, end):
            assign = text.index(syntax.assign, end)
            key = _unquoted(text[end:assign].strip(), syntax.quote)
            if not _KEY.fullmatch(key):
                return None
            arguments[key], end = _assigned(text, assign + 1, syntax, known.get(name, ()), whole)
            end = skip_space(text, end)
            if text.startswith(",", end):
                end = skip_space(text, end + 1)
            elif end >= len(text):
                return None
    except ValueError:
        return None
    return [ToolCall(name, arguments)], end + len(syntax.end), syntax.untyped


def _unquoted(key: str, quote: str) -> str:
    return key.removeprefix(quote).removesuffix(quote) if quote else key.strip("\"'")


def _assigned(text: str, at: int, syntax: CallSyntax, keys: Collection[str], whole: bool) -> tuple[Any, int]:
    """The value of an argument, and where it ends. Raises `ValueError`."""
    if not syntax.bare_texts and not (syntax.untyped and syntax.raw_texts):
        return parse_literal(text, at, syntax.quote, syntax.raw_texts)
    # Nothing says where a text ends: at the next argument that the tool has, or where the call, and with it the list
    # of calls, does.
    opened = at if syntax.bare_texts else skip_space(text, at)
    quote = "" if syntax.bare_texts else text[opened : opened + 1]
    start = opened + len(quote)
    key = "|".join(map(re.escape, keys)) or _ANY_KEY
    next_key = rf"(?=,\s*(?:{key})\s*[=:])"
    patterns = [re.compile(re.escape(quote) + pattern) for pattern in (next_key, _closing(syntax, whole))]
    ends = [found.start() for pattern in patterns if (found := pattern.search(text, start))]
    if not ends or quote not in ("", "'", '"'):
        raise ValueError("a value that does not end")
    return text[start : min(ends)], min(ends) + len(quote)


def _closing(syntax: CallSyntax, whole: bool) -> str:
    """What ends a call where texts are not quoted: its end, and then another call or the end of all."""
    then = [re.escape(syntax.separator.strip() or ",") + r"\s*[\w.\-]+\("]
    then += [re.escape(mark) for mark in (syntax.close, syntax.after) if mark] + ([r"\Z"] if whole else [])
    return rf"(?={re.escape(syntax.end)}\s*(?:{'|'.join(then)}))"


def _arguments(value: Any) -> dict[str, Any] | None:
    """Arguments as an object, from an object or from JSON text of one."""
    if isinstance(value, str):
        found = decode_json(value.strip(), 0)
        value = found[0] if found else None
    return value if isinstance(value, dict) else None


def _at_path(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
