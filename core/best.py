"""Which evaluation of a training is the best so far, from the history that a trainer keeps with every checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.config import BestMetric, TrainConfig


@dataclass(frozen=True, slots=True)
class Best:
    """The evaluation at `step`, by `metric`; `since` counts those that came after it."""

    metric: BestMetric
    step: int
    value: float
    since: int

    def __str__(self) -> str:
        return f"{self.metric} {self.value:.4g} at step {self.step}"


def best_so_far(metric: BestMetric, history: Iterable[Mapping[str, Any]]) -> Best | None:
    """The best evaluation, the first of equals; None when none has logged the metric. A history line has `step`."""
    key = f"eval_{metric}"
    values = {int(line["step"]): float(line[key]) for line in history if key in line}
    if not values:
        return None
    sign = 1 if metric.startswith("loss") else -1
    step = min(values, key=lambda step: (sign * values[step], step))
    return Best(metric, step, values[step], sum(other > step for other in values))


def best_faults(config: TrainConfig, kinds: Collection[str], calls: int) -> list[str]:
    """What of the config cannot work with the held-out data, each with its remedy.

    `kinds` are those of its trained tokens (none: nothing is held out), `calls` counts the turns with calls among those
    that the model is to write.
    """
    metric = config.metric_for_best_model
    if not kinds:
        wanted = [name for name in ("load_best_model_at_end", "early_stopping_patience") if getattr(config, name)]
        return [f"{name} needs held-out rows: give an eval_dataset, or a val_size above 0" for name in wanted]
    kind = metric.partition("_")[2]
    if metric.startswith(("loss", "accuracy")):
        absent = kind and kind not in kinds
        return [f"metric_for_best_model: nothing held out is {kind}, choose another figure"] if absent else []
    if not config.eval_generate:
        return [f"metric_for_best_model: the model must write for {metric}, set eval_generate above 0"]
    return [] if calls else [f"metric_for_best_model: no held-out turn calls a tool, {metric} cannot be measured"]
