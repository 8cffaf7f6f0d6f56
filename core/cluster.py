"""The same work under Ray Train: `launcher: ray`, workers on any machines of a Ray cluster.

The cluster is the one that RAY_ADDRESS names, else one of this machine alone, on loopback, for the time of the run. The
run's folder is the shared storage: state, metrics and checkpoints are written there as by any run, so `runs_dir` must
be on a file system that all machines have. A worker that dies ends its group; the group is started again from the
newest whole checkpoint, `max_failures` times. What a person has to mend is not tried again.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from core.checkpoint import checkpoints
from core.config import TrainConfig
from core.errors import UserError
from core.outcome import RANKS, Outcome, decisive, read_outcome, write_outcome
from core.ranks import ALONE, join, joined
from core.run import Run
from core.sharding import Sharding, read_sharding, sharding_environment, sharding_faults

# Folder in the run for what Ray keeps of it: little, for nothing is reported through Ray.
KEPT_BY_RAY = "ray"
# Nothing large goes through Ray's own memory.
OBJECT_STORE_BYTES = 128 * 2**20
PASSED_ON = ("HF_HOME", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS")


def run_on_cluster(run: Run, *, resume: bool) -> Outcome:
    """Train on the cluster; returns how the run ended. Raises `UserError` when the cluster cannot do it."""
    config = run.config
    alone = not os.environ.get("RAY_ADDRESS")
    ray = connect(alone=alone)
    try:
        has = ray.cluster_resources()
        gpu = config.device in ("auto", "cuda") and has.get("GPU", 0) > 0
        sharding = read_sharding(config)
        faults = sharding_faults(config, sharding, int(has.get("GPU", 0)))
        faults += _missing(config, _resources(config, gpu), has) if alone else []
        if faults:
            raise UserError("; ".join(faults))
        return _try_until_done(run, sharding, gpu=gpu, alone=alone, resume=resume)
    finally:
        ray.shutdown()


def connect(*, alone: bool) -> Any:
    """Ray, connected to the cluster of RAY_ADDRESS, or to one of this machine that listens on loopback only."""
    # No telemetry, and what a worker prints is printed once.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TRAIN_ENABLE_PRINT_PATCH": "0"}
    if not alone:
        import ray

        ray.init()
        return ray
    # Ray replaces a loopback address by one that others can reach, unless it is told that it is no cluster; it reads
    # this while it is imported.
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    import ray

    ray.init(
        address="local",
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _node_ip_address="127.0.0.1",
    )
    return ray


def _try_until_done(run: Run, sharding: Sharding, *, gpu: bool, alone: bool, resume: bool) -> Outcome:
    """One group of workers after the other, until the run has ended or has failed too often."""
    from ray.train import TrainingFailedError

    config, words = run.config, run.path / RANKS
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= sharding_environment(sharding, config.num_workers)
    for number in range(1, config.max_failures + 2):
        shutil.rmtree(words, ignore_errors=True)
        words.mkdir()
        meet = str(run.path / KEPT_BY_RAY / f"store-{number}-{os.getpid()}")
        place = {"run": str(run.path), "resume": resume, "environment": environment, "meet": meet}
        failed = False
        try:
            _workers(run, place, f"attempt-{number}-{os.getpid()}", gpu=gpu, alone=alone).fit()
        except TrainingFailedError as error:
            failed = True
            print(f"attempt {number} of {config.max_failures + 1} failed: {error}", flush=True)
        outcome = _said(words, config.num_workers)
        if not failed or outcome.explained:
            return outcome
        if number <= config.max_failures:
            print("starting again from the newest whole checkpoint", flush=True)
    return Outcome(outcome.state, f"{outcome.message}; tried {config.max_failures + 1} times", outcome.exit_code)


def _workers(run: Run, place: dict[str, Any], name: str, *, gpu: bool, alone: bool) -> Any:
    """A group of workers as Ray Train's trainer."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.backend import Backend
    from ray.train.torch import TorchConfig, TorchTrainer

    config = run.config
    scaling = ScalingConfig(num_workers=config.num_workers, use_gpu=gpu, resources_per_worker=_resources(config, gpu))
    # Ray would also try again what a person has to mend; so the attempts are counted by us.
    kept = RunConfig(name=name, storage_path=str(run.path / KEPT_BY_RAY), failure_config=FailureConfig(max_failures=0))
    backend = TorchConfig("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout_s=int(config.ddp_timeout()))
    if alone and not gpu:
        # The workers meet over a file, as without Ray: the store of Ray's own set-up listens on every interface.
        backend = type("OverAFile", (TorchConfig,), {"backend_cls": Backend})()
    return TorchTrainer(_work, train_loop_config=place, torch_config=backend, scaling_config=scaling, run_config=kept)


def _said(words: Path, count: int) -> Outcome:
    """What the workers said at their end. One that said nothing died, or was ended with the group."""
    ended = [number for number in range(count) if (words / f"{number}.json").is_file()]
    silent = Outcome("killed", "a worker died: killed, out of memory, or its machine is gone; see log.txt", 1)
    return decisive([read_outcome(words, number, None, count) for number in ended] + [silent] * (len(ended) < count))


def _resources(config: TrainConfig, gpu: bool) -> dict[str, float]:
    return {"CPU": 1, **({"GPU": 1} if gpu else {}), **config.resources_per_worker}


def _missing(config: TrainConfig, each: dict[str, float], has: dict[str, float]) -> list[str]:
    """What a cluster that cannot grow lacks; Ray itself would wait for it without end."""
    return [
        f"num_workers {config.num_workers}: they need {config.num_workers * amount:g} {name}, there are "
        f"{has.get(name, 0):g}: fewer workers, or less of it in resources_per_worker"
        for name, amount in each.items()
        if config.num_workers * amount > has.get(name, 0)
    ]


def _work(place: dict[str, Any]) -> None:
    """What one worker does, in a process that Ray started. Raises when it failed, so that Ray ends the others."""
    os.environ |= place["environment"]
    import ray.train
    from torch import distributed

    from core.train import attempt

    run, context = Run(Path(place["run"])), ray.train.get_context()
    number, local = context.get_world_rank(), context.get_local_rank()
    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(local),
        "WORLD_SIZE": str(context.get_world_size()),
        "LOCAL_WORLD_SIZE": str(context.get_local_world_size()),
    }
    if not (run.path / "config.yaml").is_file():
        raise FileNotFoundError(
            f"{run.path} is not on this machine: runs_dir must be on storage that all machines share"
        )
    if distributed.is_initialized():
        rank = joined(local)
    elif context.get_world_size() > 1:
        rank = join(Path(place["meet"]), run.config.ddp_timeout())
    else:
        rank = ALONE
    resume = place["resume"] or rank.from_first(bool(checkpoints(run.path / "checkpoints")))
    try:
        outcome = attempt(run, resume=resume, rank=rank)
    except BaseException as error:
        write_outcome(run.path / RANKS, number, Outcome("failed", f"{type(error).__name__}: {error}", 1))
        raise
    write_outcome(run.path / RANKS, number, outcome)
    if outcome.state == "failed":
        raise RuntimeError(outcome.message)
