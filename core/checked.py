"""A dataset checked and encoded once: its account, its facts and its rows come from the cache when nothing has changed.

The cache's key covers the bytes of every file, every option that matters, the template, the tokenizer's whole state,
the held-out set, our own code and the libraries that render and tokenise, so what comes from it is what a new check
would find. Hub datasets are not cached. What was not used for longest goes when the cache is full.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import core
from core.cache import LENGTHS, cache_dir, make_room
from core.check import Checked, Watch, check
from core.config import DataOptions, TrainConfig
from core.copies import asked_in_benchmarks
from core.datasets import Source, find_source, with_options
from core.datasets.files import readable
from core.datasets.folders import files_of
from core.disk import is_full, read_json, write_atomic_json
from core.encoded import ROWS
from core.errors import UserError
from core.examine import Job
from core.report import Report, report_from_json
from core.stops import stop_findings
from core.template.sandbox import Template
from core.window_length import Lengths, fitted, lengths_of

_CHUNK = 1 << 20
# Options that say which datasets there are and how they are put together, not what becomes of a row.
_NOT_OF_A_ROW = {"dataset", "dataset_dir", "mix_strategy", "interleave_probs", "dataset_num_proc"}
_LIBRARIES = ("jinja2", "pyarrow", "tokenizers")


@dataclass(frozen=True, slots=True)
class Entry:
    """A checked dataset: its report, and the folder with its facts and encoded rows (None when they are not kept)."""

    source: Source
    report: Report
    folder: Path | None

    @property
    def rows(self) -> Path | None:
        """The file of encoded rows."""
        return self.folder / ROWS if self.folder is not None else None

    def facts(self) -> dict[str, Any]:
        """Of the conversations that are kept, in their order: `prompts`, `answers` and `lines`, as numpy arrays."""
        import numpy

        assert self.folder is not None, "only what was kept has facts"
        with numpy.load(self.folder / _FACTS) as found:
            return {name: found[name] for name in _ARRAYS}


_FACTS, _REPORT = "facts.npz", "report.json"
_ARRAYS = ("prompts", "answers", "lines")


def check_dataset(
    name: str,
    config: TrainConfig,
    *,
    with_model: bool = False,
    scans: frozenset[str] = frozenset(),
    output: Path | None = None,
    use_cache: bool = True,
    watch: Watch | None = None,
) -> Report:
    """The report of a dataset; with `with_model` through the config's template and tokenizer. Raises `UserError`.

    Of the model itself only its configs are looked at: where its writing ends. The window is the one that a training
    on this dataset would take.

    An `output` folder is written anew each time.
    """
    from core.model import load_vocabulary, model_stops

    tokenizer, template = load_vocabulary(config) if with_model else (None, None)
    if template is not None and config.auto_length:
        alone = config.model_copy(update={"dataset": [name], "eval_dataset": []})
        config = fitted(config, kept_lengths(alone, template, tokenizer, use_cache=use_cache))
    job = job_of(config, template, held_out_sets(config, template, tokenizer), scans)
    stops = list(stop_findings(template, tokenizer, model_stops(config))) if template is not None else []
    if output is None and use_cache:
        report = checked(name, config, job, tokenizer, watch=watch).report
        for finding in stops:
            report.add(finding)
        return report
    source = with_options(find_source(name, config.dataset_dir), config)
    return check(source, job, tokenizer, output=output, watch=watch, known=stops).report


def kept_lengths(config: TrainConfig, template: Template, tokenizer: Any, *, use_cache: bool = True) -> Lengths | None:
    """The lengths that decide the window of a training; those of before if nothing changed."""
    sources = _files_to_keep(config) if use_cache else []
    states = [_state(source) for source in sources]
    place = _place_of_lengths(sources, config, template, tokenizer)
    kept = read_json(place) if place is not None else None
    if isinstance(kept, list) and len(kept) == len(Lengths._fields) and all(isinstance(n, int) for n in kept):
        return Lengths(*kept)
    lengths = lengths_of(config, template, tokenizer)
    if place is not None and lengths is not None and states == [_state(source) for source in sources]:
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomic_json(place, lengths)
    return lengths


def _files_to_keep(config: TrainConfig) -> list[Source]:
    """The datasets to train on, if all of them are files; else none."""
    try:
        sources = [with_options(find_source(name, config.dataset_dir), config) for name in config.dataset]
    except UserError:
        return []
    return sources if not any(source.hub for source in sources) else []


def _place_of_lengths(sources: list[Source], config: TrainConfig, template: Template, tokenizer: Any) -> Path | None:
    """Where the cache has the lengths of some datasets, mixed as the config says; None where they cannot be read."""
    try:
        keys = [_key(source, Job(config, template), tokenizer) for source in sources]
    except UserError:
        return None
    mixed = json.dumps([keys, config.mix_strategy, config.interleave_probs])
    name = hashlib.blake2b(mixed.encode(), digest_size=20).hexdigest()
    return cache_dir() / LENGTHS / f"{name}.json" if keys else None


def held_out_sets(
    config: TrainConfig, template: Template | None = None, tokenizer: Any = None, *, scratch: Path | None = None
) -> dict[str, Entry]:
    """The held-out datasets of a config, by name. Raises `UserError`."""
    job = Job(config, template)
    return {name: checked(name, config, job, tokenizer, scratch=scratch) for name in config.eval_dataset}


def job_of(
    config: TrainConfig,
    template: Template | None,
    held_out: Mapping[str, Entry],
    scans: frozenset[str] = frozenset(),
) -> Job:
    """What is done with the rows of the config's datasets, beside its held-out sets. Raises `UserError`."""
    return Job(config, template, _prompts(held_out.values()), scans, benchmarks=asked_in_benchmarks(config))


def _prompts(held_out: Iterable[Entry]) -> frozenset[int]:
    """What is asked in held-out datasets, in numbers that `core.rules.dataset.said_hashes` gives."""
    return frozenset(prompt for entry in held_out if entry.folder for prompt in entry.facts()["prompts"].tolist())


def checked(
    name: str,
    config: TrainConfig,
    job: Job,
    tokenizer: Any = None,
    *,
    scratch: Path | None = None,
    watch: Watch | None = None,
) -> Entry:
    """A dataset by name, checked and (with the job's template) encoded, or as it was found the last time.

    Where there is no cache to write to, or no room in it, facts and rows go into the folder `scratch`. Raises
    `UserError`; an `OSError` when there is no room in `scratch` either.
    """
    source = with_options(find_source(name, config.dataset_dir), config)
    state = _state(source)
    place = None if source.hub else cache_dir() / _key(source, job, tokenizer)
    found = _read(place, source, with_rows=job.template is not None) if place is not None else None
    if found is not None:
        return found
    full: OSError | None = None
    for stage in _stages(place, scratch):
        try:
            rows = stage / ROWS if job.template is not None else None
            done = check(source, job, tokenizer, rows=rows, watch=watch)
            _write(stage, done)
            if place is not None and stage.parent == place.parent and _state(source) == state:
                stage = _moved(stage, place, source, with_rows=job.template is not None)
            return Entry(source, done.report, stage)
        except BaseException as error:
            shutil.rmtree(stage, ignore_errors=True)
            if not isinstance(error, OSError) or not is_full(error):
                raise
            full = error
    if scratch is not None and full is not None:
        raise full
    return Entry(source, check(source, job, tokenizer, watch=watch).report, None)


def _key(source: Source, job: Job, tokenizer: Any) -> str:
    digest = hashlib.blake2b(digest_size=20)
    given = job.options.model_dump()
    options = [(name, given[name]) for name in sorted(DataOptions.model_fields.keys() - _NOT_OF_A_ROW)]
    facts = [repr(replace(source, file=source.file.resolve())), repr(options), sorted(job.scans), sorted(job.held_out)]
    facts += [[name, sorted(asked)] for name, asked in sorted(job.benchmarks.items())]
    facts += [version(library) for library in _LIBRARIES]
    if job.template is not None:
        facts += [_steady(getattr(job.template, part.name)) for part in fields(job.template)]
        facts += [tokenizer.backend_tokenizer.to_str(), str(tokenizer.model_max_length)]
    digest.update(json.dumps(facts).encode("utf-8", "surrogatepass"))
    code = Path(core.__file__).parent
    named = [(file, file.relative_to(code)) for file in sorted(code.rglob("*.py"))]
    named += [(file, file.relative_to(source.file.parent)) for file in files_of(source)]
    for file, name in named:
        digest.update(f"\0{name}\0".encode("utf-8", "surrogateescape"))
        with readable(file), file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _state(source: Source) -> list[tuple[Any, ...]] | None:
    """What differs when a file was changed while it was read, and its rows may not be those of the key.

    None where there are no files to look at.
    """
    try:
        files = [(file, file.stat()) for file in files_of(source)] if not source.hub else []
    except (OSError, UserError):
        return None
    return [(file, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for file, stat in files]


def _steady(value: Any) -> str:
    """A value as text that is the same in every process."""
    return repr(sorted(value) if isinstance(value, frozenset) else value)


def _read(place: Path, source: Source, *, with_rows: bool) -> Entry | None:
    """What the cache has; None when it has nothing, or something damaged."""
    try:
        kept = json.loads((place / _REPORT).read_text(encoding="utf-8"))
        entry = Entry(source, _relocated(report_from_json(kept["report"]), source.file), place)
        entry.facts()
        if with_rows and (place / ROWS).stat().st_size != kept["bytes"]:
            return None
        os.utime(place)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile):
        return None
    return entry


def _relocated(report: Report, file: Path) -> Report:
    """The report with the path by which the file is known now: it may have been another one to the same file."""
    before, now = report.file, str(file)
    if before != now:
        report.file = now
        report.findings = [
            replace(found, file=now + found.file.removeprefix(before)) if found.file.startswith(before) else found
            for found in report.findings
        ]
    return report


def _stages(place: Path | None, scratch: Path | None) -> Iterator[Path]:
    """Fresh folders to write to: beside its place in the cache, and for the case of need below `scratch`."""
    folders = [place.parent if place is not None else None, scratch]
    for folder in filter(None, folders):
        stage = folder / f".{place.name if place is not None else 'rows'}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            stage.mkdir(parents=True)
        except OSError:
            continue
        yield stage


def _write(stage: Path, done: Checked) -> None:
    import numpy

    facts = (done.facts.prompts, done.facts.answers, done.facts.lines)
    arrays = [numpy.asarray(numbers, dtype=numpy.uint64) for numbers in facts]
    numpy.savez(stage / _FACTS, prompts=arrays[0], answers=arrays[1], lines=arrays[2])
    rows = stage / ROWS
    kept = {"report": done.report.to_json(), "bytes": rows.stat().st_size if rows.is_file() else 0}
    (stage / _REPORT).write_text(json.dumps(kept), encoding="utf-8")


def _moved(stage: Path, place: Path, source: Source, *, with_rows: bool) -> Path:
    """The stage at its place in the cache, unless another process was faster; the oldest entries make room."""
    if _read(place, source, with_rows=with_rows) is not None:
        shutil.rmtree(stage, ignore_errors=True)
        return place
    shutil.rmtree(place, ignore_errors=True)
    try:
        stage.rename(place)
    except OSError:
        return stage
    make_room(place)
    return place
