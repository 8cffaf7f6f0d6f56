"""One row on the whole road, every step kept: what the Data tab and `core-cli data show` look at.

Nothing is rendered a second time for the preview: the samples are those that training would be given, cut into windows
where training would cut them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from core.config import TrainConfig
from core.conversation import Conversation, Finding, Row
from core.datasets import Converted, Source, converted, find_source, iterate_rows, with_options
from core.encode import make
from core.errors import UserError
from core.formats import Layout
from core.formats.places import in_the_row
from core.label import Example
from core.model import load_vocabulary
from core.report import finding_json
from core.template.sandbox import Template
from core.template.spans import KINDS, Kind, Rendered
from core.tokens import tokenise
from core.window_length import uncut


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a sample: the characters that it stands for (of several tokens for one character, the last has it),
    its word in the vocabulary, and how it is trained (`kind` None: no loss)."""

    text: str
    word: str
    id: int
    kind: Kind | None
    weight: float


@dataclass(slots=True)
class Preview:
    """A row, what became of it (`fate`), the conversation in it (None if it was dropped), and what is trained of it.

    `samples` and `examples` belong together one by one; `tokens` makes those of one of them, which come from the text
    in `rendered`, of which the sample is what was not cut off. `longest` is the length of the conversation in tokens
    before anything was cut, `counts` says how it was cut.
    """

    source: Source
    row: Row
    fate: str
    conversation: Conversation | None
    layout: Layout | None = None
    evidence: str = ""
    rendered: list[Rendered] = field(default_factory=list)
    samples: list[Rendered] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    tokenizer: Any = None
    longest: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def findings(self) -> list[Finding]:
        """What was found in this row."""
        return self.row.findings

    def tokens(self, place: int) -> list[Token]:
        """The tokens of the sample at a place (from 0)."""
        return tokens_of(self.rendered[place], self.examples[place], self.tokenizer)

    def to_json(self) -> dict[str, Any]:
        """`{"row", "conversation", "samples": [{"text", "spans", "input_ids", "labels"}], "findings"}`.

        A row that cannot be read is its text.
        """
        samples = [
            {
                "text": sample.text,
                "spans": [{"start": s.start, "end": s.end, "kind": s.kind, "message": s.message} for s in sample.spans],
                "input_ids": example.input_ids,
                "labels": example.labels,
            }
            for sample, example in zip(self.samples, self.examples, strict=True)
        ]
        conversation = self.conversation.to_openai() if self.conversation else None
        findings = [finding_json(finding) for finding in self.findings]
        return {
            "row": self.row.text or self.row.data,
            "conversation": conversation,
            "samples": samples,
            "findings": findings,
        }


def preview(name: str, number: int, config: TrainConfig) -> Preview:
    """Row `number` (from 1) of a dataset. Raises `UserError` when there is no such row.

    Where the data decides the window, nothing is cut: 99 rows of 100 are within it.
    """
    config = uncut(config)
    source = with_options(find_source(name, config.dataset_dir), config)
    count = 0
    for row, layout in iterate_rows(source, lenient=config.profile == "lenient"):
        count += 1
        if count == number:
            vocabulary = load_vocabulary(config)
            done = converted(row, layout, config.profile, formatted=vocabulary[1].adds_nothing)
            return _walk(source, done, config, *vocabulary)
    raise UserError(f"there is no row {number}: the last is {count}", file=source.file)


def row_number(name: str, file: str, line: int, config: TrainConfig) -> int:
    """The number (from 1) of the row at a line of a file, as findings tell it; 0 when there is none."""
    source = with_options(find_source(name, config.dataset_dir), config)
    rows = iterate_rows(source, lenient=config.profile == "lenient")
    return next((n for n, (row, _) in enumerate(rows, start=1) if (row.file, row.line) == (file, line)), 0)


def first_rows(name: str, config: TrainConfig, count: int = 20) -> list[Row]:
    """The first rows as they stand in the file. Raises `UserError`."""
    source = find_source(name, config.dataset_dir)
    return [row for row, _ in itertools.islice(iterate_rows(source), count)]


def _walk(source: Source, done: Converted, config: TrainConfig, tokenizer: Any, template: Template) -> Preview:
    shown = Preview(source, done.row, done.fate, done.conversation, done.layout, done.evidence, tokenizer=tokenizer)
    if shown.conversation is None:
        return shown
    made = make([shown.conversation], template, tokenizer, config)[0]
    shown.rendered = [sample for sample, _ in made.samples]
    shown.samples = [_not_cut_off(*one, tokenizer) if made.counts["truncated"] else one[0] for one in made.samples]
    shown.examples = [example for _, example in made.samples]
    shown.longest, shown.counts = made.longest, made.counts
    found = [*made.notes, *([made.refusal] if made.refusal else [])]
    shown.row.findings += in_the_row(found, shown.conversation.messages, shown.row.data)
    shown.fate = done.fate_with(shown.findings)
    return shown


def _not_cut_off(sample: Rendered, example: Example, tokenizer: Any) -> Rendered:
    """What of a sample its tokens stand for, where the rest was cut off."""
    _, starts = tokenise(sample, tokenizer)
    if len(starts) <= len(example.ids):
        return sample
    end = starts[len(example.ids)]
    spans = [span._replace(end=min(span.end, end)) for span in sample.spans if span.start < end]
    return replace(
        sample, text=sample.text[:end], spans=tuple(spans), breaks=tuple(b for b in sample.breaks if b < end)
    )


def tokens_of(sample: Rendered, example: Example, tokenizer: Any) -> list[Token]:
    """The tokens of an example with the characters that each stands for; together they are the sample's text."""
    _, starts = tokenise(sample, tokenizer)
    count = len(example.ids)
    ends = [*starts[1:count], starts[count] if count < len(starts) else len(sample.text)]
    begins = [0, *ends[:-1]]
    words = tokenizer.convert_ids_to_tokens(example.input_ids)
    return [
        Token(sample.text[begin:end], word, token, KINDS[kind - 1] if kind else None, weight)
        for begin, end, word, token, kind, weight in zip(
            begins, ends, words, example.input_ids, example.kinds, example.weights, strict=True
        )
    ]
