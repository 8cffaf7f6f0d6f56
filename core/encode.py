"""Rendered text into token ids and labels: once, here, for training, preview and evaluation alike."""

from __future__ import annotations

import itertools
from bisect import bisect_left
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

    A token belongs to the span in which its first character lies that is not a space: a span often begins behind the
    space that a tokenizer joins to the word. `tokenizer` is a fast transformers tokenizer.
    """
    ids, starts = tokenise(rendered, tokenizer)
    labels, kinds, weights = [IGNORED] * len(ids), [0] * len(ids), [0.0] * len(ids)
    for span in rendered.spans:
        token = _first_token(rendered.text, starts, span.start)
        kind = KINDS.index(span.kind) + 1
        while token < len(ids) and starts[token] < span.end:
            labels[token], kinds[token], weights[token] = ids[token], kind, span.weight
            token += 1
    return Example(ids, labels, kinds, weights)


def _first_token(text: str, starts: Sequence[int], at: int) -> int:
    """The first token that begins at `at`, or before it with nothing but space between."""
    token = bisect_left(starts, at)
    if token and (token == len(starts) or starts[token] > at) and text[starts[token - 1] : at].isspace():
        # The token before reaches into the span, and what it has outside is space. Nothing but space is not ours.
        end = starts[token] if token < len(starts) else len(text)
        if not text[starts[token - 1] : end].isspace():
            return token - 1
    return token


def tokenise(rendered: Rendered, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Token ids, and the offset of each token's first character in `rendered.text`.

    The pieces between `breaks` are tokenised apart, so that a control token written in content is plain text.
    """
    if not rendered.breaks:
        return _tokens(rendered.text, tokenizer)
    ids, starts = _tokens(rendered.text[: rendered.breaks[0]], tokenizer)
    for begin, end in itertools.pairwise([*rendered.breaks, len(rendered.text)]):
        if begin == end:
            continue
        # Behind a line break, so that a tokenizer that puts a space before a text puts it there; both are dropped.
        piece_ids, piece_starts = _tokens("\n" + rendered.text[begin:end], tokenizer)
        first = bisect_left(piece_starts, 1)
        ids += piece_ids[first:]
        starts += [begin + start - 1 for start in piece_starts[first:]]
    return ids, starts


def _tokens(text: str, tokenizer: Any) -> tuple[list[int], list[int]]:
    backend = tokenizer.backend_tokenizer
    if backend.truncation is None and backend.padding is None:
        encoding = backend.encode(text, add_special_tokens=False)
        return encoding.ids, [start for start, _ in encoding.offsets]
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return encoding["input_ids"], [start for start, _ in encoding["offset_mapping"]]


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
