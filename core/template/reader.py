"""Reading back what the template writes: the text of an answer into words, reasoning and calls.

The reader knows no model: `core.template.derive` says how the template writes, and this looks for it in the text. A
call that cannot be read never costs the rest: what closed is kept, what did not stays in the text, with a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.conversation import Conversation, Finding, JsonObject, Message, ToolCall
from core.template import marks
from core.template.derive import answer_syntax
from core.template.sandbox import Template
from core.template.schema import fitted, parameters_of
from core.template.syntax import AnswerSyntax, CallSyntax, split_reasoning
from core.template.units import Pieces, half_hidden, pieces_of

__all__ = ["Answer", "CallSyntax", "behind", "call_syntax", "describe", "read", "read_answer", "read_so_far", "visible"]


@dataclass(slots=True)
class Answer:
    """A message that was read, and what was odd about it."""

    message: Message
    findings: list[Finding] = field(default_factory=list)


def call_syntax(template: Template) -> AnswerSyntax:
    """How this template writes answers, for `read` and `visible`."""
    return answer_syntax(template)


def behind(prompt: str, syntax: AnswerSyntax) -> AnswerSyntax:
    """How an answer to this very prompt is written: whether the prompt has opened the reasoning."""
    if not syntax.reasoning_open or not syntax.reasoning_close:
        return syntax
    return replace(syntax, thinks_at_once=prompt.rstrip().endswith(syntax.reasoning_open))


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
    opened, rest = _opened(rest, syntax, whole)
    known = {tool["function"]["name"]: parameters_of(tool) for tool in tools}
    pieces = pieces_of(rest, syntax, known, whole=whole, at_start=syntax.opens_calls or not opened)
    if not whole:
        pieces.words[-1] = half_hidden(pieces.words[-1], syntax, bool(pieces.units))
    content = "".join(pieces.words)
    closed_at = marks.without_end(content, syntax.answer_close)
    content = content if closed_at is None else closed_at
    calls = _calls(pieces, tools, answer)
    content = content.strip() if stripped else content.lstrip() if reasoning or calls else content
    answer.message = Message("assistant", content, reasoning, calls)
    return answer


def _opened(text: str, syntax: AnswerSyntax, whole: bool) -> tuple[bool, str]:
    """Whether the words are opened, and the text behind that; nothing while it may still be opened."""
    opens = tuple(filter(None, (*syntax.answer_opens, syntax.any_channel)))
    for mark in opens:
        at = marks.after(text, mark, 0)
        # A word that opens is not the beginning of a longer one.
        if at >= 0 and not (mark[-1].isalnum() and text[at : at + 1].isalnum()):
            return True, text[at:]
    if not whole and any(marks.after(text, mark, 0) < 0 and marks.is_begun(text, mark) for mark in opens):
        return False, ""
    return False, text


def _calls(pieces: Pieces, tools: Sequence[JsonObject], answer: Answer) -> tuple[ToolCall, ...]:
    """The calls with ids, and arguments that fit their tools."""
    answer.findings += [Finding("TC520", "kept", f"could not read a call: {where}") for where in pieces.unread]
    calls: list[ToolCall] = []
    for unit in pieces.units:
        for call in unit.calls:
            call, findings = fitted(call, tools, unit.raw)
            answer.findings += findings
            calls.append(replace(call, id=f"call{len(calls):05d}"))
    return tuple(calls)


def _reasoning(text: str, syntax: AnswerSyntax, whole: bool, answer: Answer) -> tuple[str, str, bool]:
    """(reasoning, the rest, whether the rest may be read as words and calls)."""
    reasoning, rest = split_reasoning(text, syntax)
    if reasoning is not None:
        return reasoning.strip(), rest, True
    body = text.strip()
    opened = marks.after(body, syntax.reasoning_open, 0) if syntax.reasoning_open else -1
    half = bool(syntax.reasoning_open) and not whole and bool(body) and marks.is_begun(body, syntax.reasoning_open)
    if syntax.thinks_at_once and not whole:
        return _unclosed(body, syntax), "", False
    if opened >= 0 or half:
        if whole:
            answer.findings.append(Finding("RS602", "kept", f"unclosed {syntax.reasoning_open}"))
            return "", text, True
        return _unclosed(body[opened:], syntax).strip() if opened >= 0 else "", "", False
    return "", text, True


def _unclosed(reasoning: str, syntax: AnswerSyntax) -> str:
    """The reasoning without what has begun to close it."""
    at = marks.begun(reasoning, syntax.reasoning_close)
    return reasoning if at is None else reasoning[:at].rstrip()
