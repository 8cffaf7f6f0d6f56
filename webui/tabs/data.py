"""The Data tab: one row on its way from the file to the loss, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from core.config import TrainConfig
from core.datasets import find_source, iterate_rows
from core.errors import UserError
from core.preview import Preview, preview
from webui.board import LIGHT, QUIET, Board, dataset_names
from webui.form import Form
from webui.live import findings_html
from webui.marks import sample_html
from webui.markup import empty, escape, note, pretty, title
from webui.talk import chat_html, tools_html
from webui.texts import Texts

# Rows read at the same time: each reads its file anew.
READERS = 2
FIELDS = ("model_name_or_path", "template", "max_length", "train_on", "dataset_dir")


def build(board: Board) -> None:
    """Put the tab here."""
    tab = DataTab(board)
    tab.put_choice()
    tab.head = gr.HTML(elem_id="data-head")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=340):
            gr.HTML(title(board.t("Conversation")))
            tab.talk = gr.HTML(elem_id="data-talk")
            with gr.Accordion(board.t("Raw row"), open=True):
                tab.raw = gr.HTML(elem_id="data-raw")
        with gr.Column(scale=6, min_width=340):
            gr.HTML(title(board.t("What the model reads and learns")))
            tab.text = gr.HTML(elem_id="data-marked")
    tab.listen()


class DataTab:
    """The components of the tab, and what happens to them."""

    head: gr.HTML
    talk: gr.HTML
    raw: gr.HTML
    text: gr.HTML

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.form = Form(TrainConfig, board.t, prefix="data-field")

    def put_choice(self) -> None:
        """Which row, and read with which model and template."""
        t, names = self.t, dataset_names()
        with gr.Row(equal_height=True, elem_classes="tb-card"):
            self.dataset = gr.Dropdown(
                names,
                value=names[0] if names else None,
                label=t("Dataset"),
                info=t("A registered dataset, or the path of a file in the folder that the board was started in."),
                allow_custom_value=True,
                scale=6,
                min_width=280,
                elem_id="data-dataset",
            )
            self.number = gr.Number(
                1,
                label=t("Row"),
                info=t("The first one is 1."),
                precision=0,
                scale=1,
                min_width=120,
                elem_id="data-row",
            )
            with gr.Row(scale=2, elem_classes="tb-steps"):
                self.back = gr.Button("← " + t("Previous"), min_width=110, elem_id="data-previous")
                self.forth = gr.Button(t("Next") + " →", min_width=110, elem_id="data-next")
        with gr.Accordion(t("Model, template and limits"), open=False):
            self.form.rows(FIELDS)

    def listen(self) -> None:
        """Tie the components to the functions below."""
        parts = [self.dataset, self.number, *self.form.components.values()]
        folder = self.form.components["dataset_dir"]
        settings: dict[str, Any] = {"trigger_mode": "always_last", **QUIET}
        views = [self.head, self.talk, self.raw, self.text]
        changes = [self.board.page.load, *(part.change for part in parts)]
        gr.on(changes, self.show, set(parts), views, concurrency_limit=READERS, **settings)
        place = [self.dataset, self.number, folder]
        self.back.click(lambda *at: self.inside(-1, *at), place, self.number, concurrency_limit=READERS, **settings)
        self.forth.click(lambda *at: self.inside(1, *at), place, self.number, concurrency_limit=READERS, **settings)
        self.dataset.input(lambda: 1, None, self.number, concurrency_limit=LIGHT, **settings)
        folder.change(self.offered, folder, self.dataset, concurrency_limit=LIGHT, **settings)

    def show(self, values: Mapping[Any, Any]) -> tuple[str, str, str, str]:
        """The four views of the chosen row."""
        try:
            name, config = str(values[self.dataset] or ""), self.form.read(values)
            if not name:
                raise UserError(self.t("Choose a dataset."))
            self.board.roots.check_config(config.model_copy(update={"dataset": [name]}))
            return _views(name, int(values[self.number] or 1), config, self.t)
        except UserError as error:
            return note(str(error), "bad"), empty("–"), "", empty("–")

    def inside(self, by: int, name: str, number: float | None, folder: str) -> int:
        """The row number `by` further, kept between 1 and the last."""
        wanted = max(1, int(number or 1) + by)
        try:
            source = self.board.roots.check_data(TrainConfig(dataset_dir=folder), [name])[0]
            return min(wanted, count_rows(name, folder, str(source.file)))
        except UserError:
            return wanted

    def offered(self, folder: str) -> Any:
        """The datasets of the folder."""
        return gr.update(choices=self.board.datasets(folder))


def _views(name: str, number: int, config: TrainConfig, t: Texts) -> tuple[str, str, str, str]:
    """Headline, conversation, raw row and marked text of one row. Raises `UserError`."""
    shown = preview(name, max(1, number), config)
    return (
        _head(shown, number, config, t),
        _conversation(shown, t),
        f'<pre class="tb-raw">{pretty(shown.row.data)}</pre>',
        "".join(sample_html(*pair, t) for pair in zip(shown.samples, shown.examples, strict=True))
        or empty(t("Nothing of this row is trained.")),
    )


def _head(shown: Preview, number: int, config: TrainConfig, t: Texts) -> str:
    """Where the row stands, its format, and what was found in it."""
    layout = shown.source.layout
    facts = [
        t("row {n} of {all}", n=number, all=count_rows(shown.source.name, config.dataset_dir, str(shown.source.file))),
        f"{Path(shown.row.file).name}:{shown.row.line}",
        t("format {name}", name=layout.formatting if layout else t("recognised from the row")),
        shown.source.description,
    ]
    line = " · ".join(escape(fact) for fact in facts if fact)
    long = max((len(example.input_ids) for example in shown.examples), default=0)
    warning = t(
        "{n} tokens are more than the maximum of {most}: training drops this row.", n=long, most=config.max_length
    )
    found = findings_html([asdict(finding) for finding in shown.findings], t)
    return f'<div class="tb-facts">{line}</div>{note(warning, "warn") if long > config.max_length else ""}{found}'


def _conversation(shown: Preview, t: Texts) -> str:
    if shown.conversation is None:
        return note(t("This row is dropped."), "bad")
    return tools_html(shown.conversation.tools, t) + chat_html(shown.conversation.messages, t)


def count_rows(name: str, dataset_dir: str, file: str) -> int:
    """How many rows a dataset has; counted again when its file changes."""
    path = Path(file)
    return _counted(
        str(path if path.is_file() else name), dataset_dir, path.stat().st_mtime_ns if path.is_file() else 0
    )


@lru_cache(maxsize=32)
def _counted(name: str, dataset_dir: str, written_ns: int) -> int:
    return sum(1 for _ in iterate_rows(find_source(name, dataset_dir)))
