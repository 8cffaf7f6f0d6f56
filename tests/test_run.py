"""Run directories: detached workers, and states that are what they are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from core.checkpoint import checkpoints
from core.errors import UserError
from core.fullpaths import absolute
from core.pulse import silence
from core.run import EXIT_STOPPED, Run, find_run, list_runs, require_run
from core.train import train_run
from tests.conftest import small

LONG = {"max_steps": 100_000, "max_samples": 64, "save_steps": 100_000}


def wait_until(run: Run, step: int, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while run.state().step < step:
        assert run.state().alive, run.state()
        assert time.monotonic() < deadline, run.log_tail()
        time.sleep(0.1)


def worker_of(run: Run) -> int:
    """The pid of the process that trains a run."""
    trainer = run.process("trainer")
    assert trainer is not None
    return trainer.pid


def test_a_run_from_start_to_finish(runs: Path) -> None:
    run = Run.start(small(run_name="my label"))
    assert run.state().alive
    assert run.wait().state == "finished", run.log_tail()
    assert run.state().step == run.state().max_steps == 3
    assert run.has_model
    assert not run.is_locked()
    assert [line["step"] for line in run.metrics() if "loss" in line] == [1, 2, 3]
    assert find_run("my label") == run
    assert list_runs() == [run]
    assert set(run.summary()) >= {"path", "name", "state", "created"}


def test_a_stopped_run_is_stopped_and_resumes(runs: Path) -> None:
    run = Run.start(small(**LONG))
    wait_until(run, 2)
    run.request_stop()
    stopped = run.wait()
    assert stopped.state == "stopped", run.log_tail()
    run.launch(resume=True)
    wait_until(run, stopped.step + 1)
    os.kill(worker_of(run), signal.SIGTERM)
    assert run.wait().state == "stopped", run.log_tail()
    steps = [line["step"] for line in run.metrics() if "loss" in line]
    assert steps == sorted(steps)


def test_a_killed_worker_is_seen_as_killed_and_resumes_to_the_bit(runs: Path) -> None:
    """Also: a real trainer shows its pulse, and writes its stacks to the log when it is asked for them."""
    options: dict[str, Any] = {"max_steps": 24, "save_steps": 3, "lora_dropout": 0.1}
    run = Run.start(small(**options))
    deadline = time.monotonic() + 240
    while not checkpoints(run.path / "checkpoints"):
        assert time.monotonic() < deadline, run.log_tail()
        time.sleep(0.02)
    trainer = worker_of(run)
    heard = silence(run.path)
    assert heard is not None
    assert (heard.pid, heard.doing, heard.stalled) == (trainer, "training", False)
    os.kill(trainer, signal.SIGUSR1)
    time.sleep(0.2)
    os.kill(trainer, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while run.state().state != "killed":
        assert time.monotonic() < deadline
    assert "killed from outside" in run.state().message
    assert "resuming goes on from checkpoint-" in run.state().message
    assert "core/train.py" in run.log_tail(400)
    run.wait()
    run.launch(resume=True)
    straight = Run.create(small(**options))
    assert train_run(straight) == "finished"
    assert run.wait().state == "finished", run.log_tail()
    losses = [[(row["step"], row["loss"]) for row in one.metrics() if "loss" in row] for one in (run, straight)]
    assert losses[0] == losses[1]
    assert len(json.loads((run.path / "environment.json").read_text(encoding="utf-8"))) == 2


def test_the_worker_exits_75_when_stopped_and_outlives_its_parent(runs: Path) -> None:
    code = "from tests.conftest import small; from core.run import Run; "
    code += f"print(Run.start(small(**{LONG!r})).path)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    run = Run(Path(out.strip()))
    wait_until(run, 1)
    run.request_stop()
    assert run.wait().state == "stopped"
    assert EXIT_STOPPED == 75


def test_bad_data_fails_with_its_reason(runs: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n', encoding="utf-8")
    run = Run.start(small(dataset=[str(bad)]))
    state = run.wait()
    assert state.state == "failed"
    assert "nothing to learn: no assistant message" in state.message
    assert "Traceback" not in run.log_tail()


def test_a_half_written_metrics_line_is_left_for_later(runs: Path) -> None:
    run = Run.create(small())
    (run.path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2', encoding="utf-8")
    assert run.metrics() == [{"step": 1}]


def test_a_run_nobody_started_is_not_alive(runs: Path) -> None:
    run = Run.create(small())
    assert (run.state().state, run.state().message) == ("stopped", "it was never started")
    run.write_state("finished", 3, 3)
    assert run.state().progress == 1.0


def test_names_never_collide_and_stay_in_the_folder(runs: Path) -> None:
    created = [Run.create(small(run_name="../../etc/x y")) for _ in range(3)]
    assert len({run.path for run in created}) == 3
    assert all(run.path.parent == runs for run in created)


def test_unknown_run_names_the_nearest(runs: Path) -> None:
    run = Run.create(small(run_name="alpha"))
    with pytest.raises(UserError, match=run.path.name):
        require_run(run.path.name[:-1])
    for name in ("x" * 300, "~nobody-has-this-name/run"):
        with pytest.raises(UserError, match="no run"):
            require_run(name)


@pytest.mark.parametrize("said", ["{", "[]", '{"state": "finished", "step": 1e999, "max_steps": 3, "message": ""}'])
def test_a_damaged_state_is_said_and_hides_no_other_run(runs: Path, said: str) -> None:
    run = Run.create(small())
    (run.path / "state.json").write_text(said, encoding="utf-8")
    assert (run.state().state, run.state().message) == ("failed", "state.json is missing or damaged")


def test_config_survives(runs: Path) -> None:
    config = small(lora_r=7)
    assert Run.create(config).config == config


def test_files_are_kept_by_their_full_path(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.jsonl").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config = Run.create(small(dataset=["rows.jsonl", "identity"])).config
    assert config.dataset == [str(tmp_path / "rows.jsonl"), "identity"]


def test_what_is_a_name_first_stays_one_beside_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tools", "qwen", "rows", "adapter"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    config = absolute(
        small(dataset=["tools", "rows"], benchmarks=["tools"], template="qwen", adapter_name_or_path=["adapter"])
    )
    assert config.dataset == ["tools", str(tmp_path / "rows")]
    assert config.benchmarks == ["tools"]
    assert config.template == "qwen"
    assert config.adapter_name_or_path == [str(tmp_path / "adapter")]


def test_the_facts_of_a_run(runs: Path) -> None:
    config = small()
    assert json.loads((Run.create(config).path / "run.json").read_text())["name"]
