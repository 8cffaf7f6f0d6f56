"""A dataset checked as a stream: what became of every row, in one account, and what is kept of it in files.

Only counts, some findings of each code, and a few bytes for each conversation stay in memory; a file of any size fits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from core.conversation import Finding
from core.copies import firsts_of_copies
from core.crew import parts
from core.datasets import Source, UnusableError, mixed_formats
from core.datasets.mix import drawn_note
from core.datasets.pieces import pieces
from core.disk import written_whole
from core.encoded import Writer
from core.errors import UserError
from core.examine import Job, Part
from core.report import Report, markdown
from core.rules.dataset import DatasetFacts
from core.vocabulary import token_findings

# Is told now and then how many rows were looked at; what it raises ends the check.
Watch = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Checked:
    """The account of a dataset and the facts of the conversations that are kept, in their order."""

    report: Report
    facts: DatasetFacts


def check(
    source: Source,
    job: Job | None = None,
    tokenizer: Any = None,
    *,
    output: Path | None = None,
    rows: Path | None = None,
    watch: Watch | None = None,
    known: Iterable[Finding] = (),
) -> Checked:
    """Read, check and (with the job's template) render and encode every row. An unusable file is a finding that stops.

    Into `output` go clean.jsonl, dropped.jsonl, report.json and report.md; into the file `rows` the encoded rows.
    `known` are findings that do not come from the dataset, and stand in its report. Raises `UserError`.
    """
    job = replace(job or Job(), lines=output is not None)
    if job.options.drop_duplicates and not source.refused:
        job = replace(job, firsts=firsts_of_copies(source, job))
    sums = Part(Report(source.name, str(source.file), job.options.profile), DatasetFacts())
    notes: list[Finding] = []
    lenient = job.options.profile == "lenient"
    read = pieces(source, notes, lenient=lenient, most_rows=job.options.max_samples)
    with _files(output, rows) as write:
        try:
            for part in parts(read, job, tokenizer, job.options.dataset_num_proc):
                _add(sums, part)
                write(part)
                if watch is not None:
                    watch(sums.report.rows["in"])
        except UnusableError as error:
            notes.append(error.finding)
    report = sums.report
    if not report.rows["in"] and not any(note.action == "stopped" for note in notes):
        notes.append(Finding("IO005", "stopped", "has no rows", str(source.file)))
    for finding in (*known, *notes, *_of_the_whole(sums, source, job, tokenizer)):
        report.add(finding)
    report.stats["dataset"] = sums.facts.stats()
    if job.template is not None:
        report.stats["tokens"] = sums.measure.stats(job.options, job.template)
    if output is not None:
        _write(output / "report.json", json.dumps(report.to_json(), indent=1))
        _write(output / "report.md", markdown(report))
    return Checked(report, sums.facts)


def _add(sums: Part, part: Part) -> None:
    """The account, the facts and the figures of a part to those of the parts before it."""
    sums.report.merge(part.report)
    sums.facts.merge(part.facts)
    sums.measure.merge(part.measure)
    for file, columns in part.ignored.items():
        sums.ignored.setdefault(file, set()).update(columns)


def _of_the_whole(sums: Part, source: Source, job: Job, tokenizer: Any) -> Iterator[Finding]:
    """What is found when all rows are known."""
    file = sums.report.file
    yield from _unused(sums.ignored)
    yield from mixed_formats(source, sums.report.formats)
    if sums.report.rows["in"]:
        yield from sums.facts.findings(file, each_answer=job.options.train_on != "last_turn")
    yield from drawn_note(source.num_samples, len(sums.facts.prompts), source.name)
    if job.template is not None:
        yield from sums.measure.findings(file, job.options, job.template, tokenizer)
        yield from token_findings(job.template, tokenizer, file)


def _unused(ignored: dict[str, set[str]]) -> Iterator[Finding]:
    """SH107 for each file with columns that nothing looks at."""
    for file, names in ignored.items():
        if names:
            shown = ", ".join(name[:60] for name in sorted(names)[:20])
            yield Finding("SH107", "kept", f"columns that are not used: {shown}", file)


@contextmanager
def _files(output: Path | None, rows: Path | None) -> Iterator[Callable[[Part], None]]:
    """A function that writes what is kept of each part; the files are closed afterwards."""
    with ExitStack() as files:
        clean = _opened(files, output / "clean.jsonl") if output is not None else None
        dropped = _opened(files, output / "dropped.jsonl") if output is not None else None
        encoded = Writer(rows) if rows is not None else None
        if encoded is not None:
            files.callback(encoded.close)

        def write(part: Part) -> None:
            if clean is not None and dropped is not None:
                clean.writelines(part.clean)
                dropped.writelines(part.dropped)
            if encoded is not None:
                encoded.add(part.encoded, len(part.facts.prompts))

        yield write


def _opened(files: ExitStack, path: Path) -> IO[str]:
    """A file to write, that is at its place when all goes well. Raises `UserError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return files.enter_context(written_whole(path))
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", file=path) from None


def _write(path: Path, text: str) -> None:
    with ExitStack() as files:
        _opened(files, path).write(text)
