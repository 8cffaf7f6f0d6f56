"""A conversation as the text that the model sees, with exactly the characters that it must learn to write.

The trained span of an assistant turn runs from the end of what the model would have been given when it wrote the turn
(its generation prompt included) to the end of its stop token. That is checked turn by turn against the template itself.
Where the template shows an earlier turn differently later on, the turn becomes a sample of its own, as the model would
have seen it then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.conversation import Conversation, Finding, Message, RowRefusedError, template_messages
from core.template.sandbox import Template, TemplateRefusedError
from core.template.trace import trace_ends

Kind = Literal["text", "reasoning", "tool_call", "stop"]
KINDS: tuple[Kind, ...] = ("text", "reasoning", "tool_call", "stop")
# Stands inside control tokens that come from content, while the template renders them; never reaches the tokenizer.
_BREAK = "\U000f1002"


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]` is trained: `kind`, the index of its message, and the message's loss weight."""

    start: int
    end: int
    kind: Kind
    message: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text and its trained spans, in order.

    `breaks` are offsets inside text that looks like a control token but came from content: the tokenizer must not read
    across them.
    """

    text: str
    spans: tuple[Span, ...]
    breaks: tuple[int, ...] = ()

    def marked(self) -> str:
        """The text with what is trained in ⟦ ⟧."""
        out, position = [], 0
        for start, end in _joined(self.spans):
            out += [self.text[position:start], "⟦", self.text[start:end], "⟧"]
            position = end
        return "".join([*out, self.text[position:]])


def render(conversation: Conversation, template: Template, train_on: str = "assistant") -> list[Rendered]:
    """The samples of a conversation: one, or more where the template hides history.

    Raises `RowRefusedError` when the template cannot express the conversation, or a check fails; never guesses.
    """
    protected = protect(conversation, template.control_tokens)
    messages = template_messages(protected.messages)
    try:
        whole = template.render(messages, protected.tools)
        ends = trace_ends(template, messages, protected.tools, whole)
        main: list[Span] = []
        apart: list[Rendered] = []
        for index in trained_turns(conversation, train_on):
            seen = template.render(messages[:index], protected.tools, add_generation_prompt=True)
            written = template.render(messages[: index + 1], protected.tools)
            end = ends.get(index) if ends is not None else len(written)
            if end is not None and whole[:end].startswith(seen) and written.startswith(whole[:end]):
                main += _turn_spans(protected, template, whole, len(seen), end, index)
            else:
                apart.append(_sample_apart(protected, template, seen, written, index))
    except TemplateRefusedError as error:
        raise _refusal(conversation, "RO214", "messages", str(error)) from None
    samples = [Rendered(whole, tuple(main)), *apart] if main else apart
    return [_unprotected(sample) for sample in samples]


def prompt(conversation: Conversation, template: Template) -> Rendered:
    """What the model is given when it is to answer: the text up to its turn, nothing trained."""
    protected = protect(conversation, template.control_tokens)
    try:
        text = template.render(template_messages(protected.messages), protected.tools, add_generation_prompt=True)
    except TemplateRefusedError as error:
        raise _refusal(conversation, "RO214", "messages", str(error)) from None
    return _unprotected(Rendered(text, ()))


def trained_turns(conversation: Conversation, train_on: str = "assistant") -> list[int]:
    """The indexes of the assistant messages that carry loss."""
    turns = [
        index
        for index, message in enumerate(conversation.messages)
        if message.role == "assistant" and message.train is not False
    ]
    return turns[-1:] if train_on == "last_turn" else turns


def protect(conversation: Conversation, control_tokens: Iterable[str]) -> Conversation:
    """The conversation with an invisible break inside every control token that its content or tools hold."""
    tokens = sorted(control_tokens, key=len, reverse=True)
    if not tokens:
        return conversation
    pattern = re.compile("|".join(re.escape(token) for token in tokens))

    def broken(value: Any) -> Any:
        if isinstance(value, str):
            return pattern.sub(lambda found: found.group()[:1] + _BREAK + found.group()[1:], value)
        if isinstance(value, dict):
            return {broken(key): broken(item) for key, item in value.items()}
        return [broken(item) for item in value] if isinstance(value, list) else value

    def message(of: Message) -> Message:
        calls = tuple(replace(call, name=broken(call.name), arguments=broken(call.arguments)) for call in of.tool_calls)
        name, content, reasoning = broken(of.name), broken(of.content), broken(of.reasoning)
        return replace(of, content=content, reasoning=reasoning, name=name, tool_calls=calls)

    messages = tuple(message(of) for of in conversation.messages)
    return replace(conversation, messages=messages, tools=tuple(broken(tool) for tool in conversation.tools))


def _sample_apart(conversation: Conversation, template: Template, seen: str, written: str, index: int) -> Rendered:
    """The turn alone, behind the history as the model sees it when it writes this turn."""
    if not written.startswith(seen):
        reason = f"the template writes messages[{index}] behind another text than the model is given"
        raise _refusal(conversation, "MK703", f"messages[{index}]", reason)
    return Rendered(written, tuple(_turn_spans(conversation, template, written, len(seen), len(written), index)))


def _turn_spans(
    conversation: Conversation, template: Template, text: str, start: int, end: int, index: int
) -> list[Span]:
    """The trained spans of one turn inside `text[start:end]`, in order and without gaps."""
    message = conversation.messages[index]
    turn = text[start:end]
    reasoning = _place(turn, message.reasoning, 0) if message.reasoning else None
    content = _place(turn, message.content, reasoning[1] if reasoning else 0)
    if content is None:
        raise _refusal(conversation, "MK705", f"messages[{index}]", "the template does not write this message as it is")
    stop_at, stop_end = _stop(turn, template.stop, content[1])
    body_end = max(len(turn.rstrip()), content[1]) if stop_at is None else stop_at
    marks: list[tuple[int, int, Kind]] = []
    if reasoning is not None:
        marks.append((*reasoning, "reasoning"))
    if message.content.strip():
        marks.append((*content, "text"))
    rest: Kind = "tool_call" if message.tool_calls else "text"
    spans = _fill(sorted(marks), body_end, rest)
    if stop_at is not None:
        spans.append((stop_at, stop_end, "stop"))
    return [Span(start + a, start + b, kind, index, message.weight) for a, b, kind in spans if a < b]


def _fill(marks: list[tuple[int, int, Kind]], end: int, rest: Kind) -> list[tuple[int, int, Kind]]:
    """`marks` with everything between them, up to `end`, as `rest`."""
    out: list[tuple[int, int, Kind]] = []
    position = 0
    for start, stop, kind in marks:
        if start > position:
            out.append((position, start, rest))
        out.append((max(start, position), stop, kind))
        position = max(position, stop)
    return [*out, (position, end, rest)]


def _place(turn: str, part: str, start: int) -> tuple[int, int] | None:
    """Where `part` stands in the turn, exactly or else stripped; None when the template changed it."""
    for text in (part, part.strip()):
        at = turn.find(text, start)
        if at >= 0:
            return at, at + len(text)
    return None


def _stop(turn: str, stops: Sequence[str], after: int) -> tuple[int | None, int]:
    """The last stop text in the turn that lies behind the content, as (start, end)."""
    found = [(turn.rfind(stop, after), len(stop)) for stop in stops if stop]
    at, length = max(found, default=(-1, 0))
    return (at, at + length) if at >= 0 else (None, 0)


def _unprotected(sample: Rendered) -> Rendered:
    """The sample without the breaks, which are kept as offsets."""
    if _BREAK not in sample.text:
        return sample
    places = [found.start() for found in re.finditer(_BREAK, sample.text)]

    def moved(offset: int) -> int:
        return offset - sum(place < offset for place in places)

    spans = tuple(replace(span, start=moved(span.start), end=moved(span.end)) for span in sample.spans)
    return Rendered(sample.text.replace(_BREAK, ""), spans, tuple(moved(place) for place in places))


def _joined(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Spans that touch, as one."""
    joined: list[tuple[int, int]] = []
    for span in spans:
        if joined and joined[-1][1] == span.start:
            joined[-1] = (joined[-1][0], span.end)
        else:
            joined.append((span.start, span.end))
    return joined


def _refusal(conversation: Conversation, code: str, path: str, message: str) -> RowRefusedError:
    return RowRefusedError(Finding(code, "dropped", message, conversation.file, conversation.line, path))
