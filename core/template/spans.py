"""A conversation as the text that the model sees, with exactly the characters that it must learn to write.

The trained span of an assistant turn runs from the end of what the model is given when it writes the turn (its
generation prompt included) to the end of its stop token. Both ends come from the template itself: it renders the
conversation up to the turn, and with the turn. One sample serves every turn whose text, and all the text before it, is
the same there as when the model wrote it; a turn that the template shows differently later on gets a sample of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.conversation import Conversation, Finding
from core.template.behind import asked_again, behind_another_text, closed_reasoning, shared
from core.template.history import History
from core.template.parts import KINDS, Kind, Span, turn_spans
from core.template.protect import unprotected_text
from core.template.sandbox import Template, TemplateRefusedError

_SPACE = re.compile(r"\s*")
UnstableHistory = Literal["split", "last_turn", "as_rendered", "error"]
__all__ = ["KINDS", "Kind", "Rendered", "Span", "prompt", "render", "trained_turns"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text and its trained spans, in order.

    `breaks` are offsets inside text that looks like a control token but came from content: the tokenizer must not read
    across them. `notes` are findings about the sample, which nothing was dropped for.
    """

    text: str
    spans: tuple[Span, ...]
    breaks: tuple[int, ...] = ()
    notes: tuple[Finding, ...] = ()

    def marked(self) -> str:
        """The text with what is trained in ⟦ ⟧."""
        out, position = [], 0
        for start, end in _joined(self.spans):
            out += [self.text[position:start], "⟦", self.text[start:end], "⟧"]
            position = end
        return "".join([*out, self.text[position:]])


def render(
    conversation: Conversation,
    template: Template,
    train_on: str = "assistant",
    unstable_history: UnstableHistory = "split",
) -> list[Rendered]:
    """The samples of a conversation: one, or more where the template hides history, the longest first.

    Raises `RowRefusedError` when the template cannot express the conversation, or a check fails; never guesses.
    """
    if conversation.plain:
        return [_plain(conversation)]
    history = History(conversation, template)
    try:
        whole = history.whole()
        turns = [_turn(history, whole, index) for index in trained_turns(conversation, train_on)]
        if train_on == "all":
            return [_unprotected(_everything(history, whole, turns))]
        samples = _samples(history, whole, turns)
        if len(samples) > 1 or any(sample.text != whole for sample in samples):
            samples = _by_policy(history, whole, turns, samples, unstable_history)
    except TemplateRefusedError as error:
        raise history.refusal("RO214", "messages", str(error)) from None
    return [_unprotected(sample) for sample in samples]


def _plain(conversation: Conversation) -> Rendered:
    """Text that wants no template, as it stands: the pieces that are trained; control tokens in it are meant."""
    spans: list[Span] = []
    position = 0
    for index, message in enumerate(conversation.messages):
        end = position + len(message.content)
        if message.train is not False and message.content:
            spans.append(Span(position, end, "text", index, message.weight))
        position = end
    return Rendered("".join(message.content for message in conversation.messages), tuple(spans))


def prompt(conversation: Conversation, template: Template) -> Rendered:
    """What the model is given when it is to answer: the text up to its turn, nothing trained."""
    history = History(conversation, template)
    try:
        text = history.text(len(conversation.messages), ask=True)
    except TemplateRefusedError as error:
        raise history.refusal("RO214", "messages", str(error)) from None
    return _unprotected(Rendered(text, ()))


def trained_turns(conversation: Conversation, train_on: str = "assistant") -> list[int]:
    """The indexes of the assistant messages that carry loss: `train` and `weight` of a message go before `train_on`."""
    turns = [index for index, message in enumerate(conversation.messages) if message.role == "assistant"]
    chosen = turns[-1:] if train_on == "last_turn" else turns
    messages = conversation.messages
    return [
        index
        for index in turns
        if messages[index].weight > 0
        and (messages[index].train is True or (messages[index].train is None and index in chosen))
    ]


@dataclass(slots=True)
class _Turn:
    """An assistant turn: the text up to its end as the model saw and wrote it, and its spans in there."""

    index: int
    text: str
    spans: list[Span]
    notes: list[Finding]

    @property
    def stops(self) -> bool:
        return self.spans[-1].kind == "stop"


def _turn(history: History, whole: str, index: int) -> _Turn:
    """The turn behind what the model is given for it."""
    seen = history.text(index, ask=True)
    notes: list[Finding] = []
    try:
        text, end = history.text(index + 1), None
    except TemplateRefusedError:
        # Some templates want an answer after every result; then only the whole conversation can be rendered.
        text, end = whole, history.region(len(history.messages), index)[1]
    if not text.startswith(seen) and "enable_thinking" in history.template.source:
        thinking = bool(history.conversation.messages[index].reasoning)
        other = history.asked(index, thinking)
        if text.startswith(other):
            state = "on" if thinking else "off"
            notes.append(history.note("RS607", f"messages[{index}]", f"trained with thinking {state}"))
            seen = other
    if not text.startswith(seen) and (asked := asked_again(history, seen, index)):
        text, end = asked, None
    if text.startswith(seen):
        start = begin = len(seen)
        if closed := closed_reasoning(history, seen, text[:end], index):
            text, end = closed, None
            notes.append(history.note("RS609", f"messages[{index}]", "the reasoning that the prompt opens is closed"))
    else:
        text, begin, start, note = behind_another_text(history, seen, text, index)
        end = None
        notes += note
    spans = turn_spans(history.conversation, history.template, text[:end], begin, start, index, notes)
    if not spans:
        reason = "the template writes nothing of this message"
        raise history.refusal("MK705", f"messages[{index}]", reason)
    return _Turn(index, text[: spans[-1].end], spans, notes)


def _samples(history: History, whole: str, turns: Sequence[_Turn]) -> list[Rendered]:
    """As few samples as can show every turn as it was written; the first choice is the whole conversation."""
    samples: list[Rendered] = []
    left = list(turns)
    text = whole
    while left:
        covered = [turn for turn in left if text.startswith(turn.text)]
        if covered:
            samples.append(_sample(history.template, text, covered))
            seen = {turn.index for turn in covered}
            left = [turn for turn in left if turn.index not in seen]
        if left:
            last = left[-1]
            try:
                text = history.text(last.index + 1)
            except TemplateRefusedError:
                text = last.text
            if not text.startswith(last.text):
                text = last.text
    return samples[:1] + sorted(samples[1:], key=lambda sample: sample.spans[0].message)


def _sample(template: Template, text: str, turns: Sequence[_Turn]) -> Rendered:
    spans: list[Span] = []
    notes: list[Finding] = []
    for turn in turns:
        spans += turn.spans
        notes += turn.notes
        last = turn.spans[-1]
        if not turn.stops:
            # GLM's way: a turn ends with the token that opens the next one; others close a turn only when one follows.
            at = _behind_space(text, last.end)
            stop = max((stop for stop in template.stop if text.startswith(stop, at)), key=len, default="")
            if stop:
                spans.append(Span(last.end, at + len(stop), "stop", turn.index, last.weight))
                notes = [note for note in notes if note.code != "MK704" or note not in turn.notes]
    return Rendered(text, tuple(spans), notes=tuple(notes))


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _by_policy(
    history: History, whole: str, turns: Sequence[_Turn], samples: list[Rendered], policy: UnstableHistory
) -> list[Rendered]:
    """What is done where the template shows earlier turns differently later on."""
    hidden = [turn for turn in turns if not whole.startswith(turn.text)]
    reason = f"the template shows {len(hidden)} of {len(turns)} turns differently later on"
    if policy == "error":
        raise history.refusal("MK702", "messages", reason)
    if policy == "last_turn":
        kept = max(samples, key=lambda sample: sample.spans[-1].message)
        dropped = len(turns) - len({span.message for span in kept.spans})
        return [_noted(kept, history, f"{reason}; {dropped} of them are not trained")]
    if policy == "as_rendered":
        spans = [span for turn in turns for span in _as_rendered(history, whole, turn)]
        return [_noted(Rendered(whole, tuple(spans)), history, f"{reason}; trained as they are shown at the end")]
    return [_noted(samples[0], history, f"{reason}; {len(samples)} samples"), *samples[1:]]


def _as_rendered(history: History, whole: str, turn: _Turn) -> list[Span]:
    """The turn's spans as the whole conversation shows the turn."""
    if whole.startswith(turn.text):
        return turn.spans
    begin, end = history.region(len(history.messages), turn.index)
    header = history.text(turn.index, ask=True)[len(history.text(turn.index)) :]
    start = begin + shared(header, whole[begin:end])
    return turn_spans(history.conversation, history.template, whole[:end], begin, start, turn.index, [])


def _everything(history: History, whole: str, turns: Sequence[_Turn]) -> Rendered:
    """All of the text is trained but the results of tools: `train_on: all`."""
    spans = [span for turn in turns for span in _as_rendered(history, whole, turn)]
    for index, message in enumerate(history.conversation.messages):
        if message.role == "tool":
            start, end = history.region(len(history.messages), index)
            spans.append(Span(start, end, "text", index, 0.0))
    out: list[Span] = []
    position = 0
    for span in sorted(spans, key=lambda span: span.start):
        if span.start > position:
            out.append(Span(position, span.start, "text", span.message))
        if span.weight > 0 and span.end > position:
            out.append(span)
        position = max(position, span.end)
    if position < len(whole):
        out.append(Span(position, len(whole), "text", len(history.messages) - 1))
    return Rendered(whole, tuple(out))


def _noted(sample: Rendered, history: History, reason: str) -> Rendered:
    return replace(sample, notes=(*sample.notes, history.note("MK702", "messages", reason)))


def _unprotected(sample: Rendered) -> Rendered:
    """The sample without the breaks, which are kept as offsets."""
    text, breaks = unprotected_text(sample.text)
    if not breaks:
        return sample
    places = [at + number for number, at in enumerate(breaks)]

    def moved(offset: int) -> int:
        return offset - sum(place < offset for place in places)

    spans = tuple(span._replace(start=moved(span.start), end=moved(span.end)) for span in sample.spans)
    return Rendered(text, spans, breaks, sample.notes)


def _joined(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Spans that touch, as one."""
    joined: list[tuple[int, int]] = []
    for span in spans:
        if joined and joined[-1][1] == span.start:
            joined[-1] = (joined[-1][0], span.end)
        else:
            joined.append((span.start, span.end))
    return joined
