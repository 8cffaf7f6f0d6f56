"""How long the rows of a training are: a sample of them, rendered and encoded as the training would."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from core.config import TrainConfig
from core.conversation import Conversation
from core.datasets import load_conversations
from core.encode import prepare
from core.errors import UserError
from core.estimate.simulate import Shape
from core.template.sandbox import Template

# How many conversations are encoded: spread over the data, and those with the most text.
SPREAD, LONGEST = 256, 32
DRAWN = 200


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many rows; the lengths in tokens of some that stand for all; the longest ones, with their trained tokens."""

    rows: int
    spread: tuple[int, ...]
    longest_rows: tuple[tuple[int, int], ...]

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return self.longest_rows[0][0]

    @property
    def mean(self) -> float:
        """Tokens of a row on average."""
        return sum(self.spread) / len(self.spread)

    def within(self, window: int) -> Lengths:
        """As windows of at most so many tokens."""
        cut = tuple((min(length, window), min(trained, window)) for length, trained in self.longest_rows)
        return Lengths(self.rows, tuple(min(length, window) for length in self.spread), cut)

    def longest_batch(self, rows: int) -> Shape:
        """The longest rows, padded."""
        known = self.longest_rows[:rows]
        trained = sum(trained for _, trained in known) * rows // len(known)
        return Shape(rows, self.longest, max(1, trained))

    def most_tokens(self, rows: int, *, packs: bool) -> int:
        """In one batch: padded, the longest rows meet in it; packed, rows meet by chance, and it is tried out."""
        if not packs:
            return rows * self.longest
        chance = random.Random(0)  # noqa: S311  nothing secret: it only draws rows
        return max(self.longest, *(sum(chance.choices(self.spread, k=rows)) for _ in range(DRAWN)))


def measure_lengths(config: TrainConfig, template: Template, tokenizer: Any) -> Lengths:
    """Look at the rows of a config. Raises `UserError` when none of them can be trained on."""
    if not config.dataset:
        raise UserError("no dataset", remedy="give --dataset with a name from dataset_info.json or a file")
    conversations = load_conversations(config, formatted=template.adds_nothing).conversations
    spread = conversations[:: max(1, len(conversations) // SPREAD)]
    most_text = sorted(conversations, key=_characters, reverse=True)[:LONGEST]
    # Rows that training refuses are not looked at here; a row that is too long counts as one of the window's length.
    config = config.model_copy(update={"swallowed": "ignore"})
    examples = prepare(spread, template, tokenizer, config).examples
    longest = prepare(most_text, template, tokenizer, config).examples
    if not examples:
        raise UserError("no row can be trained on", remedy="see `core-cli data show`")
    rows = round(len(conversations) * len(examples) / len(spread))
    held_out = 0 if config.eval_dataset else rows * config.held_out_part(len(conversations))
    pairs = sorted(((len(row.ids), row.trained) for row in [*examples, *longest]), reverse=True)
    spread_lengths = tuple(len(row.ids) for row in examples)
    return Lengths(max(1, round(rows - held_out)), spread_lengths, tuple(pairs[:LONGEST]))


def _characters(conversation: Conversation) -> int:
    return sum(len(message.content) + len(message.reasoning) for message in conversation.messages)
