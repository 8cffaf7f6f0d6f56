"""The evaluations that a run keeps in `evals/`, a file for each data set and model: what `core-cli eval` writes.

DATA-tuned.json, DATA-base.json: {target, dataset, config, written, metrics, turns, conversations}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.conversation import Conversation
from core.disk import read_json, write_atomic_json
from core.run import Run
from core.task import Task

if TYPE_CHECKING:
    from core.config import EvalConfig
    from core.evaluate import Evaluation

FOLDER = "evals"


@dataclass(frozen=True, slots=True)
class Kept:
    """An evaluation on the disk: `data` names the data sets, `label` the model (`tuned`, or `base` for before)."""

    data: str
    label: str
    file: Path

    def read(self) -> dict[str, Any]:
        """The content of the file; {} when it is damaged."""
        content = read_json(self.file)
        whole = isinstance(content, dict) and isinstance(content.get("metrics"), dict)
        return content if whole else {}

    def is_older_than(self, run: Run) -> bool:
        """Whether the run's model has been written anew since: the figures are of another model."""
        model = run.model_dir / "manifest.json"
        return self.label != "base" and model.is_file() and model.stat().st_mtime > self.file.stat().st_mtime


def kept(run: Run) -> list[Kept]:
    """What there is, by name."""
    files = sorted((run.path / FOLDER).glob("*.json"))
    parts = [(file, *file.stem.rpartition("-")[::2]) for file in files]
    return [Kept(data, label, file) for file, data, label in parts if data]


def keep(
    run: Run, label: str, result: Evaluation, conversations: Sequence[Conversation], config: EvalConfig, target: str
) -> Path:
    """Write an evaluation, with the conversations that it was taken on."""
    name = "-".join(Path(data).stem for data in config.dataset)
    place = run.path / FOLDER / f"{name}-{label}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "target": target,
        "dataset": config.dataset,
        "config": config.model_dump(mode="json"),
        "written": datetime.now().astimezone().isoformat(timespec="seconds"),
        **result.to_json(),
        "conversations": [{"file": c.file, "line": c.line, **c.to_openai()} for c in conversations],
    }
    write_atomic_json(place, facts)
    return place


def figure_text(name: str, value: Any) -> str:
    """A figure of an evaluation as people read it: a loss in nats a token, a count, or a share in per cent."""
    if not isinstance(value, int | float):
        return "–"
    if name in ("turns", "reference_calls"):
        return str(int(value))
    return f"{value:.3f}" if name.startswith("loss") else f"{100 * value:.1f} %"


def task(run: Run) -> Task:
    """The evaluation that was asked for last, in a process of its own."""
    return Task(run.path / "tasks" / "eval")
