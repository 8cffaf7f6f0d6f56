"""The question before a training that would drop many rows: how many and why, and a button for those who agree."""

from __future__ import annotations

from typing import Any

import gradio as gr

from core.gate import ConsentNeededError
from core.report import Report, by_code
from webui.account import sum_html
from webui.markup import escape, note, number, table
from webui.rulebook import meaning
from webui.texts import Texts


class Consent:
    """The components. `share` is how much would be lost, `queued` whether the run was to wait for its turn."""

    def __init__(self, t: Texts) -> None:
        self.t = t
        self.share, self.queued = gr.State(0.0), gr.State(False)

    def put(self) -> None:
        """Put them here, hidden."""
        with gr.Column(visible=False, elem_id="train-consent") as self.box:
            self.text = gr.HTML(elem_id="train-consent-text")
            self.agree = gr.Button(variant="primary", elem_id="train-agree")

    @property
    def shown(self) -> list[Any]:
        """The outputs that `ask` and `nothing` fill, in their order."""
        return [self.box, self.text, self.agree, self.share, self.queued]

    def ask(self, asked: ConsentNeededError, *, queued: bool) -> tuple[Any, ...]:
        """Show the question."""
        rows = asked.report.rows
        left = rows["kept"] + rows["repaired"]
        t = self.t
        drop = (
            t("Drop them and train on the other row")
            if left == 1
            else t("Drop them and train on the other {n} rows", n=left)
        )
        same = t("Train on it all the same") if left == 1 else t("Train on {n} rows all the same", n=left)
        word = same if asked.share == 1 else drop
        agree = gr.update(value=word, interactive=left > 0)
        return gr.update(visible=True), consent_html(asked.report, asked.share, self.t), agree, asked.share, queued

    def nothing(self) -> tuple[Any, ...]:
        """Nothing is asked, or no more."""
        return gr.update(visible=False), "", gr.skip(), 0.0, False


def consent_html(report: Report, share: float, t: Texts) -> str:
    """The sum of the rows, and what drops them, the most frequent reason first."""
    said = t(
        "{part} % of the rows of {name} would be dropped. Mend them (the Data tab shows them), or go on without.",
        part=f"{100 * share:.0f}",
        name=report.name,
    )
    if share == 1 and report.counts["DS904", "kept"]:
        said = t(
            "{n} rows of {name} ask what a set asks that is kept for measuring: what is measured with it says less.",
            n=report.counts["DS904", "kept"],
            name=report.name,
        )
    found = sorted(
        (-count, code) for code, action, count, _ in by_code(report) if action == "dropped" or code == "DS904"
    )
    rows = [[f"<b>{escape(code)}</b>", escape(meaning(code, t)), number(-count)] for count, code in found]
    return f'{note(said, "warn")}{sum_html(report, t)}<div class="tb-wrap">{table(_heads(t), rows)}</div>'


def _heads(t: Texts) -> tuple[str, str, str]:
    return t("Code"), t("Meaning"), t("Count")
