"""Datasets by name or file: the registry, reading rows with their line numbers, and the account of what became of them.

`dataset_info.json` has LLaMA-Factory's schema. Rows are read with our own JSON reader, because table formats give each
row the union of all keys and fill tool arguments with nulls.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.config import DataOptions
from core.conversation import Conversation, Finding, Row, RowRefusedError
from core.errors import UserError, did_you_mean
from core.formats import Layout, detect, read_row, reader
from core.paths import data_dir, resolve_file
from core.rules import apply_rules

REGISTRY = "dataset_info.json"
LMFLOW_KINDS = ("conversation",)


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset that can be read: its name, its file, its layout (None: by its first row) and what it is."""

    name: str
    file: Path
    layout: Layout | None = None
    description: str = ""
    num_samples: int | None = None


@dataclass(slots=True)
class Loaded:
    """Conversations, and the account: rows in = kept + repaired + dropped."""

    conversations: list[Conversation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=lambda: Counter({"in": 0, "kept": 0, "repaired": 0, "dropped": 0}))

    def add(self, other: Loaded) -> None:
        """Append another dataset."""
        self.conversations += other.conversations
        self.findings += other.findings
        self.rows.update(other.rows)

    def summary(self) -> str:
        """`120 rows: 118 kept, 1 repaired, 1 dropped`."""
        rows = self.rows
        return f"{rows['in']} rows: {rows['kept']} kept, {rows['repaired']} repaired, {rows['dropped']} dropped"


def load_conversations(config: DataOptions, names: list[str] | None = None) -> Loaded:
    """The conversations of `config.dataset` (or of `names`), in order. Raises `UserError`."""
    loaded = Loaded()
    for name in config.dataset if names is None else names:
        loaded.add(load_dataset(find_source(name, config.dataset_dir), config.max_samples))
    return loaded


def load_dataset(source: Source, max_samples: int | None = None) -> Loaded:
    """Read one dataset. Raises `UserError` when the file as a whole is unusable; bad rows are counted, not raised."""
    loaded = Loaded()
    limit = min((n for n in (max_samples, source.num_samples) if n is not None), default=None)
    for row, layout in iterate_rows(source):
        if limit is not None and loaded.rows["in"] >= limit:
            break
        loaded.rows["in"] += 1
        fate, conversation = convert_row(row, layout)
        loaded.rows[fate] += 1
        loaded.findings += row.findings
        if conversation is not None:
            loaded.conversations.append(conversation)
    if not loaded.rows["in"]:
        raise UserError("has no rows", file=source.file)
    return loaded


def convert_row(row: Row, layout: Layout | None) -> tuple[str, Conversation | None]:
    """`("kept" | "repaired" | "dropped", conversation)`; why is in `row.findings`."""
    try:
        if row.unreadable:
            raise row.refuse("IO001", "$", row.unreadable)
        found = layout or detect(row.data)
        if found is None:
            keys = ", ".join(map(str, row.data)) if isinstance(row.data, dict) else type(row.data).__name__
            raise row.refuse("IO006", "$", f"cannot recognise the format; keys seen: {keys}")
        conversation = apply_rules(row, read_row(row, found))
    except RowRefusedError as refused:
        row.findings.append(refused.finding)
        return "dropped", None
    repaired = any(finding.action == "repaired" for finding in row.findings)
    return ("repaired" if repaired else "kept"), conversation


def registry(dataset_dir: str = "") -> dict[str, Source]:
    """The datasets that `dataset_info.json` in a folder names (the shipped samples by default)."""
    folder = Path(dataset_dir).expanduser() if dataset_dir else data_dir()
    file = folder / REGISTRY
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("no such file", file=file, remedy="--dataset-dir names a folder that holds it") from None
    except json.JSONDecodeError as error:
        raise UserError(f"not valid JSON: {error.msg}", file=file, line=error.lineno) from None
    if not isinstance(entries, dict):
        raise UserError("must be an object: a name and a description for each dataset", file=file)
    return {name: _registered(name, entry, folder, file) for name, entry in entries.items()}


def find_source(name: str, dataset_dir: str = "") -> Source:
    """A dataset by its registered name, or a file by its path. Raises `UserError` with the nearest name."""
    path = resolve_file(name)
    if path.is_file():
        return Source(path.stem, path)
    known = registry(dataset_dir)
    if name in known:
        return known[name]
    if path.suffix or "/" in name:
        raise UserError("no such file", file=name, remedy=f"datasets by name: {did_you_mean(name, known)}")
    raise UserError(f'unknown dataset "{name}"', remedy=did_you_mean(name, known))


def iterate_rows(source: Source) -> Iterator[tuple[Row, Layout | None]]:
    """The raw rows of a file with their line numbers (from 1) and the layout they are to be read with."""
    file, layout = source.file, source.layout
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError("no such file", file=file) from None
    except UnicodeDecodeError as error:
        raise UserError(f"is not UTF-8 (byte {error.start})", file=file, remedy="save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", file=file) from None
    if text.lstrip()[:1] == "[":
        yield from ((row, layout) for row in _array_rows(file, text))
    elif (wrapper := _lmflow_wrapper(file, text)) is not None:
        yield from ((row, layout or Layout("lmflow")) for row in wrapper)
    else:
        yield from ((row, layout) for row in _line_rows(file, text))


def _registered(name: str, entry: Any, folder: Path, file: Path) -> Source:
    if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str):
        raise UserError(f'"{name}" needs a "file_name"', file=file)
    formatting = entry.get("formatting", "alpaca")
    reader(formatting)
    return Source(
        name,
        folder / entry["file_name"],
        Layout(formatting, entry.get("columns") or {}, entry.get("tags") or {}),
        str(entry.get("description", "")),
        entry.get("num_samples"),
    )


def _line_rows(file: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield Row(json.loads(line), str(file), number)
        except (json.JSONDecodeError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            yield Row(None, str(file), number, unreadable=f"not valid JSON ({reason})")


def _array_rows(file: Path, text: str, start: int = 0) -> Iterator[Row]:
    """The objects of the JSON array at or after `start`, each with the line on which it begins."""
    decoder = json.JSONDecoder()
    position, line, counted = text.index("[", start) + 1, 1, 0
    while True:
        position = _skip(text, position, " \t\r\n,")
        if position >= len(text) or text[position] == "]":
            return
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise UserError(f"not valid JSON: {error.msg}", file=file, line=error.lineno) from None
        yield Row(value, str(file), line)


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def _lmflow_wrapper(file: Path, text: str) -> Iterator[Row] | None:
    """The instances of an LMFlow file, or None when the text is not one JSON object with `type` and `instances`."""
    try:
        whole = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return None
    if not isinstance(whole, dict) or "instances" not in whole:
        return None
    if whole.get("type") not in LMFLOW_KINDS:
        raise UserError(
            f'LMFlow file needs "type": one of {", ".join(LMFLOW_KINDS)}; found {whole.get("type")!r}', file=file
        )
    if not isinstance(whole["instances"], list):
        raise UserError('"instances" must be a list', file=file)
    return _array_rows(file, text, text.index('"instances"'))
