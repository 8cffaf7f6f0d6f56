"""How a training is laid out: how many processes, on how many GPUs of this machine, with what model on each, or on Ray.

Known without starting anything, so that what cannot work is said before there is a run.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from core.config import TrainConfig
from core.errors import UserError
from core.sharding import Sharding, read_sharding, sharding_environment, sharding_faults


@dataclass(frozen=True, slots=True)
class Plan:
    """How many processes train, on how many visible GPUs, how the model is laid over them, and on Ray or not."""

    count: int
    gpus: int
    sharding: Sharding
    ray: bool = False

    @property
    def together(self) -> bool:
        """Whether there is a group of processes at all, be it of one."""
        return self.ray or self.count > 1 or self.sharding.kind != "ddp"


def plan(config: TrainConfig) -> Plan:
    """`num_processes` processes, else one for each visible GPU. Raises `UserError` for all that cannot work."""
    sharding = read_sharding(config)
    if config.launcher == "ray":
        faults = _ray_faults(config)
        planned = Plan(config.num_workers, 0, sharding, ray=True)
    else:
        gpus = visible_gpus() if config.device in ("auto", "cuda") else 0
        planned = Plan(config.num_processes or sharding.num_processes or max(gpus, 1), gpus, sharding)
        faults = sharding_faults(config, sharding, gpus)
        if gpus and planned.count > gpus:
            faults.append(f"num_processes {planned.count}: only {gpus} GPUs are visible")
        if planned.count > 1 and config.device == "mps":
            faults.append(f"num_processes {planned.count}: device mps is one GPU")
    if faults:
        raise UserError("; ".join(faults))
    return planned


def _ray_faults(config: TrainConfig) -> list[str]:
    """What can be known without the cluster."""
    faults = []
    if importlib.util.find_spec("ray") is None:
        faults.append("launcher ray needs Ray: pip install 'tuneboard[ray]'")
    if config.num_processes:
        faults.append("num_processes is for launcher local: set num_workers")
    return faults


def environment(planned: Plan) -> dict[str, str]:
    """The variables in which the planned processes are to start."""
    if planned.together:
        return sharding_environment(planned.sharding, planned.count)
    # One process is to use one GPU; the trainer would split its batches over all that it sees.
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    return {"CUDA_VISIBLE_DEVICES": first} if planned.gpus > 1 else {}


def visible_gpus() -> int:
    """How many GPUs torch would see; torch is not loaded to find out that there is no driver."""
    if not any(Path(driver).exists() for driver in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")):
        return 0
    import torch

    return torch.cuda.device_count()
