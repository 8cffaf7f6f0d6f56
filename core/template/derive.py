"""How a template writes an answer, derived by inversion: sentinels are rendered, and what surrounds them is the syntax.

Here is what belongs to the whole answer: reasoning in tags, in channels, or opened by the generation prompt; how the
words are opened and closed. `core.template.shapes` has the calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from core.conversation import Conversation, JsonObject, Message, RowRefusedError, ToolCall
from core.template import marks
from core.template.behind import shared, whole_tokens
from core.template.history import History
from core.template.sandbox import Template
from core.template.shapes import call_shape
from core.template.spans import prompt, render
from core.template.style import ANSWER, KEY, QUESTION, RESULT, TOOL, VALUE, sentinel_tool, style_of, try_render
from core.template.syntax import AnswerSyntax, CallSyntax, split_reasoning
from core.template.unwritten import unwritten_tags

_THOUGHT = "sentinelthought"
_LAST_TAG = re.compile(r"<[^<>\s]+>\w*\s*$")
_ANY_TAG = re.compile(r"\s*<[^<>\s]+>")
_CHANNEL = re.compile(r"(<[^<>\s]+>)(\w+)(<[^<>\s]+>)")
_CLOSING_TAG = re.compile(r"</([^<>\s]+)>")


def answer_syntax(template: Template) -> AnswerSyntax:
    """How this template writes answers; derived once per template."""
    special, variables = tuple(sorted(template.special_tokens.items())), tuple(sorted(template.variables.items()))
    return _answer_syntax(template.source, special, variables, template.stop, template.control_tokens, template.name)


@lru_cache(maxsize=64)
def _answer_syntax(source: str, special: Any, variables: Any, stop: Any, control: Any, name: str) -> AnswerSyntax:
    template = Template(source, dict(special), stop, control, name, dict(variables))
    before, opened, close = _around_answer(template)
    syntax = AnswerSyntax(answer_opens=(opened,), answer_close=close.strip())
    given, thought = _turn(template, Message("assistant", ANSWER, _THOUGHT))
    if _THOUGHT in thought:
        syntax = _with_reasoning(syntax, thought, opened)
    else:
        given, syntax = _reasoning_before_calls(template, syntax)
    asked = _asked(template)
    syntax = _closed_at_once(syntax, asked)
    if not syntax.reasoning_close:
        syntax = _with_unwritten(syntax, opened, unwritten_tags(template, opened, before))
    elif not syntax.reasoning_open:
        syntax = replace(syntax, reasoning_open=_opened_by(template, given, before, asked, syntax))
    _, with_tools, _ = _around_answer(template, (sentinel_tool(),))
    opens = [mark.strip() for mark in (*syntax.answer_opens, _without_reasoning(with_tools, syntax))]
    syntax = replace(
        syntax,
        thinks_at_once=_prompt_opens(syntax, asked),
        answer_opens=tuple(sorted({mark for mark in opens if mark}, key=len, reverse=True)),
    )
    return _with_calls(template, _with_channel(syntax))


def _around_answer(template: Template, tools: Sequence[JsonObject] = ()) -> tuple[str, str, str]:
    """What stands before an answer, and before and behind its words in what the model writes."""
    before, plain = _turn(template, Message("assistant", ANSWER), tools)
    opened, _, closed = (plain or ANSWER).partition(ANSWER)
    return *(_opened_in_text(template, tools) or (before, opened)), closed


def _opened_in_text(template: Template, tools: Sequence[JsonObject]) -> tuple[str, str] | None:
    """The first two of these in the template's own text, where answers are put together with their prompt."""
    conversation = Conversation((Message("user", QUESTION), Message("assistant", ANSWER)), tuple(tools))
    try:
        notes = [note.code for sample in render(conversation, template) for note in sample.notes]
    except RowRefusedError:
        return None
    if "RS609" not in notes:
        return None
    history = History(conversation, template)
    text = history.text(2)
    at = whole_tokens(text, shared(history.text(1, ask=True), text), template)
    opened, answer, _ = text[at:].partition(ANSWER)
    return (text[:at], opened) if answer else None


def _with_reasoning(syntax: AnswerSyntax, thought: str, opened: str) -> AnswerSyntax:
    start, _, rest = thought.partition(_THOUGHT)
    close = rest.partition(ANSWER)[0]
    if start.strip() in opened and close.strip() in opened:
        # An answer without reasoning has an empty one.
        opened = ""
    elif close.strip() == opened.strip():
        # One without reasoning only closes it.
        opened = ""
    elif close.endswith(opened):
        close = close[: len(close) - len(opened)]
    return replace(syntax, reasoning_open=start.strip(), reasoning_close=close.strip(), answer_opens=(opened,))


def _closed_at_once(syntax: AnswerSyntax, asked: str) -> AnswerSyntax:
    """Some templates never write reasoning, but have it: the prompt opens it, and the answer begins by closing it."""
    opened = syntax.answer_opens[0].strip()
    tag = _CLOSING_TAG.match(opened)
    if syntax.reasoning_close or tag is None or f"<{tag.group(1)}>" not in asked:
        return syntax
    rest = opened[tag.end() :].strip()
    return replace(syntax, reasoning_open=f"<{tag.group(1)}>", reasoning_close=tag.group(), answer_opens=(rest,))


def _with_unwritten(syntax: AnswerSyntax, opened: str, tags: tuple[str, str]) -> AnswerSyntax:
    """The syntax with reasoning between these tags; as it was where answers have more than that before the second."""
    opens, closes = tags
    if not closes or (closes in opened and opened.partition(closes)[0].strip() not in ("", opens)):
        return syntax
    syntax = replace(syntax, reasoning_open=opens, reasoning_close=closes)
    return replace(syntax, answer_opens=(_without_reasoning(opened, syntax),))


def _opened_by(template: Template, given: str, given_plain: str, asked: str, syntax: AnswerSyntax) -> str:
    """The tag with which the prompt of a turn with reasoning opens it, and that of one without does not.

    Or words that stand at the end of the generation prompt alone.
    """
    found = _LAST_TAG.search(given)
    tag = found.group().strip() if found else ""
    if tag and (syntax.reasoning_close.replace("/", "", 1) == tag or not given_plain.rstrip().endswith(tag)):
        return tag
    talk = [Message("user", QUESTION), Message("assistant", ANSWER, _THOUGHT)]
    text = try_render(template, style_of(template), talk) or ""
    header = text.rpartition(QUESTION)[2].partition(_THOUGHT)[0]
    return asked[len(header) :].strip() if header and asked.startswith(header) else ""


def _without_reasoning(opened: str, syntax: AnswerSyntax) -> str:
    """What opens an answer, without the empty reasoning in it."""
    close = syntax.reasoning_close
    if not close:
        return opened
    return opened.partition(close)[2] if close in opened else opened.replace(syntax.reasoning_open, "")


def _reasoning_before_calls(template: Template, syntax: AnswerSyntax) -> tuple[str, AnswerSyntax]:
    """Some templates write reasoning only where calls follow."""
    call = Message("assistant", tool_calls=(ToolCall(TOOL, {KEY: VALUE}, "abcdefghi"),))
    plain = _turn(template, call)[1]
    given, text = _turn(template, replace(call, reasoning=_THOUGHT))
    start, thought, rest = text.partition(_THOUGHT)
    if thought and plain == start + rest:
        # Calls without reasoning have an empty one: its closing tag tells how far it goes.
        tag = _ANY_TAG.match(rest)
        plain = rest[tag.end() :] if tag else ""
    if not thought or not plain or not rest.endswith(plain):
        return "", syntax
    return given, replace(syntax, reasoning_open=start.strip(), reasoning_close=rest[: len(rest) - len(plain)].strip())


def _with_channel(syntax: AnswerSyntax) -> AnswerSyntax:
    """The syntax with what its channels have in common."""
    for mark in syntax.answer_opens:
        pair = [_CHANNEL.fullmatch(text) for text in (syntax.reasoning_open, mark)]
        shared = {(str(found.group(1)), str(found.group(3))) for found in pair if found}
        if all(pair) and len(shared) == 1:
            return replace(syntax, channel=shared.pop())
    return syntax


def _asked(template: Template) -> str:
    """The generation prompt, and what else stands behind the question."""
    try:
        return prompt(Conversation((Message("user", QUESTION),)), template).text.rpartition(QUESTION)[2]
    except RowRefusedError:
        return ""


def _prompt_opens(syntax: AnswerSyntax, asked: str) -> bool:
    """Whether the generation prompt itself opens the reasoning, and leaves it open."""
    if not syntax.reasoning_close or not syntax.reasoning_open:
        return bool(syntax.reasoning_close) and not asked.rstrip().endswith(syntax.reasoning_close)
    return asked.rfind(syntax.reasoning_open) > asked.rfind(syntax.reasoning_close)


def _with_calls(template: Template, syntax: AnswerSyntax) -> AnswerSyntax:
    """The syntax with that of the calls."""
    opened_calls: list[bool] = []

    def calls(*given: JsonObject, words: str = "") -> str:
        """What is written of a turn with calls, behind its reasoning; ids are holes."""
        made = tuple(ToolCall(TOOL, arguments, f"abcdefgh{i}") for i, arguments in enumerate(given))
        text = _turn(template, Message("assistant", words, tool_calls=made))[1]
        rest = split_reasoning(text, syntax)[1]
        for mark in syntax.answer_opens:
            at = marks.after(rest, mark, 0)
            if at >= 0 and not words:
                opened_calls.append(True)
                rest = rest[at:]
                break
        for call in made:
            rest = rest.replace(call.id, marks.ID)
        return rest

    shape = call_shape(calls)
    if shape is None:
        return syntax
    call, opened = shape
    opens = tuple(sorted({*syntax.answer_opens, opened} - {""}, key=len, reverse=True))
    return replace(syntax, call=call, answer_opens=opens, opens_calls=bool(opened_calls))


def _turn(template: Template, message: Message, tools: Sequence[JsonObject] = ()) -> tuple[str, str]:
    """What stands before this message, and what the model writes, without its stop token; nothing if it is refused."""
    tools = (sentinel_tool(),) if message.tool_calls else tuple(tools)
    messages = (Message("user", QUESTION), message)
    results = tuple(Message("tool", RESULT, tool_call_id=call.id, name=call.name) for call in message.tool_calls)
    # Some templates want an answer after every call.
    for then in ((), (*results, Message("assistant", ANSWER))) if results else ((),):
        try:
            samples = render(Conversation((*messages, *then), tools), template)
        except RowRefusedError:
            continue
        for sample in samples:
            spans = [span for span in sample.spans if span.message == 1 and span.kind != "stop"]
            if spans:
                return sample.text[: spans[0].start], sample.text[spans[0].start : spans[-1].end]
    return "", ""


__all__ = ["AnswerSyntax", "CallSyntax", "answer_syntax"]
