"""The Train tab: the options, the start, and the run that goes on whether this page is open or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from core.auto_length import with_length
from core.config import TrainConfig
from core.errors import UserError
from core.fullpaths import absolute
from core.gate import ConsentNeededError, look_first
from core.presets import PRESETS
from core.queue import enqueue, look_after, stop
from core.run import Run
from webui.board import LIGHT, QUIET, Board, say_at_once
from webui.consent import Consent
from webui.form import Form, command_line
from webui.live import loss_html, other_html, report_html, status_html
from webui.markup import escape, title
from webui.needs import Needs
from webui.told import wrong
from webui.window import listen_to_numbers
from webui.written import written_html

# What any preset changes: the fields that choosing one fills in.
PRESET_FIELDS = sorted({field for preset in PRESETS.values() for field in preset.changes})
ON_CLICK = """
element.addEventListener('click', (event) => {
  if (event.target.closest('.tb-copy')) navigator.clipboard.writeText(element.querySelector('pre').innerText);
});
"""


def build(board: Board) -> None:
    """Put the tab here."""
    tab = TrainTab(board)
    with gr.Row(equal_height=False, elem_classes="tb-train"):
        with gr.Column(scale=7, min_width=420, elem_classes="tb-card"):
            tab.put_form()
        # On a narrow page the start stays in sight beneath the form, and the run comes after it.
        with gr.Column(scale=5, min_width=340, elem_classes=["tb-card", "tb-sticky"]):
            with gr.Column(elem_classes="tb-start"):
                tab.put_start()
            with gr.Column():
                tab.put_run()
    tab.listen()


class TrainTab:
    """The components of the tab, and what happens to them."""

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        # `extra` reaches options that write elsewhere or to the network; that is for the command line.
        self.form = Form(TrainConfig, board.t, fixed={"runs_dir": board.runs_dir, "extra": {}})
        # The last run that this page started.
        self.mine = gr.State("")
        self.needs = Needs(self.form, board.t, self.check)
        self.consent = Consent(board.t)

    def put_form(self) -> None:
        """The options: the main ones in sight, the others folded by group."""
        self.form.rows(self.form.main_fields(), width=2)
        self.form.accordions()
        gr.HTML(title(self.t("The same on the command line")))
        self.command = gr.HTML(js_on_load=ON_CLICK, elem_id="train-command")

    def put_start(self) -> None:
        """What begins a run, and what is said before it does."""
        t = self.t
        self.start = gr.Button(t("Start training"), variant="primary", elem_id="train-start")
        with gr.Row():
            self.queue = gr.Button(t("Put it in the queue"), min_width=140, elem_id="train-queue")
            self.needs.put_ask()
        self.needs.put()
        self.problem = gr.HTML(elem_id="train-problem")
        self.consent.put()

    def put_run(self) -> None:
        """The run in sight, and what stops it."""
        t = self.t
        self.board.train_run.render()
        self.status = gr.HTML(elem_id="train-status")
        with gr.Row():
            self.stop = gr.Button(t("Stop"), variant="stop", interactive=False, min_width=96, elem_id="train-stop")
            self.to_chat = gr.Button(t("Chat with it"), interactive=False, min_width=120, elem_id="train-chat")
        self.loss = gr.HTML(elem_id="train-loss")
        with gr.Accordion(t("More curves"), open=False):
            self.other = gr.HTML(elem_id="train-other")
        with gr.Accordion(t("What it writes"), open=False):
            self.written = gr.HTML(elem_id="train-written")
        with gr.Accordion(t("What became of the rows"), open=False):
            self.report = gr.HTML(elem_id="train-report")
        with gr.Accordion(t("Log"), open=False):
            self.log = gr.Textbox(
                label=t("Log"), show_label=False, lines=14, max_lines=14, interactive=False, elem_id="train-log"
            )

    def listen(self) -> None:
        """Tie the components to the functions below."""
        board, form, run = self.board, self.form, self.board.train_run
        parts = list(form.components.values())
        panel = [
            self.status,
            self.loss,
            self.other,
            self.written,
            self.report,
            self.log,
            self.start,
            self.stop,
            self.to_chat,
        ]
        board.page.load(self.opened, None, [run, *panel], concurrency_limit=LIGHT, **QUIET)
        board.watch([run], self.watched, panel)
        run.input(self.watched, run, panel, concurrency_limit=LIGHT, **QUIET)
        run.focus(self.names, None, run, concurrency_limit=LIGHT, **QUIET)
        # One at a time: of many clicks the first starts the run, and the others find it alive.
        pressed = {*parts, self.mine, run, self.needs.looked_at}
        started = [run, self.mine, self.problem, *self.consent.shown, *panel]
        looks, once = self.t("Looking at the options and the data …"), {"trigger_mode": "once", **QUIET}
        start, wait, agree = (
            say_at_once(button.click, self.problem, looks) for button in (self.start, self.queue, self.consent.agree)
        )
        start.then(self.begin, pressed, started, concurrency_limit=1, **once)
        wait.then(self.wait, pressed, started, concurrency_limit=1, concurrency_id="queue", **once)
        agreed = {*pressed, self.consent.share, self.consent.queued}
        agree.then(self.agreed, agreed, started, concurrency_limit=1, concurrency_id="queue", **once)
        self.stop.click(self.end, run, self.stop, concurrency_limit=LIGHT, **QUIET)
        changes = [board.page.load, *(part.change for part in parts)]
        settings: dict[str, Any] = {"concurrency_limit": LIGHT, "trigger_mode": "always_last", **QUIET}
        gr.on(changes, self.described, set(parts), self.command, **settings)
        self.to_chat.click(board.to_chat, run, [board.tabs, board.chat_target], concurrency_limit=LIGHT, **QUIET)
        taken = [board.tabs, *parts]
        board.train_choice.change(self.take, board.train_choice, taken, concurrency_limit=LIGHT, **QUIET)
        self.needs.listen()
        listen_to_numbers(form)
        filled = [form.components[name] for name in ("preset", *PRESET_FIELDS)]
        form.components["preset"].input(
            self.filled, form.components["preset"], filled, concurrency_limit=LIGHT, trigger_mode="always_last", **QUIET
        )
        folder = form.components["dataset_dir"]
        for name in ("dataset", "eval_dataset"):
            box = form.components[name]
            gr.on([folder.change, box.focus], self.offered, folder, box, concurrency_limit=LIGHT, **QUIET)

    def opened(self) -> tuple[Any, ...]:
        """A page was opened: show the run that is alive, else the newest."""
        run = self.board.newest()
        return gr.update(choices=self.board.names(), value=run.path.name if run else None), *self.shown(run)

    def watched(self, name: str | None) -> tuple[Any, ...]:
        """The panel of the run with this name."""
        return self.shown(self.board.run(name))

    def shown(self, run: Run | None) -> tuple[Any, ...]:
        """The panel of a run."""
        t = self.t
        alive = run is not None and run.state().alive
        return (
            status_html(run, self.board),
            loss_html(run, t),
            other_html(run, t),
            written_html(run, t),
            report_html(run, t),
            run.log_tail() if run else "",
            gr.update(interactive=not alive, value=t("Training …") if alive else t("Start training")),
            gr.update(interactive=run is not None and not run.state().over and not (alive and run.stop_requested())),
            gr.update(interactive=run is not None and run.has_model),
        )

    def begin(self, values: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Start a run, or say why not."""
        return self.made(values, queued=False)

    def wait(self, values: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Put a run in the queue, or say why not."""
        return self.made(values, queued=True)

    def agreed(self, values: Mapping[Any, Any]) -> tuple[Any, ...]:
        """The same as before, and the rows that were told of may go; if more would go by now, it is asked again."""
        return self.made(values, queued=values[self.consent.queued], may_go=values[self.consent.share])

    def made(self, values: Mapping[Any, Any], *, queued: bool, may_go: float = 0.0) -> tuple[Any, ...]:
        """Make a run and show it, or say why not; that many rows would be dropped is asked about.

        `may_go`: the share of the rows whose loss was agreed to.
        """
        try:
            run = (self.queued if queued else self.started)(values, may_go)
            self.needs.keep(values, run)
        except ConsentNeededError as asked:
            return gr.skip(), values[self.mine], "", *self.consent.ask(asked, queued=queued), *([gr.skip()] * 9)
        except UserError as error:
            problem = wrong(error, self.t)
            return gr.skip(), values[self.mine], problem, *self.consent.nothing(), *([gr.skip()] * 9)
        chosen = gr.update(choices=self.board.names(), value=run.path.name)
        return chosen, run.path.name, "", *self.consent.nothing(), *self.shown(run)

    def started(self, values: Mapping[Any, Any], may_go: float) -> Run:
        """A new run. Raises `UserError`, also while the page's last run or the one in sight is alive."""
        for name in (values[self.mine], values[self.board.train_run]):
            run = self.board.run(name)
            if run is not None and run.state().alive:
                raise UserError(self.t("A run is in progress here. Stop it first, or wait until it has finished."))
        return Run.start(self.checked(values, may_go))

    def queued(self, values: Mapping[Any, Any], may_go: float) -> Run:
        """A new run that waits for its turn. Raises `UserError`, also when the same waits or is at work."""
        run = enqueue(self.checked(values, may_go))
        look_after(run.path.parent)
        return run

    def checked(self, values: Mapping[Any, Any], may_go: float = 0.0) -> TrainConfig:
        """The config that the form asks for, checked, its data too. Raises `UserError`."""
        config = self.form.read(values)
        self.check(config)
        config = with_length(absolute(config))
        config.max_dropped = max(config.max_dropped, may_go)
        look_first(config)
        return config

    def check(self, config: TrainConfig) -> None:
        """What can be known before a worker starts. Raises `UserError`."""
        if not config.dataset:
            raise UserError(self.t("Choose a dataset first."))
        self.board.roots.check_config(config)

    def end(self, name: str | None) -> Any:
        """Ask the run to stop after its step; one that waits leaves the queue."""
        run = self.board.run(name)
        if run is not None:
            stop(run)
        return gr.update(interactive=False)

    def described(self, values: Mapping[Any, Any]) -> str:
        """The command that does the same, or what is wrong with the options."""
        try:
            line = command_line(self.form.read(values), "core-cli train")
        except UserError as error:
            return wrong(error, self.t)
        copy = f'<button type="button" class="tb-copy">{escape(self.t("Copy"))}</button>'
        return f'<div class="tb-command"><pre>{escape(line)}</pre>{copy}</div>'

    def take(self, choice: tuple[float, Mapping[str, Any]] | None) -> dict[Any, Any]:
        """Another tab wants to train with these options: put them into the form, and show it."""
        if choice is None:
            return {self.board.tabs: gr.skip()}
        options = {name: value for name, value in choice[1].items() if name in self.form.components}
        return {self.board.tabs: gr.update(selected="train"), **self.form.updates(options)}

    def offered(self, folder: str) -> Any:
        """The datasets that there are now."""
        return gr.update(choices=self.board.datasets(folder))

    def filled(self, preset: str) -> dict[Any, Any]:
        """The form with what the preset says of the options that presets change, and what it is for."""
        config = TrainConfig.model_validate({"preset": preset})
        about = {self.form.components["preset"]: gr.update(info=self.t.preset(preset))}
        return about | self.form.updates({name: getattr(config, name) for name in PRESET_FIELDS})

    def names(self) -> Any:
        """The runs that there are now."""
        return gr.update(choices=self.board.names())
