"""How a process of a run ended, and which of several outcomes is the run's.

Processes that train together fail together: one runs out of memory, and the others only notice that it is gone. The
one that knows why is to be heard.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.disk import write_atomic_json
from core.run import EXIT_STOPPED, Run
from core.state import StateName

# Folder in the run with the last words of its processes, where there are several.
RANKS = "ranks"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state to be said, why, and the exit code. `explained`: the message is meant for a person (a `UserError`).

    `out_of_memory`: it may go on with smaller batches.
    """

    state: StateName
    message: str = ""
    exit_code: int = 0
    explained: bool = False
    out_of_memory: bool = False


FINISHED = Outcome("finished")
STOPPED = Outcome("stopped", exit_code=EXIT_STOPPED)


def write_outcome(folder: Path, number: int, outcome: Outcome) -> None:
    """The last word of process `number`, for whoever started it."""
    write_atomic_json(folder / f"{number}.json", asdict(outcome))


def read_outcome(folder: Path, number: int, returned: int | None, count: int) -> Outcome:
    """The last word of process `number`; when it left none, what its exit status says.

    A negative status is a signal; None: it hung when another had failed, and was killed.
    """
    try:
        return Outcome(**json.loads((folder / f"{number}.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        pass
    who = f"process {number} of {count}"
    if returned is None:
        return Outcome("failed", f"{who} waited for another that had failed", 1)
    if returned < 0:
        name = signal.Signals(-returned).name
        return Outcome("killed", f"{who} was ended by {name}: killed, or out of memory; see log.txt", 1)
    return Outcome("failed", f"{who} ended with exit code {returned} and without a word; see log.txt", returned or 1)


def decisive(outcomes: Sequence[Outcome]) -> Outcome:
    """The run's outcome: what somebody explained, else a death, else any failure, else what all agree on."""
    for wanted in (
        [outcome for outcome in outcomes if outcome.explained],
        [outcome for outcome in outcomes if outcome.state == "killed"],
        [outcome for outcome in outcomes if outcome.state == "failed"],
        [outcome for outcome in outcomes if outcome.state == "stopped"],
    ):
        if wanted:
            return wanted[0]
    return outcomes[0]


def conclude(run: Run, outcome: Outcome) -> None:
    """Write the run's final state, at the step that was reached."""
    reached = run.said()
    run.write_state(outcome.state, reached.step, reached.max_steps, outcome.message or reached.message)
