"""A run is a directory.

    config.yaml     what was asked for
    run.json        name, creation time, command line, versions, commit
    environment.json  versions and device of each start
    template.jinja  the chat template, as trained
    state.json      what the worker last said: state, step, progress
    metrics.jsonl   one JSON object a line: step, loss, loss per kind, …
    samples.jsonl   what the model wrote on held-out turns while it was trained, a line a turn
    report.json     what became of the rows
    cost.json       peak memory and seconds a step, measured
    log.txt         everything that the worker prints
    lock            whoever holds a lock on it is the living worker
    worker.json     the processes of the worker       pulse.json  its last sign of progress
    stop            a request to stop, left by anybody
    ballast         gives way to the last word of a run on a full disk
    waiting.json    the run waits for its turn (core.queue)
    checkpoints/    model/ (the result)    encoded/ (its own copy of the rows)    evals/    tasks/

The worker is a detached pair of processes that owns the directory: a small keeper, and the trainer that it starts. The
board and the command line only read files and leave requests, so a closed browser, a killed server and a run started
elsewhere all look alike.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from signal import SIGKILL
from typing import IO, Any, Literal, get_args

from core.config import TrainConfig, dump_yaml, load_config
from core.disk import (
    append_json_lines,
    is_locked,
    json_line,
    lay_ballast,
    lock_within,
    read_json,
    read_json_lines,
    whole_or_gone,
    write_atomic,
    write_atomic_json,
    write_last_json,
)
from core.environment import is_secret, light_facts, shown_command
from core.errors import UserError, did_you_mean
from core.fullpaths import absolute
from core.log import last_error, tail
from core.paths import runs_dir_of, typed
from core.process import Process, deaf, out_of_memory_kills
from core.pulse import PULSE, silence
from core.state import State, StateName

WAITING = "waiting.json"
WORKER = "worker.json"
EXIT_STOPPED = 75
KEEPER = ("-m", "core.keeper")
BALLAST = "ballast"
UNEXPLAINED = "the worker ended without a word: killed, or out of memory; see log.txt"


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory; everything is read from its files when asked for."""

    path: Path

    @classmethod
    def create(cls, config: TrainConfig) -> Run:
        """A new directory for this config, nothing started. run.json comes last: without it there is no run."""
        secret = next((name for name in config.extra if is_secret(name)), None)
        if secret is not None:
            remedy = "log in with `hf auth login`, or set HF_TOKEN or the like in the environment"
            raise UserError(f"extra: {secret} would be written into the run's folder", remedy=remedy)
        now = datetime.now().astimezone()
        data = "-".join(Path(name).stem for name in config.dataset)
        label = config.run_name or f"{Path(config.model_name_or_path).name}-{data}"
        run = cls(_fresh_folder(runs_folder(config), f"{now:%m%d-%H%M%S}-{_slug(label)}"))
        facts = {"name": label, "created": now.isoformat(timespec="seconds"), "command": shown_command(sys.argv)}
        with whole_or_gone(run.path):
            write_atomic(run.path / "config.yaml", dump_yaml(absolute(config)))
            run.write_state("stopped", message="it was never started")
            write_atomic_json(run.path / "run.json", facts | light_facts())
        return run

    @classmethod
    def start(cls, config: TrainConfig) -> Run:
        """Create a run and start its worker, detached; returns at once."""
        run = cls.create(config)
        run.launch()
        return run

    def launch(
        self, *, resume: bool = False, folder: str | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        """Start the worker of this run, in `folder` and with these environment variables besides our own.

        The worker inherits the lock, so that there is no moment in which the run belongs to nobody. Raises `UserError`
        when another worker is at work on it, or the folder cannot be used.
        """
        with self.held() as lock, (self.path / "log.txt").open("ab") as log, deaf():
            for name in ("stop", PULSE, WORKER):
                (self.path / name).unlink(missing_ok=True)
            reached = self.said()
            self.write_state("starting", reached.step, reached.max_steps)
            lay_ballast(self.path / BALLAST)
            command = [sys.executable, *KEEPER, str(self.path.resolve()), str(lock.fileno())]
            subprocess.Popen(
                command + (["--resume"] if resume else []),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                pass_fds=(lock.fileno(),),
                start_new_session=True,
                env={**os.environ, **(variables or {}), "PYTHONPATH": import_path(), "PYTHONUNBUFFERED": "1"},
            )

    @contextmanager
    def held(self) -> Iterator[IO[str]]:
        """The run's lock, held until the block and every process that inherited it end.

        Raises `UserError` when another holds it, or the folder cannot be used.
        """
        place = self.path / "lock"
        try:
            with place.open("a") as lock:
                if not lock_within(lock, 0.5):
                    raise UserError(f"another process is already training this run{self._holder()}", file=self.path)
                # A run that was deleted while we waited has taken its lock along.
                if os.fstat(lock.fileno()).st_ino != place.stat().st_ino:
                    raise UserError("the run is gone", file=self.path)
                yield lock
        except OSError as error:
            raise UserError(f"the run cannot be used: {error.strerror}", file=error.filename or self.path) from None

    def _holder(self) -> str:
        keeper = self.process("keeper")
        return f": process {keeper.pid}" if keeper and keeper.alive else ""

    def process(self, role: Literal["keeper", "trainer"]) -> Process | None:
        """A process of the worker that was started last, whether it lives or not."""
        said = read_json(self.path / WORKER)
        return Process.from_json(said.get(role)) if isinstance(said, dict) else None

    def write_worker(self, trainer: Process | None) -> None:
        """Said by the keeper: which processes are at work, and what the kernel had killed before they began."""
        keeper = Process.of(os.getpid())
        said = {
            "keeper": keeper.to_json() if keeper else None,
            "trainer": trainer.to_json() if trainer else None,
            "out_of_memory_kills": out_of_memory_kills(),
        }
        write_atomic_json(self.path / WORKER, said)

    def kill(self) -> None:
        """End the worker at once; whole checkpoints stay. Raises `UserError` when no process of it is in reach."""
        # The keeper is spared: it says how the run ended and starts the next, unless there is no trainer yet.
        worker = self.process("trainer") or self.process("keeper")
        if worker is not None and worker.alive and self.is_locked():
            (self.path / "stop").write_text("kill", encoding="utf-8")
            worker.signal(SIGKILL)
            return
        raise UserError("its worker has ended, or runs on another machine", file=self.path, exit_code=1)

    @property
    def facts(self) -> dict[str, Any]:
        """The content of run.json."""
        facts = read_json(self.path / "run.json")
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

    @property
    def waits(self) -> bool:
        """Whether it stands in the queue, and no worker has taken it up."""
        return (self.path / WAITING).exists() and not self.is_locked()

    def state(self) -> State:
        """What the run is doing now: what the worker last said, unless the worker is gone or silent."""
        queued = (self.path / WAITING).exists()
        said = self.said()
        if not said.alive:
            return self._queued(said) if queued and said.state != "finished" else said
        if self.is_locked():
            heard = silence(self.path)
            return replace(said, state="stalled", message=heard.describe()) if heard and heard.stalled else said
        if self.waits:
            return replace(said, state="waiting", message="")
        # It may have said its last word between our two looks.
        again = self.said()
        return self._unheard(again) if again.alive else again

    def _unheard(self, said: State) -> State:
        """Of a run whose worker is gone after it has said this: why, if its log tells it."""
        why = last_error(self.path / "log.txt")
        return replace(said, state="failed" if why else "killed", message=why or UNEXPLAINED)

    def _queued(self, said: State) -> State:
        """Of a run that stood in the queue a moment ago: whether it still does, or its turn has come meanwhile."""
        if self.is_locked():
            return replace(said, state="starting", message="")
        return replace(said, state="waiting", message="") if self.waits else self.said()

    def said(self) -> State:
        """What the worker last said, believed as it stands."""
        said = read_json(self.path / "state.json")
        try:
            state = State(said["state"], int(said["step"]), int(said["max_steps"]), str(said["message"]))
            if state.state in get_args(StateName):
                return state
        except (KeyError, TypeError, ValueError, OverflowError):
            pass
        gone = "the run's folder is gone" if not self.path.is_dir() else "state.json is missing or damaged"
        return State("failed", message=gone)

    def is_locked(self) -> bool:
        """Whether a living worker owns the run."""
        return is_locked(self.path / "lock")

    def metrics(self) -> list[dict[str, Any]]:
        """All metric lines."""
        return read_json_lines(self.path / "metrics.jsonl")

    def samples(self) -> list[dict[str, Any]]:
        """What the model wrote on held-out turns while it was trained, a line a turn, oldest first."""
        return read_json_lines(self.path / "samples.jsonl")

    def rewind(self, step: int) -> None:
        """Forget what was logged after this step, for a resumed run takes those steps again."""
        for name in ("metrics.jsonl", "samples.jsonl"):
            rows = read_json_lines(self.path / name)
            write_atomic(self.path / name, "".join(json_line(row) for row in rows if row.get("step", 0) <= step))

    def cost(self) -> dict[str, Any]:
        """`memory` (the peak, in bytes), `step_s`, `steps`, `device`, once ten steps are measured; {} before."""
        cost = read_json(self.path / "cost.json")
        return cost if isinstance(cost, dict) else {}

    def log_tail(self, lines: int = 40) -> str:
        """The end of the worker's log."""
        return tail(self.path / "log.txt", lines)

    def request_stop(self) -> None:
        """Ask the worker to finish its step, save and stop."""
        try:
            (self.path / "stop").touch()
        except OSError as error:
            raise UserError(f"cannot leave a request to stop: {error.strerror}", file=self.path) from None

    def stop_requested(self) -> bool:
        """Whether somebody asked for a stop."""
        return (self.path / "stop").exists()

    def write_state(self, state: StateName, step: int = 0, max_steps: int = 0, message: str = "") -> None:
        """Said by the worker, and by whoever starts it. A change of state outlives a power cut; a step need not."""
        said = {"state": state, "step": step, "max_steps": max_steps, "message": message, "written": time.time()}
        if State(state).alive:
            write_atomic_json(self.path / "state.json", said, durable=state != "running")
        else:
            write_last_json(self.path / "state.json", said, self.path / BALLAST)

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Append one line."""
        append_json_lines(self.path / "metrics.jsonl", [metrics])

    def write_samples(self, samples: Sequence[dict[str, Any]]) -> None:
        """Append a line for each."""
        append_json_lines(self.path / "samples.jsonl", samples)

    def wait(self, interval_s: float = 0.2) -> State:
        """Block until nothing more will happen by itself, and its worker has let go of the folder."""
        while not (state := self.state()).over or self.is_locked():
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
    folder = runs_dir_of(runs_dir)
    if not os.path.isdir(folder):
        return []
    return [Run(path.parent) for path in sorted(folder.glob("*/run.json"), key=_made_at, reverse=True)]


def runs_folder(config: TrainConfig) -> Path:
    """Where the runs of a config are."""
    return runs_dir_of(config.runs_dir)


def _made_at(facts: Path) -> tuple[float, str]:
    """run.json is written once, when the run is made; the folder's name has no year."""
    try:
        return facts.stat().st_mtime, facts.parent.name
    except OSError:
        return 0.0, facts.parent.name


def find_run(name: str, runs_dir: str = "") -> Run | None:
    """A run by its path, folder name or label (the newest of that label); None when there is none."""
    if os.path.isfile(typed(name) / "run.json"):
        return Run(typed(name))
    return next((run for run in list_runs(runs_dir) if name in (run.path.name, run.name)), None)


def require_run(name: str, runs_dir: str = "") -> Run:
    """A run by path or name. Raises `UserError` with the nearest name."""
    run = find_run(name, runs_dir)
    if run is None:
        raise UserError(f'no run "{name}"', remedy=did_you_mean(name, [run.path.name for run in list_runs(runs_dir)]))
    return run


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


def _slug(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", label).strip("-.")[:60] or "run"


def import_path() -> str:
    """Where the worker imports from: this very code first, whatever its working folder is."""
    places = [str(Path(__file__).parent.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.pathsep.join(os.path.abspath(place) for place in places if place)
