"""What sets runs apart: options that differ from the defaults or from each other, and their figures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.config import TrainConfig, default_of
from core.evaluations import kept
from core.run import Run

# Names and places of the run itself, which always differ and say nothing.
LABELS = ("run_name", "runs_dir")


def from_defaults(config: TrainConfig) -> dict[str, dict[str, Any]]:
    """The options that are not at their default: `{name: {"default": …, "value": …}}`."""
    values = config.model_dump(mode="json")
    defaults = {name: default_of(field) for name, field in TrainConfig.model_fields.items()}
    return {
        name: {"default": defaults[name], "value": value} for name, value in values.items() if value != defaults[name]
    }


def differing(configs: Sequence[TrainConfig]) -> dict[str, list[Any]]:
    """The options that are not the same in all: `{name: [value of the first, …]}`."""
    dumps = [config.model_dump(mode="json") for config in configs]
    names = [name for name in TrainConfig.model_fields if name not in LABELS]
    rows = {name: [dump[name] for dump in dumps] for name in names}
    return {name: values for name, values in rows.items() if any(value != values[0] for value in values)}


def figures(run: Run) -> dict[str, float]:
    """Where the training has come to: the last value of each held-out figure, of others the mean of their last tenth.

    A single step's loss says little; the mean over the last tenth of what was logged is steady enough to compare.
    """
    seen: dict[str, list[float]] = {}
    for row in run.metrics():
        for name, value in row.items():
            if name not in ("step", "elapsed_s", "epoch") and isinstance(value, int | float):
                seen.setdefault(name, []).append(value)
    found = {}
    for name, values in seen.items():
        last = values[-1:] if name.startswith("eval_") else values[-max(1, len(values) // 10) :]
        found[name] = sum(last) / len(last)
    return found


def evaluations(run: Run) -> dict[str, dict[str, float]]:
    """The figures of `core-cli eval` on this run: `{"DATA (tuned)": {metric: value}}`."""
    read = {f"{one.data} ({one.label})": one.read() for one in kept(run)}
    return {name: content["metrics"] for name, content in read.items() if content}


def comparison(runs: Sequence[Run]) -> dict[str, Any]:
    """Runs side by side: `options` that differ, `figures` of training and `evaluations`; a list has a value a run."""
    trained, measured = [figures(run) for run in runs], [evaluations(run) for run in runs]
    return {
        "runs": [run.summary() for run in runs],
        "options": differing([run.config for run in runs]),
        "figures": {name: [found.get(name) for found in trained] for name in _names(trained)},
        "evaluations": {
            data: {
                name: [found.get(data, {}).get(name) for found in measured]
                for name in _names([found.get(data, {}) for found in measured])
            }
            for data in _names(measured)
        },
    }


def _names(dicts: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in dicts for name in one))
