"""The Runs tab: every run in the folder, whoever started it, one in detail, two side by side; the queue; the trash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from core.errors import UserError
from core.queue import enqueue_resumed, look_after, move, stop, waiting
from core.run import Run
from core.state import RESUMABLE
from core.trash import delete
from webui.board import LIGHT, QUIET, Board, sent_with
from webui.compared import compared_html, options_html, origin_html
from webui.judged import evals_html
from webui.live import MOST, loss_html, other_html, report_html, runs_html, status_html
from webui.markup import title
from webui.told import wrong
from webui.trashed import Trash

ON_CLICK = """
element.addEventListener('click', (event) => {
  const row = event.target.closest('[data-run]');
  if (row) trigger('select', {run: row.dataset.run});
});
"""
Shown = dict[Any, Any]


def build(board: Board) -> None:
    """Put the tab here."""
    tab = RunsTab(board)
    tab.listing = gr.HTML(js_on_load=ON_CLICK, elem_id="runs-list", elem_classes="tb-scroll")
    with gr.Row(equal_height=False, visible=False, elem_classes="tb-detail") as tab.detail:
        with gr.Column(scale=6, min_width=380):
            tab.put_run()
        with gr.Column(scale=5, min_width=340):
            tab.put_facts()
    tab.trash.put()
    tab.listen()


class RunsTab:
    """The components of the tab, and what happens to them."""

    listing: gr.HTML
    detail: gr.Row

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.chosen = gr.State("")
        # Of which run it was asked whether it shall go: no other goes, however late the answer to a choice comes.
        self.going = gr.State("")
        self.trash = Trash(board)

    def put_run(self) -> None:
        """State, buttons and curves."""
        t = self.t
        self.status = gr.HTML(elem_id="runs-status")
        self.problem = gr.HTML(elem_id="runs-problem")
        with gr.Row():
            self.stop = gr.Button(t("Stop"), variant="stop", min_width=90, elem_id="runs-stop")
            self.kill = gr.Button(t("Stop at once"), variant="stop", min_width=110, elem_id="runs-kill")
            self.resume = gr.Button(t("Resume"), min_width=90, elem_id="runs-resume")
            self.requeue = gr.Button(t("Resume in the queue"), min_width=170, elem_id="runs-requeue")
            self.to_chat = gr.Button(t("Chat with it"), variant="primary", min_width=120, elem_id="runs-chat")
            self.again = gr.Button(t("Use its options"), min_width=120, elem_id="runs-again")
            self.delete = gr.Button(t("Delete"), min_width=90, elem_id="runs-delete")
        with gr.Row() as self.places:
            self.earlier = gr.Button(t("Earlier"), min_width=90, elem_id="runs-earlier")
            self.later = gr.Button(t("Later"), min_width=90, elem_id="runs-later")
        with gr.Row(visible=False, elem_id="runs-asked") as self.asked:
            self.sure = gr.Button("", variant="stop", min_width=120, elem_id="runs-sure")
            self.keep = gr.Button(t("Keep it"), min_width=90, elem_id="runs-keep")
        self.loss = gr.HTML(elem_id="runs-loss")
        with gr.Accordion(t("More curves"), open=False):
            self.other = gr.HTML(elem_id="runs-other")
        with gr.Accordion(t("Log"), open=False):
            self.log = gr.Textbox(
                label=t("Log"), show_label=False, lines=14, max_lines=14, interactive=False, elem_id="runs-log"
            )
        gr.HTML(title(t("Evaluation")))
        self.evals = gr.HTML(elem_id="runs-evals")

    def put_facts(self) -> None:
        """What went in, where it ran, and another run beside it."""
        t = self.t
        self.other_run = gr.Dropdown(label=t("Compare with"), choices=[], value=None, elem_id="runs-other-run")
        self.compared = gr.HTML(elem_id="runs-compared")
        gr.HTML(title(t("What became of the rows")))
        self.report = gr.HTML(elem_id="runs-report")
        gr.HTML(title(t("Options of the run")))
        self.config = gr.HTML(elem_id="runs-config")
        with gr.Accordion(t("Where it was made"), open=False):
            self.origin = gr.HTML(elem_id="runs-origin")

    def listen(self) -> None:
        """Tie the components to the functions below."""
        board, chosen = self.board, self.chosen
        panel = [self.listing, self.detail, self.status, self.problem, self.places, self.asked]
        panel += [self.loss, self.other, self.log, self.evals, self.report, self.config, self.origin]
        panel += [self.stop, self.kill, self.resume, self.requeue, self.to_chat, self.delete, self.earlier, self.later]
        light: dict[str, Any] = {"concurrency_limit": LIGHT, **QUIET}
        board.page.load(self.opened, None, [chosen, *panel], **light)
        board.watch([chosen], self.shown, panel)
        picked = [chosen, self.going, self.other_run, self.compared, *panel]
        self.listing.select(self.pick, self.going, picked, **light)
        self.to_chat.click(board.to_chat, chosen, [board.tabs, board.chat_target], **light)
        self.again.click(self.options, chosen, [board.train_choice, self.problem], **light)
        actions: dict[gr.Button, Callable[[Run], None]] = {
            self.stop: stop,
            self.kill: Run.kill,
            self.earlier: lambda run: _shift(run, -1),
            self.later: lambda run: _shift(run, +1),
            self.resume: lambda run: run.launch(resume=True),
            self.requeue: _requeue,
        }
        one: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "runs", "trigger_mode": "once", **QUIET}
        for button, action in actions.items():
            button.click(self.doing(action), chosen, panel, **one)
        gone = self.sure.click(self.doing(_into_the_trash), self.going, panel, **one)
        gone.then(self.trash.shown, None, self.trash.parts, **light)
        self.trash.listen()
        self.delete.click(self.ask, chosen, [self.going, self.asked, self.sure], **light)
        self.keep.click(lambda: ("", gr.update(visible=False)), None, [self.going, self.asked], **light)
        self.other_run.focus(self.others, chosen, self.other_run, **light)
        self.other_run.change(self.beside, [chosen, self.other_run], self.compared, **light)

    def opened(self) -> Shown:
        """A page was opened: the run that is alive, else the newest, is the chosen one."""
        run = self.board.newest()
        name = run.path.name if run else ""
        return {self.chosen: name, **self.shown(name)}

    def shown(self, name: str) -> Shown:
        """The table, and the chosen run beneath it."""
        t, runs, run = self.t, self.board.runs()[:MOST], self.board.run(name)
        head: Shown = {
            self.listing: runs_html(runs, name, self.board),
            self.detail: gr.update(visible=run is not None),
        }
        if run is None:
            return head
        return head | {
            self.status: status_html(run, self.board),
            self.loss: loss_html(run, t),
            self.other: other_html(run, t),
            self.log: run.log_tail(),
            self.evals: evals_html(run, t),
            self.report: report_html(run, t),
            self.config: options_html(run, t),
            self.origin: origin_html(run, t),
            **self.buttons(run),
        }

    def buttons(self, run: Run) -> Shown:
        """What may be done with a run in its state."""
        t, state = self.t, run.state()
        waits = state.state == "waiting"
        asked = state.alive and run.stop_requested()
        resumable = state.state in RESUMABLE
        return {
            self.stop: gr.update(
                visible=not state.over, interactive=not asked, value=t("Take out of the queue") if waits else t("Stop")
            ),
            self.kill: gr.update(visible=asked or state.state == "stalled"),
            self.resume: gr.update(visible=resumable),
            self.requeue: gr.update(visible=resumable),
            self.to_chat: gr.update(interactive=run.has_model),
            self.delete: gr.update(visible=state.over),
            self.places: gr.update(visible=waits),
        }

    def pick(self, going: str, event: gr.EventData) -> Shown:
        """A row was clicked. A question about another run is taken back, and none is touched that came meanwhile."""
        name = str(sent_with(event).get("run", ""))
        fresh: Shown = {self.problem: "", self.compared: "", self.other_run: {**self.others(name), "value": None}}
        if going not in ("", name):
            fresh |= {self.going: "", self.asked: gr.update(visible=False)}
        return {self.chosen: name, **fresh, **self.shown(name)}

    def ask(self, name: str) -> tuple[str, Any, Any]:
        """Shall the chosen run go? The button that says so names it."""
        run = self.board.run(name)
        label = self.t("Move {name} to the trash", name=run.name if run else "")
        return name, gr.update(visible=run is not None), gr.update(value=label)

    def doing(self, action: Callable[[Run], None]) -> Callable[[str], Shown]:
        """A handler that does something with the chosen run, and says why not where it cannot be done."""

        def handler(name: str) -> Shown:
            problem = ""
            try:
                action(self.board.need_run(name))
            except UserError as error:
                problem = wrong(error, self.t)
            return {self.problem: problem, self.asked: gr.update(visible=False), **self.shown(name)}

        return handler

    def options(self, name: str) -> Shown:
        """The options of the chosen run, for the form of the Train tab; the next run has a name of its own."""
        try:
            options = self.board.need_run(name).config.model_dump()
        except UserError as error:
            return {self.problem: wrong(error, self.t)}
        return {self.board.train_choice: self.board.to_train(options | {"run_name": ""}), self.problem: ""}

    def others(self, name: str) -> Any:
        """What the chosen run can be compared with."""
        runs = self.board.runs()
        return gr.update(
            choices=[(f"{run.name} ({run.path.name})", run.path.name) for run in runs if run.path.name != name]
        )

    def beside(self, name: str, other: str | None) -> str:
        """Both runs side by side."""
        runs = [run for run in (self.board.run(name), self.board.run(other)) if run is not None]
        return compared_html(runs, self.t) if len(runs) == 2 else ""


def _shift(run: Run, by: int) -> None:
    """One place forwards or backwards in the queue."""
    names = [one.path.name for one in waiting(run.path.parent)]
    if run.path.name in names:
        move(run, names.index(run.path.name) + 1 + by)


def _requeue(run: Run) -> None:
    enqueue_resumed(run)
    look_after(run.path.parent)


def _into_the_trash(run: Run) -> None:
    delete(run)
