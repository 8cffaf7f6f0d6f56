"""The Export tab: a run's model as a folder for other programs, and how to use it there."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import gradio as gr

from core.config import ExportConfig
from core.errors import UserError
from core.export import has_adapter, place_of, task
from core.task import Task
from core.trash import size_of
from webui.board import LIGHT, QUIET, Board
from webui.form import Form, command_words
from webui.markup import empty, escape, note, table, title, waiting
from webui.texts import Texts
from webui.told import wrong

MAIN = ("output_dir", "merge", "dtype", "max_shard_size")
Shown = dict[Any, Any]


def build(board: Board) -> None:
    """Put the tab here."""
    tab = ExportTab(board)
    with gr.Row(equal_height=False, elem_classes="tb-two"):
        with gr.Column(scale=5, min_width=320, elem_classes="tb-card"):
            tab.put_question()
        with gr.Column(scale=6, min_width=320, elem_classes="tb-card"):
            gr.HTML(title(board.t("The exported model")))
            tab.status = gr.HTML(elem_id="export-status")
    tab.listen()


class ExportTab:
    """The components of the tab, and what happens to them."""

    status: gr.HTML

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.form = Form(ExportConfig, board.t, prefix="export")

    def put_question(self) -> None:
        """Which run, and how."""
        t = self.t
        self.run = gr.Dropdown(
            label=t("Run"),
            info=t("A run that has a model."),
            choices=[],
            value=None,
            allow_custom_value=True,
            elem_id="export-run",
        )
        self.kind = gr.HTML(elem_id="export-kind")
        self.form.rows(MAIN, width=2)
        self.start = gr.Button(t("Export"), variant="primary", elem_id="export-start")
        self.problem = gr.HTML(elem_id="export-problem")

    def listen(self) -> None:
        """Tie the components to the functions below."""
        light: dict[str, Any] = {"concurrency_limit": LIGHT, **QUIET}
        panel = [self.status, self.kind, self.start, self.form.components["merge"]]
        self.board.page.load(self.opened, None, [self.run, *panel], **light)
        self.board.watch([self.run], self.shown, panel)
        self.run.input(self.chosen, self.run, [self.problem, *panel], **light)
        self.run.focus(self.board.offered_with_model, None, self.run, **light)
        asked = {self.run, *self.form.components.values()}
        settings: dict[str, Any] = {"concurrency_limit": 1, "trigger_mode": "once", **QUIET}
        self.start.click(self.begin, asked, [self.problem, *panel], **settings)

    def opened(self) -> Shown:
        """A page was opened: the newest run that has a model."""
        names = self.board.with_model()
        name = names[0] if names else None
        return {self.run: gr.update(choices=names, value=name), **self.shown(name)}

    def chosen(self, name: str | None) -> Shown:
        """Another run."""
        return {self.problem: "", **self.shown(name)}

    def shown(self, name: str | None) -> Shown:
        """What a run's model is, and what became of its last export."""
        t, run = self.t, self.board.run(name)
        if run is None:
            nothing = empty(t("No run has a model yet. Train one first, then take it along from here."))
            return {self.status: nothing, self.kind: "", self.start: gr.update(interactive=False)}
        kind = t("An adapter on {base}.", base=Path(run.config.model_name_or_path).name)
        if not has_adapter(run):
            kind = t("A whole model: all or some of its weights were trained, so there is no adapter to merge.")
        running = task(run).state() == "running"
        merge = gr.update(visible=True) if has_adapter(run) else gr.update(visible=False, value=True)
        return {
            self.form.components["merge"]: merge,
            self.status: status_html(task(run), t),
            self.kind: f'<div class="tb-dim">{escape(kind)}</div>',
            self.start: gr.update(interactive=run.has_model and not running),
        }

    def begin(self, values: Mapping[Any, Any]) -> Shown:
        """Start the export in a process of its own, or say why not."""
        try:
            run = self.board.need_run(values[self.run])
            config = self.form.read(values)
            config.output_dir = str(place_of(run, config))
            self.board.roots.check("output_dir", config.output_dir)
            task(run).start(["export", str(run.path.resolve()), *chain.from_iterable(command_words(config))])
        except UserError as error:
            return {self.problem: wrong(error, self.t)}
        return {self.problem: "", **self.shown(values[self.run])}


def status_html(of: Task, t: Texts) -> str:
    """How far the export is, why it failed, or what there is now and how it is used."""
    state = of.state()
    doing = {
        "loading the model": t("loading the model …"),
        "merging the adapter": t("merging the adapter …"),
        "writing the model": t("writing the model …"),
        "copying the adapter": t("copying the adapter …"),
    }
    if state == "running":
        return waiting(doing.get(of.progress().doing, t("Preparing the model …")))
    if state == "failed":
        return wrong(of.problem(), t)
    if state == "stopped":
        return note(t("The export was broken off. Nothing of it is left; export again."), "warn")
    place = _place(of)
    if state == "none" or place is None or not place.is_dir():
        return empty(t("Nothing exported yet. The folder will hold weights, tokenizer, chat template and a card."))
    return _folder_html(place, t)


def _place(of: Task) -> Path | None:
    words = of.facts.get("words", [])
    return Path(words[words.index("--output-dir") + 1]) if "--output-dir" in words[:-1] else None


def _folder_html(place: Path, t: Texts) -> str:
    files = sorted(file for file in place.iterdir() if file.is_file())
    rows = [[f"<code>{escape(file.name)}</code>", escape(_size(file.stat().st_size))] for file in files]
    said = note(t("{size} in {folder}", size=_size(size_of(place)), folder=str(place)), "good")
    adapter = (place / "adapter_config.json").is_file()
    quoted = shlex.quote(str(place))
    uses = [] if adapter else [("core-cli", f"core-cli chat {quoted}"), ("vLLM", f"vllm serve {quoted}")]
    load = f'AutoPeftModelForCausalLM.from_pretrained("{place}")  # peft'
    if not adapter:
        load = f'AutoModelForCausalLM.from_pretrained("{place}")  # transformers'
    uses.append(("Python", load))
    commands = "".join(
        f'<div class="tb-dim">{escape(name)}</div><div class="tb-command"><pre>{escape(line)}</pre></div>'
        for name, line in uses
    )
    return f"{said}{table([t('File'), t('Size')], rows, 'tb-numbers')}{title(t('How it is used'))}{commands}"


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{-(-count // 1024)} KiB"
