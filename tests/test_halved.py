"""Out of memory: half the batch and twice the accumulation, the same steps, and said wherever one looks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import core.lead
import core.train
from core.halved import as_it_fits, halve, is_out_of_memory, out_of_memory, said
from core.outcome import FINISHED, Outcome
from core.run import Run
from core.train import attempt, train_run
from tests.conftest import small


def losses(run: Run) -> list[Any]:
    return [line["loss"] for line in run.metrics() if "loss" in line]


def test_it_says_what_to_change() -> None:
    error = out_of_memory(small(per_device_train_batch_size=8), RuntimeError("CUDA out of memory. Tried…\nmore"))
    assert "per_device_train_batch_size 4 with gradient_accumulation_steps 2" in str(error)
    assert "\n" not in str(error)


def test_it_is_told_from_other_failures() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_batch_is_halved_down_to_one(runs: Path) -> None:
    run = Run.create(small(per_device_train_batch_size=4, gradient_accumulation_steps=3))
    assert said(run) == ""
    assert halve(run)
    assert halve(run)
    assert not halve(run)
    fits = as_it_fits(run)
    assert (fits.per_device_train_batch_size, fits.gradient_accumulation_steps) == (1, 12)
    assert "batches of 1 instead of 4, 12 of them a step" in said(run)
    assert run.config.per_device_train_batch_size == 4
    assert not halve(Run.create(small(per_device_train_batch_size=4, on_out_of_memory="stop")))


def test_the_steps_stay_the_same_and_it_is_said(runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole, halved = (Run.create(small(per_device_train_batch_size=4)) for _ in range(2))
    assert train_run(whole) == "finished"
    assert halve(halved)
    assert train_run(halved) == "finished"
    assert losses(halved) == pytest.approx(losses(whole), rel=1e-5)
    assert "goes on with batches of 2 instead of 4" in halved.said().message
    assert "goes on with batches of 2 instead of 4" in capfd.readouterr().out
    assert halved.metrics()[0]["per_device_train_batch_size"] == 2


def test_one_process_begins_again_by_itself(runs: Path) -> None:
    """It runs out of memory with two rows, and goes on with one: no state but running and finished is written."""
    run = Run.create(small(max_steps=1))
    script = Path(__file__).parent / "faults" / "starved.py"
    with run.held() as lock:
        command = [sys.executable, str(script), str(run.path), str(lock.fileno())]
        done = subprocess.run(command, pass_fds=(lock.fileno(),), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert run.said().state == "finished"
    assert as_it_fits(run).per_device_train_batch_size == 1


def test_several_processes_are_started_again(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(small(num_processes=2))
    starved = Outcome("failed", "out of memory", 1, explained=True, out_of_memory=True)
    ends, commands = [starved, FINISHED], []

    def together(command: list[str], *others: Any) -> Outcome:
        commands.append(command)
        return ends.pop(0)

    monkeypatch.setattr(core.lead, "run_together", together)
    with run.held() as lock:
        assert core.lead.main([str(run.path), str(lock.fileno())]) == 0
    assert ["--resume" in command for command in commands] == [False, True]
    assert as_it_fits(run).per_device_train_batch_size == 1


def test_other_failures_are_not_taken_for_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: Any, **options: Any) -> str:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(core.train, "train_run", fails)
    run = Run.create(small())
    assert attempt(run, resume=False, rank=core.train.ALONE).out_of_memory
    monkeypatch.setattr(core.train, "train_run", lambda *given, **options: "finished")
    assert attempt(run, resume=False, rank=core.train.ALONE) == FINISHED
