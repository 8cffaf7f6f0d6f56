"""The window of a training that leaves it to its data, decided before there is a run."""

from __future__ import annotations

from core.checked import kept_lengths
from core.config import TrainConfig
from core.errors import UserError
from core.gate import require_possible
from core.model import load_vocabulary
from core.sources import is_small, require_datasets
from core.window_length import decided


def with_length(config: TrainConfig) -> TrainConfig:
    """The config with the number that its data asks for, where it leaves that to the data; else as it is.

    Says what was decided. Where no row can be trained on nothing is: whoever looks at the data next says why. Raises
    `UserError` where tokenizer or template cannot be had.
    """
    if not config.auto_length:
        return config
    try:
        require_datasets(config)
    except UserError:
        return config
    try:
        tokenizer, template = load_vocabulary(config)
    except UserError as error:
        # Said with all else that is wrong, and not asked a second time: a hostile template has taken its seconds.
        require_possible(config, refused=error)
        raise
    return decided(config, kept_lengths(config, template, tokenizer, use_cache=is_small(config)))
