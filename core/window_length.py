"""How long the window is to be, from how long the rows are, decided once before a run that gives no number.

It is the 99th percentile of the encoded rows' lengths, rounded up, and never above the model's context.
"""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.config import TrainConfig
from core.conversation import Conversation
from core.errors import UserError
from core.quantile import quantile
from core.template.sandbox import Template

# So many conversations are encoded to know how long they are.
SAMPLE = 2000
# Of data below this size they are spread over all rows, which means reading all; else they are the first.
SPREAD_BYTES = 8 * 2**20
# Of large data not more than so many characters, by the first few conversations: they are in memory at once.
MOST_CHARACTERS, FEW = 32 * 2**20, 16
# Encoded at once.
CHUNK = 64
PART = 0.99
STEP, SHORTEST, LONGEST = 64, 256, 1_048_576


class Lengths(NamedTuple):
    """Of so many samples: how many tokens 99 % of them have at most, and how many the longest has."""

    samples: int
    most: int
    longest: int


def decided(config: TrainConfig, lengths: Lengths | None) -> TrainConfig:
    """The config with the window for samples of those lengths, which is said; as it is where there are none."""
    if lengths is None:
        return config
    config = fitted(config, lengths)
    print(
        f"max_length {config.max_length}: 99 % of {lengths.samples} samples have at most {lengths.most} tokens, "
        f"the longest {lengths.longest}",
        file=sys.stderr,
        flush=True,
    )
    return config


def lengths_of(config: TrainConfig, template: Template, tokenizer: Any) -> Lengths | None:
    """The lengths from which the window of a training is made; None where no row tells.

    They are those of the samples before anything is cut: spread over small data, the first rows of large data.
    """
    from core.encode import prepare
    from core.sources import bytes_of, require_datasets

    changes = {"max_length": LONGEST, "swallowed": "ignore"}
    try:
        require_datasets(config)
        if bytes_of(config) > SPREAD_BYTES:
            few = _loaded(config.model_copy(update={"max_samples": min(FEW, config.max_samples or FEW)}), template)
            characters = sum(len(repr(conversation)) for conversation in few)
            enough = max(len(few), len(few) * MOST_CHARACTERS // max(characters, 1))
            changes["max_samples"] = min(SAMPLE, enough, config.max_samples or SAMPLE) or SAMPLE
        config = config.model_copy(update=changes)
        conversations = _loaded(config, template)
    except UserError:
        return None
    sample = conversations[:: math.ceil(len(conversations) / SAMPLE) or 1][:SAMPLE]
    chunks = (sample[begin : begin + CHUNK] for begin in range(0, len(sample), CHUNK))
    lengths = [len(row.ids) for chunk in chunks for row in prepare(chunk, template, tokenizer, config).examples]
    return Lengths(len(lengths), percentile(lengths), max(lengths)) if lengths else None


def _loaded(config: TrainConfig, template: Template) -> list[Conversation]:
    from core.datasets import load_conversations

    return load_conversations(config, formatted=template.adds_nothing).conversations


def fitted(config: TrainConfig, lengths: Lengths | None) -> TrainConfig:
    """The config with the window for samples of those lengths; as it is where there are none."""
    if lengths is None:
        return config
    return config.model_copy(update={"max_length": window_for(lengths.most, _context(config))})


def uncut(config: TrainConfig) -> TrainConfig:
    """For looking at one row before the data was asked: with a window that cuts nothing, where the data decides."""
    return config.model_copy(update={"max_length": LONGEST}) if config.auto_length else config


def percentile(lengths: Sequence[int]) -> int:
    """The least length that at least 99 % of the rows do not exceed."""
    return quantile(sorted(Counter(lengths).items()), PART)


def window_for(length: int, context: int | None) -> int:
    """`length` rounded up to a multiple of 64 from 256 on, within a model's context (None: it has none)."""
    wanted = max(SHORTEST, math.ceil(length / STEP) * STEP)
    return min(wanted, context or LONGEST, LONGEST)


def _context(config: TrainConfig) -> int | None:
    """How many positions the model counts, scaled by a given factor.

    None for one that counts none, that is scaled to what is needed, or whose config cannot be read yet.
    """
    if config.rope_scaling != "none" and not config.rope_factor:
        return None
    from core.model import resolve_model
    from core.tokenizer_folder import plain_context

    # An adapter of a scaled model has that model's config beside it (core.rope).
    scaled = [name for name in config.adapter_name_or_path if os.path.isfile(Path(name) / "config.json")]
    place = scaled[-1] if scaled else resolve_model(config.model_name_or_path)
    context = plain_context(Path(place)) or _told_context(place)
    return int(context * (config.rope_factor or 1)) if context else None


def _told_context(name: str) -> int | None:
    """The positions that transformers finds in a model's config."""
    from transformers import AutoConfig

    try:
        shape = AutoConfig.from_pretrained(name).get_text_config()
    except (OSError, ValueError, KeyError):
        return None
    return getattr(shape, "max_position_embeddings", None)
