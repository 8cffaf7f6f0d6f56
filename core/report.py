"""The account of a dataset: rows in = kept + repaired + dropped, every finding by its code, figures and lengths.

`check` reads a source as a stream and keeps only the counts and some findings of each code; a file of any size fits.
The report is written for people (terminal, Markdown) and for programs (JSON).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from core.conversation import Finding, JsonObject
from core.datasets import Converted, Source, UnusableError, convert_rows, mixed_formats
from core.errors import UserError
from core.formats.write import openai_row
from core.measure import Measure
from core.rules import RULES, Profile, severity, strictly
from core.rules.dataset import DatasetFacts
from core.rules.table import ACTIONS

# Findings that are kept of each code; all of them are counted.
MOST_OF_A_CODE = 1000
EXAMPLES = 3
BATCH = 64
# Is told now and then how many rows have been read; what it raises ends the check.
Watch = Callable[[int], None]


@dataclass(slots=True)
class Report:
    """What a check found. `counts` has every finding by (code, action), `findings` up to a thousand of each code."""

    name: str
    file: str
    profile: str = "default"
    rows: Counter[str] = field(default_factory=lambda: Counter({"in": 0, "kept": 0, "repaired": 0, "dropped": 0}))
    formats: Counter[str] = field(default_factory=Counter)
    evidence: str = ""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there are few of its code."""
        key = (finding.code, finding.action)
        self.counts[key] += 1
        if self.counts[key] <= MOST_OF_A_CODE:
            self.findings.append(finding)

    @property
    def stopped(self) -> bool:
        """Whether the dataset must not be used as it is."""
        return any(action == "stopped" for _, action in self.counts)

    def to_json(self) -> JsonObject:
        """`{"rows", "findings", "counts", "stats", …}` for programs."""
        return {
            "name": self.name,
            "file": self.file,
            "profile": self.profile,
            "formats": dict(self.formats),
            "evidence": self.evidence,
            "rows": dict(self.rows),
            "counts": [
                {"code": code, "action": action, "count": count}
                for (code, action), count in sorted(self.counts.items())
            ],
            "findings": [finding_json(finding) for finding in self.findings],
            "stats": self.stats,
        }


def finding_json(finding: Finding) -> JsonObject:
    """A finding with its severity."""
    return {"code": finding.code, "severity": severity(finding), **asdict(finding)}


def report_from_json(value: JsonObject) -> Report:
    """A report as it was before `to_json`."""
    findings = [Finding(**{k: v for k, v in item.items() if k != "severity"}) for item in value["findings"]]
    counts = Counter({(item["code"], item["action"]): item["count"] for item in value["counts"]})
    rows: Counter[str] = Counter(value["rows"])
    formats: Counter[str] = Counter(value["formats"])
    head = (value["name"], value["file"], value["profile"])
    return Report(*head, rows, formats, value["evidence"], counts, findings, value["stats"])


def check(
    source: Source,
    *,
    profile: Profile = "default",
    measure: Measure | None = None,
    facts: DatasetFacts | None = None,
    output: Path | None = None,
    max_samples: int | None = None,
    watch: Watch | None = None,
) -> Report:
    """Read, check and (with `measure`) render and encode every row. A file that is unusable is a finding that stops.

    With `output`, clean.jsonl, dropped.jsonl, report.json and report.md are written there.
    """
    report, facts = Report(source.name, str(source.file), profile), facts or DatasetFacts()
    notes: list[Finding] = []
    with ExitStack() as files:
        clean, dropped = _outputs(files, output)
        try:
            for batch in _batches(convert_rows(source, notes, profile, max_samples)):
                _account(report, batch, measure, facts, clean, dropped)
                if watch is not None:
                    watch(report.rows["in"])
        except UnusableError as error:
            report.add(error.finding)
    for finding in (*notes, *mixed_formats(source, report.formats), *facts.findings(report.file)):
        report.add(finding)
    if measure is not None:
        for finding in measure.findings(report.file):
            report.add(finding)
        report.stats["tokens"] = measure.stats()
    report.stats["dataset"] = facts.stats()
    if output is not None:
        _write(output / "report.json", json.dumps(report.to_json(), indent=1))
        _write(output / "report.md", markdown(report))
    return report


def _account(
    report: Report,
    batch: Sequence[Converted],
    measure: Measure | None,
    facts: DatasetFacts,
    clean: IO[str] | None,
    dropped: IO[str] | None,
) -> None:
    """Some rows into the account, the figures and the files."""
    read = [done.conversation for done in batch if done.conversation is not None]
    measured = iter(measure.add(read) if measure is not None else [[] for _ in read])
    for done in batch:
        found = next(measured) if done.conversation is not None else []
        findings = done.row.findings + (strictly(found) if report.profile == "strict" else found)
        lost = done.conversation is None or any(f.action in ("dropped", "stopped") for f in findings)
        report.rows["in"] += 1
        report.rows["dropped" if lost else done.fate] += 1
        if done.layout is not None:
            report.formats[done.layout.formatting] += 1
            report.evidence = report.evidence or done.evidence
        for finding in findings:
            report.add(finding)
        facts.add_id(done.row.data)
        if done.conversation is not None and not lost:
            facts.add(done.conversation)
            if clean is not None:
                clean.write(json.dumps(openai_row(done.conversation), ensure_ascii=False) + "\n")
        elif dropped is not None:
            dropped.write(json.dumps(_lost(done, findings), default=str) + "\n")


def _lost(done: Converted, findings: list[Finding]) -> JsonObject:
    codes = sorted({finding.code for finding in findings})
    where = {"file": done.row.file, "line": done.row.line}
    return {"codes": codes, **where, "findings": list(map(str, findings)), "row": done.row.data}


def _batches(rows: Iterator[Converted]) -> Iterator[list[Converted]]:
    """Rows in batches that a tokenizer can spread over the cores; what was read before a file failed comes too."""
    batch: list[Converted] = []
    failed: UnusableError | None = None
    try:
        for done in rows:
            batch.append(done)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except UnusableError as error:
        failed = error
    if batch:
        yield batch
    if failed is not None:
        raise failed


def _outputs(files: ExitStack, output: Path | None) -> tuple[IO[str] | None, IO[str] | None]:
    if output is None:
        return None, None
    try:
        output.mkdir(parents=True, exist_ok=True)
        clean, dropped = (
            files.enter_context((output / name).open("w", encoding="utf-8"))
            for name in ("clean.jsonl", "dropped.jsonl")
        )
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", file=output) from None
    return clean, dropped


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", file=path) from None


def by_code(report: Report) -> Iterator[tuple[str, str, int, list[Finding]]]:
    """(code, action, count, three examples), those that stop and drop first."""
    order = ["stopped", "dropped", "repaired", "kept"]
    for (code, action), count in sorted(report.counts.items(), key=lambda item: (order.index(item[0][1]), item[0])):
        examples = [f for f in report.findings if (f.code, f.action) == (code, action)][:EXAMPLES]
        yield code, action, count, examples


def terminal(report: Report) -> str:
    """The report as a person reads it in a terminal."""
    rows = report.rows
    formats = ", ".join(f"{name} ({count})" for name, count in report.formats.most_common()) or "none"
    lines = [
        f"{report.name}: {report.file}",
        f"format     {formats}: {report.evidence}" if report.evidence else f"format     {formats}",
        f"rows       {rows['in']} in = {rows['kept']} kept + {rows['repaired']} repaired + {rows['dropped']} dropped",
    ]
    figures = report.stats["dataset"]
    lines.append(
        f"           {figures['conversations']} conversations, {figures['messages']} messages, "
        f"{figures['calls']} calls, {figures['rows with tools']} rows with tools"
    )
    lines += _token_lines(report.stats.get("tokens"))
    for code, action, count, examples in by_code(report):
        lines.append(f"\n{code} {action} × {count}: {RULES[code].what}")
        lines += [f"  {_line(finding)}" for finding in examples]
        if count > len(examples):
            lines.append(f"  … and {count - len(examples)} more")
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    where = f"{finding.file}:{finding.line}: " if finding.line else f"{finding.file}: " if finding.file else ""
    at = f"{finding.path}: " if finding.path else ""
    change = f" ({finding.before} → {finding.after})" if finding.after else ""
    return where + at + finding.message + change


def _token_lines(tokens: JsonObject | None) -> list[str]:
    if not tokens or not tokens["samples"]:
        return []
    head = (
        f"tokens     {tokens['tokens']} in {tokens['samples']} samples, {tokens['trained %']} % of them trained; "
        f"{tokens['over the window']} samples over the window of {tokens['window']}"
    )
    return [head, *histogram(tokens["lengths"], tokens["window"])]


def histogram(lengths: list[list[int]], window: int, bars: int = 10, width: int = 40) -> list[str]:
    """Sample lengths as bars; `|` marks the bar in which the window ends."""
    longest = max(length for length, _ in lengths)
    step = max(1, -(-longest // bars))
    counts = Counter({length // step: 0 for length in range(0, longest + 1, step)})
    for length, count in lengths:
        counts[length // step] += count
    most = max(counts.values())
    lines = []
    for bar in sorted(counts):
        low, high = bar * step, (bar + 1) * step - 1
        mark = "|" if low <= window <= high else " "
        size = -(-counts[bar] * width // most)
        lines.append(f"  {low:>7}–{high:<7}{mark}{'█' * size} {counts[bar]}")
    return lines


def markdown(report: Report) -> str:
    """The report as a page."""
    rows = report.rows
    lines = [
        f"# {report.name}",
        "",
        f"`{report.file}`, profile {report.profile}",
        "",
        "| rows in | kept | repaired | dropped |",
        "|---:|---:|---:|---:|",
        f"| {rows['in']} | {rows['kept']} | {rows['repaired']} | {rows['dropped']} |",
        "",
        "| code | what was done | count | meaning |",
        "|---|---|---:|---|",
    ]
    found = list(by_code(report))
    words = {"stopped": ACTIONS["E"], "kept": "kept"}
    lines += [f"| {code} | {words.get(action, action)} | {n} | {RULES[code].what} |" for code, action, n, _ in found]
    for code, action, _, examples in found:
        lines += [
            "",
            f"## {code}, {action}",
            "",
            *(f"- `{_line(finding).replace('`', chr(39))}`" for finding in examples),
        ]
    return "\n".join([*lines, ""])


def exceeds(report: Report, limits: str) -> str:
    """The first of `limits` that the report is over, or an empty text.

    Limits are rules' codes, or E, D, R, W for what stops, drops, repairs, warns; each with `>N` or `>N%` of the rows:
    `D>1%,TC508>10,W>50%`. Raises `UserError`.
    """
    for limit in filter(None, (part.strip() for part in limits.split(","))):
        what, _, most = limit.partition(">")
        if what not in ("E", "D", "R", "W") and what not in RULES:
            raise UserError(f'"{limit}" is no limit', remedy="a code or one of E, D, R, W, then >N or >N%: D>1%")
        try:
            bound = float(most.removesuffix("%") or 0) * (report.rows["in"] / 100 if most.endswith("%") else 1)
        except ValueError:
            raise UserError(f'"{limit}": "{most}" is no number', remedy="for example D>1%") from None
        if _counted(report, what) > bound:
            return limit
    return ""


def _counted(report: Report, what: str) -> int:
    rows = {"D": report.rows["dropped"], "R": report.rows["repaired"]}
    if what in rows:
        return rows[what]
    if what == "E":
        return sum(count for (_, action), count in report.counts.items() if action == "stopped")
    if what == "W":
        return sum(
            n for (c, a), n in report.counts.items() if a == "kept" and severity(Finding(c, "kept", "")) != "info"
        )
    return sum(count for (code, _), count in report.counts.items() if code == what)
