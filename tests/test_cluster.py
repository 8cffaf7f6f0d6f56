"""Ray: what is refused by name, and (`make ray`) a real local cluster on which a worker dies and the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from core.cluster import _missing, _said
from core.config import TrainConfig
from core.errors import UserError
from core.outcome import FINISHED, STOPPED, Outcome, write_outcome
from core.plan import plan
from core.run import Run
from core.train import train_run
from tests.conftest import small


def test_what_cannot_be_launched_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"launcher ray needs Ray: pip install 'tuneboard\[ray\]'.*set num_workers"):
        plan(TrainConfig(launcher="ray", num_processes=2))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert plan(TrainConfig(launcher="ray", num_workers=3)).count == 3
    assert plan(TrainConfig(launcher="ray", num_workers=1)).together


def test_what_a_cluster_lacks_is_said() -> None:
    config = TrainConfig(num_workers=4)
    assert _missing(config, {"CPU": 2}, {"CPU": 8}) == []
    assert "they need 8 CPU, there are 2" in _missing(config, {"CPU": 2}, {"CPU": 2})[0]
    assert "they need 4 GPU, there are 0" in _missing(config, {"GPU": 1}, {"CPU": 2})[0]


def test_a_worker_without_a_last_word_died(tmp_path: Path) -> None:
    assert _said(tmp_path, 2).state == "killed"
    write_outcome(tmp_path, 0, Outcome("failed", "RuntimeError: Connection closed by peer", 1))
    assert _said(tmp_path, 2).state == "killed"
    write_outcome(tmp_path, 1, Outcome("failed", "no room", 1, explained=True))
    assert _said(tmp_path, 2).message == "no room"
    for number in range(2):
        write_outcome(tmp_path, number, STOPPED)
    assert _said(tmp_path, 2) == STOPPED
    for number in range(2):
        write_outcome(tmp_path, number, FINISHED)
    assert _said(tmp_path, 2) == FINISHED


LISTENERS = """
import psutil
from core.cluster import connect
ray = connect(alone=True)
me = psutil.Process()
for process in [me, *me.children(recursive=True)]:
    for socket in process.net_connections("inet"):
        if socket.status == psutil.CONN_LISTEN:
            print("listens:", socket.laddr.ip)
ray.shutdown()
"""


@pytest.mark.ray
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'tuneboard[ray]'")
def test_a_cluster_of_this_machine_listens_on_loopback_only() -> None:
    done = subprocess.run([sys.executable, "-c", LISTENERS], capture_output=True, text=True, check=True)
    found = {line.split()[1].removeprefix("::ffff:") for line in done.stdout.splitlines() if "listens:" in line}
    assert found == {"127.0.0.1"}


@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'tuneboard[ray]'")
def test_a_worker_dies_and_the_run_goes_on_from_its_checkpoint(runs: Path) -> None:
    """Two CPU workers of a local cluster; state, metrics and result are those of any run."""
    options = {"max_steps": 150, "save_steps": 10, "max_samples": 64}
    run = Run.start(small(**options, launcher="ray", num_workers=2, per_device_train_batch_size=2))
    deadline = time.monotonic() + 600
    while run.state().step < 12:
        assert run.state().alive, run.log_tail()
        assert time.monotonic() < deadline, run.log_tail()
        time.sleep(0.05)
    os.kill(_a_worker(run), signal.SIGKILL)
    assert run.wait().state == "finished", run.log_tail()
    log = (run.path / "log.txt").read_text(encoding="utf-8", errors="replace")
    assert "starting again from the newest whole checkpoint" in log
    assert "resuming from checkpoint-" in log
    assert run.has_model
    rows = [row for row in run.metrics() if "loss" in row]
    assert [row["step"] for row in rows] == list(range(1, 151))
    straight = Run.create(small(**options, per_device_train_batch_size=4))
    assert train_run(straight) == "finished"
    wanted = [row["loss"] for row in straight.metrics() if "loss" in row]
    assert [row["loss"] for row in rows][:20] == pytest.approx(wanted[:20], rel=1e-4)


def _a_worker(run: Run) -> int:
    """The pid of one of the processes that Ray started for this run."""
    head = run.process("trainer")
    assert head is not None
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"ray::RayTrainWorker") and head.pid in _ancestors(int(entry.name)):
            return int(entry.name)
    raise AssertionError("no worker of the run is alive")


def _ancestors(pid: int) -> list[int]:
    found = []
    while pid > 1:
        pid = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        found.append(pid)
    return found
