"""A training's config with the files and folders that it names by their full paths, whatever folder one is in later."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from core.config import TrainConfig
from core.errors import UserError
from core.paths import STARTER, typed


def absolute(config: TrainConfig) -> TrainConfig:
    """Files and folders by their full path, so that the run can be resumed and measured from anywhere.

    Whatever is a name first (a registered dataset, a template of the library) stays one, also beside a folder of that
    name.
    """
    paths = ("model_name_or_path", "dataset_dir", "runs_dir", "split_file")
    changes: dict[str, Any] = {name: _full(getattr(config, name)) for name in paths}
    changes["template"] = _full(config.template, os.path.isfile)
    changes["adapter_name_or_path"] = [_full(name) for name in config.adapter_name_or_path]
    for option in ("dataset", "eval_dataset", "benchmarks"):
        changes[option] = [_full_data(name, config.dataset_dir) for name in getattr(config, option)]
    if typed(config.distributed).suffix:
        changes["distributed"] = _full(config.distributed)
    return config.model_copy(update=changes)


def _full(name: str, is_there: Callable[[Any], bool] = os.path.exists) -> str:
    return str(typed(name).resolve()) if name not in ("", STARTER) and is_there(typed(name)) else name


def _full_data(name: str, dataset_dir: str) -> str:
    """A file goes before a registered dataset, and that before a folder: see `core.datasets.find_source`."""
    if not os.path.isdir(typed(name)):
        return _full(name)
    from core.datasets import registry

    try:
        registered = name in registry(dataset_dir)
    except UserError:
        registered = False
    return name if registered else _full(name)
