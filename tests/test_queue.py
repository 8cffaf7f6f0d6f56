"""The queue and the keepers: runs take their turns, whoever dies when. Their trainers train nothing (tests/faults)."""

from __future__ import annotations

import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import core.train
from core.ending import ending
from core.errors import UserError
from core.process import Process
from core.pulse import Pulse
from core.queue import ORDER, cancel, enqueue, enqueue_resumed, look_after, move, start_next, waiting
from core.run import UNEXPLAINED, WAITING, Run
from core.state import State
from tests.conftest import small

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    monkeypatch.setattr("core.run.KEEPER", ("-m", "tests.faults.keeper"))


def until(holds: Callable[[], bool], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited for: {what}"
        time.sleep(0.05)


def queued(*labels: str) -> list[Run]:
    return [enqueue(small(run_name=label)) for label in labels]


def names(runs: list[Run]) -> list[str]:
    return [run.name for run in runs]


def process(run: Run, role: str) -> Process:
    until(lambda: run.process(role) is not None, f"the {role} of {run.name}")  # type: ignore[arg-type]
    found = run.process(role)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_runs_take_their_turns_and_nobody_need_watch(runs: Path) -> None:
    first, *others = queued("quick a", "quick b", "die c", "quick d")
    assert [run.state().state for run in (first, *others)] == ["waiting"] * 4
    assert start_next(runs) == first
    assert start_next(runs) is None
    until(lambda: all(run.state().over for run in others), "the others, one after the other")
    assert [run.state().state for run in (first, *others)] == ["finished", "finished", "killed", "finished"]
    began = [(run.path / "worker.json").stat().st_mtime_ns for run in (first, *others)]
    assert began == sorted(began)
    assert not waiting(runs)


def test_a_running_one_is_waited_for(runs: Path) -> None:
    running = Run.start(small(run_name="hold"))
    (second,) = queued("quick b")
    assert start_next(runs) is None
    assert second.state().state == "waiting"
    running.request_stop()
    assert second.wait().state == "finished"
    assert running.state().state == "stopped"


def test_a_run_whose_turn_comes_while_one_looks_is_never_shown_as_over(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its turn comes right after the state was read: its keeper is at work, or has even taken it out of the queue."""
    real = Run.said
    for left in (False, True):
        (run,) = queued(f"hold {left}")

        def late(run: Run, left: bool = left) -> State:
            said = real(run)
            monkeypatch.setattr(Run, "said", real)
            start_next(runs)
            until(lambda: not left or not (run.path / WAITING).exists(), "the keeper")
            return said

        monkeypatch.setattr(Run, "said", late)
        assert run.state().state == "starting"
        run.request_stop()
        assert run.wait().state == "stopped"


def test_order_changes_and_places_are_left(runs: Path) -> None:
    a, b, c = queued("quick a", "quick b", "quick c")
    assert move(c, 1) == 1
    assert names(waiting(runs)) == ["quick c", "quick a", "quick b"]
    assert move(c, 99) == 3
    assert cancel(b)
    assert not cancel(b)
    assert (b.state().state, b.state().message) == ("stopped", "taken out of the queue before its turn")
    assert names(waiting(runs)) == ["quick a", "quick c"]
    with pytest.raises(UserError, match="is stopped and does not wait"):
        move(b, 1)
    # The order is a help, not the truth: without it, who came first goes first.
    (runs / ORDER).write_text("damaged", encoding="utf-8")
    assert names(waiting(runs)) == ["quick a", "quick c"]
    enqueue_resumed(b)
    assert names(waiting(runs)) == ["quick a", "quick c", "quick b"]
    with pytest.raises(UserError, match="is waiting: there is nothing to resume"):
        enqueue_resumed(a)


def test_the_same_is_not_queued_twice(runs: Path) -> None:
    (first,) = queued("quick a")
    with pytest.raises(UserError, match="the same training waits or runs already"):
        queued("quick a")
    assert [path.parent for path in runs.glob("*/run.json")] == [first.path]


def test_twenty_starters_start_one(runs: Path) -> None:
    a, b = queued("hold a", "hold b")
    code = f"import core.run; core.run.KEEPER = {('-m', 'tests.faults.keeper')!r}; from core.queue import start_next; "
    code += f"from pathlib import Path; start_next(Path({str(runs)!r}))"
    starters = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(6)]
    assert [starter.wait() for starter in starters] == [0] * 6
    until(lambda: a.said().state == "running", "the first")
    assert b.state().state == "waiting"
    cancel(b)
    a.request_stop()
    assert a.wait().state == "stopped"


def dying_at(point: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Wraps functions so that this process is killed before or after one of their calls: the `point`th of all."""
    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*positional: Any, **named: Any) -> Any:
            step()
            result = real(*positional, **named)
            step()
            return result

        return call

    return wrap


# Does what a keeper and its trainer do to the files, in no time.
AT_ONCE = """
import json, os, sys
os.unlink(sys.argv[1] + "/waiting.json")
said = {"state": "finished", "step": 9, "max_steps": 9, "message": ""}
with open(sys.argv[1] + "/state.json", "w") as file:
    json.dump(said, file)
with open(sys.argv[1] + "/starts", "a") as file:
    file.write("started\\n")
"""


def test_a_starter_killed_at_any_point_loses_nothing_and_starts_nothing_twice(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after every step of a start. What it left is found by the next who looks."""
    monkeypatch.setattr("core.run.KEEPER", ("-c", AT_ONCE))
    status, point = -1, 0
    while status != 0:
        point += 1
        (run,) = queued(f"quick {point}")
        child = os.fork()
        if child == 0:
            dies = dying_at(point)
            for place in ("core.queue.write_atomic_json", "core.run.write_atomic_json", "core.run.lock_within"):
                monkeypatch.setattr(place, dies(pkgutil.resolve_name(place)))
            monkeypatch.setattr("subprocess.Popen", dies(subprocess.Popen))
            monkeypatch.setattr(Path, "unlink", dies(Path.unlink))
            start_next(runs)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        until(partial(lambda run: not run.is_locked(), run), "the keeper, if there is one")
        look_after(runs)
        assert run.wait().state == "finished", (point, run.state(), run.log_tail())
        assert (run.path / "starts").read_text(encoding="utf-8").splitlines() == ["started"]
        assert not waiting(runs)
    assert point > 10


DYING_KEEPER = """
import sys, core.keeper
from tests.test_queue import dying_at
import tests.faults.keeper
dies = dying_at({point})
for name in ("leave", "settle", "start_next"):
    setattr(core.keeper, name, dies(getattr(core.keeper, name)))
core.keeper.subprocess.Popen = dies(core.keeper.subprocess.Popen)
core.keeper.Run.write_worker = dies(core.keeper.Run.write_worker)
sys.exit(core.keeper.main())
"""


@pytest.mark.parametrize("point", range(1, 11))
def test_a_keeper_killed_at_any_point_loses_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch, point: int) -> None:
    first, second = queued("quick a", "quick b")
    with monkeypatch.context() as patch:
        patch.setattr("core.run.KEEPER", ("-c", DYING_KEEPER.format(point=point)))
        start_next(runs)
        until(lambda: not first.is_locked(), "the end of the first")
    look_after(runs)
    assert second.wait().state == "finished", (second.state(), second.log_tail())
    # Killed before it left the queue, it was started again; killed before the trainer was there, it is seen as killed.
    assert first.wait().state == ("killed" if point in (2, 3) else "finished"), first.state()
    assert not waiting(runs)


def test_a_keeper_killed_before_it_began_is_tried_three_times(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.run.KEEPER", ("-c", "import os; os.kill(os.getpid(), 9)"))
    (run,) = queued("quick a")
    for _ in range(3):
        assert start_next(runs) == run
        until(lambda: not run.is_locked(), "the end of the keeper")
        assert run.state().state == "waiting"
    assert start_next(runs) is None
    assert run.state().state == "failed"
    assert "its worker died 3 times before it began" in run.state().message


def test_what_cannot_be_started_makes_way(runs: Path) -> None:
    a, b = queued("quick a", "quick b")
    (a.path / "log.txt").mkdir()
    said: list[str] = []
    assert start_next(runs, said.append) == b
    assert "could not be started" in said[0]
    assert a.state().state == "failed"
    assert "log.txt" in a.state().message
    assert b.wait().state == "finished"


@pytest.mark.parametrize("ticket", ["", "[]", '{"starts": "x"}', '{"variables": [1]}'])
def test_a_damaged_ticket_is_a_ticket(runs: Path, ticket: str) -> None:
    run = Run.create(small(run_name="quick"))
    (run.path / WAITING).write_text(ticket, encoding="utf-8")
    assert start_next(runs) == run
    assert run.wait().state == "finished"


def test_a_waiting_run_that_cannot_be_read_hinders_no_other(runs: Path) -> None:
    (damaged,) = queued("quick a")
    (damaged.path / "config.yaml").write_text("[", encoding="utf-8")
    assert names(queued("quick b")) == ["quick b"]


def test_a_waiting_run_survives_a_restart_of_the_machine(runs: Path) -> None:
    """After a power cut there is no process and no lock: the queue is what lies in the files."""
    running = Run.create(small(run_name="quick running"))
    running.write_state("running", 5, 9)
    (running.path / "worker.json").write_text(
        '{"keeper": {"pid": 1, "born": 1, "boot": "another"}, "trainer": null, "out_of_memory_kills": 0}'
    )
    (run,) = queued("quick a")
    assert run.waits
    assert look_after(runs) == run
    assert "the machine was restarted while it was at work" in running.state().message
    assert run.wait().state == "finished"


def test_a_queued_run_starts_where_and_with_what_it_was_queued(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(there)
        patch.setenv("CUDA_VISIBLE_DEVICES", "7")
        (run,) = queued("hold a")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    start_next(runs)
    trainer = process(run, "trainer").pid
    assert os.readlink(f"/proc/{trainer}/cwd") == str(there)
    assert b"CUDA_VISIBLE_DEVICES=7" in Path(f"/proc/{trainer}/environ").read_bytes().split(b"\0")
    run.request_stop()
    run.wait()


@pytest.mark.parametrize(
    ("label", "state", "message"),
    [
        ("die", "killed", "killed from outside (it had grown to"),
        ("crash", "killed", "it crashed with SIGSEGV"),
        ("fail", "failed", "the reason in one line"),
    ],
)
def test_the_keeper_says_how_the_trainer_ended(runs: Path, label: str, state: str, message: str) -> None:
    run = Run.start(small(run_name=label))
    end = run.wait()
    assert (end.state, end.step, end.max_steps) == (state, 1, 9)
    assert message in end.message
    assert "it has no checkpoint yet" in end.message


def test_a_resumed_run_that_fails_early_is_as_far_as_it_was(runs: Path) -> None:
    run = Run.create(small(run_name="early"))
    run.write_state("stopped", 5, 9)
    run.launch(resume=True)
    end = run.wait()
    assert (end.state, end.step, end.max_steps) == ("failed", 5, 9)


def test_what_a_resumed_trainer_prepares_does_not_hide_how_far_it_is(runs: Path) -> None:
    run = Run.create(small())
    run.write_state("starting", 5, 9)
    core.train._starting(run, Pulse(run.path, 600), "reading the data")
    assert run.said() == State("starting", 5, 9, "reading the data")


def test_a_worker_that_could_not_write_its_state_is_heard_in_its_log(runs: Path) -> None:
    """A folder that became read-only: nobody can write down how it ended, and whoever looks is told all the same."""
    run = Run.create(small(run_name="quick"))
    run.write_state("running", 3, 9)
    assert (run.state().state, run.state().message) == ("killed", UNEXPLAINED)
    (run.path / "log.txt").write_text("{'loss': 3}\nerror: state.json: it cannot be written\n", encoding="utf-8")
    assert (run.state().state, run.state().message) == ("failed", "state.json: it cannot be written")
    look_after(runs)
    assert run.said().state == "failed"


def test_a_signal_before_anybody_listens_to_it_is_a_stop(runs: Path) -> None:
    run = Run.create(small(run_name="quick"))
    run.write_state("starting")
    end = ending(run, -signal.SIGTERM)
    assert end.state == "stopped"
    assert "stopped before its first step; it has no checkpoint yet" in end.message
    run.write_state("starting", 5, 9)
    assert "stopped before it went on; " in ending(run, -signal.SIGTERM).message


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_a_keeper_that_was_just_born_is_not_lost(
    runs: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """It is sent before Python itself has started; SIGHUP, of a closed terminal, means nothing to a run."""
    born: list[subprocess.Popen[bytes]] = []

    class Told(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            born.append(self)
            self.send_signal(number)

    run = Run.create(small(run_name="quick" if number == signal.SIGHUP else "hold"))
    monkeypatch.setattr("core.run.subprocess.Popen", Told)
    run.launch()
    end = run.wait()
    assert end.state == ("finished" if number == signal.SIGHUP else "stopped")
    assert born[0].wait() == (0 if number == signal.SIGHUP else 75)


def test_a_suspended_trainer_is_said_to_be_suspended(runs: Path) -> None:
    run = Run.start(small(run_name="hang"))
    trainer = process(run, "trainer")
    until(lambda: run.state().state == "stalled", "the stall")
    os.kill(trainer.pid, signal.SIGSTOP)
    until(lambda: f"suspended; kill -CONT {trainer.pid} lets it go on" in run.state().message, "what is said of it")
    run.kill()
    assert run.wait().state == "stopped"


def test_lack_of_memory_is_the_likely_cause_when_the_kernel_says_so(runs: Path) -> None:
    run = Run.start(small(run_name="hold"))
    process(run, "trainer")
    said = json.loads((run.path / "worker.json").read_text(encoding="utf-8"))
    (run.path / "worker.json").write_text(json.dumps({**said, "out_of_memory_kills": -1}), encoding="utf-8")
    os.kill(process(run, "trainer").pid, signal.SIGKILL)
    assert "by the kernel for lack of memory" in run.wait().message


def test_the_training_goes_on_without_its_keeper(runs: Path) -> None:
    run = Run.start(small(run_name="hold"))
    keeper, trainer = process(run, "keeper"), process(run, "trainer")
    until(lambda: run.said().state == "running", "the training")
    os.kill(keeper.pid, signal.SIGKILL)
    until(lambda: not keeper.alive, "the end of the keeper")
    assert run.state().state == "running"
    os.kill(trainer.pid, signal.SIGKILL)
    until(lambda: run.state().state == "killed", "the end of the trainer")
    look_after(runs)
    assert "resuming begins again" in run.state().message


def test_a_trainer_that_has_lost_its_keeper_starts_the_next(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(small(run_name="quick a"))
    (second,) = queued("quick b")
    parents = iter([1001, 1])
    monkeypatch.setattr("core.train.train_run", lambda run, resume, rank: "finished")
    monkeypatch.setattr("core.train.os.getppid", lambda: next(parents))
    monkeypatch.setattr("core.train.signal.signal", lambda *_: None)
    monkeypatch.setattr("core.train.faulthandler.register", lambda *_, **__: None)
    lock = os.open(run.path / "lock", os.O_CREAT | os.O_RDWR)
    assert core.train.main([str(run.path), str(lock)]) == 0
    assert second.wait().state == "finished"


def test_nothing_of_a_trainer_is_left_behind(runs: Path) -> None:
    run = Run.start(small(run_name="orphan"))
    assert run.wait().state == "finished"


def test_one_that_hangs_is_stalled_with_its_stacks_and_can_be_killed(runs: Path) -> None:
    run = Run.start(small(run_name="hang"))
    until(lambda: run.state().state == "stalled", "the stall")
    assert "no progress for" in run.state().message
    assert run.state().alive
    until(lambda: "falls_silent_here" in run.log_tail(), "the stacks in the log")
    assert "core-cli runs stop --kill" in run.log_tail()
    run.kill()
    end = run.wait()
    assert (end.state, end.step) == ("stopped", 1)
    assert "stopped at once, without saving" in end.message
    with pytest.raises(UserError, match="its worker has ended"):
        run.kill()


def test_a_number_given_out_again_is_another_process(runs: Path) -> None:
    run = Run.start(small(run_name="hold"))
    trainer = process(run, "trainer")
    stranger = Process(trainer.pid, trainer.born - 1, trainer.boot)
    assert not stranger.alive
    assert not stranger.signal(signal.SIGKILL)
    assert not Process(trainer.pid, trainer.born, "another boot").alive
    assert run.state().alive
    run.request_stop()
    assert run.wait().state == "stopped"


def test_a_clock_that_is_set_changes_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.start(small(run_name="hold"))
    until(lambda: run.said().state == "running", "the run")
    for jump in (-1e9, 1e9):
        with monkeypatch.context() as patch:
            patch.setattr("time.time", lambda jump=jump: jump)
            assert run.state().state == "running"
    run.request_stop()
    assert run.wait().state == "stopped"


def test_a_second_start_is_told_who_holds_the_run(runs: Path) -> None:
    run = Run.start(small(run_name="hold"))
    keeper = process(run, "keeper")
    with pytest.raises(UserError, match=f"another process is already training this run: process {keeper.pid}"):
        run.launch(resume=True)
    run.request_stop()
    run.wait()


def test_a_folder_that_is_gone_is_said(runs: Path) -> None:
    run = Run.start(small(run_name="hold"))
    trainer = process(run, "trainer")
    shutil.rmtree(run.path)
    assert run.state().message == "the run's folder is gone"
    with pytest.raises(UserError, match="the run cannot be used: No such file"):
        run.launch()
    with pytest.raises(UserError, match="cannot leave a request to stop"):
        run.request_stop()
    trainer.signal(signal.SIGKILL)
    until(lambda: not trainer.alive, "the end")


def test_a_ticket_of_a_finished_run_is_void(runs: Path) -> None:
    (run,) = queued("quick a")
    run.write_state("finished", 9, 9)
    start_next(runs)
    assert run.wait().state == "finished"
    assert not (run.path / WAITING).exists()
