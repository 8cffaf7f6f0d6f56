"""Two processes of a run, for tests: forked with everything imported, joined as core.lead joins them."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType
from safetensors.torch import load_file

from core.ranks import join
from core.run import Run
from core.sharding import read_sharding, sharding_environment
from core.train import train_run


def fork_server() -> ForkServerContext:
    """Where processes begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["core.train"])
    return context


def in_two(forks: ForkServerContext, run: Run, *, resume: bool = False) -> list[int | None]:
    """The exit codes of the two processes that trained the run."""
    meet = str(run.path / f"store-{resume}")
    children = [forks.Process(target=_train, args=(run, meet, number, resume)) for number in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(240)
    return [child.exitcode for child in children]


def _train(run: Run, meet: str, number: int, resume: bool) -> None:
    """What `python -m core.train` does in one of two processes."""
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    sharding = read_sharding(run.config)
    if sharding.kind != "ddp":
        _pretend_gpus()
        os.environ |= sharding_environment(sharding, 2)
    state = train_run(run, resume=resume, rank=join(Path(meet), 200))
    os._exit({"finished": 0, "stopped": 75}[state])


def _pretend_gpus() -> None:
    """accelerate shards on GPUs only; torch does on a CPU too, if accelerate takes this for a machine with GPUs."""
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    PartialState._prepare_backend = lambda self, *given: ("gloo", DistributedType.MULTI_GPU)


def lines(run: Run) -> list[dict[str, float]]:
    """The metrics that do not depend on the clock."""
    timed = ("elapsed", "runtime", "per_second", "flos", "preparation")
    return [{key: value for key, value in line.items() if not any(t in key for t in timed)} for line in run.metrics()]


def assert_same_runs(one: Run, two: Run) -> None:
    """The same metrics to 1e-5, and the same weights."""
    assert len(lines(one)) == len(lines(two)) > 3
    for a, b in zip(lines(one), lines(two), strict=True):
        assert a == pytest.approx(b, rel=1e-5, abs=1e-6)
    mine, others = (load_file(next(run.model_dir.glob("*.safetensors"))) for run in (one, two))
    assert mine.keys() <= others.keys()
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, others[name], rtol=1e-4, atol=1e-5)
