"""A task: a command at work in its own process, seen and stopped from outside."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from core.disk import write_atomic_json
from core.errors import UserError
from core.process import Process
from core.task import VARIABLE, Progress, Task, tell

PATIENCE_S = 60


def ended(task: Task) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while (state := task.state()) == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return state


def test_a_command_is_done_in_its_own_process(tmp_path: Path) -> None:
    task = Task(tmp_path / "new" / "task")
    assert task.state() == "none"
    task.start(["presets"])
    assert ended(task) == "done"
    assert "balanced" in task.log()
    task.start(["data", "explain", "XX999"])
    assert ended(task) == "failed"
    assert task.problem().startswith('there is no rule "XX999"')


def test_the_one_that_works_is_not_started_twice_and_can_be_stopped(tmp_path: Path) -> None:
    task = Task(tmp_path)
    task.start(["eval", "starter", "--dataset", "tools_heldout"])
    with pytest.raises(UserError, match="being done already"):
        task.start(["presets"])
    task.stop()
    assert ended(task) == "stopped"
    task.stop()


def test_a_process_that_is_gone_is_not_taken_for_another_with_its_number(tmp_path: Path) -> None:
    other = Process(1, 0, "another boot")
    write_atomic_json(tmp_path / "task.json", {"words": [], "process": other.to_json()})
    assert Task(tmp_path).state() == "stopped"


def test_a_command_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell("base", 1, 2)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert Task(tmp_path).progress() == Progress()
    tell("base", 1, 2)
    assert Task(tmp_path).progress() == Progress("base", 1, 2)
    (tmp_path / "progress.json").write_text(json.dumps({"doing": "x"}))
    assert Task(tmp_path).progress() == Progress()
