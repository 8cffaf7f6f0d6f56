"""A run as the page shows it: state, progress, curves and what became of the rows; read from its files each time."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from core.commands.estimate import mebibytes
from core.forecast import ESTIMATE, estimate_of
from core.queue import waiting
from core.run import Run, list_runs
from core.task import Task
from core.trash import TRASH
from webui.account import badge
from webui.board import Board
from webui.curve import chart, is_loss, lines_of
from webui.markup import bar, dot, duration, empty, escape, note, number, tiles
from webui.rulebook import meaning, said
from webui.texts import Texts
from webui.told import told, told_change

TASKS = ("eval", "export")
# Files that change while a run goes on; their sizes and times together say whether there is anything new to show.
WATCHED = (
    "state.json",
    "metrics.jsonl",
    "log.txt",
    "report.json",
    "stop",
    "waiting.json",
    "samples.jsonl",
    "cost.json",
    ESTIMATE,
    "evals",
    *(f"tasks/{name}/{file}" for name in TASKS for file in ("task.json", "progress.json", "ended.json")),
)
# Older runs are still there for `core-cli runs list`; a page that redraws thousands of rows helps nobody.
MOST = 200
FRESH_S = 0.3

TONES = {"stalled": "warn", "stopped": "warn", "failed": "bad", "killed": "bad"}


@dataclass
class Changes:
    """What tells open pages that a run has changed; looked up at most a few times a second, however many they are."""

    runs_dir: str
    _said: str = ""
    _at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def mark(self) -> str:
        """A few letters that change when any run does, also when one is added or goes."""
        with self._lock:
            if time.monotonic() - self._at > FRESH_S:
                # With the folder's own time: a run that goes and comes back between two looks is as it was.
                places = [time_of(Path(self.runs_dir) / name) for name in (".", TRASH)]
                signatures = repr([places, *map(signature, list_runs(self.runs_dir)[:MOST])])
                self._said = hashlib.blake2b(signatures.encode(), digest_size=8).hexdigest()
                self._at = time.monotonic()
            return self._said


def time_of(folder: Path) -> int:
    """When something in a folder came or went, in nanoseconds; 0 if there is none."""
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def signature(run: Run) -> str:
    """Changes when there is something new to show of a run."""
    facts: list[Any] = [run.path.name, run.is_locked(), run.state().state]
    facts += [Task(run.path / "tasks" / name).state() for name in TASKS]
    for name in WATCHED:
        try:
            stat = (run.path / name).stat()
        except FileNotFoundError:
            facts.append(None)
        else:
            facts.append((stat.st_mtime_ns, stat.st_size))
    return repr(facts)


def status_html(run: Run | None, board: Board) -> str:
    """Name, state, progress, time left, and the message of a run that failed."""
    t = board.t
    if run is None:
        return empty(t("No run yet. Choose a dataset, then press Start training."))
    state = run.state()
    steps = f"{state.step} / {state.max_steps}" if state.max_steps else "–"
    left = _time_left(run.metrics(), state.max_steps, t) if state.alive else ""
    word = t("stopping after this step") if state.alive and run.stop_requested() else board.state_word(state.state)
    figures = f"{t('step')} <b>{escape(steps)}</b>" + (f" · {escape(t('{time} left', time=left))}" if left else "")
    return (
        f'<div class="tb-run" data-state="{state.state}"><div class="tb-run-head">'
        f'<span class="tb-run-name">{escape(run.name)}</span>{dot(state, word)}</div>'
        f'{bar(state, run.name)}<div class="tb-dim tb-figures">{figures}{_cost(run, t)}</div>'
        f"{note(told(state.message, t), TONES.get(state.state, 'plain'))}</div>"
    )


def _cost(run: Run, t: Texts) -> str:
    """What the run really takes, once it is measured, and what was estimated, if anybody asked."""
    said = []
    if cost := run.cost():
        said.append(t("measured: {size} at most, {step} s a step", **_amounts(cost)))
    if cost := estimate_of(run):
        said.append(t("estimated: {size} at most, {step} s a step", **_amounts(cost)))
    return "".join(f" · {escape(line)}" for line in said)


def _amounts(cost: dict[str, Any]) -> dict[str, str]:
    return {"size": mebibytes(cost["memory"]), "step": f"{cost['step_s']:.2g}"}


def loss_html(run: Run | None, t: Texts) -> str:
    """The loss chart: all, by kind, and on held-out data."""
    lines = lines_of(run.metrics()) if run else {}
    losses = [line for name, line in lines.items() if is_loss(name)]
    return chart(losses, t("Loss")) or empty(t("The loss curve appears with the first steps."))


def other_html(run: Run | None, t: Texts) -> str:
    """Every other figure that the training writes, a small chart each."""
    lines = lines_of(run.metrics()) if run else {}
    charts = "".join(chart([line]) for name, line in lines.items() if not is_loss(name))
    return f'<div class="tb-charts">{charts}</div>' if charts else empty(t("Nothing yet."))


def report_html(run: Run | None, t: Texts) -> str:
    """What became of the rows."""
    report = _json(run.path / "report.json") if run else None
    if not isinstance(report, dict):
        return empty(t("Nothing yet."))
    words = {"in": t("rows in"), "kept": t("kept"), "repaired": t("repaired"), "dropped": t("dropped")}
    counts = [(words.get(key, key), value) for key, value in report.get("rows", {}).items()]
    counts += [(t("samples"), report.get("samples")), (t("tokens"), report.get("tokens"))]
    counts += [(t("trained tokens"), report.get("trained_tokens"))]
    return tiles(counts) + _by_code(report, t)


def _by_code(report: dict[str, Any], t: Texts) -> str:
    """A line for each code and what was done, folded around the findings that the report kept of it."""
    parts = []
    for entry in report.get("counts", []):
        code, action = str(entry.get("code", "")), str(entry.get("action", ""))
        found = [f for f in report.get("findings", []) if (f.get("code"), f.get("action")) == (code, action)]
        parts.append(
            f'<details class="tb-fold"><summary>{badge(action, code, t)}'
            f'<span class="tb-fold-what"><b>{escape(code)}</b> {escape(meaning(code, t))}</span>'
            f"{number(entry.get('count'))}</summary>{findings_html(found, t)}</details>"
        )
    return f'<div class="tb-folds">{"".join(parts)}</div>' if parts else ""


def findings_html(findings: Sequence[dict[str, Any]], t: Texts, most: int = 20) -> str:
    """Findings as a list: what was done, code, place, message."""
    items = []
    for finding in findings[:most]:
        action = str(finding.get("action", ""))
        code, message = str(finding.get("code", "")), str(finding.get("message", ""))
        after = told_change(str(finding.get("after", "")), t)
        change = f"{finding.get('before', '')} → {after}" if after else ""
        line = f"{t('line')} {finding['line']}" if finding.get("line") else ""
        # The whole row is no place within it.
        place = " · ".join(part for part in (line, str(finding.get("path", "")), code) if part not in ("", "$"))
        items.append(
            f'<li class="tb-finding">{badge(action, code, t)}'
            f"<div>{said(code, message, t)} <code>{escape(change)}</code>"
            f'<div class="tb-dim">{escape(place)}</div></div></li>'
        )
    more = t("… and {n} more", n=len(findings) - most) if len(findings) > most else ""
    return f'<ul class="tb-findings">{"".join(items)}</ul><div class="tb-dim">{escape(more)}</div>' if items else ""


def runs_html(runs: Sequence[Run], chosen: str | None, board: Board) -> str:
    """The table of runs; a row carries the folder's name for the click."""
    t = board.t
    if not runs:
        return empty(t("No run yet. Choose a dataset, then press Start training."))
    head = [t("Run"), t("State"), t("Progress"), t("Created"), t("Folder")]
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    order = [run.path.name for run in waiting(runs[0].path.parent)]
    places = {name: place for place, name in enumerate(order, 1)}
    body = "".join(_run_row(run, run.path.name == chosen, board, places.get(run.path.name, 0)) for run in runs)
    return f'<table class="tb-table tb-runs"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'


def _run_row(run: Run, chosen: bool, board: Board, place: int) -> str:
    """A row; `place` is where the run stands in the queue, 0 when it does not wait."""
    state = run.state()
    word = board.state_word(state.state) + (f" ({place})" if place else "")
    mark = ' class="tb-chosen"' if chosen else ""
    steps = f"{state.step} / {state.max_steps}" if state.max_steps else "–"
    cells = [
        f'<button type="button" class="tb-link">{escape(run.name)}</button>',
        dot(state, word),
        f'<div class="tb-progress">{bar(state, run.name)}<span>{escape(steps)}</span></div>',
        escape(_when(run.created)),
        f'<code title="{escape(run.path)}">{escape(run.path.name)}</code>',
    ]
    return f'<tr data-run="{escape(run.path.name)}"{mark}>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _when(created: str) -> str:
    try:
        return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return created


def _time_left(metrics: Sequence[dict[str, Any]], max_steps: int, t: Texts) -> str:
    """From the pace of the last steps; after a resume the clock starts again, hence only rising times."""
    rows = [row for row in metrics if "elapsed_s" in row and "step" in row][-20:]
    while len(rows) > 1 and rows[0]["elapsed_s"] >= rows[-1]["elapsed_s"]:
        rows = rows[1:]
    if len(rows) < 2 or rows[-1]["step"] <= rows[0]["step"]:
        return ""
    pace = (rows[-1]["elapsed_s"] - rows[0]["elapsed_s"]) / (rows[-1]["step"] - rows[0]["step"])
    return duration(max(0, pace * (max_steps - rows[-1]["step"])), t)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
