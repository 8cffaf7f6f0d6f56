"""What rows are compared with, found before they are looked at: earlier copies of them, and sets kept for measuring."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.config import TrainConfig
from core.conversation import Row
from core.crew import parts
from core.datasets import Source, converted, find_source, iterate_rows
from core.datasets.files import readable
from core.datasets.pieces import pieces
from core.examine import Job
from core.paths import resolve_file
from core.rules.dataset import DatasetFacts, asked_hash

# Where sets for measuring that are no conversations have their questions.
_QUESTIONS = ("question", "prompt", "query", "instruction", "input", "content")


def firsts_of_copies(source: Source, job: Job) -> dict[int, tuple[str, int]]:
    """The first file and line of every conversation that is in a source more than once, by its `whole_hash`.

    The source is read once for it. Raises `UserError`.
    """
    facts = DatasetFacts()
    read = pieces(source, [], lenient=job.options.profile == "lenient", most_rows=job.options.max_samples)
    formatted = job.template is not None and job.template.adds_nothing
    plain = replace(job, template=None, scans=frozenset(), lines=False, firsts={}, formatted=formatted)
    for part in parts(read, plain, None, job.options.dataset_num_proc):
        facts.merge(part.facts)
    return facts.firsts_of_copies()


def asked_in_benchmarks(config: TrainConfig) -> dict[str, frozenset[int]]:
    """What each of the config's `benchmarks` asks, as `asked_hash` has it. Raises `UserError`."""
    return {
        name: frozenset(filter(None, map(asked_hash, _questions(name, config.dataset_dir))))
        for name in config.benchmarks
    }


def _questions(name: str, dataset_dir: str) -> Iterator[str]:
    path = resolve_file(name)
    if path.suffix.lower() == ".txt" and os.path.isfile(path):
        yield from _lines(path)
        return
    for row, layout in iterate_rows(find_source(name, dataset_dir)):
        conversation = converted(Row(row.data, row.file, row.line), layout).conversation
        if conversation is not None:
            yield from (message.content for message in conversation.messages if message.role == "user")
        else:
            yield from _texts(row.data)


def _lines(path: Path) -> Iterator[str]:
    with readable(path), path.open(encoding="utf-8-sig") as file:
        yield from file


def _texts(value: Any) -> Iterator[str]:
    """The texts of questions in a row that is no conversation, however deep they lie."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key in _QUESTIONS:
            yield from _texts(value.get(key))
