"""Runs that wait for their turn: one run of a folder at a time, in an order that a person may change.

There is no daemon. Whoever is alive starts the next: the keeper of a run that ends, the board, a command that looks.
What they go by is on the disk only, so a queue survives all of them:

    RUN/waiting.json   this run waits, since when, and with which variables it is to start     (whether)
    queue.json         the names of the runs in their order; who is not in it comes last       (in which order)
    .queue.lock        held by whoever changes either, or starts a run

A run leaves the queue by its own keeper, as the first thing that it does, so that whoever starts it may die at any
moment: before, the run still waits and is started again; afterwards its keeper is at work. After three starts without a
keeper it counts as failed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from core.config import TrainConfig
from core.disk import locked, read_json, write_atomic_json
from core.ending import settle
from core.environment import steering_variables
from core.errors import UserError
from core.fullpaths import absolute
from core.run import WAITING, Run, list_runs, runs_folder
from core.state import RESUMABLE

ORDER = "queue.json"
LOCK = ".queue.lock"
MOST_STARTS = 3


def enqueue(config: TrainConfig) -> Run:
    """A new run that waits for its turn. Raises `UserError` when the same is already waiting or at work."""
    folder = runs_folder(config)
    with _queue(folder):
        wanted = absolute(config)
        same = next((run for run in list_runs(str(folder)) if not run.state().over and _asks_for(run, wanted)), None)
        if same is not None:
            raise UserError("the same training waits or runs already", file=same.path, remedy="give it a run_name")
        run = Run.create(config)
        _add(run, resume=False)
    return run


def _asks_for(run: Run, wanted: TrainConfig) -> bool:
    try:
        return run.config == wanted
    except UserError:
        # Its config.yaml cannot be read: that is said when its turn comes.
        return False


def enqueue_resumed(run: Run) -> None:
    """Let a run that was stopped, failed or killed wait for its turn to go on. Raises `UserError` for any other."""
    with _queue(run.path.parent):
        state = run.state()
        if state.state not in RESUMABLE:
            raise UserError(f"the run is {state.state}: there is nothing to resume", file=run.path, exit_code=1)
        _add(run, resume=True)


def waiting(folder: Path) -> list[Run]:
    """The runs that wait, the next one first."""
    order = read_json(folder / ORDER)
    places = {name: place for place, name in enumerate(order if isinstance(order, list) else [])}
    runs = [Run(path.parent) for path in folder.glob(f"*/{WAITING}")]

    def place(run: Run) -> tuple[int, str]:
        return places.get(run.path.name, len(places)), str(_ticket(run).get("since", ""))

    return sorted((run for run in runs if run.waits), key=place)


def move(run: Run, place: int) -> int:
    """Put a waiting run at a place, 1 being the next. Returns where it stands now. Raises `UserError`."""
    folder = run.path.parent
    with _queue(folder):
        names = [one.path.name for one in waiting(folder)]
        if run.path.name not in names:
            raise UserError(f"the run is {run.state().state} and does not wait", file=run.path, exit_code=1)
        names.remove(run.path.name)
        names.insert(max(1, place) - 1, run.path.name)
        write_atomic_json(folder / ORDER, names)
        return names.index(run.path.name) + 1


def cancel(run: Run) -> bool:
    """Take a run out of the queue. False when it does not wait (any more)."""
    with _queue(run.path.parent):
        if not run.waits:
            return False
        said = run.said()
        run.write_state("stopped", said.step, said.max_steps, "taken out of the queue before its turn")
        leave(run)
        return True


def stop(run: Run) -> None:
    """Take a run out of the queue, or ask its worker to finish its step, save and stop."""
    if not cancel(run) and run.state().alive:
        run.request_stop()


def leave(run: Run) -> None:
    """The run waits no more: its keeper is at work, or nobody wants it."""
    (run.path / WAITING).unlink(missing_ok=True)


def start_next(folder: Path, say: Callable[[str], None] = lambda line: None) -> Run | None:
    """Start the run whose turn it is, if none is at work here. `say` is told what came of it."""
    if not any(folder.glob(f"*/{WAITING}")):
        return None
    with _queue(folder):
        if any(run.is_locked() for run in list_runs(str(folder))):
            return None
        for run in waiting(folder):
            problem = _start(run)
            if not problem:
                say(f"started {run.path}, whose turn it was")
                return run
            say(f"{run.path} could not be started: {problem}")
    return None


def look_after(folder: Path, say: Callable[[str], None] = lambda line: None) -> Run | None:
    """What whoever is alive does: write down how runs ended that nobody saw end, and start the one whose turn it is."""
    for run in list_runs(str(folder)):
        if run.said().alive and not run.is_locked() and not run.waits:
            # Another may have taken it up since; then there is nothing to write.
            with contextlib.suppress(UserError), run.held():
                settle(run, None)
    return start_next(folder, say)


def _start(run: Run) -> str:
    """Start a waiting run. Returns what is in the way; such a run is out of the queue, unless another holds it."""
    ticket = _ticket(run)
    starts, where = ticket.get("starts", 0), str(ticket.get("folder", ""))
    problem = f"its worker died {starts} times before it began; see log.txt"
    try:
        if starts < MOST_STARTS:
            write_atomic_json(run.path / WAITING, {**ticket, "starts": starts + 1})
            folder = where if os.path.isdir(where) else None
            run.launch(resume=bool(ticket.get("resume")), folder=folder, variables=ticket.get("variables"))
            return ""
    except (UserError, OSError) as error:
        problem = str(error)
    if not run.is_locked():
        # A folder that cannot be written stays in the queue, and the next run is tried.
        with contextlib.suppress(OSError):
            said = run.said()
            if said.state != "finished":
                run.write_state("failed", said.step, said.max_steps, problem)
            leave(run)
    return problem


def _add(run: Run, *, resume: bool) -> None:
    ticket = {
        "since": datetime.now().astimezone().isoformat(timespec="microseconds"),
        "resume": resume,
        "starts": 0,
        "folder": os.getcwd(),
        "variables": steering_variables(),
    }
    folder = run.path.parent
    names = [one.path.name for one in waiting(folder)]
    write_atomic_json(folder / ORDER, [*(name for name in names if name != run.path.name), run.path.name])
    write_atomic_json(run.path / WAITING, ticket)


def _ticket(run: Run) -> dict[str, Any]:
    """What waiting.json says; {} where its content is not what we write."""
    ticket = read_json(run.path / WAITING)
    kinds = {"starts": int, "variables": dict}
    whole = isinstance(ticket, dict) and all(isinstance(ticket.get(name, kind()), kind) for name, kind in kinds.items())
    return ticket if whole else {}


@contextlib.contextmanager
def _queue(folder: Path) -> Iterator[None]:
    """The queue of a folder of runs, held. Raises `UserError` when the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK):
            yield
    except OSError as error:
        raise UserError(f"the queue cannot be used: {error.strerror}", file=error.filename or folder) from None
