"""Rendered text into token ids and labels: once, here, for training, preview and evaluation alike."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.config import DataOptions
from core.conversation import Conversation, Finding, RowRefusedError
from core.template.sandbox import Template
from core.template.spans import KINDS, Rendered, render

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One training row; four lists of the same length.

    `labels` are the ids where there is loss and −100 elsewhere; `kinds` index `KINDS` from 1 (0: no loss); `weights`
    multiply the loss of each token.
    """

    input_ids: list[int]
    labels: list[int]
    kinds: list[int]
    weights: list[float]

    @property
    def trained(self) -> int:
        """How many tokens carry loss."""
        return sum(label != IGNORED for label in self.labels)


def encode(rendered: Rendered, tokenizer: Any) -> Example:
    """Tokenise a sample and label the tokens of its spans.

    A token belongs to the span in which its first character lies. `tokenizer` is a fast transformers tokenizer.
    """
    return _labelled(rendered, *tokenise(rendered, tokenizer))


def _labelled(rendered: Rendered, ids: list[int], starts: list[int]) -> Example:
    """The tokens with the labels of the spans in which they start."""
    labels, kinds, weights = [IGNORED] * len(ids), [0] * len(ids), [0.0] * len(ids)
    token = 0
    for span in rendered.spans:
        while token < len(ids) and starts[token] < span.start:
            token += 1
        while token < len(ids) and starts[token] < span.end:
            labels[token], kinds[token], weights[token] = ids[token], KINDS.index(span.kind) + 1, span.weight
            token += 1
    return Example(ids, labels, kinds, weights)


def tokenise(rendered: Rendered, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Token ids, and the offset of each token's first character in `rendered.text`.

    The pieces between `breaks` are tokenised apart, so that a control token written in content is plain text.
    """
    ids: list[int] = []
    starts: list[int] = []
    for begin, end in _pieces(rendered):
        piece = tokenizer(rendered.text[begin:end], add_special_tokens=False, return_offsets_mapping=True)
        ids += piece["input_ids"]
        starts += [begin + start for start, _ in piece["offset_mapping"]]
    return ids, starts


def encode_all(samples: Sequence[Rendered], tokenizer: Any) -> list[Example]:
    """`encode` for many samples at once: the same examples, with the tokenizer on every core."""
    pieces = [(sample, begin, end) for sample in samples for begin, end in _pieces(sample)]
    if not pieces:
        return [encode(sample, tokenizer) for sample in samples]
    texts = [sample.text[begin:end] for sample, begin, end in pieces]
    encodings = iter(tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True).encodings)
    examples = []
    for sample in samples:
        ids: list[int] = []
        starts: list[int] = []
        for begin, _ in _pieces(sample):
            piece = next(encodings)
            ids += piece.ids
            starts += [begin + start for start, _ in piece.offsets]
        examples.append(_labelled(sample, ids, starts))
    return examples


def _pieces(rendered: Rendered) -> list[tuple[int, int]]:
    """The parts of the text between its breaks that are not empty."""
    cuts = [0, *rendered.breaks, len(rendered.text)]
    return [(begin, end) for begin, end in itertools.pairwise(cuts) if begin != end]


def trained_text(example: Example, tokenizer: Any) -> str:
    """The trained tokens, decoded: what the model learns to write."""
    return tokenizer.decode([label for label in example.labels if label != IGNORED])


@dataclass(slots=True)
class Prepared:
    """The training rows of some conversations, and a finding for each conversation that was dropped on the way."""

    examples: list[Example] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """All tokens."""
        return sum(len(example.input_ids) for example in self.examples)

    @property
    def trained(self) -> int:
        """Tokens that carry loss."""
        return sum(example.trained for example in self.examples)


def prepare(conversations: Sequence[Conversation], template: Template, tokenizer: Any, config: DataOptions) -> Prepared:
    """Render and encode conversations; what the template refuses or what is too long is a finding, never silent."""
    prepared = Prepared()
    for conversation in conversations:
        try:
            samples = render(conversation, template, config.train_on)
            prepared.examples += [_fitting(conversation, sample, tokenizer, config.max_length) for sample in samples]
        except RowRefusedError as refused:
            prepared.findings.append(refused.finding)
    return prepared


def _fitting(conversation: Conversation, sample: Rendered, tokenizer: Any, max_length: int) -> Example:
    example = encode(sample, tokenizer)
    length = len(example.input_ids)
    if length > max_length:
        message = f"longer than {max_length} tokens ({length})"
        raise RowRefusedError(Finding("LN803", "dropped", message, conversation.file, conversation.line))
    if not example.trained:
        message = "nothing to train after encoding"
        raise RowRefusedError(Finding("MK701", "dropped", message, conversation.file, conversation.line))
    return example


def columns(examples: Sequence[Example]) -> dict[str, list[Any]]:
    """The examples as columns for a `datasets.Dataset`; `length` lets the sampler group rows of like length."""
    return {
        "input_ids": [example.input_ids for example in examples],
        "labels": [example.labels for example in examples],
        "kinds": [example.kinds for example in examples],
        "weights": [example.weights for example in examples],
        "length": [len(example.input_ids) for example in examples],
    }
