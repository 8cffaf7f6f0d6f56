"""The trash on the Runs tab: what lies in it, how large it is, a button for each run to have it back, and emptying."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from core.commands.estimate import mebibytes
from core.errors import UserError
from core.paths import runs_dir_of
from core.run import Run
from core.trash import empty, find_trashed, restore, size_of, trashed
from webui.board import LIGHT, QUIET, Board, sent_with
from webui.markup import escape, table
from webui.texts import Texts
from webui.told import wrong

ON_CLICK = """
element.addEventListener('click', (event) => {
  const hit = event.target.closest('[data-back]');
  if (hit) trigger('select', {back: hit.dataset.back});
});
"""
Shown = dict[Any, Any]


class Trash:
    """The components, which are hidden while the trash is empty."""

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.folder = runs_dir_of(board.runs_dir)

    def put(self) -> None:
        """Put them here."""
        t = self.t
        with gr.Accordion(t("Trash"), open=False, visible=False, elem_id="runs-trash") as self.box:
            self.problem = gr.HTML(elem_id="trash-problem")
            self.listing = gr.HTML(js_on_load=ON_CLICK, elem_id="trash-list")
            with gr.Row():
                self.ask = gr.Button(t("Empty the trash"), scale=0, min_width=180, elem_id="trash-empty")
            with gr.Row(visible=False) as self.asked:
                self.sure = gr.Button(variant="stop", scale=0, min_width=260, elem_id="trash-sure")
                self.keep = gr.Button(t("Keep it"), scale=0, min_width=120, elem_id="trash-keep")

    @property
    def parts(self) -> list[Any]:
        """The outputs of `shown`."""
        return [self.box, self.problem, self.listing, self.ask, self.asked, self.sure]

    def listen(self) -> None:
        """Tie the components to the functions below."""
        one: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "runs", "trigger_mode": "once", **QUIET}
        gr.on([self.board.page.load, self.box.expand], self.shown, None, self.parts, concurrency_limit=LIGHT, **QUIET)
        self.listing.select(self.back, None, self.parts, **one)
        turns: dict[str, Any] = {"concurrency_limit": LIGHT, **QUIET}
        self.ask.click(
            lambda: (gr.update(visible=False), gr.update(visible=True)), None, [self.ask, self.asked], **turns
        )
        self.keep.click(
            lambda: (gr.update(visible=True), gr.update(visible=False)), None, [self.ask, self.asked], **turns
        )
        self.sure.click(self.emptied, None, self.parts, **one)

    def shown(self, problem: str = "") -> Shown:
        """What lies there now, and nothing asked."""
        t, runs = self.t, trashed(self.folder)
        sizes = [size_of(run.path) for run in runs]
        total = mebibytes(sum(sizes))
        return {
            self.box: gr.update(visible=bool(runs), label=t("Trash ({n} · {size})", n=len(runs), size=total)),
            self.problem: wrong(problem, t),
            self.listing: trash_html(runs, sizes, t),
            self.ask: gr.update(visible=True),
            self.asked: gr.update(visible=False),
            self.sure: t("Delete for good, free {size}", size=total),
        }

    def back(self, event: gr.EventData) -> Shown:
        """A run is to be had back; its name is compared with the folders in the trash and never used as a path."""
        name = str(sent_with(event).get("back", ""))
        try:
            restore(find_trashed(name, self.folder))
        except (UserError, OSError) as error:
            return self.shown(str(error))
        return self.shown()

    def emptied(self) -> Shown:
        """Everything in it is deleted for good."""
        try:
            empty(self.folder)
        except UserError as error:
            return self.shown(str(error))
        return self.shown()


def trash_html(runs: Sequence[Run], sizes: Sequence[int], t: Texts) -> str:
    """A row a run, with its size (of bytes, in words) and a button to have it back."""
    rows = [_row(run, size, t) for run, size in zip(runs, sizes, strict=True)]
    return f'<div class="tb-scroll">{table([t("Run"), t("Folder"), t("Size"), ""], rows)}</div>'


def _row(run: Run, size: int, t: Texts) -> list[str]:
    name, word = escape(run.path.name), escape(t("Restore"))
    button = f'<button type="button" class="tb-button" data-back="{name}">{word}</button>'
    return [f"<b>{escape(run.name)}</b>", f"<code>{name}</code>", escape(mebibytes(size)), button]
