"""From a source to conversations, and the account of what became of each row: in = kept + repaired + dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from core.config import DataOptions, ModelOptions
from core.conversation import Conversation, Finding, Row, RowRefusedError
from core.datasets.chains import chained, grouped, message_columns
from core.datasets.files import Kind, UnusableError, kind_of
from core.datasets.folders import files_to_read
from core.datasets.hub import hub_rows
from core.datasets.jsonrows import json_mode, json_rows
from core.datasets.mix import interleaved, sampled
from core.datasets.registry import COLUMN_WORDS, TAG_WORDS, Source, checked_roles, checked_words, find_source
from core.datasets.sessions import EVENTS_LOOKED_AT, are_events, are_messages, as_messages, sessions
from core.datasets.tables import table_rows
from core.datasets.wrappers import LMFLOW_LAYOUTS
from core.errors import UserError, counted
from core.formats import Layout, Recognition, ignored_columns, lacking, nearest, read_row, reader, recognise
from core.formats.reshape import in_own_names
from core.rules import Profile, apply_rules, strictly
from core.rules.dataset import copied, whole_hash

# A repair in every row of a large file must not fill the memory: the counts go on, the findings stop.
MOST_FINDINGS = 100_000


@dataclass(slots=True)
class Loaded:
    """Conversations, and the account: rows in = kept + repaired + dropped.

    `formats` counts the rows of each format, `evidence` says for each file how its format was found.
    """

    conversations: list[Conversation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=lambda: Counter({"in": 0, "kept": 0, "repaired": 0, "dropped": 0}))
    formats: Counter[str] = field(default_factory=Counter)
    evidence: dict[str, str] = field(default_factory=dict)

    @property
    def stopped(self) -> list[Finding]:
        """The findings for which the dataset must not be used as it is."""
        return [finding for finding in self.findings if finding.action == "stopped"]

    def add(self, other: Loaded) -> None:
        """Append another dataset."""
        self.conversations += other.conversations
        self.findings += other.findings
        self.rows.update(other.rows)
        self.formats.update(other.formats)
        self.evidence.update(other.evidence)

    def summary(self) -> str:
        """`120 rows: 118 kept, 1 repaired, 1 dropped`."""
        rows = self.rows
        return f"{rows['in']} rows: {rows['kept']} kept, {rows['repaired']} repaired, {rows['dropped']} dropped"


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of one row; `ignored` are the columns that its format does not look at."""

    row: Row
    layout: Layout | None
    fate: str
    conversation: Conversation | None
    evidence: str = ""
    ignored: tuple[str, ...] = ()

    def fate_with(self, findings: Iterable[Finding]) -> str:
        """What became of it in the end, with what was found when it was rendered and encoded too."""
        actions = {finding.action for finding in findings}
        if self.conversation is None or actions & {"dropped", "stopped"}:
            return "dropped"
        return "repaired" if self.fate == "kept" and "repaired" in actions else self.fate


def load_conversations(config: DataOptions, names: list[str] | None = None, *, formatted: bool | None = None) -> Loaded:
    """The conversations of `config.dataset` (or of `names`), mixed as the config says.

    They are those that a training reads; what only rendering and encoding refuses is still among them. `formatted`:
    they are meant for a model as they are; None: if the config's template is `none`.
    Raises `UserError`, also for the first finding that stops.
    """
    if formatted is None:
        formatted = isinstance(config, ModelOptions) and config.template == "none"
    parts = []
    for name in config.dataset if names is None else names:
        source = with_options(find_source(name, config.dataset_dir), config)
        part = load_dataset(source, config.max_samples, config, formatted=formatted)
        if part.stopped:
            raise UserError(str(part.stopped[0]), remedy="core-cli data check shows all findings")
        parts.append(part)
    loaded = Loaded()
    for part in parts:
        loaded.add(part)
    if names is None and config.mix_strategy != "concat" and len(parts) > 1:
        lists = [part.conversations for part in parts]
        loaded.conversations, note = interleaved(lists, config.mix_strategy, config.interleave_probs)
        loaded.findings.append(note)
    return loaded


def load_dataset(
    source: Source, max_samples: int | None = None, config: DataOptions | None = None, *, formatted: bool = False
) -> Loaded:
    """Read one dataset, `formatted` for a model or not.

    Raises `UserError` when the file as a whole is unusable; bad rows are counted, not raised.
    """
    loaded = Loaded()
    profile: Profile = config.profile if config else "default"
    rows = convert_rows(source, loaded.findings, profile, max_samples, formatted=formatted)
    for done in without_copies(rows) if config and config.drop_duplicates else rows:
        loaded.rows["in"] += 1
        loaded.rows[done.fate] += 1
        if len(loaded.findings) < MOST_FINDINGS:
            loaded.findings += done.row.findings
        if done.layout is not None:
            loaded.formats[done.layout.formatting] += 1
            loaded.evidence.setdefault(done.row.file, done.evidence)
        if done.conversation is not None:
            loaded.conversations.append(done.conversation)
    if not loaded.rows["in"]:
        raise UnusableError("IO005", "has no rows", source.file)
    loaded.findings += mixed_formats(source, loaded.formats)
    if source.num_samples is not None:
        loaded.conversations, notes = sampled(loaded.conversations, source.num_samples, source.name)
        loaded.findings += notes
    return loaded


def mixed_formats(source: Source, formats: Mapping[str, int]) -> list[Finding]:
    """IO008, when a dataset's rows are of several formats."""
    if len(formats) < 2:
        return []
    shown = ", ".join(
        f"{counted(count, 'row is', 'rows are')} {name}" for name, count in Counter(formats).most_common()
    )
    return [Finding("IO008", "kept", shown, str(source.file))]


def convert_rows(
    source: Source,
    notes: list[Finding],
    profile: Profile = "default",
    max_samples: int | None = None,
    *,
    formatted: bool = False,
) -> Iterator[Converted]:
    """Every row of a source, as a stream, `formatted` or not; what concerns a whole file goes to `notes`."""
    ignored: dict[str, set[str]] = {}
    for count, (row, layout) in enumerate(iterate_rows(source, notes, lenient=profile == "lenient")):
        if max_samples is not None and count >= max_samples:
            break
        done = converted(row, layout, profile, formatted=formatted)
        if done.layout is not None:
            ignored.setdefault(row.file, set()).update(done.ignored)
        yield done
    for file, names in ignored.items():
        if names:
            shown = ", ".join(name[:60] for name in sorted(names)[:20])
            notes.append(Finding("SH107", "kept", f"columns that are not used: {shown}", file))


def without_copies(rows: Iterable[Converted]) -> Iterator[Converted]:
    """The rows, those dropped that are exact copies of an earlier one."""
    firsts: dict[int, tuple[str, int]] = {}
    for done in rows:
        if done.conversation is None:
            yield done
            continue
        whole = whole_hash(done.conversation)
        if whole in firsts:
            done.row.findings.append(copied(done.conversation, firsts[whole]))
            yield replace(done, fate="dropped", conversation=None)
        else:
            firsts[whole] = (done.conversation.file, done.conversation.line)
            yield done


def convert_row(row: Row, layout: Layout | None, profile: Profile = "default") -> tuple[str, Conversation | None]:
    """`("kept" | "repaired" | "dropped", conversation)`; why is in `row.findings`."""
    done = converted(row, layout, profile)
    return done.fate, done.conversation


def converted(row: Row, layout: Layout | None, profile: Profile = "default", *, formatted: bool = False) -> Converted:
    """What becomes of a row; the findings are on the row. `formatted`: it is meant for a model as it is."""
    row.formatted = formatted
    found = Recognition(None)
    conversation: Conversation | None = None
    ignored: tuple[str, ...] = ()
    try:
        # Where another shape of the row is read, the row stays as it stands in the file.
        read = _as_object(row) if layout is None else row
        found = _recognised(read, layout)
        if found.layout is not None:
            read = read if found.record is None else replace(row, data=found.record)
            ignored = ignored_columns(read, found.layout)
            if found.record is None:
                conversation = apply_rules(read, read_row(read, found.layout))
            else:
                with in_own_names(row, found.record):
                    conversation = apply_rules(read, read_row(read, found.layout))
    except RowRefusedError as refused:
        row.findings.append(refused.finding)
    if profile == "strict":
        row.findings = strictly(row.findings)
    actions = {finding.action for finding in row.findings}
    if conversation is None or actions & {"dropped", "stopped"}:
        return Converted(row, found.layout, "dropped", None, found.evidence, ignored)
    fate = "repaired" if "repaired" in actions else "kept"
    return Converted(row, found.layout, fate, conversation, found.evidence, ignored)


def _recognised(row: Row, layout: Layout | None) -> Recognition:
    """The layout to read a row with. Raises `RowRefusedError` when there is none, or there are two."""
    declared = layout if layout is not None and layout.formatting else None
    if row.unreadable:
        raise row.refuse(row.unreadable_code, "$", row.unreadable)
    if declared is not None:
        return Recognition(declared, declared.found_by or "as declared")
    found = recognise(row.data)
    if not isinstance(row.data, dict) and found.layout is None and not found.refused:
        return Recognition(Layout("openai"))
    if found.refused:
        raise row.refuse("IO006", "$", found.refused)
    if found.also and layout is None:
        raise row.refuse("IO007", "$", f"could be read from {found.evidence}; choose one with --formatting")
    absent = "" if layout is None or found.record is not None else _absent(row, layout, found)
    meant = lacking(row.data) if found.layout is None and layout is None else None
    if meant is not None:
        return Recognition(meant)
    if found.layout is None or absent:
        keys = ", ".join(sorted(map(str, row.data))[:12])
        if absent:
            raise row.refuse("IO006", "$", f'columns: there is no column "{absent}" in the row; it has: {keys}')
        hint = nearest(row.data)
        raise row.refuse("IO006", "$", f"cannot recognise the format; keys seen: {keys}. {hint}")
    if found.record is not None:
        row.kept("SH115", "$", f"read as {found.layout.formatting}: {found.reshaped}")
    return replace(found, layout=_overlaid(found.layout, layout)) if layout is not None else found


def _absent(row: Row, layout: Layout, found: Recognition) -> str:
    """The name that a person gives to a column and that the row does not have; others than these may be missing."""
    needed = layout.columns if found.layout is None else {"prompt", "response", "messages"} & layout.columns.keys()
    return next((name for word in needed if (name := layout.columns[word]) not in row.data), "")


def _as_object(row: Row) -> Row:
    """The row; one that is nothing but a list of messages, as nanochat's are, as an object that holds them."""
    data = row.data
    if not isinstance(data, list) or not data or not all(isinstance(one, dict) and "role" in one for one in data):
        return row
    row.repaired("SH101", "$", "row is a list of messages; read as its messages")
    return replace(row, data={"messages": data})


def _overlaid(found: Layout, given: Layout) -> Layout:
    """The layout that was found, with what a person mapped on top."""
    columns, tags = {**found.columns, **given.columns}, {**found.tags, **given.tags}
    return Layout(found.formatting, columns, tags, {**found.roles, **given.roles})


def with_options(source: Source, config: DataOptions) -> Source:
    """The source with the format, columns, tags and roles that a person gives for it. Raises `UserError`."""
    checked_words(config.columns, "columns", COLUMN_WORDS)
    checked_words(config.tags, "tags", TAG_WORDS)
    if not (config.formatting or config.columns or config.tags or config.roles):
        return source
    own = source.layout or Layout("")
    formatting = config.formatting or own.formatting
    if not formatting and {"prompt", "response"} <= config.columns.keys():
        formatting = "alpaca"
    if not formatting and "messages" in config.columns and {"role_tag", "content_tag"} <= config.tags.keys():
        formatting = "openai"
    if formatting:
        reader(formatting)
    if config.formatting and config.formatting != own.formatting:
        own = Layout(formatting)
    columns, tags = {**own.columns, **config.columns}, {**own.tags, **config.tags}
    roles = {**own.roles, **checked_roles(config.roles, "roles")}
    return replace(source, layout=Layout(formatting, columns, tags, roles))


def iterate_rows(
    source: Source, notes: list[Finding] | None = None, *, lenient: bool = False
) -> Iterator[tuple[Row, Layout | None]]:
    """The raw rows of a source with their line numbers (from 1) and the layout they are to be read with."""
    notes = [] if notes is None else notes
    if source.refused:
        raise UserError(f'dataset "{source.name}": {source.refused}')
    if source.hub:
        yield from ((row, source.layout) for row in hub_rows(source, lenient))
        return
    for file in files_to_read(source, notes):
        kind = kind_of(file, notes)
        mode = json_mode(file, notes, lenient) if kind == "json" else ""
        yield from file_rows(file, kind, mode, source.layout, notes, lenient)


def file_rows(
    file: Path, kind: Kind, mode: str, layout: Layout | None, notes: list[Finding], lenient: bool
) -> Iterator[tuple[Row, Layout | None]]:
    """The rows of one file of a known kind (and `mode`, where it is JSON), each with its layout."""
    lmflow: list[str] = []
    rows = json_rows(file, notes, lenient, lmflow, mode) if kind == "json" else table_rows(file, kind, notes, lenient)
    head, whole = _peeked(rows)
    if not head:
        yield from ((row, layout) for row in whole)
        return
    first = head[0]
    if kind != "json" and ((layout is not None and layout.formatting == "h2o") or _is_chained(first, layout)):
        named = dict(layout.columns) if layout else _chain_columns(first)
        chain = Layout("h2o", named, found_by="" if layout else "columns id and parent_id")
        yield from ((row, chain) for row in chained(whole))
    elif layout is None and are_events(head):
        yield from ((row, None) for row in sessions(whole, notes))
    elif layout is None and (columns := _message_columns(first)) is not None:
        yield from ((row, None) for row in grouped(first, whole, columns, notes))
    elif layout is None and mode == "array" and are_messages(head):
        yield from ((row, None) for row in as_messages(whole, notes))
    elif kind == "json":
        yield from ((row, _lmflow_layout(row, layout, lmflow, notes)) for row in whole)
    else:
        yield from ((row, layout) for row in whole)


def belong_together(file: Path, mode: str, layout: Layout | None, lenient: bool) -> bool:
    """Whether the rows of a JSON file are messages or events of conversations, as its first rows say."""
    head = _peeked(json_rows(file, [], lenient, mode=mode))[0] if layout is None else []
    return bool(head) and (_message_columns(head[0]) is not None or are_events(head))


def _peeked(rows: Iterator[Row]) -> tuple[list[Row], Iterator[Row]]:
    """The first rows, and all of them; an error among the first is raised behind the rows before it."""
    head: list[Row] = []
    failed: UserError | None = None
    try:
        for row in islice(rows, EVENTS_LOOKED_AT):
            head.append(row)
    except UserError as error:
        failed = error

    def whole() -> Iterator[Row]:
        yield from head
        if failed is not None:
            raise failed
        yield from rows

    return head, whole()


def _message_columns(first: Row) -> tuple[str, str, str] | None:
    columns = message_columns(first)
    found = recognise(first.data).layout if columns is not None else None
    return columns if found is None or found.formatting == "text" else None


def _is_chained(row: Row, layout: Layout | None) -> bool:
    return layout is None and isinstance(row.data, dict) and {"id", "parent_id"} <= row.data.keys()


def _chain_columns(row: Row) -> dict[str, str]:
    """The columns of the prompt and the answer in a chained table, by what the rest of the row looks like."""
    found = recognise({key: value for key, value in row.data.items() if key not in ("id", "parent_id")}).layout
    return dict(found.columns) if found is not None else {}


def _lmflow_layout(row: Row, layout: Layout | None, lmflow: list[str], notes: list[Finding]) -> Layout | None:
    """The layout of an LMFlow file's rows by its type, unless the rows look like something else."""
    if layout is not None or not lmflow:
        return layout
    by_type = Layout(LMFLOW_LAYOUTS[lmflow[-1]], found_by=f'type "{lmflow[-1]}" in the file')
    found = recognise(row.data)
    looks = found.layout
    same = {"lmflow": ("openai",), "lmflow_text2text": ("alpaca",), "text": ("text",)}[by_type.formatting]
    if looks is None or looks.formatting in same:
        return by_type
    if not any(note.code == "IO009" for note in notes):
        said = f'the file says type "{lmflow[-1]}" and its rows look like {looks.formatting}'
        notes.append(Finding("IO009", "kept", said, row.file, row.line))
    return replace(looks, found_by=found.evidence)
