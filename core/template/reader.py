"""Reading back what the template writes: the text of an answer into words, reasoning and calls.

The reader knows no model: `core.template.syntax` says how the template writes, and this looks for it in the text. A
call that cannot be read never costs the rest: what closed is kept, what did not stays in the text, with a finding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.conversation import Conversation, Finding, JsonObject, Message, ToolCall, snippet
from core.template.calls import Unit, read_unit
from core.template.sandbox import Template
from core.template.schema import fitted
from core.template.syntax import AnswerSyntax, CallSyntax, answer_syntax, split_reasoning
from core.template.values import skip_space

__all__ = ["Answer", "CallSyntax", "call_syntax", "describe", "read", "read_answer", "visible"]


@dataclass(slots=True)
class Answer:
    """A message that was read, and what was odd about it."""

    message: Message
    findings: list[Finding] = field(default_factory=list)


def call_syntax(template: Template) -> AnswerSyntax:
    """How this template writes answers, for `read` and `visible`."""
    return answer_syntax(template)


def read_answer(text: str, template: Template, tools: Sequence[JsonObject] = ()) -> Answer:
    """The assistant's message in `text`: up to the first stop token of the template, if there is one."""
    cut = min((at for stop in template.stop if (at := text.find(stop)) >= 0), default=len(text))
    return _read(text[:cut], answer_syntax(template), tools, whole=True)


def read(text: str, syntax: AnswerSyntax, tools: Sequence[JsonObject] = ()) -> Message:
    """The assistant's message in `text` (without its stop token)."""
    return _read(text, syntax, tools, whole=True).message


def read_so_far(text: str, syntax: AnswerSyntax, tools: Sequence[JsonObject] = ()) -> Message:
    """The message in an unfinished text: calls appear as soon as they close, half a marker never shows."""
    return _read(text, syntax, tools, whole=False).message


def visible(text: str, syntax: AnswerSyntax) -> str:
    """What may be shown of an unfinished answer: no reasoning, nothing of a call, and no half of a marker."""
    return _read(text, syntax, (), whole=False, stripped=False).message.content


def describe(message: Message) -> JsonObject:
    """The message in OpenAI's shape, for programs and for the page."""
    return Conversation((message,)).to_openai()["messages"][0]


def _read(
    text: str, syntax: AnswerSyntax, tools: Sequence[JsonObject], *, whole: bool, stripped: bool = True
) -> Answer:
    answer = Answer(Message("assistant"))
    reasoning, rest, closed = _reasoning(text, syntax, whole, answer)
    if not closed:
        answer.message = Message("assistant", reasoning=reasoning)
        return answer
    if syntax.answer_open and rest.lstrip().startswith(syntax.answer_open):
        rest = rest.lstrip()[len(syntax.answer_open) :]
    elif not whole and syntax.answer_open and syntax.answer_open.startswith(rest.strip()):
        rest = ""
    units, pieces = _pieces(rest, syntax, {tool["function"]["name"] for tool in tools}, whole, answer)
    if not whole:
        pieces[-1] = _without_half(pieces[-1], syntax, bool(units))
    content = "".join(pieces)
    if syntax.answer_close and content.rstrip().endswith(syntax.answer_close):
        content = content.rstrip()[: -len(syntax.answer_close)]
    calls: list[ToolCall] = []
    for unit in units:
        for call in unit.calls:
            call, findings = fitted(call, tools, unit.raw)
            answer.findings += findings
            calls.append(replace(call, id=f"call{len(calls):05d}"))
    content = content.strip() if stripped else content.lstrip() if reasoning or units else content
    answer.message = Message("assistant", content, reasoning, tuple(calls))
    return answer


def _reasoning(text: str, syntax: AnswerSyntax, whole: bool, answer: Answer) -> tuple[str, str, bool]:
    """(reasoning, the rest, whether the rest may be read as words and calls)."""
    reasoning, rest = split_reasoning(text, syntax)
    if reasoning is not None:
        return reasoning.strip(), rest, True
    body = text.strip()
    opened = bool(syntax.reasoning_open) and body.startswith(syntax.reasoning_open)
    half = bool(syntax.reasoning_open) and not whole and bool(body) and syntax.reasoning_open.startswith(body)
    if syntax.thinks_at_once and not whole:
        return body, "", False
    if opened or half:
        if whole:
            answer.findings.append(Finding("RS602", "kept", f"unclosed {syntax.reasoning_open}"))
            return "", text, True
        return body[len(syntax.reasoning_open) :].strip() if opened else "", "", False
    return "", text, True


def _pieces(
    text: str, syntax: AnswerSyntax, known: set[str], whole: bool, answer: Answer
) -> tuple[list[Unit], list[str]]:
    """The calls, and the text before, between and behind them."""
    call = syntax.call
    if call is None:
        return [], [text]
    units: list[Unit] = []
    pieces: list[str] = []
    position = look = 0
    while (start := _find(text, call, look, next_to_call=bool(units) and look == position)) >= 0:
        unit = read_unit(text, start, call, next_to_call=bool(units) and look == position)
        if unit is None or not _believed(unit, call, text, position, known):
            if not whole and (call.marker or not text[:start].strip()):
                # It may still close: nothing of it shows.
                pieces.append(_before(text[position:start], syntax, ""))
                return units, pieces
            if call.marker and len(call.marker) > 2:
                where = snippet(text[start : start + 80])
                answer.findings.append(Finding("TC520", "kept", f"could not read a call: {where}"))
            look = start + max(len(call.marker), 1)
            continue
        between = text[position:start]
        pieces.append(_before(between, syntax, unit.calls[0].name))
        units.append(unit)
        position = look = unit.end
    rest = text[position:]
    if units and call.after and rest.lstrip().startswith(call.after):
        rest = rest.lstrip()[len(call.after) :]
    pieces.append(rest)
    return units, pieces


def _find(text: str, call: CallSyntax, position: int, *, next_to_call: bool) -> int:
    """Where the next call may begin."""
    if next_to_call and not call.open:
        at = skip_space(text, position)
        ends = at == len(text) or (call.after and text.startswith(call.after, at))
        if not ends and text.startswith(call.separator, at):
            return at
    if call.marker:
        return text.find(call.marker, position)
    # A call that nothing opens can only be the whole answer.
    at = len(text) - len(text.lstrip())
    return at if position <= at < len(text) and (call.kind != "json" or text[at] in "{[") else -1


def _believed(unit: Unit, call: CallSyntax, text: str, position: int, known: set[str]) -> bool:
    """A marker of one or two characters may be anything; then the tool must be known, or the answer be all calls."""
    if len(call.marker) > 2:
        return True
    names = {found.name for found in unit.calls}
    return (bool(known) and names <= known) or not text[position : unit.start].strip() or position > 0


def _before(text: str, syntax: AnswerSyntax, name: str) -> str:
    """The words before a call, without what the template writes between them and the call."""
    call = syntax.call
    assert call is not None
    named = call.separator.replace("sentinel_tool", name)
    for mark in (named, call.lead + name if call.lead else "", call.before, call.lead, syntax.reasoning_close):
        bare = text.rstrip()
        if mark and bare.endswith(mark):
            text = bare[: len(bare) - len(mark)]
    return text


def _without_half(text: str, syntax: AnswerSyntax, behind_call: bool) -> str:
    """The text without markers, whole or begun, at its end: what comes next may complete them."""
    call = syntax.call
    marks = [syntax.answer_close, syntax.reasoning_open, syntax.reasoning_close]
    if call is not None:
        marks += [call.before, call.open, call.lead, call.separator.partition("sentinel_tool")[0]]
        if behind_call:
            marks += [call.close, call.after]
        if not call.marker and not behind_call and re.fullmatch(r"\s*[\[{]?\s*", text):
            return ""
    # What stands ahead of a call holds the call's name too.
    ahead = re.compile(rf"{re.escape(call.lead)}[\w.\-]*$") if call is not None and call.lead else None
    held = text
    while True:
        bare = held.rstrip()
        half = max((_overlap(bare, mark) for mark in marks), default=0)
        named = ahead.search(bare) if ahead is not None else None
        half = max(half, len(bare) - named.start() if named else 0)
        if not half:
            return held
        held = bare[: len(bare) - half]


def _overlap(text: str, mark: str) -> int:
    """How many characters at the end of the text begin the mark."""
    return next((n for n in range(min(len(mark), len(text)), 0, -1) if mark.startswith(text[-n:])), 0)
