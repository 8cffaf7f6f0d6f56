"""Tokens and their labels: which tokens of a sample carry loss, how much, and for what kind of text."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from core.template.spans import KINDS, Rendered
from core.tokens import Piece, Pieces, tokenise
from core.words import first_token

IGNORED = -100


class Run(NamedTuple):
    """Tokens from `first` to before `end` that carry loss: their kind, an index of `KINDS` from 1, and their weight."""

    first: int
    end: int
    kind: int
    weight: float


@dataclass(frozen=True, slots=True)
class Example:
    """One training row: the ids of its tokens, and the runs of them that carry loss, in order and apart.

    Spread out, `labels`, `kinds` and `weights` are lists as long as `input_ids`.
    """

    ids: array[int]
    runs: tuple[Run, ...]

    @property
    def input_ids(self) -> list[int]:
        """The ids as a list."""
        return self.ids.tolist()

    @property
    def trained(self) -> int:
        """How many tokens carry loss."""
        return sum(run.end - run.first for run in self.runs)

    @property
    def labels(self) -> list[int]:
        """The ids where there is loss, and −100 elsewhere."""
        labels = [IGNORED] * len(self.ids)
        for run in self.runs:
            labels[run.first : run.end] = self.ids[run.first : run.end]
        return labels

    @property
    def kinds(self) -> list[int]:
        """An index of `KINDS`, from 1, where there is loss, and 0 elsewhere."""
        kinds = [0] * len(self.ids)
        for run in self.runs:
            kinds[run.first : run.end] = [run.kind] * (run.end - run.first)
        return kinds

    @property
    def weights(self) -> list[float]:
        """What the loss of each token is multiplied with; 0 where there is none."""
        weights = [0.0] * len(self.ids)
        for run in self.runs:
            weights[run.first : run.end] = [run.weight] * (run.end - run.first)
        return weights

    def up_to(self, length: int) -> Example:
        """The first `length` tokens."""
        runs = [run._replace(end=min(run.end, length)) for run in self.runs if run.first < length]
        return Example(self.ids[:length], tuple(runs))


def encode(rendered: Rendered, tokenizer: Any) -> Example:
    """Tokenise a sample and label the tokens of its spans.

    A token belongs to the span in which its first character lies that is not a space: a span often begins behind the
    space that a tokenizer joins to the word. `tokenizer` is a fast transformers tokenizer.
    """
    ids, starts = tokenise(rendered, tokenizer)

    def place(at: int, *, begins: bool) -> int:
        return first_token(rendered.text, starts, at) if begins else bisect_left(starts, at)

    return Example(array("i", ids), _runs(rendered, place))


def encode_all(samples: Sequence[Rendered], pieces: Pieces) -> list[Example]:
    """`encode` for many samples at once: the same examples, with the tokenizer on every core.

    What recurs (a system prompt, the tools, the history that samples share) is tokenised once.
    """
    cut = iter(pieces.of([sample.text for sample in samples if not sample.breaks]))
    return [encode(sample, pieces.tokenizer) if sample.breaks else _of_pieces(sample, next(cut)) for sample in samples]


def _of_pieces(sample: Rendered, pieces: Sequence[Piece]) -> Example:
    """The tokens of a sample from those of its pieces, each of which begins with a token."""
    ids = array("i", b"".join([piece.ids for piece in pieces]))
    starts = [0, *accumulate(len(piece.text) for piece in pieces)]
    counts = [0, *accumulate(len(piece.ids) for piece in pieces)]

    def place(at: int, *, begins: bool) -> int:
        number = bisect_right(starts, at) - 1
        inside = at - starts[number]
        return counts[number] + (pieces[number].token_at(inside, begins=begins) if inside else 0)

    return Example(ids, _runs(sample, place))


class _Place(Protocol):
    """The first token that begins at a character or behind it.

    With `begins`, where a span begins: also the token before, if that has nothing but space in front of the span.
    """

    def __call__(self, at: int, *, begins: bool) -> int: ...


def _runs(rendered: Rendered, place: _Place) -> tuple[Run, ...]:
    """The spans in tokens; a token that reaches into two spans belongs to the later one."""
    runs: list[Run] = []
    for span in rendered.spans:
        run = Run(
            place(span.start, begins=True), place(span.end, begins=False), KINDS.index(span.kind) + 1, span.weight
        )
        if runs and runs[-1].end > run.first:
            runs[-1] = runs[-1]._replace(end=run.first)
        runs.append(run)
    return tuple(run for run in runs if run.first < run.end)


def trained_text(example: Example, tokenizer: Any) -> str:
    """The trained tokens, decoded: what the model learns to write."""
    return tokenizer.decode([label for label in example.labels if label != IGNORED])
