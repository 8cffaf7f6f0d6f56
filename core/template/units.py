"""The calls in the text of an answer, and the words before, between and behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.conversation import snippet
from core.template import marks
from core.template.calls import Known, Unit, read_unit
from core.template.syntax import AnswerSyntax, CallSyntax
from core.template.values import skip_space

_SHORT_MARK = 2


@dataclass(slots=True)
class Pieces:
    """The calls of an answer in order, the words around them, and what looked like a call but could not be read."""

    units: list[Unit] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    # Where the words end in a call that may still close.
    open_call: bool = False


def pieces_of(text: str, syntax: AnswerSyntax, known: Known, *, whole: bool, at_start: bool = True) -> Pieces:
    """The calls in `text`, and the words. `at_start`: no words have been opened before it; `known` are the tools."""
    found = Pieces()
    call = syntax.call
    if call is None:
        found.words.append(text)
        return found
    position = look = 0
    while (
        opened := _next(text, call, look, known, found, behind_call=look == position, at_start=at_start)
    ) is not None:
        start, at, mark = opened
        unit = read_unit(text, start, at, call, known, whole=whole)
        if unit is None or not _believed(unit, mark, text, position, known, found):
            bare_before = not mark and text[position:start].strip()
            if not whole and (mark or not bare_before) and _may_become(text[at:], call, mark):
                # It may still close: nothing of it shows.
                found.words.append(_before(text[position:start], syntax, ""))
                found.open_call = True
                return found
            if len(mark) > _SHORT_MARK and unit is None:
                found.unread.append(snippet(text[start : start + 80]))
            look = max(at, start + 1)
            continue
        found.words.append(_before(text[position:start], syntax, unit.calls[0].name))
        found.units.append(unit)
        position = look = unit.end
    rest = text[position:]
    ends = marks.after(rest, call.after, 0) if found.units and call.after else -1
    found.words.append(rest[ends:] if ends >= 0 else rest)
    return found


def _next(
    text: str, call: CallSyntax, look: int, known: Known, found: Pieces, *, behind_call: bool, at_start: bool
) -> tuple[int, int, str] | None:
    """Where the next call may begin: (start of what opens it, its own start, what opens it)."""
    if behind_call and found.units and not call.open:
        at = skip_space(text, look)
        ends = at == len(text) or (call.after and marks.after(text, call.after, at) >= 0)
        begins = -1 if ends else marks.after(text, call.separator, at)
        if begins >= 0 and _may_become(text[begins:], call, ""):
            return at, begins, call.separator
    options = [(*place, mark) for mark in call.markers if (place := marks.find(text, mark, look))]
    if not found.units and look == 0 and at_start and call.bare_at_start:
        at = len(text) - len(text.lstrip())
        if _may_become(text[at:], call, ""):
            options.append((at, at, ""))
    if call.bare_behind_words and known and call.kind == "json":
        at = _object_with(text, call, look, known)
        options += [(at, at, "")] if at >= 0 else []
    return min(options, default=None)


def _object_with(text: str, call: CallSyntax, look: int, known: Known) -> int:
    """Where JSON begins that reads as calls of known tools; -1 where none does."""
    for brace in re.finditer(r"[\[{]", text[look:]):
        unit = read_unit(text, look + brace.start(), look + brace.start(), call, known)
        if unit is not None and {found.name for found in unit.calls} <= known.keys():
            return unit.start
    return -1


def _may_become(text: str, call: CallSyntax, mark: str) -> bool:
    """Whether what begins here may become a call, as far as it goes."""
    if len(mark) > _SHORT_MARK or call.kind == "json":
        return bool(mark) or call.kind != "json" or text.lstrip()[:1] in ("", "{", "[")
    return marks.is_begun(text, call.head)


def _believed(unit: Unit, mark: str, text: str, position: int, known: Known, found: Pieces) -> bool:
    """A marker of one or two characters may be anything; then the tool must be known, or the answer be all calls."""
    if len(mark) > _SHORT_MARK:
        return True
    names = {call.name for call in unit.calls}
    return (bool(known) and names <= known.keys()) or not text[position : unit.start].strip() or bool(found.units)


def _before(text: str, syntax: AnswerSyntax, name: str) -> str:
    """The words before a call, without what the template writes between them and the call."""
    call = syntax.call
    assert call is not None
    named = call.separator.replace(marks.NAME, name)
    led = call.lead + name if call.lead else ""
    channel = syntax.channel[0] and syntax.channel[0] + marks.NAME
    for mark in (named, led, call.before, call.beside or "", led, call.lead, channel, syntax.reasoning_close):
        bare = marks.without_end(text, mark) if mark else None
        text = text if bare is None else bare
    return text


def half_hidden(text: str, syntax: AnswerSyntax, behind_call: bool) -> str:
    """The text without marks, whole or begun, at its end: what comes next may complete them."""
    call = syntax.call
    hidden = [syntax.answer_close, syntax.reasoning_open, syntax.reasoning_close, syntax.any_channel]
    if call is not None:
        led = call.lead + marks.NAME if call.lead else ""
        hidden += [call.before, call.beside or "", call.open, led, call.separator]
        if behind_call:
            hidden += [call.close, call.after, *([] if call.open else [call.separator + call.head])]
        elif call.bare_behind_words:
            hidden.append(call.head)
        if call.bare_behind_words and (found := marks.find(text, call.head, 0)):
            text = text[: found[0]]
    while True:
        bare = text.rstrip()
        places = [at for mark in hidden if mark and (at := marks.begun(bare, mark)) is not None]
        if not places:
            return text
        text = bare[: min(places)]
