"""Conversations through a chat template and a tokenizer, in small batches: their lengths, and what does not fit.

The samples are those that training would be given: the same rendering, the same encoding, the same window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.config import TrainConfig
from core.conversation import Conversation, Finding, RowRefusedError
from core.encode import Example, encode_all
from core.template.sandbox import Template
from core.template.spans import Rendered, render

_CROWDED, _MANY = 0.5, 0.05
# What a tokenizer without a limit says its limit is.
_NO_LIMIT = 1_000_000_000


@dataclass(slots=True)
class Measure:
    """A template and tokenizer, and what went through them: `lengths` counts samples by their tokens."""

    template: Template
    tokenizer: Any
    config: TrainConfig
    lengths: Counter[int] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, conversations: Sequence[Conversation]) -> list[list[Finding]]:
        """What is found when conversations are rendered and encoded, for each of them."""
        rendered = [self._rendered(conversation) for conversation in conversations]
        flat = [sample for _, samples in rendered for sample in samples]
        examples = iter(encode_all(flat, self.tokenizer))
        for conversation, (found, samples) in zip(conversations, rendered, strict=True):
            for sample in samples:
                found += self._sample(conversation, sample, next(examples))
        return [found for found, _ in rendered]

    def _rendered(self, conversation: Conversation) -> tuple[list[Finding], list[Rendered]]:
        if conversation.plain:
            self.counts["plain rows"] += 1
            return [], []
        try:
            samples = render(conversation, self.template, self.config.train_on)
        except RowRefusedError as refused:
            return [refused.finding], []
        self.counts["samples"] += len(samples)
        split = [_finding("MK702", conversation, f"becomes {len(samples)} samples")] if len(samples) > 1 else []
        return split, samples

    def _sample(self, conversation: Conversation, sample: Rendered, example: Example) -> Iterator[Finding]:
        length, window = len(example.input_ids), self.config.max_length
        self.lengths[length] += 1
        self.counts["tokens"] += length
        trained = example.trained
        self.counts["trained tokens"] += trained
        if length > window:
            self.counts["over the window"] += 1
            yield _finding("LN803", conversation, f"longer than {window} tokens ({length})", "dropped")
        elif not trained:
            yield _finding("MK701", conversation, "nothing to train after encoding", "dropped")
        if sample.breaks:
            yield _finding("CT305", conversation, "text contains control tokens; tokenised as plain text")
        if sample.spans and sample.spans[-1].kind != "stop":
            yield _finding("MK704", conversation, "the last trained token is not a stop token")
        share = _before_the_user(conversation, sample)
        if share * length > _CROWDED * window:
            said = f"system prompt and tools use about {100 * share * length / window:.0f} % of the window"
            yield _finding("LN805", conversation, said)

    def findings(self, file: str) -> Iterator[Finding]:
        """What the lengths say about the dataset as a whole."""
        window, samples = self.config.max_length, sum(self.lengths.values())
        over = self.counts["over the window"]
        if samples and over > _MANY * samples:
            enough = _quantile(self.lengths, 0.99)
            said = f"{100 * over / samples:.0f} % of the samples are longer than {window} tokens; {enough} hold 99 %"
            yield Finding("LN806", "kept", said, file)
        most = self.tokenizer.model_max_length
        if isinstance(most, int) and window > most < _NO_LIMIT:
            yield Finding("LN807", "stopped", f"max_length is {window}, the model supports {most}", file)

    def stats(self) -> dict[str, Any]:
        """The figures, by name."""
        tokens = self.counts["tokens"]
        named = ("samples", "tokens", "trained tokens", "over the window", "plain rows")
        return {
            **{key: self.counts[key] for key in named},
            "trained %": round(100 * self.counts["trained tokens"] / tokens, 1) if tokens else 0.0,
            "window": self.config.max_length,
            "template": self.template.name,
            "lengths": [[length, count] for length, count in sorted(self.lengths.items())],
        }


def _before_the_user(conversation: Conversation, sample: Rendered) -> float:
    """The part of a sample's characters that stands before the first user message."""
    first = next((message.content.strip() for message in conversation.messages if message.role == "user"), "")
    at = sample.text.find(first) if first else -1
    return at / len(sample.text) if at > 0 else 0.0


def _quantile(lengths: Counter[int], part: float) -> int:
    total, seen = sum(lengths.values()), 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen >= part * total:
            return length
    return 0


def _finding(code: str, conversation: Conversation, message: str, action: Any = "kept") -> Finding:
    return Finding(code, action, message, conversation.file, conversation.line, "messages")
