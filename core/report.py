"""The account of a dataset: rows in = kept + repaired + dropped, every finding by its code, figures and lengths.

A report is written for people (terminal, Markdown) and for programs (JSON); `core.checked` makes it.
"""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from core.conversation import Finding, JsonObject
from core.errors import UserError, counted
from core.rules import RULES, severity
from core.rules.table import ACTIONS, advice

# Findings that are kept of each code; all of them are counted.
MOST_OF_A_CODE = 1000
EXAMPLES = 3
# Lines of a report are no longer than this, however wide the terminal is.
_WIDEST = 120


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

    def merge(self, later: Report) -> None:
        """Add the account of the rows that follow."""
        self.rows.update(later.rows)
        self.formats.update(later.formats)
        self.evidence = self.evidence or later.evidence
        room = {key: MOST_OF_A_CODE - self.counts[key] for key in later.counts}
        for finding in later.findings:
            key = (finding.code, finding.action)
            if room[key] > 0:
                self.findings.append(finding)
            room[key] -= 1
        self.counts.update(later.counts)

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


def together(reports: Sequence[Report]) -> Report:
    """One account of several datasets; one alone is its own."""
    if len(reports) == 1:
        return reports[0]
    whole = Report(", ".join(r.name for r in reports), ", ".join(r.file for r in reports), reports[0].profile)
    for report in reports:
        whole.merge(report)
    figures = Counter[str]()
    for report in reports:
        figures.update(report.stats["dataset"])
    whole.stats = {"dataset": dict(figures)}
    tokens = [report.stats["tokens"] for report in reports if "tokens" in report.stats]
    if tokens:
        whole.stats["tokens"] = _token_sums(tokens)
    return whole


def _token_sums(parts: Sequence[JsonObject]) -> JsonObject:
    """The token figures of several datasets, which share window and template."""
    sums, lengths = Counter[str](), Counter[int]()
    for part in parts:
        sums.update({key: value for key, value in part.items() if isinstance(value, int) and key != "window"})
        lengths.update(dict(part["lengths"]))
    share = round(100 * sums["trained tokens"] / sums["tokens"], 1) if sums["tokens"] else 0.0
    return {**parts[0], **sums, "trained %": share, "lengths": [[n, count] for n, count in sorted(lengths.items())]}


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
        *_wrapped(f"format     {formats}: {report.evidence}" if report.evidence else f"format     {formats}", " " * 11),
        f"rows       {rows['in']} in = {rows['kept']} kept + {rows['repaired']} repaired + {rows['dropped']} dropped",
    ]
    figures = report.stats["dataset"]
    lines.append(
        f"           {counted(figures['conversations'], 'conversation')}, {counted(figures['messages'], 'message')}, "
        f"{counted(figures['calls'], 'call')}, {counted(figures['rows with tools'], 'row')} with tools"
    )
    lines += _token_lines(report.stats.get("tokens"))
    for code, action, count, examples in by_code(report):
        lines += ["", *_wrapped(f"{code} {action} × {count}: {RULES[code].what}", "  ")]
        lines += [line for finding in examples for line in _wrapped(f"  {_line(finding)}", "      ")]
        if count > len(examples):
            lines.append(f"  … and {count - len(examples)} more")
        if cure := advice(code, action):
            lines += _wrapped(f"  What to do: {cure}", "      ")
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> list[str]:
    """A text in lines of the terminal's width; paths and other long words stay whole."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    whole = textwrap.TextWrapper(width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return whole.wrap(text)


def _line(finding: Finding) -> str:
    where = f"{finding.file}:{finding.line}: " if finding.line else f"{finding.file}: " if finding.file else ""
    at = f"{finding.path}: " if finding.path else ""
    return where + at + finding.message + finding.change


def _token_lines(tokens: JsonObject | None) -> list[str]:
    if not tokens or not tokens["samples"]:
        return []
    samples = counted(tokens["samples"], "sample")
    head = (
        f"tokens     {tokens['tokens']} in {samples}, {tokens['trained %']} % of them trained\n"
        f"           {counted(tokens['over the window'], 'conversation')} over the window of {tokens['window']}"
    )
    return [head, *histogram(tokens["lengths"], tokens["window"])]


def histogram(lengths: list[list[int]], window: int, bars: int = 10, width: int = 40) -> list[str]:
    """Sample lengths as bars; `|` marks the bar in which the window ends."""
    shortest, longest = min(length for length, _ in lengths), max(length for length, _ in lengths)
    step = max(1, -(-(longest - shortest + 1) // bars))
    counts = Counter(dict.fromkeys(range((longest - shortest) // step + 1), 0))
    for length, count in lengths:
        counts[(length - shortest) // step] += count
    most = max(counts.values())
    lines = []
    for bar in sorted(counts):
        low, high = shortest + bar * step, shortest + (bar + 1) * step - 1
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
            *(["", f"What to do: {cure}"] if (cure := advice(code, action)) else []),
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
