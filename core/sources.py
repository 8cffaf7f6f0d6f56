"""The datasets that a config names: whether each of them leads somewhere, and how large they are together."""

from __future__ import annotations

import math

from core.config import TrainConfig
from core.datasets import find_source
from core.datasets.folders import files_of
from core.errors import UserError
from core.hub import hub_fault

# Larger data is left to the worker, which shows its progress: whoever starts a run should not wait for minutes.
SMALL_BYTES = 64 * 2**20


def require_datasets(config: TrainConfig) -> None:
    """There are datasets, and each name leads somewhere that answers. Raises one `UserError` for all that do not."""
    if not config.dataset:
        raise UserError("no dataset", remedy="give --dataset with a name from dataset_info.json or a file")
    faults = []
    for name in [*config.dataset, *config.eval_dataset]:
        try:
            fault = hub_fault() if find_source(name, config.dataset_dir).hub else ""
        except UserError as error:
            fault = str(error)
        else:
            fault = fault and f'the dataset "{name}" is on the Hub, and {fault} — check the network'
        faults += [fault] if fault else []
    if faults:
        raise UserError("; ".join(dict.fromkeys(faults)))


def is_small(config: TrainConfig) -> bool:
    """Whether the data is read in a moment."""
    return bytes_of(config) < SMALL_BYTES


def bytes_of(config: TrainConfig) -> float:
    """How large the files of the config's datasets are together; infinite where one is on the Hub."""
    sources = [find_source(name, config.dataset_dir) for name in [*config.dataset, *config.eval_dataset]]
    if any(source.hub for source in sources):
        return math.inf
    return sum(file.stat().st_size for source in sources for file in files_of(source))
