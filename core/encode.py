"""Conversations into training rows: rendered, encoded and made to fit, for training, preview and evaluation alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.config import DataOptions
from core.conversation import Conversation, Finding, RowRefusedError
from core.errors import UserError, counted
from core.label import Example, encode_all
from core.overlong import shortened
from core.rules.samples import notes_on_samples
from core.template.ends import with_one_start, with_stop
from core.template.losses import lost_calls
from core.template.parallel import one_call_a_turn
from core.template.sandbox import Template
from core.template.spans import Rendered, render
from core.tokens import Pieces

# What a template may leave out without a word, by the code of the finding that says so.
SWALLOWED = {
    "MK705": "the results of tools",
    "RO215": "the system prompt",
    "RS604": "the reasoning",
    "TC517": "the words beside a call",
    "TL409": "the tools",
}

_BY_DIALECT = "let a dialect write it as text (--tool-dialect hermes)"
_OTHER_WAYS = {
    "MK705": _BY_DIALECT,
    "RO215": _BY_DIALECT,
    "RS604": "write reasoning as text (--inline-reasoning)",
    "TC517": "",
    "TL409": _BY_DIALECT,
}


@dataclass(slots=True)
class Made:
    """What became of one conversation: its samples with their examples, or why there are none (`refusal`).

    `longest` is its length in tokens before anything was cut, `notes` what was odd or cut, and `counts` says how.
    """

    samples: list[tuple[Rendered, Example]] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    refusal: Finding | None = None
    longest: int = 0
    counts: Counter[str] = field(default_factory=Counter)


def make(
    conversations: Sequence[Conversation],
    template: Template,
    tokenizer: Any,
    config: DataOptions,
    pieces: Pieces | None = None,
) -> list[Made]:
    """Render and encode conversations, each on its own; what cannot be trained has a refusal, never an exception.

    A refusal that stops (`overlong: error`) is for the caller to raise, and so is `swallowed: stop`. Whoever makes
    conversations a few at a time gives the same `pieces` each time: what recurs is then tokenised once.
    """
    pieces = pieces or Pieces(tokenizer)
    made = [Made() for _ in conversations]
    rendered = [
        _rendered(conversation, template, config, one) for conversation, one in zip(conversations, made, strict=True)
    ]
    examples = iter(encode_all([sample for _, samples in rendered for sample in samples], pieces))
    for (conversation, samples), one in zip(rendered, made, strict=True):
        one.samples = [(sample, next(examples)) for sample in samples]
        if one.refusal is None:
            try:
                _finish(conversation, one, template, pieces, config)
            except RowRefusedError as refused:
                one.samples, one.refusal = [], refused.finding
    pieces.forget()
    return made


def _rendered(
    conversation: Conversation, template: Template, config: DataOptions, made: Made
) -> tuple[Conversation, list[Rendered]]:
    """The conversation and its samples; with one call a turn where the template takes no more."""
    notes = []
    try:
        samples = render(conversation, template, config.train_on, config.unstable_history)
    except RowRefusedError as refused:
        split, samples = _split(conversation, template, config, refused.finding)
        if split is None:
            made.refusal = refused.finding
            return conversation, []
        most = max(len(message.tool_calls) for message in conversation.messages)
        said = f"template allows one call per turn; up to {most} calls at once are written one after the other"
        notes.append(_repair(conversation, "TC516", said))
        conversation = split
    samples = [with_one_start(sample, template, conversation) for sample in samples]
    if config.append_stop:
        samples = [with_stop(sample, template) for sample in samples]
    made.notes = [*notes, *(note for sample in samples for note in sample.notes)]
    made.notes += lost_calls(conversation, samples, template)
    return conversation, samples


def _split(
    conversation: Conversation, template: Template, config: DataOptions, why: Finding
) -> tuple[Conversation | None, list[Rendered]]:
    """A refused conversation with one call a turn, and its samples; (None, []) where that does not help."""
    split = one_call_a_turn(conversation) if why.code in ("TC516", "RO214") else None
    if split is None or split == conversation:
        return None, []
    try:
        return split, render(split, template, config.train_on, config.unstable_history)
    except RowRefusedError:
        return None, []


def _finish(conversation: Conversation, made: Made, template: Template, pieces: Pieces, config: DataOptions) -> None:
    """Cut what is too long, and leave out what trains nothing. Raises `RowRefusedError`."""
    made.longest = max((len(example.ids) for _, example in made.samples), default=0)
    if made.longest > config.max_length:
        short = shortened(conversation, made.samples, template, pieces, config)
        made.samples = short.samples
        made.notes += short.notes
        made.counts.update(short.counts)
    samples = [sample for sample, _ in made.samples]
    everything = config.train_on == "all"
    made.notes += notes_on_samples(conversation, samples, template, pieces, all_trained=everything)
    lost = [note for note in made.notes if note.code in SWALLOWED]
    if lost and config.swallowed == "drop":
        raise RowRefusedError(replace(lost[0], action="dropped"))
    made.counts["unstable_history"] += any(note.code == "MK702" for note in made.notes)
    made.counts["more_samples"] += len(made.samples) - 1
    made.samples = [(sample, example) for sample, example in made.samples if example.trained]
    if not made.samples:
        if made.longest > config.max_length:
            said = f"nothing to train in the first {config.max_length} tokens of {made.longest}"
            raise _refusal(conversation, "MK701", said)
        raise _refusal(conversation, "MK701", "nothing to train after encoding")
    made.notes += _rewritings(conversation, template)


@dataclass(slots=True)
class Prepared:
    """The training rows of some conversations.

    `findings` has one for each conversation that was dropped on the way, `notes` what was odd or cut in those that were
    not; `counts` adds up what became of long conversations and of those whose history the template hides.
    """

    examples: list[Example] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """All tokens."""
        return sum(len(example.ids) for example in self.examples)

    @property
    def trained(self) -> int:
        """Tokens that carry loss."""
        return sum(example.trained for example in self.examples)


def prepare(conversations: Sequence[Conversation], template: Template, tokenizer: Any, config: DataOptions) -> Prepared:
    """`make` for conversations at once; what the template refuses or what is too long is a finding, never silent.

    Raises `UserError` for a conversation that is too long when `config.overlong` is `error`, and, when
    `config.swallowed` is `stop`, for data that holds what the template swallows.
    """
    prepared = Prepared()
    for one in make(conversations, template, tokenizer, config):
        prepared.counts.update(one.counts)
        if one.refusal is None:
            prepared.examples += [example for _, example in one.samples]
            prepared.notes += one.notes
        elif one.refusal.action == "stopped":
            raise UserError(one.refusal.message, file=one.refusal.file or None, line=one.refusal.line or None)
        else:
            prepared.findings.append(one.refusal)
    lost = [note for note in prepared.notes if note.code in SWALLOWED and note.action == "kept"]
    if lost and config.swallowed == "stop":
        rows = len({(note.file, note.line) for note in lost})
        message, remedy = swallowed_words({note.code for note in lost}, rows, template)
        raise UserError(f"{message}; the first: {lost[0]}", remedy=remedy)
    return prepared


def swallowed_words(codes: Iterable[str], rows: int, template: Template) -> tuple[str, str]:
    """What to say, and what can be done, when the template leaves something out of `rows` conversations."""
    what = " and ".join(sorted(SWALLOWED[code] for code in codes))
    ways = ["choose another --template", *dict.fromkeys(_OTHER_WAYS[code] for code in sorted(codes))]
    remedy = ", ".join(filter(None, ways)) + (
        ", drop those conversations (--swallowed drop) or train without it (--swallowed ignore)"
    )
    return f"{template.name} swallows {what} of {counted(rows, 'conversation')}", remedy


def _rewritings(conversation: Conversation, template: Template) -> list[Finding]:
    """What of this conversation the template's dialect writes another way."""
    found: list[Finding] = []
    for name in template.rewrites:
        if name == "system" and conversation.messages[0].role == "system":
            message = "this template has no system role; prompt moved into the first user message"
            found.append(_repair(conversation, "RO215", message))
        elif name.startswith("tools:") and conversation.tools:
            dialect = name.partition(":")[2]
            found.append(_repair(conversation, "TL409", f"this template has no tools; written as text ({dialect})"))
        elif name == "reasoning" and any(message.reasoning for message in conversation.messages):
            found.append(_repair(conversation, "RS604", "reasoning written as text in <think> tags"))
    return found


def _refusal(conversation: Conversation, code: str, message: str) -> RowRefusedError:
    return RowRefusedError(Finding(code, "dropped", message, conversation.file, conversation.line))


def _repair(conversation: Conversation, code: str, message: str) -> Finding:
    return Finding(code, "repaired", message, conversation.file, conversation.line)
