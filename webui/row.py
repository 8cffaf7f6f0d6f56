"""One row of a dataset on the page: where it stands, what became of it and why, its conversation, and itself."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from core.config import TrainConfig
from core.conversation import Row
from core.preview import Preview
from core.report import Report
from webui.account import fate_words
from webui.live import findings_html
from webui.marks import MOST_CHARACTERS
from webui.markup import amount, beginning, escape, indented, note
from webui.talk import chat_html, tools_html
from webui.texts import Texts


def head_html(shown: Preview, number: int, report: Report | None, config: TrainConfig, t: Texts) -> str:
    """Where the row stands, what became of it, and what was found in it."""
    place = (
        t("row {n} of {all}", n=amount(number), all=amount(report.rows["in"]))
        if report
        else t("row {n}", n=amount(number))
    )
    where = f"{Path(shown.row.file).name}:{shown.row.line}"
    made = (
        t("{n} tokens are more than the window of {most}; samples that training makes of it: {parts}.",
          n=amount(shown.longest), most=amount(config.max_length), parts=amount(len(shown.samples)))
        if shown.longest > config.max_length and not config.auto_length
        else ""
    )  # fmt: skip
    fate = f'<span class="tb-badge tb-{shown.fate}">{escape(fate_words(t)[shown.fate])}</span>'
    found = findings_html([asdict(finding) for finding in shown.findings], t)
    line = f'<div class="tb-facts"><span>{escape(place)} · <code>{escape(where)}</code></span>{fate}</div>'
    return f"{line}{note(made, 'warn')}{found}"


def raw_html(row: Row, t: Texts) -> str:
    """The row as it stands in the file."""
    text = row.text if row.unreadable else indented(row.data)
    return f'<pre class="tb-raw">{beginning(text, MOST_CHARACTERS, t)}</pre>'


def conversation_html(shown: Preview, t: Texts) -> str:
    """The conversation in a row as a chat."""
    if shown.conversation is None:
        return note(t("This row is dropped."), "bad")
    return tools_html(shown.conversation.tools, t) + chat_html(shown.conversation.messages, t)
