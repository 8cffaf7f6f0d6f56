"""What a training was estimated to need beside what it was then measured to need, where both are known.

An estimate costs seconds, so no run makes one by itself: whoever asked for it before the start leaves it with the run,
as `estimate.json`, and `core-cli runs show --estimate` makes up for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.config import TrainConfig
from core.disk import read_json, write_atomic_json
from core.fullpaths import absolute
from core.run import Run

if TYPE_CHECKING:
    from core.estimate import Estimate

ESTIMATE = "estimate.json"
# Options that change nothing of what a training needs.
_ASIDE = {"run_name", "runs_dir", "max_dropped"}


def keep_estimate(run: Run, needed: Estimate) -> None:
    """Leave an estimate with the run that it was made for."""
    write_atomic_json(run.path / ESTIMATE, needed.to_json())


def estimate_of(run: Run) -> dict[str, Any]:
    """The estimate that was left with a run; {} without one."""
    kept = read_json(run.path / ESTIMATE)
    return kept if isinstance(kept, dict) else {}


def same_need(one: TrainConfig, other: TrainConfig) -> bool:
    """Whether an estimate for one config is one for the other."""
    dumps = [absolute(config).model_dump(exclude=_ASIDE) for config in (one, other)]
    return dumps[0] == dumps[1]


def need_of(run: Run) -> dict[str, dict[str, Any]]:
    """`memory` in bytes and `step_s`: each with `measured` (None before ten steps) and `estimated` (None: nobody did).

    Empty when neither is known.
    """
    measured, estimated = run.cost(), estimate_of(run)
    if not measured and not estimated:
        return {}
    return {name: {"measured": measured.get(name), "estimated": estimated.get(name)} for name in ("memory", "step_s")}
