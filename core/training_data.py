"""The rows of a run: read, rendered and encoded once, accounted for, and kept in the run's own folder.

A run goes on with its own encoded copy when it is resumed, so that a file edited in the meantime cannot be mixed in; if
one was, that is said.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, load_from_disk

from core.checkpoint import write_whole
from core.config import TrainConfig
from core.conversation import Conversation
from core.datasets import Loaded, find_source, load_conversations, split
from core.datasets.files import data_files
from core.disk import write_atomic_json
from core.encode import Prepared, columns, prepare
from core.errors import UserError
from core.run import Run
from core.samples import HeldTurn, choose_turns, keep_turns, kept_turns
from core.template.sandbox import Template
from core.template.spans import KINDS

ENCODED = "encoded"
TRAIN = "train"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Encoded rows: the training set, and the held-out sets by name; and the held-out turns that the model writes."""

    train: Dataset
    held_out: dict[str, Dataset]
    turns: list[HeldTurn]

    def held_out_kinds(self) -> set[str]:
        """The kinds of the trained tokens of the held-out sets."""
        numbers = {number for rows in self.held_out.values() for row in rows["kinds"] for number in row}
        return {KINDS[number - 1] for number in numbers if number}


def training_data(run: Run, config: TrainConfig, template: Template, tokenizer: Any) -> TrainingData:
    """Read and encode the rows of a new run; report.json gets the account. Raises `UserError` when none is left."""
    if not config.dataset:
        raise UserError("no dataset", remedy="give --dataset with a name from dataset_info.json or a file")
    loaded = load_conversations(config)
    conversations = loaded.conversations
    held: dict[str, list[Conversation]] = {
        Path(name).stem: load_conversations(config, [name]).conversations for name in config.eval_dataset
    }
    if not held and config.val_size:
        conversations, validation = split(conversations, config.val_size, config.seed)
        held = {"validation": validation} if validation else {}
    prepared = {TRAIN: prepare(conversations, template, tokenizer, config)}
    prepared |= {name: prepare(rows, template, tokenizer, config) for name, rows in held.items()}
    _write_report(run, config, loaded, prepared)
    if not prepared[TRAIN].examples:
        why = next(iter([*prepared[TRAIN].findings, *loaded.findings]), "")
        raise UserError(f"no row can be trained on; the first finding: {why}", remedy="see `core-cli data show`")
    keep_turns(run, choose_turns([row for rows in held.values() for row in rows], template, tokenizer, config))
    # The training rows come last: where they are, everything is.
    for name, part in reversed(prepared.items()):
        rows = Dataset.from_dict(columns(part.examples))
        write_whole(run.path / ENCODED / name, lambda stage, rows=rows: rows.save_to_disk(str(stage)))  # type: ignore[misc]
    return kept_data(run)


def has_kept_data(run: Run) -> bool:
    """Whether a run has got as far as to keep its rows."""
    return (run.path / ENCODED / TRAIN).is_dir()


def kept_data(run: Run) -> TrainingData:
    """The run's own encoded copy. Raises `UserError` when it has none."""
    folder = run.path / ENCODED
    names = sorted(path.name for path in folder.glob("[!.]*")) if folder.is_dir() else []
    if TRAIN not in names:
        raise UserError("the run has no encoded copy of its data", file=run.path, remedy="start a new run")
    parts = {name: load_from_disk(str(folder / name)).with_format("numpy") for name in names}
    return TrainingData(parts.pop(TRAIN), parts, kept_turns(run))


def changed_since_start(run: Run, config: TrainConfig) -> list[str]:
    """The data files that are not what they were when the run began."""
    try:
        before = json.loads((run.path / "report.json").read_text(encoding="utf-8")).get("sources", {})
    except (OSError, json.JSONDecodeError):
        return []
    now = fingerprints(config)
    return [file for file, digest in before.items() if now.get(file) != digest]


def fingerprints(config: TrainConfig) -> dict[str, str]:
    """The SHA-256 of every data file that the config names; empty for one that is gone."""
    digests = {}
    for name in [*config.dataset, *config.eval_dataset]:
        try:
            source = find_source(name, config.dataset_dir)
            for file in data_files(source.file) if source.file.is_dir() else [source.file]:
                with file.open("rb") as opened:
                    digests[str(file)] = hashlib.file_digest(opened, "sha256").hexdigest()
        except (UserError, OSError):
            digests[name] = ""
    return digests


def _write_report(run: Run, config: TrainConfig, loaded: Loaded, prepared: dict[str, Prepared]) -> None:
    train_set = prepared[TRAIN]
    rows = _account(loaded, train_set)
    report: dict[str, Any] = {
        "rows": rows,
        "samples": len(train_set.examples),
        "tokens": train_set.tokens,
        "trained_tokens": train_set.trained,
        "eval_samples": {name: len(part.examples) for name, part in prepared.items() if name != TRAIN},
        "sources": fingerprints(config),
        "counts": dict(train_set.counts),
        "findings": [asdict(finding) for finding in [*loaded.findings, *train_set.findings, *train_set.notes]],
    }
    write_atomic_json(run.path / "report.json", report)
    counts = ", ".join(f"{count} {fate}" for fate, count in rows.items())
    tokens = f"{train_set.tokens} tokens, {train_set.trained} of them trained"
    print(f"rows: {counts}; {len(train_set.examples)} samples, {tokens}", flush=True)


def _account(loaded: Loaded, prepared: Prepared) -> dict[str, int]:
    """In = kept + repaired + dropped, those that were dropped while rendering and encoding included."""
    rows = dict(loaded.rows)
    repaired = {(finding.file, finding.line) for finding in loaded.findings if finding.action == "repaired"}
    for finding in prepared.findings:
        rows["repaired" if (finding.file, finding.line) in repaired else "kept"] -= 1
        rows["dropped"] += 1
    return rows
