"""The rows of a run: checked and encoded once, put together as the config says, and kept in the run's own folder.

The encoded rows of each dataset come from the cache, or are made and put there; the run's folder links to them, so that
a run goes on with its own rows when it is resumed, and a file edited in the meantime cannot be mixed in. If one was,
that is said. Rows are mapped into memory, never loaded whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from datasets import Dataset, concatenate_datasets

from core.checked import Entry, checked, held_out_sets, job_of
from core.checkpoint import write_whole
from core.config import TrainConfig
from core.conversation import Conversation, Finding
from core.datasets import Converted, convert_rows, find_source, interleaved, sampled, split, split_by_file
from core.datasets.folders import files_of
from core.disk import read_json, write_atomic, write_atomic_json
from core.errors import UserError, counted
from core.gate import require_consent, require_mixture, require_no_stop
from core.model import load_vocabulary, model_stops, training_tokenizer
from core.report import together
from core.rules.dataset import said_hashes
from core.run import Run
from core.samples import HeldTurn, choose_turns, keep_turns, kept_turns
from core.sources import require_datasets
from core.stops import stop_findings
from core.template.choose import choose_template
from core.template.sandbox import Template
from core.template.spans import KINDS
from core.vocabulary import NewTokens, add_tokens, make_exact, token_findings

ENCODED = "encoded"
# What a run keeps of its chat template: the source, and the tokens that it added to the tokenizer.
TEMPLATE, TOKENS = "template.jinja", "tokens.json"
TRAIN = "train"
_PARTS = "parts.json"
# From so many conversations at the beginning of each held-out dataset the turns are chosen that the model writes.
SHOWN = 500
_COLUMNS = ["input_ids", "labels", "kinds", "weights", "length"]
Numbers = Any  # a numpy array of whole numbers


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Encoded rows: the training set, and the held-out sets by name; and the held-out turns that the model writes."""

    train: Dataset
    held_out: dict[str, Dataset]
    turns: list[HeldTurn]

    def trains(self, loss_weights: Mapping[str, float]) -> bool:
        """Whether any token of the training set counts in the loss with these weights of the kinds."""
        of_kind = numpy.array([0.0, *(loss_weights.get(kind, 1.0) for kind in KINDS)])
        return any((of_kind[row["kinds"]] * row["weights"]).any() for row in self.train)

    def held_out_kinds(self) -> set[str]:
        """The kinds of the trained tokens of the held-out sets."""
        numbers = {number for rows in self.held_out.values() for row in rows["kinds"] for number in row}
        return {KINDS[number - 1] for number in numbers if number}


@dataclass(frozen=True, slots=True)
class _Set:
    """A set of a run: the datasets that it is taken from, which conversations of theirs it has, and which rows."""

    entries: tuple[Entry, ...]
    conversations: Numbers
    rows: Numbers

    @property
    def files(self) -> list[Path]:
        """The files that the rows are in, one after the other."""
        return [entry.rows for entry in self.entries if entry.rows is not None]


def training_data(run: Run, config: TrainConfig, template: Template, tokenizer: Any) -> TrainingData:
    """The rows of a new run; report.json gets the account.

    Raises `UserError` for what stops, when more would be dropped than was agreed to, and when no row is left.
    """
    require_datasets(config)
    require_mixture(config)

    def watch(count: int) -> None:
        run.write_state("starting", message=f"reading the data: {count} rows")

    held_out = held_out_sets(config, template, tokenizer, scratch=run.path)
    job = job_of(config, template, held_out)
    entries = [checked(name, config, job, tokenizer, scratch=run.path, watch=watch) for name in config.dataset]
    sets, notes = _sets(entries, held_out, config)
    notes += _stop_findings(config, template, tokenizer)
    _write_report(run, config, entries, held_out, sets, notes)
    require_no_stop(entry.report for entry in held_out.values())
    require_consent([entry.report for entry in entries], config)
    held = [
        row
        for name, one in sets.items()
        if name != TRAIN
        for row in _first_of(one, config, formatted=template.adds_nothing)
    ]
    keep_turns(run, choose_turns(held if config.eval_generate else [], template, tokenizer, config))
    write_whole(run.path / ENCODED, lambda stage: _keep(stage, sets))
    return kept_data(run)


def new_vocabulary(run: Run, config: TrainConfig) -> tuple[Any, Template]:
    """Tokenizer and template of a new run; the template and the tokens that it adds are kept with the run."""
    tokenizer, template = load_vocabulary(config)
    write_atomic(run.path / TEMPLATE, template.source)
    write_atomic_json(run.path / TOKENS, list(template.added))
    for finding in (*token_findings(template, tokenizer), *_stop_findings(config, template, tokenizer)):
        print(finding.message, flush=True)
    return tokenizer, template


def _stop_findings(config: TrainConfig, template: Template, tokenizer: Any) -> Iterator[Finding]:
    return stop_findings(template, tokenizer, model_stops(config))


def kept_vocabulary(run: Run, config: TrainConfig) -> tuple[Any, Template, NewTokens]:
    """Those that the run has kept, whatever the model has now; and the tokens that the tokenizer was given."""
    tokenizer = training_tokenizer(config)
    kept = read_json(run.path / TOKENS)
    new = add_tokens(tokenizer, kept if isinstance(kept, list) else [])
    template = choose_template(str(run.path / TEMPLATE), tokenizer)
    make_exact(tokenizer, template.control_tokens)
    return tokenizer, template, new


def _sets(
    entries: Sequence[Entry], held_out: dict[str, Entry], config: TrainConfig
) -> tuple[dict[str, _Set], list[Finding]]:
    """The training set and the held-out sets, and what was drawn, repeated or left out for them."""
    chosen, notes = _mixed(entries, config)
    validation = numpy.zeros(0, dtype=numpy.int64)
    if not held_out:
        chosen, validation = _divided(entries, chosen, config)
        if config.split_file and config.profile != "lenient":
            chosen, left_out = _not_asked_again(entries[0], chosen, validation)
            notes += left_out
    if len(validation) and not len(chosen):
        raise UserError("all rows are held out, and none is left to train on", remedy="lower val_size")
    sets = {TRAIN: _set(entries, chosen)}
    if len(validation):
        sets["validation"] = _set(entries, validation)
    for name, entry in held_out.items():
        sets[_free_name(Path(name).stem, sets)] = _set([entry], numpy.array(_drawn(entry), dtype=numpy.int64))
    return sets, notes


def _set(entries: Sequence[Entry], conversations: Numbers) -> _Set:
    return _Set(tuple(entries), conversations, _rows_of(entries, conversations))


def _free_name(name: str, taken: dict[str, _Set]) -> str:
    """`name`, or with a number behind it: two files may have one name."""
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return next(one for one in names if one not in taken)


def _mixed(entries: Sequence[Entry], config: TrainConfig) -> tuple[Numbers, list[Finding]]:
    """The conversations to train on, numbered through all datasets, and what was drawn, repeated or left out."""
    lists: list[list[int]] = []
    first = 0
    for entry in entries:
        lists.append([first + number for number in _drawn(entry)])
        first += len(entry.facts()["prompts"])
    if config.mix_strategy == "concat" or len(lists) == 1:
        return numpy.array([number for numbers in lists for number in numbers], dtype=numpy.int64), []
    mixed, note = interleaved(lists, config.mix_strategy, config.interleave_probs)
    return numpy.array(mixed, dtype=numpy.int64), [note]


def _drawn(entry: Entry) -> list[int]:
    """The conversations of a dataset that are used: all, or as many as its entry in the registry asks for."""
    numbers = list(range(len(entry.facts()["prompts"])))
    count = entry.source.num_samples
    return numbers if count is None else sampled(numbers, count, entry.source.name)[0]


def _divided(entries: Sequence[Entry], chosen: Numbers, config: TrainConfig) -> tuple[Numbers, Numbers]:
    """The chosen conversations in training and validation, by the split file or by what they ask."""
    facts = [entry.facts() for entry in entries]
    if config.split_file:
        held = numpy.array(split_by_file(facts[0]["lines"].tolist(), Path(config.split_file)), dtype=bool)
    elif share := config.held_out_part(len(chosen)):
        asked = numpy.concatenate([part["prompts"] for part in facts]).tolist()
        held = numpy.array(split(asked, share, config.seed), dtype=bool)
        if config.val_size is None and held[chosen].all():
            # Nobody asked for this: of a row or two, none is held out rather than all.
            return chosen, chosen[:0]
    else:
        return chosen, chosen[:0]
    # What is drawn several times for training is measured once.
    return chosen[~held[chosen]], numpy.array(list(dict.fromkeys(chosen[held[chosen]].tolist())), dtype=numpy.int64)


def _not_asked_again(entry: Entry, chosen: Numbers, held: Numbers) -> tuple[Numbers, list[Finding]]:
    """The conversations to train on without those that ask what held-out ones ask, and what that leaves out."""
    prompts = entry.facts()["prompts"]
    asked = numpy.isin(prompts[chosen], prompts[held])
    count = counted(
        int(asked.sum()),
        "conversation asks what held-out ones ask, and is not trained on",
        "conversations ask what held-out ones ask, and are not trained on",
    )
    said = f"split_file: {count}"
    return chosen[~asked], [Finding("DS909", "kept", said, entry.report.file)] if asked.any() else []


def _rows_of(entries: Sequence[Entry], chosen: Numbers) -> Numbers:
    """The encoded rows of the chosen conversations: each has one or several, next to each other."""
    begins: list[Numbers] = []
    rows = 0
    for entry in entries:
        numbers = _column(entry, "row")
        begins.append(rows + numpy.searchsorted(numbers, numpy.arange(len(entry.facts()["prompts"]))))
        rows += len(numbers)
    begin = numpy.concatenate([*begins, [rows]])
    counts = begin[chosen + 1] - begin[chosen]
    within = numpy.arange(counts.sum()) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
    return numpy.repeat(begin[chosen], counts) + within


def _column(entry: Entry, name: str) -> Numbers:
    assert entry.rows is not None
    return Dataset.from_file(str(entry.rows)).data.column(name).to_numpy()


def _keep(stage: Path, sets: dict[str, _Set]) -> None:
    """The sets in a folder: their files as links where the disk allows, and the numbers of their rows."""
    parts: dict[str, dict[str, Any]] = {}
    names: dict[Path, str] = {}
    for number, (name, one) in enumerate(sets.items()):
        for file in one.files:
            if file not in names:
                names[file] = f"rows-{len(names)}.arrow"
                _link(file, stage / names[file])
        numpy.save(stage / f"set-{number}.npy", one.rows)
        parts[name] = {"files": [names[file] for file in one.files], "rows": f"set-{number}.npy"}
    (stage / _PARTS).write_text(json.dumps(parts, ensure_ascii=False, indent=1), encoding="utf-8")


def _link(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


def has_kept_data(run: Run) -> bool:
    """Whether a run has got as far as to keep its rows."""
    return (run.path / ENCODED / _PARTS).is_file()


def kept_data(run: Run) -> TrainingData:
    """The run's own encoded rows. Raises `UserError` when it has none."""
    folder = run.path / ENCODED
    try:
        parts = json.loads((folder / _PARTS).read_text(encoding="utf-8"))
        sets = {name: _mapped(folder, part) for name, part in parts.items()}
        return TrainingData(sets.pop(TRAIN), sets, kept_turns(run))
    except (OSError, ValueError, KeyError):
        raise UserError("the run has no encoded rows of its own", file=run.path, remedy="start a new run") from None


def _mapped(folder: Path, part: dict[str, Any]) -> Dataset:
    whole = concatenate_datasets([Dataset.from_file(str(folder / name)) for name in part["files"]])
    return whole.select_columns(_COLUMNS).select(numpy.load(folder / part["rows"])).with_format("numpy")


def _first_of(one: _Set, config: TrainConfig, *, formatted: bool) -> Iterator[Conversation]:
    """The first conversations of a held-out set, read again: only their tokens are kept."""
    first = 0
    for entry in one.entries:
        facts = entry.facts()
        count = len(facts["lines"])
        inside = one.conversations[(one.conversations >= first) & (one.conversations < first + count)]
        wanted = set((inside[:SHOWN] - first).tolist())
        kept = zip(facts["lines"].tolist(), facts["prompts"].tolist(), strict=True)
        rows = convert_rows(entry.source, [], config.profile, config.max_samples, formatted=formatted)
        yield from _read_again(rows, wanted, kept)
        first += count


def _read_again(rows: Iterator[Converted], wanted: set[int], kept: Iterator[tuple[int, int]]) -> Iterator[Conversation]:
    """The conversations with the `wanted` numbers among those that were kept, told by their lines and prompts."""
    number, expected = 0, next(kept, None)
    for done in rows if wanted else ():
        conversation = done.conversation
        if conversation is None or (conversation.line, said_hashes(conversation)[0]) != expected:
            continue
        if number in wanted:
            wanted.discard(number)
            yield conversation
        if not wanted:
            return
        number, expected = number + 1, next(kept, None)


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
            for file in files_of(source) if not source.hub else []:
                with file.open("rb") as opened:
                    digests[str(file)] = hashlib.file_digest(opened, "sha256").hexdigest()
        except (UserError, OSError):
            digests[name] = ""
    return digests


def _write_report(
    run: Run,
    config: TrainConfig,
    entries: Sequence[Entry],
    held_out: dict[str, Entry],
    sets: dict[str, _Set],
    notes: Sequence[Finding],
) -> None:
    """report.json: what `core-cli data check --json` prints of the training data, and what the run has of it."""
    report = together([entry.report for entry in entries])
    for note in notes:
        report.add(note)
    tokens, trained = _tokens(entries, sets[TRAIN].rows)
    written = report.to_json() | {
        "samples": len(sets[TRAIN].rows),
        "max_length": config.max_length,
        "tokens": tokens,
        "trained_tokens": trained,
        "eval_samples": {name: len(one.rows) for name, one in sets.items() if name != TRAIN},
        "sources": fingerprints(config),
        "held_out": {name: entry.report.to_json() for name, entry in held_out.items()},
    }
    write_atomic_json(run.path / "report.json", written)
    rows = ", ".join(f"{count} {fate}" for fate, count in report.rows.items())
    print(f"rows: {rows}; {len(sets[TRAIN].rows)} samples, {tokens} tokens, {trained} of them trained", flush=True)
    if config.auto_length:
        print(f"max_length {config.max_length}, as the data asked for before the run", flush=True)


def _tokens(entries: Sequence[Entry], rows: Numbers) -> tuple[int, int]:
    """How many tokens the rows have, and how many of them carry loss."""
    lengths = numpy.concatenate([_column(entry, "length") for entry in entries])
    trained = numpy.concatenate([_trained(entry) for entry in entries])
    return int(lengths[rows].sum()), int(trained[rows].sum())


def _trained(entry: Entry) -> Numbers:
    """How many tokens of each row carry loss."""
    found = [numpy.zeros(0, dtype=numpy.int64)]
    for chunk in Dataset.from_file(str(entry.rows)).data.column("kinds").chunks:
        sums = numpy.concatenate([[0], numpy.cumsum(chunk.values.to_numpy() > 0)])
        offsets = chunk.offsets.to_numpy()
        found.append(sums[offsets[1:]] - sums[offsets[:-1]])
    return numpy.concatenate(found)
