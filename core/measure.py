"""What a template and a tokenizer make of conversations, in figures: lengths, what is trained, what does not fit.

The samples are those that training is given, for it is the same `make` that training uses; only their sums are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from core.config import DataOptions
from core.conversation import Action, Conversation, Finding
from core.encode import SWALLOWED, Made, swallowed_words
from core.errors import counted
from core.quantile import quantile
from core.template.sandbox import Template
from core.template.spans import Rendered

_CROWDED, _MANY = 0.5, 0.05
# What a tokenizer without a limit says its limit is.
_NO_LIMIT = 1_000_000_000


@dataclass(slots=True)
class Measure:
    """The sums so far: `lengths` counts conversations by their tokens before anything was cut."""

    lengths: Counter[int] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, conversation: Conversation, made: Made, config: DataOptions, bos: str = "") -> list[Finding]:
        """Count what became of a conversation; texts should begin with `bos`. Returns what was found in it."""
        if made.longest:
            self.lengths[made.longest] += 1
            self.counts["over the window"] += made.longest > config.max_length
        if made.refusal is not None:
            return [made.refusal]
        self.counts.update(made.counts)
        self.counts["samples"] += len(made.samples)
        for sample, example in made.samples:
            self.counts["without a start"] += not sample.text.startswith(bos)
            self.counts["tokens"] += len(example.ids)
            self.counts["trained tokens"] += example.trained
        for code in {note.code for note in made.notes if note.action == "kept"} & SWALLOWED.keys():
            self.counts[code] += 1
        return [*made.notes, *_seen(conversation, made, config)]

    def merge(self, later: Measure) -> None:
        """Add the sums of what follows."""
        self.lengths.update(later.lengths)
        self.counts.update(later.counts)

    def findings(self, file: str, config: DataOptions, template: Template, tokenizer: Any) -> Iterator[Finding]:
        """What the sums say about the dataset as a whole."""
        yield from self._of_length(file, config, tokenizer.model_max_length)
        for code in sorted(SWALLOWED):
            if self.counts[code] and config.swallowed == "stop":
                message, remedy = swallowed_words([code], self.counts[code], template)
                yield Finding(code, "stopped", f"{message} — {remedy}", file)
        if self.counts["without a start"] and _begins_texts(tokenizer):
            said = f"the tokenizer begins a text with {tokenizer.bos_token}; the template leaves it out"
            yield Finding("MK710", "kept", f"{said} ({counted(self.counts['without a start'], 'sample')})", file)
        if tokenizer.pad_token_id is not None and tokenizer.pad_token_id == tokenizer.eos_token_id:
            said = f"{tokenizer.pad_token} pads and ends texts; labels are set by position, so the end is learned"
            yield Finding("MK711", "kept", said, file)

    def _of_length(self, file: str, config: DataOptions, model_limit: Any) -> Iterator[Finding]:
        """LN806, LN807; `model_limit` is the longest text that the model takes."""
        window, rows = config.max_length, sum(self.lengths.values())
        over = self.counts["over the window"]
        if rows and over > _MANY * rows:
            enough = quantile(sorted(self.lengths.items()), 0.99)
            said = f"{100 * over / rows:.0f} % of the conversations are longer than {window} tokens; {enough} hold 99 %"
            yield Finding("LN806", "kept", said, file)
        if isinstance(model_limit, int) and window > model_limit < _NO_LIMIT:
            yield Finding("LN807", "stopped", f"max_length is {window}, the model supports {model_limit}", file)

    def stats(self, config: DataOptions, template: Template) -> dict[str, Any]:
        """The figures, by name."""
        tokens = self.counts["tokens"]
        named = ("samples", "tokens", "trained tokens", "over the window")
        return {
            **{key: self.counts[key] for key in named},
            "trained %": round(100 * self.counts["trained tokens"] / tokens, 1) if tokens else 0.0,
            "window": config.max_length,
            "overlong": config.overlong,
            **{key: self.counts[key] for key in _POLICIES if self.counts[key]},
            "template": template.name,
            "lengths": [[length, count] for length, count in sorted(self.lengths.items())],
        }


_POLICIES = (
    *("windowed", "windows", "turns_too_long", "oldest_dropped", "truncated"),
    *("unstable_history", "more_samples"),
)


def _begins_texts(tokenizer: Any) -> bool:
    """Whether the tokenizer itself puts a beginning-of-text token before a text."""
    return tokenizer.bos_token_id is not None and tokenizer("x").input_ids[:1] == [tokenizer.bos_token_id]


def _seen(conversation: Conversation, made: Made, config: DataOptions) -> Iterator[Finding]:
    """What is odd about the samples, said once for each conversation."""
    share = max((_before_the_user(conversation, sample) * len(e.ids) for sample, e in made.samples), default=0)
    if share > _CROWDED * config.max_length:
        said = f"system prompt and tools use about {100 * share / config.max_length:.0f} % of the window"
        yield _finding("LN805", conversation, said)


def _before_the_user(conversation: Conversation, sample: Rendered) -> float:
    """The part of a sample's characters that stands before the first user message."""
    first = next((message.content.strip() for message in conversation.messages if message.role == "user"), "")
    at = sample.text.find(first) if first else -1
    return at / len(sample.text) if at > 0 else 0.0


def _finding(code: str, conversation: Conversation, message: str, action: Action = "kept") -> Finding:
    return Finding(code, action, message, conversation.file, conversation.line, "messages")
