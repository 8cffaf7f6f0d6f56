"""Conversations that are longer than the context window: refused, cut, or shown in parts, as `overlong` says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.config import DataOptions
from core.conversation import Action, Conversation, Finding, RowRefusedError
from core.errors import counted
from core.label import Example, encode_all
from core.longtext import text_pieces
from core.rules.samples import calls_keep_their_results
from core.template.ends import with_one_start, with_stop
from core.template.sandbox import Template
from core.template.spans import Rendered, render, trained_turns
from core.tokens import Pieces, tokens_before
from core.window import TooLong, last_window, windows

Sample = tuple[Rendered, Example]


@dataclass(frozen=True, slots=True)
class Shortened:
    """The samples of a conversation that fit, what was done to it, and counts of that."""

    samples: list[Sample]
    notes: list[Finding]
    counts: Counter[str]


def shortened(
    conversation: Conversation, samples: Sequence[Sample], template: Template, pieces: Pieces, config: DataOptions
) -> Shortened:
    """What `config.overlong` makes of a conversation whose `samples` are too long. Raises `RowRefusedError`."""
    longest = max(len(example.ids) for _, example in samples)
    too_long = f"longer than {config.max_length} tokens ({longest})"
    if config.overlong == "error":
        remedy = f"--max-length {longest}, or --overlong windows"
        raise RowRefusedError(_finding(conversation, "LN803", f"{too_long} — {remedy}", "stopped"))
    if config.overlong == "truncate":
        cut = [(sample, example.up_to(config.max_length)) for sample, example in samples]
        note = _finding(conversation, "LN802", f"{too_long}; cut at the end, no stop token is learned there", "kept")
        return Shortened(cut, [note], Counter(truncated=1))
    if config.overlong == "drop" or config.train_on == "all":
        raise _refusal(conversation, too_long)
    if conversation.plain:
        return _cut_text(conversation, samples, too_long, pieces, config)
    attempt = _attempts(template, pieces, config, config.max_length)
    hopeless_at_once = _known_lengths(samples, pieces, config.max_length)
    turns = trained_turns(conversation, config.train_on)
    if config.overlong == "drop_oldest":
        window = last_window(conversation, turns, attempt, hopeless_at_once)
        if window is None:
            raise _refusal(conversation, f"{too_long}, and so is its last exchange")
        said = f"{too_long}; {counted(window.dropped, 'oldest exchange')} removed"
        note = _finding(conversation, "LN801", said, "repaired")
        return Shortened(window.made, [note], Counter(oldest_dropped=1))
    shown_again = int(config.max_length * config.window_overlap)
    history = _attempts(template, pieces, config, shown_again) if shown_again < config.max_length else None
    found, hopeless = windows(conversation, turns, attempt, hopeless_at_once, history)
    if not found:
        raise _refusal(conversation, f"{too_long}, and so is every exchange of it")
    notes = [_finding(conversation, "LN801", f"{too_long}; {counted(len(found), 'window')}", "repaired")]
    if hopeless:
        said = counted(
            len(hopeless),
            "turn does not fit even alone and is not trained",
            "turns do not fit even alone and are not trained",
        )
        notes.append(_finding(conversation, "LN803", said, "kept"))
    counts = Counter(windowed=1, windows=len(found), turns_too_long=len(hopeless))
    return Shortened([pair for window in found for pair in window.made], notes, counts)


def _cut_text(
    conversation: Conversation, samples: Sequence[Sample], too_long: str, pieces: Pieces, config: DataOptions
) -> Shortened:
    """Text without turns in pieces that fit; only the last of them when the oldest is to be dropped."""
    cut = [piece for sample, _ in samples for piece in text_pieces(sample, pieces.tokenizer, config.max_length)]
    if config.overlong == "drop_oldest":
        note = _finding(conversation, "LN801", f"{too_long}; only its end is used", "repaired")
        return Shortened(cut[-1:], [note], Counter(oldest_dropped=1))
    note = _finding(conversation, "LN801", f"{too_long}; {counted(len(cut), 'piece')}", "repaired")
    return Shortened(cut, [note], Counter(windowed=1, windows=len(cut)))


def _attempts(
    template: Template, pieces: Pieces, config: DataOptions, most: int
) -> Callable[[Conversation], list[Sample] | None]:
    """A function that makes the samples of a part of a conversation, or None when one has more than `most` tokens."""

    def attempt(part: Conversation) -> list[Sample] | None:
        calls_keep_their_results(part)
        samples = render(part, template, "assistant", config.unstable_history)
        samples = [with_one_start(sample, template, part) for sample in samples]
        if config.append_stop:
            samples = [with_stop(sample, template) for sample in samples]
        examples = encode_all(samples, pieces)
        fits = all(len(example.ids) <= most for example in examples)
        return list(zip(samples, examples, strict=True)) if fits else None

    return attempt


def _known_lengths(samples: Sequence[Sample], pieces: Pieces, most: int) -> TooLong:
    """Says whether a conversation up to a turn is too long, where its whole shows it.

    It does where one sample shows every turn behind what the model was given for it: then its text begins with that of
    each of those parts.
    """
    (sample, _), *others = samples
    if others or sample.breaks or any(note.code == "MK702" for note in sample.notes):
        return lambda turn: None
    (cut,) = pieces.of([sample.text])
    lengths = {span.message: tokens_before(cut, span.end) for span in sample.spans}
    return lambda turn: lengths[turn] > most if turn in lengths else None


def _refusal(conversation: Conversation, message: str) -> RowRefusedError:
    return RowRefusedError(_finding(conversation, "LN803", message, "dropped"))


def _finding(conversation: Conversation, code: str, message: str, action: Action) -> Finding:
    return Finding(code, action, message, conversation.file, conversation.line)
