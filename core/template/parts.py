"""The parts of one assistant turn in its text: reasoning, words, calls, and where it stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from core.conversation import Conversation, Finding, Message, RowRefusedError
from core.template.sandbox import Template

Kind = Literal["text", "reasoning", "tool_call", "stop"]
KINDS: tuple[Kind, ...] = ("text", "reasoning", "tool_call", "stop")


class Span(NamedTuple):
    """`text[start:end]` is trained: `kind`, the index of its message, and the message's loss weight."""

    start: int
    end: int
    kind: Kind
    message: int
    weight: float = 1.0


def turn_spans(
    conversation: Conversation,
    template: Template,
    text: str,
    begin: int,
    start: int,
    index: int,
    notes: list[Finding],
) -> list[Span]:
    """The trained spans of message `index`, in order and without gaps.

    Its text begins at `begin` in `text`, and the model writes from `start`; `text` ends with the message or what the
    template adds behind it. Raises `RowRefusedError` when words or calls of the message are missing; a text beside a
    call, or reasoning, that the template swallows is noted.
    """
    message = conversation.messages[index]
    turn = text[begin:]
    if template.adds_nothing:
        # Tokens within text that is already formatted are its own; it stops where it ends with one.
        stop_at, stop_end = _last_stop(turn, template.stop)
        message = replace(message, content=message.content[: _last_stop(message.content, template.stop)[0]])
    else:
        stop_at, stop_end = _first_stop(turn, template.stop)
    body = turn if stop_at is None else turn[:stop_at]
    reasoning = _place(body, message.reasoning, 0) if message.reasoning.strip() else None
    after = reasoning[1] if reasoning else 0
    content = _content_place(body, message, after)
    where = (conversation.file, conversation.line, f"messages[{index}]")
    _check_parts(message, (body, "" if stop_at is None else turn[stop_at:]), content, reasoning, where, notes)
    body_end = max(len(body.rstrip()), content[1] if content else 0) if stop_at is None else stop_at
    written = _cut(_kinds(turn, message, reasoning, content, body_end), start - begin, reasoning, content)
    if stop_at is not None:
        written.append((stop_at, stop_end, "stop"))
    elif not any(note.code == "MK704" for note in notes):
        notes.append(Finding("MK704", "kept", "the model would not learn to stop: no stop token", *where))
    return [Span(begin + a, begin + b, kind, index, message.weight) for a, b, kind in written if a < b]


def _kinds(
    turn: str, message: Message, reasoning: tuple[int, int] | None, content: tuple[int, int] | None, end: int
) -> list[tuple[int, int, Kind]]:
    """The turn up to its stop token, in parts: what surrounds reasoning belongs to it, what follows words to calls."""
    out: list[tuple[int, int, Kind]] = []
    rest: Kind = "tool_call" if message.tool_calls else "text"
    position = 0
    if reasoning is not None:
        close = content[0] if content and not message.tool_calls else reasoning[1]
        out.append((0, close, "reasoning"))
        position = close
    if content is not None:
        if message.tool_calls and turn.find(message.tool_calls[0].name, position, content[0]) >= 0:
            out.append((position, content[0], "tool_call"))
            position = content[0]
        out.append((position, content[1], "text"))
        position = content[1]
    return [*out, (position, end, rest)]


def _cut(
    parts: list[tuple[int, int, Kind]],
    start: int,
    reasoning: tuple[int, int] | None,
    content: tuple[int, int] | None,
) -> list[tuple[int, int, Kind]]:
    """The parts from `start` on, or from the message's own first character if that comes before."""
    for place in (reasoning, content):
        if place is not None and place[0] < start:
            start = place[0]
    return [(a if a > start else start, b, kind) for a, b, kind in parts if b > start]


def _content_place(body: str, message: Message, after: int) -> tuple[int, int] | None:
    """Where the words are: at the end of the turn, unless calls follow them."""
    if not message.content.strip():
        return None
    if message.tool_calls:
        return _place(body, message.content, after)
    for text in (message.content, message.content.strip()):
        at = body.rfind(text, after)
        if at >= 0:
            return at, at + len(text)
    return None


def _check_parts(
    message: Message,
    texts: tuple[str, str],
    content: tuple[int, int] | None,
    reasoning: tuple[int, int] | None,
    where: tuple[str, int, str],
    notes: list[Finding],
) -> None:
    """What of the message is missing up to its stop token; `texts` are those before that and from there on."""
    body, behind = texts
    if message.reasoning.strip() and reasoning is None:
        notes.append(Finding("RS604", "kept", "this template does not render reasoning here", *where))
    if message.content.strip() and content is None:
        if not message.tool_calls:
            raise RowRefusedError(
                Finding("MK705", "dropped", "the template does not write this message as it is", *where)
            )
        notes.append(Finding("TC517", "kept", "text before the call is not rendered by this template", *where))
    if not message.tool_calls:
        return
    calls = body[reasoning[1] :] if reasoning else body
    if content:
        calls = body[reasoning[1] if reasoning else 0 : content[0]] + body[content[1] :]
    wanted = Counter(call.name for call in message.tool_calls)
    written = {name: calls.count(name) for name in wanted}
    missing = next((name for name, count in wanted.items() if written[name] < count), None)
    if missing is None:
        return
    if any(written.values()):
        reason = f"template allows one call per turn; this one has {len(message.tool_calls)}"
        raise RowRefusedError(Finding("TC516", "dropped", reason, *where))
    reason = f"the template does not write the call {missing}"
    if missing in behind:
        reason = f"the template writes the call {missing} behind a stop token, where the model has stopped"
    raise RowRefusedError(Finding("MK705", "dropped", reason, *where))


def _place(body: str, part: str, start: int) -> tuple[int, int] | None:
    """Where `part` stands, exactly or else stripped; None when the template changed it."""
    for text in (part, part.strip()):
        at = body.find(text, start)
        if at >= 0:
            return at, at + len(text)
    return None


def _first_stop(turn: str, stops: Sequence[str]) -> tuple[int | None, int]:
    """The first stop text in the turn, as (start, end): generation ends there. Content holds none, it is protected."""
    found = [(at, -len(stop)) for stop in stops if stop and (at := turn.find(stop)) >= 0]
    if not found:
        return None, 0
    at, length = min(found)
    return at, at - length


def _last_stop(text: str, stops: Sequence[str]) -> tuple[int | None, int]:
    """The stop text with which the text ends, white space aside, as (start, end)."""
    end = len(text.rstrip())
    sizes = [len(stop) for stop in stops if stop and text.endswith(stop, 0, end)]
    return (end - max(sizes), end) if sizes else (None, 0)
