"""Several processes: they train as one, they end together, and the one that knows why is heard."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

import core.lead
import core.plan
from core.checkpoint import checkpoints
from core.config import TrainConfig
from core.errors import UserError
from core.lead import run_together
from core.outcome import FINISHED, STOPPED, Outcome, decisive
from core.plan import environment, plan
from core.run import Run
from core.train import train_run
from tests.conftest import small
from tests.together import assert_same_runs, fork_server, in_two, lines

# A step of four rows, the last of an epoch of three: one of two processes then has fewer rows to compute.
OPTIONS: dict[str, Any] = {"max_samples": 11, "num_train_epochs": 1, "max_steps": -1, "save_steps": 100}


@pytest.fixture(scope="module")
def forks() -> ForkServerContext:
    return fork_server()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_processes_equal_one(runs: Path, forks: ForkServerContext, method: str) -> None:
    """Losses, per kind too, of training and of held-out rows (five: an odd number), and the weights at the end."""
    options = {**OPTIONS, "dataset": ["tools"], "val_size": 0.32, "finetuning_type": method, "eval_max_new_tokens": 4}
    one = Run.create(small(**options, per_device_train_batch_size=4, per_device_eval_batch_size=4))
    assert train_run(one) == "finished"
    two = Run.create(small(**options, per_device_train_batch_size=2, per_device_eval_batch_size=2, num_processes=2))
    assert in_two(forks, two) == [0, 0]
    merged = {key for line in lines(two) for key in line}
    assert {"loss_tool_call", "accuracy_stop", "num_tokens"} < merged
    assert any(key.startswith("eval_") and key.endswith("loss_text") for key in merged)
    assert_same_runs(one, two)


def test_a_stop_stops_both_at_the_same_step_and_they_go_on(runs: Path, forks: ForkServerContext) -> None:
    straight, broken = (Run.create(small(**OPTIONS, num_processes=2)) for _ in range(2))
    assert in_two(forks, straight) == [0, 0]
    broken.request_stop()
    assert in_two(forks, broken) == [75, 75]
    assert [path.name for path in checkpoints(broken.path / "checkpoints")] == ["checkpoint-1"]
    (broken.path / "stop").unlink()
    assert in_two(forks, broken, resume=True) == [0, 0]
    losses = [[(line["step"], line["loss"]) for line in run.metrics() if "loss" in line] for run in (straight, broken)]
    assert losses[0] == losses[1]


@pytest.fixture
def quick(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(core.lead, "GRACE_S", 1.0)
    return Run.create(small())


def ended(run: Run, script: str) -> Outcome:
    """How a run ends whose two processes run this."""
    script = f"import os, pathlib, signal, sys, time\nfirst = os.environ['RANK'] == '0'\n{script}"
    with (run.path / "lock").open("a") as lock:
        return run_together([sys.executable, "-c", script], run, lock.fileno(), 2)


def test_a_killed_process_ends_the_run(quick: Run) -> None:
    outcome = ended(quick, "time.sleep(100) if first else os.kill(os.getpid(), signal.SIGKILL)")
    assert outcome.state == "killed"
    assert "process 1 of 2 was ended by SIGKILL" in outcome.message
    assert outcome.exit_code == 1


def test_the_process_that_knows_why_is_heard(quick: Run) -> None:
    """The first only sees that the other is gone, and ends before it."""
    script = f"""
from core.outcome import Outcome, write_outcome
folder = pathlib.Path({str(quick.path / "ranks")!r})
if first:
    write_outcome(folder, 0, Outcome("failed", "RuntimeError: Connection closed by peer", 1))
    sys.exit(1)
time.sleep(0.3)
write_outcome(folder, 1, Outcome("failed", "the loss is not finite", 1, explained=True))
sys.exit(1)
"""
    assert ended(quick, script) == Outcome("failed", "the loss is not finite", 1, explained=True)


def test_each_is_told_its_place_and_writes_a_log_of_its_own(quick: Run) -> None:
    ended(quick, "print(os.environ['RANK'], os.environ['LOCAL_RANK'], os.environ['WORLD_SIZE'])")
    assert (quick.path / "log.txt").read_text() == "0 0 2\n"
    assert (quick.path / "log.1.txt").read_text() == "1 1 2\n"


def test_the_decisive_ending() -> None:
    lost, killed = Outcome("failed", "connection closed", 1), Outcome("killed", "SIGKILL", 1)
    explained = Outcome("failed", "no room", 1, explained=True)
    assert decisive([lost, killed, explained]) == explained
    assert decisive([lost, killed]) == killed
    assert decisive([FINISHED, lost]) == lost
    assert decisive([STOPPED, STOPPED]) == STOPPED
    assert decisive([FINISHED, FINISHED]) == FINISHED


@pytest.mark.parametrize(("gpus", "asked", "count"), [(0, None, 1), (1, None, 1), (4, None, 4), (4, 2, 2), (0, 2, 2)])
def test_one_process_for_each_gpu(monkeypatch: pytest.MonkeyPatch, gpus: int, asked: int | None, count: int) -> None:
    monkeypatch.setattr(core.plan, "visible_gpus", lambda: gpus)
    assert plan(TrainConfig(num_processes=asked)).count == count
    assert plan(TrainConfig(num_processes=asked, device="cpu")).count == (asked or 1)


def test_one_process_of_many_gpus_uses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer would split its batches over all GPUs that it sees."""
    monkeypatch.setattr(core.plan, "visible_gpus", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5,6")
    assert environment(plan(TrainConfig(num_processes=1))) == {"CUDA_VISIBLE_DEVICES": "2"}


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.plan, "visible_gpus", lambda: 2)
    with pytest.raises(UserError, match="num_processes 3: only 2 GPUs"):
        plan(TrainConfig(num_processes=3))


def test_a_run_of_two_whose_process_is_killed_is_seen_as_killed(runs: Path) -> None:
    """The whole way: the worker is the head of two processes, one is killed, nobody is left, and it is said."""
    run = Run.start(small(num_processes=2, max_steps=500, save_steps=500))
    deadline = time.monotonic() + 240
    while run.state().step < 1 and run.state().alive and time.monotonic() < deadline:
        time.sleep(0.2)
    assert run.state().state == "running", run.log_tail()
    victims = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if _is_rank(path, run, "1")]
    os.kill(victims[0], signal.SIGKILL)
    state = run.wait()
    assert state.state == "killed"
    assert "process 1 of 2 was ended by SIGKILL" in state.message


def _is_rank(environ: Path, run: Run, number: str) -> bool:
    try:
        command = (environ.parent / "cmdline").read_bytes().split(b"\0")
        return str(run.path).encode() in command and f"RANK={number}".encode() in environ.read_bytes().split(b"\0")
    except OSError:
        return False
