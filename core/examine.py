"""A piece of a dataset on its whole way: rows → conversations → samples → tokens, with the account of it all.

The same function works in this process and in helpers; what it returns for the pieces of a dataset, merged in their
order, is what it would return for the whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from core.config import TrainConfig
from core.conversation import Action, Conversation, Finding, JsonObject
from core.datasets import Converted, converted
from core.datasets.pieces import Piece, rows_of
from core.encode import Made, make
from core.encoded import Packed, packed
from core.formats.places import in_the_row
from core.formats.write import openai_row
from core.label import Example
from core.measure import Measure
from core.report import Report
from core.rules import strictly
from core.rules.dataset import DatasetFacts, answer_hashes, asked_hash, copied, said_hashes
from core.template.sandbox import Template
from core.tokens import Pieces


@dataclass(frozen=True, slots=True)
class Job:
    """What is done with every row, in a form that can be sent to another process.

    With a `template` conversations are rendered and encoded. `held_out` are the prompts of the held-out set, `scans`
    are searches to be made, and `lines` asks for the rows that are kept and dropped, as JSON. `benchmarks` are what
    sets for measuring ask, by their names; `firsts` are the file and line of the first of several copies, which the
    others are dropped for. `formatted` rows are meant for a model as they are, also where no template is at hand.
    """

    options: TrainConfig = field(default_factory=TrainConfig)
    template: Template | None = None
    held_out: frozenset[int] = frozenset()
    scans: frozenset[str] = frozenset()
    lines: bool = False
    benchmarks: dict[str, frozenset[int]] = field(default_factory=dict)
    firsts: dict[int, tuple[str, int]] = field(default_factory=dict)
    formatted: bool = False


@dataclass(slots=True)
class Part:
    """What became of a piece: its account, facts and figures, and its rows encoded or as lines.

    `ignored` are the columns of each file that were not looked at, `seen` the copied conversations that came up.
    """

    report: Report
    facts: DatasetFacts
    measure: Measure = field(default_factory=Measure)
    ignored: dict[str, set[str]] = field(default_factory=dict)
    clean: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    encoded: Packed = field(default_factory=Packed)
    seen: set[int] = field(default_factory=set)


def examine(piece: Piece, job: Job, known: Pieces | None = None) -> Part:
    """What becomes of the rows of a piece; `known` are the texts that the tokenizer has seen before."""
    profile = job.options.profile
    part = Part(Report("", "", profile), DatasetFacts(job.scans))
    formatted = job.formatted or (job.template is not None and job.template.adds_nothing)
    given = rows_of(piece, lenient=profile == "lenient")
    rows = [converted(row, layout, profile, formatted=formatted) for row, layout in given]
    read = [done.conversation for done in rows if done.conversation is not None]
    made = iter(make(read, job.template, known.tokenizer, job.options, known) if job.template and known else [])
    kept: list[list[Example]] = []
    for done in rows:
        one = next(made) if done.conversation is not None and job.template is not None else None
        if _account(part, done, one, job) and one is not None:
            kept.append([example for _, example in one.samples])
    if job.template is not None:
        part.encoded = packed(kept)
    return part


def _account(part: Part, done: Converted, made: Made | None, job: Job) -> bool:
    """A row into the account. Returns whether it is kept."""
    conversation = done.conversation
    said = said_hashes(conversation) if conversation is not None else None
    bos = job.template.special_tokens.get("bos_token", "") if job.template is not None else ""
    found = part.measure.add(conversation, made, job.options, bos) if conversation and made else []
    if conversation and said and said[0] in job.held_out:
        found.append(_overlap(conversation, job.options.profile))
    found += _benchmarked(conversation, job) if conversation and job.benchmarks else []
    found = in_the_row(found, conversation.messages, done.row.data) if conversation and found else found
    findings = done.row.findings + (strictly(found) if job.options.profile == "strict" else found)
    answers = answer_hashes(conversation) if conversation is not None else []
    if conversation and answers[-1] in job.firsts:
        findings += _copied(conversation, answers[-1], part, job)
    fate = done.fate_with(findings)
    report = part.report
    report.rows["in"] += 1
    report.rows[fate] += 1
    for finding in findings:
        report.add(finding)
    if done.layout is not None:
        report.formats[done.layout.formatting] += 1
        report.evidence = report.evidence or done.evidence
        part.ignored.setdefault(done.row.file, set()).update(done.ignored)
    part.facts.add_id(done.row.data)
    part.facts.counts.update(done.row.counted)
    if fate != "dropped" and conversation is not None:
        part.facts.add(conversation, said, answers)
        if job.lines:
            part.clean.append(json.dumps(openai_row(conversation), ensure_ascii=False) + "\n")
        return True
    if job.lines:
        part.dropped.append(json.dumps(_lost(done, findings), default=str) + "\n")
    return False


def _overlap(conversation: Conversation, profile: str) -> Finding:
    said = "its prompt is also in the held-out set"
    action: Action = "kept" if profile == "lenient" else "dropped"
    return Finding("DS903", action, said, conversation.file, conversation.line)


def _copied(conversation: Conversation, whole: int, part: Part, job: Job) -> list[Finding]:
    """DS901 for a conversation that has an earlier copy."""
    first = job.firsts[whole]
    if first == (conversation.file, conversation.line) and whole not in part.seen:
        part.seen.add(whole)
        return []
    return [copied(conversation, first)]


def _benchmarked(conversation: Conversation, job: Job) -> list[Finding]:
    """DS904 for each set for measuring that asks what is asked here."""
    asked = {
        asked_hash(message.content): i for i, message in enumerate(conversation.messages) if message.role == "user"
    }
    found = []
    for name, questions in job.benchmarks.items():
        index = next((index for number, index in asked.items() if number in questions), None)
        if index is not None:
            said, path = f"asks what {name} asks", f"messages[{index}]"
            found.append(Finding("DS904", "kept", said, conversation.file, conversation.line, path))
    return found


def _lost(done: Converted, findings: list[Finding]) -> JsonObject:
    codes = sorted({finding.code for finding in findings})
    where = {"file": done.row.file, "line": done.row.line}
    row = done.row.text if done.row.text else done.row.data
    return {"codes": codes, **where, "findings": list(map(str, findings)), "row": row}
