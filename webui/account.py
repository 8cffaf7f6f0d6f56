"""The report of a dataset on the page: the sum of its rows, the table of codes, and the findings of one code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.conversation import Finding
from core.report import Report, by_code
from core.rules import RULES, severity
from webui.markup import amount, escape, note, number, pager, tiles
from webui.rulebook import in_language, meaning, remedy, said
from webui.texts import Texts
from webui.told import told_change, told_finding

PAGE, MOST_REASONS = 50, 3
FATES = ("kept", "repaired", "dropped")


def fate_words(t: Texts) -> dict[str, str]:
    """What was done, in words: the actions of findings and the fates of rows."""
    return {"kept": t("kept"), "repaired": t("repaired"), "dropped": t("dropped"), "stopped": t("stops")}


def summary_html(report: Report, t: Texts) -> str:
    """Rows in = kept + repaired + dropped, as figures and as a bar; then what is in them. Nothing without rows."""
    if not report.rows["in"]:
        return ""
    figures = report.stats.get("dataset", {})
    tokens = report.stats.get("tokens", {})
    shown = [
        (t("conversations"), figures.get("conversations")),
        (t("messages"), figures.get("messages")),
        (t("rows with tools"), figures.get("rows with tools")),
        (t("calls"), figures.get("calls")),
        (t("samples"), tokens.get("samples")),
        (t("tokens"), tokens.get("tokens")),
        (t("trained tokens"), tokens.get("trained tokens")),
    ]
    return f"{stops_html(report, t)}{sum_html(report, t)}{tiles(shown)}"


def stops_html(report: Report, t: Texts) -> str:
    """Why training would not start on this data; empty where it would."""
    if not report.stopped:
        return ""
    why = dict.fromkeys(told_finding(one.message, t) for one in report.findings if one.action == "stopped")
    said = t("Training would not start on this data: {why}", why=" · ".join([*why][:MOST_REASONS]))
    return note(said, "bad")


def sum_html(report: Report, t: Texts) -> str:
    """Rows in = kept + repaired + dropped, as figures and as a bar."""
    rows, words = report.rows, fate_words(t)
    parts = " + ".join(f'<b class="tb-{fate}">{number(rows[fate])}</b> {escape(words[fate])}' for fate in FATES)
    word = t("row") if rows["in"] == 1 else t("rows")
    line = f'<div class="tb-sum"><b>{number(rows["in"])}</b> {escape(word)} = {parts}</div>'
    return f"{line}{_fate_bar(report, t)}"


def _fate_bar(report: Report, t: Texts) -> str:
    total = report.rows["in"] or 1
    words = fate_words(t)
    label = ", ".join(f"{words[fate]}: {report.rows[fate]}" for fate in FATES)
    bars = "".join(
        f'<i class="tb-{fate}" style="flex-grow:{report.rows[fate] / total:.5f}" '
        f'title="{escape(words[fate])}: {report.rows[fate]}"></i>'
        for fate in FATES
        if report.rows[fate]
    )
    return f'<div class="tb-fates" role="img" aria-label="{escape(label)}">{bars}</div>'


def formats_html(report: Report, t: Texts) -> str:
    """The formats of the rows, and how they were known; where there are no rows, why."""
    if not report.rows["in"]:
        return stops_html(report, t)
    chips = "".join(
        f'<span class="tb-chip"><b>{escape(name)}</b> {number(count)}</span>'
        for name, count in report.formats.most_common()
    )
    said = (
        t("declared in dataset_info.json, or by hand")
        if report.evidence == "as declared"
        else t("recognised by: {evidence}", evidence=told_finding(report.evidence, t))
        if report.evidence
        else t("no row was recognised: choose below what the columns hold, or see the report")
        if not report.formats
        else ""
    )
    return (
        f'<div class="tb-formats">{escape(t("Format"))} {chips or "–"} <span class="tb-dim">{escape(said)}</span></div>'
    )


def codes_html(report: Report, t: Texts) -> str:
    """A row for each code and what was done about it; clicking one shows its findings."""
    # Of what is kept, information comes last.
    found = sorted(by_code(report), key=lambda one: _level(one[1], one[0]) == "info")
    if not found:
        return note(t("Nothing to report: every row is used as it stands."), "good")
    heads = (t("Code"), t("What was done"), t("Meaning"), t("Count"))
    body = "".join(_code_row(code, action, count, examples, t) for code, action, count, examples in found)
    titles = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    return (
        f'<table class="tb-table tb-codes"><caption class="tb-unseen">{escape(t("Findings by code"))}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    )


def _code_row(code: str, action: str, count: int, examples: Sequence[Finding], t: Texts) -> str:
    example = _example(examples[0], t) if examples else ""
    return (
        f'<tr data-code="{escape(code)}"><td><button type="button" class="tb-link">{escape(code)}</button></td>'
        f"<td>{badge(action, code, t)}</td><td>{escape(meaning(code, t))}{example}</td><td>{number(count)}</td></tr>"
    )


def _example(finding: Finding, t: Texts) -> str:
    """Where a finding is, what is wrong there and what was changed."""
    where = f"<code>{escape(_place(finding))}</code> " if finding.line else ""
    return f'<div class="tb-dim">{where}{in_language(finding.message, t)}</div>{_change(finding, t)}'


def _place(finding: Finding) -> str:
    name = Path(finding.file).name
    return f"{name}:{finding.line}" if finding.line else name


def _change(finding: Finding, t: Texts) -> str:
    before = f"<del>{escape(finding.before)}</del>" if finding.before else ""
    after = f"<ins>{escape(told_change(finding.after, t))}</ins>" if finding.after else ""
    change = " → ".join(filter(None, [before, after]))
    return f'<div class="tb-change">{change}</div>' if change else ""


def badge(action: str, code: str, t: Texts) -> str:
    """What was done, as a coloured word; information looks calmer than a warning."""
    level = _level(action, code)
    words = fate_words(t) | {"kept": t("information") if level == "info" else t("kept, look at it")}
    return f'<span class="tb-badge tb-{escape(action)} tb-{level}">{escape(words.get(action, action))}</span>'


def _level(action: str, code: str) -> str:
    return severity(Finding(code, action, ""))  # type: ignore[arg-type]


def code_html(report: Report, code: str, page: int, t: Texts) -> str:
    """The findings of one code, a page of them, each leading to its row."""
    found = [(place, finding) for place, finding in enumerate(report.findings) if finding.code == code]
    if code not in RULES or not found:
        return codes_html(report, t)
    cure = remedy(code, t)
    pages = -(-len(found) // PAGE)
    page = min(max(page, 0), pages - 1)
    shown = found[page * PAGE : (page + 1) * PAGE]
    counted = sum(count for (one, _), count in report.counts.items() if one == code)
    more = note(
        t("{n} findings in all; the report keeps the first {kept}.", n=amount(counted), kept=amount(len(found)))
    )
    back = f'<button type="button" class="tb-button" data-code="">← {escape(t("All codes"))}</button>'
    head = (
        f'<div class="tb-code-head">{back}'
        f"<h3>{escape(code)}</h3><p>{escape(meaning(code, t))}"
        f"{'<br>' + escape(t('What to do: {remedy}', remedy=cure)) if cure else ''}</p></div>"
    )
    heads = (t("Where"), t("What was done"), t("What is wrong"), "")
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in heads)
    body = "".join(_finding_row(place, finding, t) for place, finding in shown)
    return (
        f'{head}<table class="tb-table tb-found"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'
        f"{pager('code', code, page, pages, t)}{more if counted > len(found) else ''}"
    )


def _finding_row(place: int, finding: Finding, t: Texts) -> str:
    path = f'<div class="tb-dim"><code>{escape(finding.path)}</code></div>' if finding.path not in ("", "$") else ""
    show = escape(t("Show row"))
    jump = f'<button type="button" class="tb-button" data-finding="{place}">{show}</button>' if finding.line else ""
    wrong = f"{said(finding.code, finding.message, t)}{_change(finding, t)}"
    return (
        f'<tr><td><code title="{escape(finding.file)}">{escape(_place(finding))}</code>{path}</td>'
        f"<td>{badge(finding.action, finding.code, t)}</td><td>{wrong}</td>"
        f"<td>{jump}</td></tr>"
    )
