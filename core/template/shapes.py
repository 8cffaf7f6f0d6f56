"""How a template writes calls, derived from the texts of sentinel calls: in which shape, and between which marks.

The shapes are JSON in tags, JSON lists, a name with JSON apart from it, parameters in tags, and calls as literals
(Python's way, or with a template's own quotes). Every shape that fits is tried on what the template writes; the one
that reads most of it back is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Protocol

from core.conversation import JsonObject
from core.template import marks
from core.template.calls import python_value
from core.template.style import KEY, TOOL, VALUE
from core.template.syntax import AnswerSyntax, CallSyntax
from core.template.units import pieces_of
from core.template.values import decode_json

_SECOND, _LAST_KEY, _WORDS, _INNER = "sentinelsecond", "sentinel_last", "sentinelwords", "sentinel_inner"
_NUMBER = 73519
_DATA: tuple[tuple[Any, str], ...] = ((_NUMBER, str(_NUMBER)), (True, "true"), ([_NUMBER], f"[{_NUMBER}]"))
_BRACKETS, _HALF = ("<", "[", "{", "("), ("<", "[", "{", "(", "/")
_NASTY, _SPECIAL = "q\"w\\e'r", "a<b&c\nd"


class Calls(Protocol):
    """What the template writes of a turn with calls of the sentinel tool with these arguments, and words."""

    def __call__(self, *given: JsonObject, words: str = "") -> str:
        """The text of the turn, without its reasoning."""
        ...


_Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A shape without its surroundings, and where in a text the call stands whose argument has a value."""

    syntax: CallSyntax
    place: Callable[[str, str], _Place | None]


def call_shape(calls: Calls) -> tuple[CallSyntax, str] | None:
    """The syntax of the calls, and what opens words that stand before them; None when calls are not written."""
    one, two = calls({KEY: VALUE}), calls({KEY: VALUE}, {KEY: _SECOND})
    if TOOL not in one:
        return None
    best: CallSyntax | None = None
    most = -1
    for derive in (_json, _apart, _written_out):
        shape = derive(one, calls)
        if shape is None:
            continue
        found = _surrounded(shape, one, two)
        score = _reads_back(found, calls, one, two)
        if score > most:
            best, most, chosen = found, score, shape
    return None if best is None else _beside(best, chosen, calls)


def _reads_back(syntax: CallSyntax, calls: Calls, one: str, two: str) -> int:
    """How much of what the template writes is read back."""
    given: list[tuple[str, Sequence[JsonObject]]] = [
        (one, [{KEY: VALUE}]),
        (two, [{KEY: VALUE}, {KEY: _SECOND}]),
        (calls({KEY: VALUE, _LAST_KEY: _SECOND}), [{KEY: VALUE, _LAST_KEY: _SECOND}]),
        (calls({}), [{}]),
    ]
    right = 0
    for text, wanted in given:
        pieces = pieces_of(text, AnswerSyntax(call=syntax), {TOOL: {KEY, _LAST_KEY}}, whole=True)
        read = [call.arguments for unit in pieces.units for call in unit.calls]
        right += 2 * (read == list(wanted)) + (read == list(wanted) and not "".join(pieces.words).strip())
    return right


def _beside(syntax: CallSyntax, shape: _Shape, calls: Calls) -> tuple[CallSyntax, str]:
    """The syntax with what stands between words and calls; and what opens such words."""
    opened, words, rest = calls({KEY: VALUE}, words=_WORDS).partition(_WORDS)
    place = shape.place(rest, VALUE) if words else None
    if place is None:
        return syntax, ""
    between = rest[: place[0]].strip()
    if TOOL in between:
        between = between.rpartition(TOOL)[0].strip().removesuffix(syntax.lead)
    else:
        between = marks.without_end(between, syntax.open) or "" if syntax.open else between
    if shape.place(opened, VALUE) is not None or (syntax.open and syntax.open in opened):
        return syntax, ""
    return replace(syntax, beside=between.strip()), opened.strip()


def _surrounded(shape: _Shape, one: str, two: str) -> CallSyntax:
    """The shape with what stands around the calls."""
    place, first, second = shape.place(one, VALUE), shape.place(two, VALUE), shape.place(two, _SECOND)
    assert place is not None
    between, after = None, one[place[1] :]
    if first and second and first != second:
        between = two[first[1] : second[0]]
        # Some templates close the list of calls only if there are several.
        after = max(after, two[second[1] :], key=len)
    before, between, after, lead = _led(one[: place[0]], between, after)
    syntax = replace(shape.syntax, lead=lead)
    around = _around(syntax, before, between, after) or _around(syntax, *_counted(before, between, after))
    return around or replace(syntax, before=before, after=after, separator=(between or "").strip())


def _led(before: str, between: str | None, after: str) -> tuple[str, str | None, str, str]:
    """The surroundings without what is written ahead of the call, where its name is written there too."""
    before, after = before.strip(), after.strip()
    if TOOL not in before:
        return before, between, after, ""
    lead, _, before = before.rpartition(TOOL)
    if between is not None and TOOL in between:
        between = between.strip().replace(TOOL, marks.NAME)
    return before.strip(), between, after, lead.strip()


def _around(syntax: CallSyntax, before: str, between: str | None, after: str) -> CallSyntax | None:
    """The syntax with its surroundings, from the texts before a call, between two, and behind; None in doubt."""
    if between is None:
        return replace(syntax, open=before, close=after)
    if marks.NAME in between:
        # The name is also written ahead of the call: what stands before it is the turn's own business.
        separator = between.removeprefix(after).removesuffix(before).strip()
        return replace(syntax, open=before, close=after, separator=separator)
    middle = between.strip()
    cuts = [(middle[:cut].strip(), middle[cut:].strip()) for cut in range(len(middle))]
    fitting = [(close, opened) for close, opened in cuts if after.startswith(close) and before.endswith(opened)]
    if not fitting:
        return None
    # Tags that resemble each other may be cut in several places; not in the middle of a tag.
    close, opened = next((cut for cut in fitting if cut[1][0] in _BRACKETS and cut[0][-1:] not in _HALF), fitting[0])
    before, after = before[: len(before) - len(opened)].strip(), after[len(close) :].strip()
    return replace(syntax, before=before, open=opened, close=close, after=after)


def _counted(before: str, between: str | None, after: str) -> tuple[str, str | None, str]:
    """The surroundings with holes for numbers, where calls are counted."""
    number = re.compile(r"\d+")
    return number.sub(marks.ID, before), None if between is None else number.sub(marks.ID, between), after


def _json(one: str, calls: Calls) -> _Shape | None:
    found = _first_json(one, TOOL)
    if found is None:
        return None
    start, _, value = found
    inner = value[0] if isinstance(value, list) and value else value
    opens = one[start : min(at for at in (one.find(TOOL, start), one.find(KEY, start)) if at >= 0)]
    syntax = CallSyntax("json", head=opens)
    name_path = _path_to(inner, lambda item: item == TOOL)
    arguments_path = _path_to(inner, lambda item: isinstance(item, dict) and item.get(KEY) == VALUE)
    if name_path is not None and arguments_path is not None:
        syntax = replace(syntax, name_path=name_path, arguments_path=arguments_path)
    elif arguments_path == (TOOL,):
        syntax = replace(syntax, keyed=True)
    else:
        return None

    def place(text: str, value: str) -> _Place | None:
        found = _first_json(text, value)
        return found[:2] if found and TOOL in text[found[0] : found[1]] else None

    return _Shape(syntax, place)


def _apart(one: str, calls: Calls) -> _Shape | None:
    def parts(text: str, value: str) -> tuple[int, int, int] | None:
        """Where the name begins, and where the arguments begin and end."""
        found = _first_json(text, value)
        if found is None or not isinstance(found[2], dict) or found[2].get(KEY) != value:
            return None
        name = text.rfind(TOOL, 0, found[0])
        return (name, found[0], found[1]) if name >= 0 else None

    def place(text: str, value: str) -> _Place | None:
        found = parts(text, value)
        return (found[0], found[2]) if found else None

    found = parts(one, VALUE)
    if found is None:
        return None
    behind = one[found[0] + len(TOOL) : found[1]]
    two = calls({KEY: VALUE}, {KEY: _SECOND})
    second = parts(two, _SECOND)
    behind = _counting(behind, two[second[0] + len(TOOL) : second[1]] if second else behind)
    return _Shape(CallSyntax("apart", behind_name=behind, head=marks.NAME + behind), place)


def _counting(behind: str, behind_second: str) -> str:
    """What stands behind a call's name, with holes for numbers if it is not the same behind the second one's."""
    return behind if behind == behind_second else re.sub(r"\d+", marks.ID, behind)


def _written_out(one: str, calls: Calls) -> _Shape | None:
    """Parameters in tags, or a literal: told apart by what stands between two arguments."""
    pair = calls({KEY: VALUE, _LAST_KEY: _SECOND})
    places = [pair.find(word) for word in (KEY, VALUE, _LAST_KEY, _SECOND)]
    if sorted(places) != places or places[0] < 0 or pair.rfind(TOOL, 0, places[0]) < 0:
        return None
    name = pair.rfind(TOOL, 0, places[0])
    behind = pair[name + len(TOOL) : places[0]]
    assign = pair[places[0] + len(KEY) : places[1]]
    middle = pair[places[1] + len(VALUE) : places[2]]
    tail = pair[places[3] + len(_SECOND) :]
    shared = _shared_end(behind, middle)
    # What closes the tag before it does not open a parameter.
    shared = shared[1:] if shared.startswith(">") else shared
    close = middle[: len(middle) - len(shared)].replace(KEY, marks.NAME)
    if shared.strip() and close.strip() and tail.startswith(close.rstrip().replace(marks.NAME, _LAST_KEY)):
        second = calls({KEY: VALUE}, {KEY: _SECOND}).rpartition(TOOL)[2].partition(KEY)[0]
        behind = _counting(behind, second if second.endswith(shared) else behind)
        behind = behind[: len(behind) - len(shared)].strip()
        syntax = CallSyntax(
            "xml", behind_name=behind, key_open=shared.strip(), assign=assign, value_close=close.strip()
        )
        syntax = _of_values(replace(syntax, head=marks.NAME + behind), calls)
    else:
        literal = _literal(behind, assign, middle, tail, calls)
        if literal is None:
            return None
        syntax = literal

    def place(text: str, value: str) -> _Place | None:
        at = text.find(value)
        key = text.rfind(KEY, 0, max(at, 0))
        name = text.rfind(TOOL, 0, max(key, 0))
        end = marks.find(text, syntax.value_close.replace(marks.NAME, KEY), at) if at >= 0 else None
        return (name, end[1]) if name >= 0 and end else None

    return _Shape(syntax, place)


def _of_values(syntax: CallSyntax, calls: Calls) -> CallSyntax:
    """The syntax with how other values than plain texts are written."""

    def written(value: Any, needle: str) -> tuple[str, str]:
        """What stands before and behind the needle in a parameter's value."""
        text = calls({KEY: value})
        opened = text.partition(KEY)[2]
        closed = marks.find(opened, syntax.value_close.replace(marks.NAME, KEY), 0)
        inner = opened[: closed[0]] if closed else ""
        return (inner.partition(needle)[0], inner.partition(needle)[2]) if needle in inner else ("", "")

    data = {written(value, needle)[0] for value, needle in _DATA} - {"", syntax.assign}
    if data and not any(mark.strip() == syntax.assign.strip() for mark in data):
        syntax = replace(syntax, assign_data=_varying(sorted(data)))
    before, behind = written(_SPECIAL, _SPECIAL)
    if before.startswith(syntax.assign) and before[len(syntax.assign) :].strip() and behind.strip():
        syntax = replace(syntax, wrap=(before[len(syntax.assign) :].strip(), behind.strip()))
    inside = calls({KEY: {_INNER: VALUE}})
    if marks.find(inside, syntax.key_open + _INNER + syntax.assign + VALUE, 0):
        listed = calls({KEY: [VALUE, _SECOND]}).partition(VALUE)[0]
        item = re.search(re.escape(syntax.key_open) + r"([\w\-]+)" + re.escape(syntax.assign.strip()) + r"\s*$", listed)
        syntax = replace(syntax, nested=True, item=item.group(1) if item else "")
    return syntax


def _varying(data: list[str]) -> str:
    """What stands before values of several types, with a hole for the word that names the type."""
    start = reduce(lambda a, b: _shared_end(a[::-1], b[::-1])[::-1], data)
    end = reduce(_shared_end, [text[len(start) :] for text in data])
    return start if len(data) == 1 else start + marks.NAME + end


def _literal(behind: str, assign: str, middle: str, tail: str, calls: Calls) -> CallSyntax | None:
    mark = assign.strip()[:1]
    quote = assign.strip()[1:].strip()
    end = tail[len(quote) :].lstrip()[:1] if tail.startswith(quote) else ""
    if behind.strip() not in ("(", "{") or end not in (")", "}") or mark not in ("=", ":"):
        return None
    raw = _NASTY in calls({KEY: _NASTY}) and quote in ("'", '"')
    number = calls({KEY: _NUMBER}).partition(str(_NUMBER))[0].rstrip()
    syntax = CallSyntax(
        "literal",
        behind_name=behind.strip(),
        head=marks.NAME + behind.strip(),
        assign=mark,
        end=end,
        raw_texts=raw,
        quote="" if quote in ("'", '"', "") else quote,
        value_close=quote + end,
    )
    bare = not quote and middle.strip() == ","
    return replace(syntax, bare_texts=bare, untyped=bare or bool(quote and number.endswith(quote)))


def _first_json(text: str, needle: str) -> tuple[int, int, Any] | None:
    """The first object or list, as JSON or as Python writes it, that holds `needle`, as (start, end, value)."""
    for start, character in enumerate(text):
        if character in "{[":
            parsed = decode_json(text, start) or python_value(text, start)
            if parsed is not None and needle in text[start : parsed[1]]:
                return start, parsed[1], parsed[0]
    return None


def _path_to(value: Any, wanted: Callable[[Any], bool]) -> tuple[str, ...] | None:
    if not isinstance(value, dict):
        return None
    for key, item in value.items():
        if wanted(item) or (isinstance(item, str) and (parsed := decode_json(item, 0)) and wanted(parsed[0])):
            return (key,)
        deeper = _path_to(item, wanted)
        if deeper is not None:
            return (key, *deeper)
    return None


def _shared_end(a: str, b: str) -> str:
    length = 0
    while length < min(len(a), len(b)) and a[-length - 1] == b[-length - 1]:
        length += 1
    return a[len(a) - length :]
