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

from core.conversation import Conversation, Finding, JsonObject, RowRefusedError
from core.template.parts import KINDS, Kind, Span, turn_spans
from core.template.protect import protect, unprotected_text
from core.template.replay import Replay
from core.template.sandbox import Template, TemplateRefusedError
from core.template.style import styled_messages
from core.template.trace import Regions, trace_regions

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
    history = _History(conversation, template)
    try:
        whole = history.whole()
        turns = [_turn(history, whole, index) for index in trained_turns(conversation, train_on)]
        if train_on == "all":
            return [_unprotected(_everything(history, whole, turns))]
        samples = _samples(history, whole, turns)
        if len(samples) > 1 or any(sample.text != whole for sample in samples):
            samples = _by_policy(history, whole, turns, samples, unstable_history)
    except TemplateRefusedError as error:
        raise _refusal(conversation, "RO214", "messages", str(error)) from None
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
    history = _History(conversation, template)
    try:
        text = history.text(len(conversation.messages), ask=True)
    except TemplateRefusedError as error:
        raise _refusal(conversation, "RO214", "messages", str(error)) from None
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


class _History:
    """A conversation, protected and in the template's style, rendered up to any message; each text is made once."""

    def __init__(self, conversation: Conversation, template: Template) -> None:
        self.template = template
        # In text that is already formatted for a model its tokens are meant.
        control = () if template.adds_nothing else template.control_tokens | set(template.stop)
        self.conversation = protect(conversation, control)
        self.messages: list[JsonObject] = styled_messages(template, self.conversation.messages)
        self._replay = Replay(template, self.messages, self.conversation.tools)
        self._texts: dict[tuple[int, bool], str] = {}
        self._regions: dict[int, Regions | None] = {}

    def whole(self) -> str:
        """All messages, as the template plainly renders them; what is replayed must give the same."""
        count = len(self.messages)
        plain = self._replay.whole()
        if self._replay.plain:
            self._texts[count, False] = plain
        elif self.text(count) != plain:
            self._replay.distrust()
            self._texts = {(count, False): plain}
        return plain

    def asked(self, count: int, thinking: bool) -> str:
        """The first `count` messages and the generation prompt with thinking switched on or off."""
        return self._replay.text(count, ask=True, enable_thinking=thinking)

    def text(self, count: int, *, ask: bool = False) -> str:
        """The first `count` messages; with `ask`, and the generation prompt."""
        if (count, ask) not in self._texts:
            self._texts[count, ask] = self._replay.text(count, ask=ask)
        return self._texts[count, ask]

    def regions(self, count: int) -> Regions | None:
        """The part of each message in `text(count)`."""
        if count not in self._regions:
            part, tools, text = self.messages[:count], self.conversation.tools, self.text(count)
            self._regions[count] = trace_regions(self.template, part, tools, text)
        return self._regions[count]


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


def _turn(history: _History, whole: str, index: int) -> _Turn:
    """The turn behind what the model is given for it."""
    seen = history.text(index, ask=True)
    notes: list[Finding] = []
    try:
        text, end = history.text(index + 1), None
    except TemplateRefusedError:
        # Some templates want an answer after every result; then only the whole conversation can be rendered.
        text, end = whole, _region(history, len(history.messages), index)[1]
    if not text.startswith(seen) and "enable_thinking" in history.template.source:
        thinking = bool(history.conversation.messages[index].reasoning)
        other = history.asked(index, thinking)
        if text.startswith(other):
            state = "on" if thinking else "off"
            notes.append(_note(history.conversation, "RS607", f"messages[{index}]", f"trained with thinking {state}"))
            seen = other
    if not text.startswith(seen) and (asked := _asked_again(history, seen, index)):
        text, end = asked, None
    if text.startswith(seen):
        start = begin = len(seen)
    else:
        text, begin, start, note = _behind_another_text(history, seen, text, index)
        end = None
        notes += note
    spans = turn_spans(history.conversation, history.template, text[:end], begin, start, index, notes)
    if not spans:
        reason = "the template writes nothing of this message"
        raise _refusal(history.conversation, "MK705", f"messages[{index}]", reason)
    return _Turn(index, text[: spans[-1].end], spans, notes)


def _asked_again(history: _History, seen: str, index: int) -> str:
    """The text up to the turn's stop token, of a template that writes another beginning when it asks for an answer."""
    try:
        text = history.text(index + 1, ask=True)
    except TemplateRefusedError:
        return ""
    ends = [at + len(stop) for stop in history.template.stop if (at := text.find(stop, len(seen))) >= 0]
    return text[: min(ends)] if text.startswith(seen) and ends else ""


def _behind_another_text(history: _History, seen: str, text: str, index: int) -> tuple[str, int, int, list[Finding]]:
    """(text, begin, start, notes) of a turn whose `text` does not begin with what the model is given for it, `seen`."""
    begin = _region(history, index + 1, index)[0]
    regions = history.regions(index + 1) or {}
    if any(end > begin and end > start for other, (start, end) in regions.items() if other != index):
        reason = "the template writes earlier messages behind later ones"
        raise _refusal(history.conversation, "MK703", f"messages[{index}]", reason)
    start = _whole_tokens(text, _shared(seen, text), history.template)
    if start >= begin:
        opens, written = seen[start:][:30], text[start:][:30]
        reason = f"template opens {opens!r} at chat time but training text has {written!r}"
        return text, begin, start, [_note(history.conversation, "MK703", f"messages[{index}]", reason)]
    # The answer changes how the template shows what came before it. What the model sees and what it writes are both
    # known: they are put together.
    before = history.text(index)
    header = seen[len(before) :]
    if seen.startswith(before) and text.startswith(header, begin):
        return seen + text[begin + len(header) :], len(seen), len(seen), []
    reason = f"the template writes messages[{index}] behind another text than the model is given"
    raise _refusal(history.conversation, "MK703", f"messages[{index}]", reason)


def _region(history: _History, count: int, index: int) -> tuple[int, int]:
    """Where message `index` stands in the text of the first `count`: by the trace, else behind the text without it."""
    regions = history.regions(count)
    start, end = (regions or {}).get(index, (0, 0))
    if start < end:
        return start, end
    text, before = history.text(count), history.text(index)
    if count == index + 1 and text.startswith(before):
        return len(before), len(text)
    reason = "the template shuffles the messages: the part of this one cannot be found"
    raise _refusal(history.conversation, "MK703", f"messages[{index}]", reason)


def _samples(history: _History, whole: str, turns: Sequence[_Turn]) -> list[Rendered]:
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
    history: _History, whole: str, turns: Sequence[_Turn], samples: list[Rendered], policy: UnstableHistory
) -> list[Rendered]:
    """What is done where the template shows earlier turns differently later on."""
    hidden = [turn for turn in turns if not whole.startswith(turn.text)]
    reason = f"the template shows {len(hidden)} of {len(turns)} turns differently later on"
    if policy == "error":
        raise _refusal(history.conversation, "MK702", "messages", reason)
    if policy == "last_turn":
        kept = max(samples, key=lambda sample: sample.spans[-1].message)
        dropped = len(turns) - len({span.message for span in kept.spans})
        return [_noted(kept, history, f"{reason}; {dropped} of them are not trained")]
    if policy == "as_rendered":
        spans = [span for turn in turns for span in _as_rendered(history, whole, turn)]
        return [_noted(Rendered(whole, tuple(spans)), history, f"{reason}; trained as they are shown at the end")]
    return [_noted(samples[0], history, f"{reason}; {len(samples)} samples"), *samples[1:]]


def _as_rendered(history: _History, whole: str, turn: _Turn) -> list[Span]:
    """The turn's spans as the whole conversation shows the turn."""
    if whole.startswith(turn.text):
        return turn.spans
    begin, end = _region(history, len(history.messages), turn.index)
    header = history.text(turn.index, ask=True)[len(history.text(turn.index)) :]
    shared = _shared(header, whole[begin:end])
    return turn_spans(history.conversation, history.template, whole[:end], begin, begin + shared, turn.index, [])


def _everything(history: _History, whole: str, turns: Sequence[_Turn]) -> Rendered:
    """All of the text is trained but the results of tools: `train_on: all`."""
    spans = [span for turn in turns for span in _as_rendered(history, whole, turn)]
    for index, message in enumerate(history.conversation.messages):
        if message.role == "tool":
            start, end = _region(history, len(history.messages), index)
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


def _noted(sample: Rendered, history: _History, reason: str) -> Rendered:
    return replace(sample, notes=(*sample.notes, _note(history.conversation, "MK702", "messages", reason)))


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


def _whole_tokens(text: str, at: int, template: Template) -> int:
    """`at`, or the beginning of the control token or the tag that it would cut."""
    cuts = [
        at - length
        for token in template.control_tokens
        for length in range(1, len(token))
        if text.startswith(token, at - length)
    ]
    tag = re.search(r"<[^<>\s]*$", text[:at])
    return min([*cuts, at, *([tag.start()] if tag else [])])


def _shared(a: str, b: str) -> int:
    """How many characters two texts begin with in common."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _refusal(conversation: Conversation, code: str, path: str, message: str) -> RowRefusedError:
    return RowRefusedError(Finding(code, "dropped", message, conversation.file, conversation.line, path))


def _note(conversation: Conversation, code: str, path: str, message: str) -> Finding:
    return Finding(code, "kept", message, conversation.file, conversation.line, path)
