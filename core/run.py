"""A run is a directory.

    config.yaml     what was asked for
    run.json        name, creation time, command line, versions
    state.json      what the worker last said: state, step, progress
    metrics.jsonl   one JSON object a line: step, loss, loss per kind, …
    samples.jsonl   what the model wrote on held-out turns while it was trained, a line a turn
    report.json     what became of the rows
    log.txt         everything that the worker prints
    lock            whoever holds a lock on it is the living worker
    stop            a request to stop, left by anybody
    checkpoints/    model/ (the result)    evals/

The worker is a detached process that owns the directory. The board and the command line only read files and leave
requests, so a closed browser, a killed server and a run started elsewhere all look alike.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

from core.config import TrainConfig, dump_yaml, load_config
from core.errors import UserError, did_you_mean
from core.paths import STARTER, default_runs_dir

StateName = Literal["starting", "running", "finished", "stopped", "failed", "killed"]
ALIVE: tuple[StateName, ...] = ("starting", "running")
EXIT_STOPPED = 75


@dataclass(frozen=True, slots=True)
class State:
    """What a run is doing. `killed` means: its worker is gone without having said why."""

    state: StateName
    step: int = 0
    max_steps: int = 0
    message: str = ""

    @property
    def alive(self) -> bool:
        """Whether a worker is at work on it."""
        return self.state in ALIVE

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self.step / self.max_steps if self.max_steps else 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory; everything is read from its files when asked for."""

    path: Path

    @classmethod
    def create(cls, config: TrainConfig) -> Run:
        """A new directory for this config, nothing started."""
        parent = Path(config.runs_dir).expanduser() if config.runs_dir else default_runs_dir()
        now = datetime.now().astimezone()
        label = (
            config.run_name
            or f"{Path(config.model_name_or_path).name}-{'-'.join(Path(d).stem for d in config.dataset)}"
        )
        path = _fresh_folder(parent, f"{now:%m%d-%H%M%S}-{_slug(label)}")
        run = cls(path)
        write_atomic(path / "config.yaml", dump_yaml(_absolute(config)))
        facts = {
            "name": label,
            "created": now.isoformat(timespec="seconds"),
            "command": shlex.join(sys.argv),
            "python": sys.version.split()[0],
        }
        write_atomic(path / "run.json", json.dumps(facts, indent=2))
        run.write_state("starting")
        return run

    @classmethod
    def start(cls, config: TrainConfig) -> Run:
        """Create a run and start its worker, detached; returns at once."""
        run = cls.create(config)
        run.launch()
        return run

    def launch(self, *, resume: bool = False) -> None:
        """Start the worker of this run. Raises `UserError` when one is already at work on it.

        The worker inherits the lock, so that there is no moment in which the run belongs to nobody.
        """
        with (self.path / "lock").open("a") as lock, (self.path / "log.txt").open("ab") as log:
            if not _locked_within(lock, 0.5):
                raise UserError("another process is already training this run", file=self.path)
            (self.path / "stop").unlink(missing_ok=True)
            self.write_state("starting")
            command = [sys.executable, "-m", "core.train", str(self.path.resolve()), str(lock.fileno())]
            subprocess.Popen(
                command + (["--resume"] if resume else []),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock.fileno(),),
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path()), "PYTHONUNBUFFERED": "1"},
            )

    @property
    def facts(self) -> dict[str, Any]:
        """The content of run.json."""
        facts = _read_json(self.path / "run.json")
        return facts if isinstance(facts, dict) else {}

    @property
    def name(self) -> str:
        """The run's label."""
        return str(self.facts.get("name") or self.path.name)

    @property
    def created(self) -> str:
        """ISO time of creation."""
        return str(self.facts.get("created", ""))

    @property
    def config(self) -> TrainConfig:
        """The config that the run was started with."""
        return load_config(TrainConfig, self.path / "config.yaml", {})

    @property
    def model_dir(self) -> Path:
        """Where the tuned model or adapter is, once there is one."""
        return self.path / "model"

    @property
    def has_model(self) -> bool:
        """Whether the run has a result to chat with."""
        return any((self.model_dir / name).is_file() for name in ("adapter_config.json", "config.json"))

    def state(self) -> State:
        """What the run is doing now: what the worker last said, unless the worker is gone."""
        said = _read_json(self.path / "state.json")
        if not isinstance(said, dict):
            return State("failed", message="state.json is missing or unreadable")
        state = State(said["state"], said.get("step", 0), said.get("max_steps", 0), said.get("message", ""))
        if state.alive and not self.is_locked():
            again = _read_json(self.path / "state.json")
            if isinstance(again, dict) and again["state"] not in ALIVE:
                return State(again["state"], again.get("step", 0), again.get("max_steps", 0), again.get("message", ""))
            reason = "the worker ended without a word: killed, or out of memory; see log.txt"
            return State("killed", state.step, state.max_steps, reason)
        return state

    def is_locked(self) -> bool:
        """Whether a living worker owns the run."""
        try:
            with (self.path / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def metrics(self) -> list[dict[str, Any]]:
        """All metric lines."""
        return _read_lines(self.path / "metrics.jsonl")

    def samples(self) -> list[dict[str, Any]]:
        """What the model wrote on held-out turns while it was trained, a line a turn, oldest first."""
        return _read_lines(self.path / "samples.jsonl")

    def log_tail(self, lines: int = 40) -> str:
        """The end of the worker's log."""
        try:
            with (self.path / "log.txt").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * lines))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def request_stop(self) -> None:
        """Ask the worker to finish its step, save and stop."""
        (self.path / "stop").touch()

    def stop_requested(self) -> bool:
        """Whether somebody asked for a stop."""
        return (self.path / "stop").exists()

    def write_state(self, state: StateName, step: int = 0, max_steps: int = 0, message: str = "") -> None:
        """Said by the worker, and by whoever starts it."""
        said = {"state": state, "step": step, "max_steps": max_steps, "message": message, "written": time.time()}
        write_atomic(self.path / "state.json", json.dumps(said))

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Append one line."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")

    def write_samples(self, samples: Sequence[dict[str, Any]]) -> None:
        """Append a line for each."""
        with (self.path / "samples.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)

    def wait(self, interval_s: float = 0.2) -> State:
        """Block until the run is no longer alive and its worker has let go of the folder."""
        while (state := self.state()).alive or self.is_locked():
            time.sleep(interval_s)
        return state

    def summary(self) -> dict[str, Any]:
        """What `runs list --json` prints of it."""
        state = self.state()
        return {
            "path": str(self.path),
            "name": self.name,
            "state": state.state,
            "created": self.created,
            "step": state.step,
            "max_steps": state.max_steps,
            "message": state.message,
            "has_model": self.has_model,
        }


def list_runs(runs_dir: str = "") -> list[Run]:
    """The runs in a folder, newest first."""
    folder = Path(runs_dir).expanduser() if runs_dir else default_runs_dir()
    if not folder.is_dir():
        return []
    return [Run(path.parent) for path in sorted(folder.glob("*/run.json"), key=lambda p: p.parent.name, reverse=True)]


def find_run(name: str, runs_dir: str = "") -> Run | None:
    """A run by its path, folder name or label (the newest of that label); None when there is none."""
    if (Path(name).expanduser() / "run.json").is_file():
        return Run(Path(name).expanduser())
    return next((run for run in list_runs(runs_dir) if name in (run.path.name, run.name)), None)


def require_run(name: str, runs_dir: str = "") -> Run:
    """A run by path or name. Raises `UserError` with the nearest name."""
    run = find_run(name, runs_dir)
    if run is None:
        raise UserError(f'no run "{name}"', remedy=did_you_mean(name, [run.path.name for run in list_runs(runs_dir)]))
    return run


def write_atomic(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old or the new one, never half."""
    stage = path.with_name(f".{path.name}.{os.getpid()}")
    stage.write_text(text, encoding="utf-8")
    stage.replace(path)


def _locked_within(lock: IO[str], seconds: float) -> bool:
    """Take the lock. Whoever looks whether it is held holds it for an instant itself, hence the few tries."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _fresh_folder(parent: Path, name: str) -> Path:
    for attempt in range(1, 1000):
        path = parent / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"cannot make a run folder: {error.strerror}", file=path) from None
        return path
    raise UserError("cannot find a free name for the run", file=parent)


def _absolute(config: TrainConfig) -> TrainConfig:
    """Files and folders by their full path, so that the run can be resumed and measured from anywhere."""

    def full(name: str) -> str:
        return str(Path(name).expanduser().resolve()) if name != STARTER and Path(name).expanduser().exists() else name

    changes: dict[str, Any] = {
        "model_name_or_path": full(config.model_name_or_path),
        "template": full(config.template),
        "dataset": [full(name) for name in config.dataset],
        "eval_dataset": [full(name) for name in config.eval_dataset],
        "dataset_dir": full(config.dataset_dir) if config.dataset_dir else "",
        "runs_dir": full(config.runs_dir) if config.runs_dir else "",
    }
    return config.model_copy(update=changes)


def _slug(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", label).strip("-.")[:60] or "run"


def _import_path() -> list[str]:
    here = str(Path(__file__).parent.parent)
    return [here, *[path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]]


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file; a half-written last line is left for the next look."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines[:-1] if line]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
