"""The Runs tab: every run in the folder, whoever started it, and one of them in detail."""

from __future__ import annotations

from typing import Any

import gradio as gr

from core.config import dump_yaml
from core.errors import UserError
from core.run import ALIVE, Run
from webui.board import LIGHT, QUIET, Board
from webui.live import evals_html, loss_html, report_html, runs_html, signature, status_html
from webui.markup import escape, note, title

# Older runs are still there for `core-cli runs list`; a page that redraws thousands of rows helps nobody.
MOST = 200
RESUMABLE = ("stopped", "failed", "killed")
ON_CLICK = """
element.addEventListener('click', (event) => {
  const row = event.target.closest('[data-run]');
  if (row) trigger('select', {run: row.dataset.run});
});
"""


def build(board: Board) -> None:
    """Put the tab here."""
    tab = RunsTab(board)
    tab.listing = gr.HTML(js_on_load=ON_CLICK, elem_id="runs-list", elem_classes="tb-scroll")
    with gr.Row(equal_height=False, visible=False, elem_classes="tb-detail") as tab.detail:
        with gr.Column(scale=6, min_width=380):
            tab.put_run()
        with gr.Column(scale=5, min_width=340):
            tab.put_facts()
    tab.listen()


class RunsTab:
    """The components of the tab, and what happens to them."""

    listing: gr.HTML
    detail: gr.Row

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.chosen, self.seen = gr.State(""), gr.State("")

    def put_run(self) -> None:
        """State, buttons and curve."""
        t = self.t
        self.status = gr.HTML(elem_id="runs-status")
        with gr.Row():
            self.stop = gr.Button(t("Stop"), variant="stop", min_width=90, elem_id="runs-stop")
            self.resume = gr.Button(t("Resume"), min_width=90, elem_id="runs-resume")
            self.to_chat = gr.Button(t("Chat with it"), variant="primary", min_width=120, elem_id="runs-chat")
        self.loss = gr.HTML(elem_id="runs-loss")
        gr.HTML(title(t("Evaluation")))
        self.evals = gr.HTML(elem_id="runs-evals")

    def put_facts(self) -> None:
        """What went in."""
        gr.HTML(title(self.t("What became of the rows")))
        self.report = gr.HTML(elem_id="runs-report")
        gr.HTML(title(self.t("Options of the run")))
        self.config = gr.HTML(elem_id="runs-config")

    def listen(self) -> None:
        """Tie the components to the functions below."""
        board, chosen = self.board, self.chosen
        panel = [self.seen, self.listing, self.detail, self.status, self.loss, self.report, self.evals, self.config]
        panel += [self.stop, self.resume, self.to_chat]
        board.page.load(self.shown, chosen, panel, concurrency_limit=LIGHT, **QUIET)
        board.timer.tick(self.tick, [chosen, self.seen], panel, concurrency_limit=LIGHT, queue=False, **QUIET)
        self.listing.select(self.pick, None, [chosen, *panel], concurrency_limit=LIGHT, **QUIET)
        self.stop.click(self.end, chosen, panel, concurrency_limit=LIGHT, **QUIET)
        self.resume.click(self.again, chosen, panel, concurrency_limit=1, trigger_mode="once", **QUIET)
        self.to_chat.click(board.to_chat, chosen, [board.tabs, board.chat_target], concurrency_limit=LIGHT, **QUIET)

    def shown(self, name: str) -> tuple[Any, ...]:
        """The table, and the chosen run beneath it."""
        t, runs, run = self.t, self.board.runs()[:MOST], self.board.run(name)
        head = (_mark(runs, run), runs_html(runs, name, self.board), gr.update(visible=run is not None))
        if run is None:
            return *head, *([gr.skip()] * 8)
        state = run.state().state
        return (
            *head,
            status_html(run, self.board),
            loss_html(run, t),
            report_html(run, t),
            evals_html(run, t),
            _config_html(run),
            gr.update(interactive=state in ALIVE and not run.stop_requested()),
            gr.update(interactive=state in RESUMABLE and any((run.path / "checkpoints").glob("checkpoint-*"))),
            gr.update(interactive=run.has_model),
        )

    def tick(self, name: str, last: str) -> Any:
        """Show everything again when there is something new."""
        return gr.skip() if _mark(self.board.runs()[:MOST], self.board.run(name)) == last else self.shown(name)

    def pick(self, event: gr.EventData) -> tuple[Any, ...]:
        """A row was clicked."""
        name = str(event._data.get("run", "")) if isinstance(event._data, dict) else ""
        return name, *self.shown(name)

    def end(self, name: str) -> tuple[Any, ...]:
        """Ask the run to stop after its step."""
        run = self.board.run(name)
        if run is not None and run.state().alive:
            run.request_stop()
        return self.shown(name)

    def again(self, name: str) -> tuple[Any, ...]:
        """Go on from the last checkpoint, or say why not."""
        problem = ""
        try:
            self.board.need_run(name).launch(resume=True)
        except UserError as error:
            problem = note(str(error), "bad")
        mark, rows, detail, status, *others = self.shown(name)
        return mark, rows, detail, f"{status}{problem}" if problem else status, *others


def _mark(runs: list[Run], run: Run | None) -> str:
    """Changes when a row of the table or the chosen run does."""
    return repr([(one.path.name, one.state()) for one in runs]) + signature(run)


def _config_html(run: Run) -> str:
    try:
        return f'<pre class="tb-raw">{escape(dump_yaml(run.config))}</pre><code>{escape(run.path)}</code>'
    except UserError as error:
        return note(str(error), "bad")
