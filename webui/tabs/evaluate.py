"""The Evaluate tab: measure a run on held-out conversations, and see turn by turn what was expected and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import gradio as gr

from core.config import EvalConfig, TrainConfig
from core.errors import UserError
from core.evaluations import Kept, task
from core.run import Run
from core.task import Task
from webui.board import LIGHT, QUIET, Board, sent_with
from webui.form import Form, command_words
from webui.judged import View, figures_html, label_words, results_of, turns_html
from webui.markup import empty, escape, note, title
from webui.texts import Texts
from webui.told import wrong

MAIN = ("dataset", "max_samples", "base")
MORE = ("dataset_dir", "max_new_tokens", "temperature", "top_p", "batch_size", "device", "dtype", "template")
ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-only]');
  if (button) trigger('select', {...button.dataset});
});
"""
Shown = dict[Any, Any]


def build(board: Board) -> None:
    """Put the tab here."""
    tab = EvaluateTab(board)
    with gr.Row(equal_height=False, elem_classes="tb-two"):
        with gr.Column(scale=4, min_width=320, elem_classes=["tb-card", "tb-sticky"]):
            tab.put_question()
        with gr.Column(scale=7, min_width=360):
            tab.put_results()
    tab.listen()


class EvaluateTab:
    """The components of the tab, and what happens to them."""

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.form = Form(EvalConfig, board.t, prefix="eval")
        self.view = gr.State(View())

    def put_question(self) -> None:
        """Which run, on what."""
        t = self.t
        self.run = gr.Dropdown(
            label=t("Run"),
            info=t("A run that has a model."),
            choices=[],
            value=None,
            allow_custom_value=True,
            elem_id="eval-run",
        )
        self.form.rows(MAIN, width=1)
        with gr.Accordion(t("More options"), open=False):
            self.form.rows(MORE, width=2)
        with gr.Row():
            self.start = gr.Button(t("Evaluate"), variant="primary", min_width=120, elem_id="eval-start")
            self.stop = gr.Button(t("Stop"), variant="stop", interactive=False, min_width=96, elem_id="eval-stop")
        self.problem = gr.HTML(elem_id="eval-problem")
        self.status = gr.HTML(elem_id="eval-status")

    def put_results(self) -> None:
        """The figures, and the turns."""
        t = self.t
        self.data = gr.Dropdown(
            label=t("Results on"),
            choices=[],
            value=None,
            # What is not among the first choices would be refused before the clock's handler sees it.
            allow_custom_value=True,
            visible=False,
            elem_id="eval-data",
        )
        self.figures = gr.HTML(elem_id="eval-figures")
        with gr.Column(visible=False) as self.details:
            gr.HTML(title(t("Turn by turn")))
            self.turns = gr.HTML(js_on_load=ON_CLICK, elem_id="eval-turns")

    def listen(self) -> None:
        """Tie the components to the functions below."""
        light: dict[str, Any] = {"concurrency_limit": LIGHT, **QUIET}
        look, parts = [self.run, self.data, self.view], self.form.components
        panel = [self.status, self.figures, self.turns, self.details, self.data, self.start, self.stop]
        chosen = [self.view, parts["dataset"], parts["dataset_dir"], self.problem, *panel]
        self.board.page.load(self.opened, None, [self.run, *chosen], **light)
        self.board.watch(look, self.shown, panel)
        self.run.input(self.chosen, self.run, chosen, **light)
        self.run.focus(self.board.offered_with_model, None, self.run, **light)
        self.data.input(self.shown, look, panel, **light)
        self.turns.select(self.pick, look, [self.turns, self.view], **light)
        asked = {self.run, self.view, *parts.values()}
        begun = [self.problem, self.view, *panel]
        settings: dict[str, Any] = {"concurrency_limit": 1, "trigger_mode": "once", **QUIET}
        self.start.click(self.begin, asked, begun, **settings)
        self.stop.click(self.halt, look, panel, **settings)
        folder = parts["dataset_dir"]
        gr.on([folder.change, parts["dataset"].focus], self.offered, folder, parts["dataset"], **light)

    def opened(self) -> Shown:
        """A page was opened: the newest run that has a model."""
        names = self.board.with_model()
        name = names[0] if names else None
        return {self.run: gr.update(choices=names, value=name), **self.chosen(name)}

    def offered(self, folder: str) -> Any:
        """The datasets that there are now."""
        return gr.update(choices=self.board.datasets(folder))

    def chosen(self, name: str | None) -> Shown:
        """Another run: what it was measured on while it was trained, and its results."""
        view, run = View(), self.board.run(name)
        parts = self.form.components
        options = _held_out(run) if run else {}
        return {
            self.view: view,
            self.problem: "",
            parts["dataset"]: options.get("dataset", []),
            parts["dataset_dir"]: options.get("dataset_dir", ""),
            **self.shown(name, None, view),
        }

    def shown(self, name: str | None, data: str | None, view: View) -> Shown:
        """The state of the evaluation, and the results on one data set; on the newest when none is chosen."""
        t, run = self.t, self.board.run(name)
        results = results_of(run) if run else {}
        data = _chosen(results, data)
        running = run is not None and task(run).state() == "running"
        found = figures_html(run, data, results[data], t) if run and data else empty(_what_to_do(run, t))
        return {
            self.status: status_html(task(run), t) if run else "",
            self.figures: found,
            self.turns: self.turns_of(run, data, view),
            self.details: gr.update(visible=bool(data)),
            self.data: gr.update(choices=list(results), value=data, visible=len(results) > 1),
            self.start: gr.update(interactive=run is not None and not running),
            self.stop: gr.update(interactive=running),
        }

    def turns_of(self, run: Run | None, data: str | None, view: View) -> str:
        """The turns on one data set."""
        if run is None or data is None:
            return ""
        return turns_html({one.label: one.read() for one in results_of(run, data).get(data, [])}, view, self.t)

    def pick(self, name: str | None, data: str | None, view: View, event: gr.EventData) -> Shown:
        """A kind of turns, or a page of them, was clicked."""
        sent = sent_with(event)
        page = str(sent.get("page", "0"))
        view = View(str(sent.get("only", view.only)), int(page) if page.isdecimal() else 0)
        run = self.board.run(name)
        data = _chosen(results_of(run), data) if run else None
        return {self.view: view, self.turns: self.turns_of(run, data, view)}

    def begin(self, values: Mapping[Any, Any]) -> Shown:
        """Start the evaluation in a process of its own, or say why not."""
        view: View = values[self.view]
        try:
            run = self.board.need_run(values[self.run])
            config = self.checked(values)
            # A list takes every word up to the next flag, so the run comes first.
            task(run).start(["eval", str(run.path.resolve()), *chain.from_iterable(command_words(config))])
        except UserError as error:
            return {self.problem: wrong(error, self.t)}
        return {self.problem: "", self.view: view, **self.shown(values[self.run], None, view)}

    def checked(self, values: Mapping[Any, Any]) -> EvalConfig:
        """What the form asks for. Raises `UserError`."""
        config = self.form.read(values)
        if not config.dataset:
            raise UserError(self.t("Choose a dataset with conversations that the model was not trained on."))
        self.board.roots.check_data(config, config.dataset)
        self.board.roots.check_template(config)
        return config

    def halt(self, name: str | None, data: str | None, view: View) -> Shown:
        """End the evaluation that is at work."""
        run = self.board.run(name)
        if run is not None:
            task(run).stop()
        return self.shown(name, data, view)


def status_html(of: Task, t: Texts) -> str:
    """How far the evaluation is, or how it ended."""
    state = of.state()
    if state == "running":
        told = of.progress()
        if not told.of:
            return f'<div class="tb-wait" role="status">{escape(t("Preparing the model …"))}</div>'
        word = label_words(t).get(told.doing, told.doing)
        said = t("{label}: {n} of {all} turns", label=word, n=told.done, all=told.of)
        width = f"{100 * told.done / told.of:.1f}"
        return (
            f'<div class="tb-run" role="status"><div class="tb-dim">{escape(said)}</div>'
            f'<div class="tb-bar"><div style="width:{width}%"></div></div></div>'
        )
    if state == "failed":
        return wrong(of.problem(), t)
    return note(t("The evaluation was stopped."), "warn") if state == "stopped" else ""


def _what_to_do(run: Run | None, t: Texts) -> str:
    if run is None:
        return t("No run has a model yet. Train one first, then measure here what it has learned.")
    return t(
        "No evaluation yet. Choose a dataset that the run was not trained on, and press Evaluate: every assistant turn "
        "is written anew and compared."
    )


def _chosen(results: Mapping[str, Sequence[Kept]], data: str | None) -> str | None:
    """The data set whose results are shown: the one asked for, else the one measured last."""
    if data in results:
        return data
    return max(results, key=lambda one: results[one][-1].file.stat().st_mtime, default=None)


def _held_out(run: Run) -> dict[str, Any]:
    """The data sets that a run kept for measuring, as options of an evaluation."""
    try:
        config: TrainConfig = run.config
    except UserError:
        return {}
    return {"dataset": config.eval_dataset, "dataset_dir": config.dataset_dir}
