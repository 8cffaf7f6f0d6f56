"""Python tools of the Chat tab: a file, looked at without running it, and which of its functions may run.

Nothing of a file runs before a person ticks one of its functions. What is ticked holds for the bytes that were looked
at: `core.toolbox` refuses a file that has changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from core.errors import UserError
from core.paths import typed
from core.toolbox import Offer, Toolbox, offered
from webui.board import LIGHT, QUIET, Board
from webui.told import wrong
from webui.uploads import code_files, keep_code


class ToolFile:
    """The components, and what happens to them."""

    def __init__(self, board: Board) -> None:
        self.board, self.t = board, board.t
        self.offer = gr.State(None)

    def put(self) -> None:
        """Put them here."""
        t = self.t
        with gr.Accordion(t("Python tools"), open=False, elem_id="chat-python"):
            self.file = gr.Dropdown(
                code_files(self.board.roots),
                value=None,
                allow_custom_value=True,
                label=t("Python file"),
                info=t("Its functions with type hints and a docstring become tools. A file that the board may read."),
                elem_id="chat-code",
            )
            self.upload = gr.UploadButton(t("Upload a .py file"), file_types=[".py"], size="md", elem_id="chat-upload")
            self.problem = gr.HTML(elem_id="chat-code-problem")
            self.allowed = gr.CheckboxGroup(
                [],
                label=t("May run"),
                info=t(
                    "What is ticked really runs when the model calls it: on this machine, as your user, with your files"
                    " and network, in a process of its own with limits. Tick only code that you trust."
                ),
                visible=False,
                elem_id="chat-allowed",
            )

    def listen(self) -> None:
        """Tie the components to the functions below."""
        light: dict[str, Any] = {"concurrency_limit": LIGHT, "trigger_mode": "always_last", **QUIET}
        self.file.change(self.looked_at, self.file, [self.offer, self.allowed, self.problem], **light)
        self.upload.upload(self.uploaded, self.upload, [self.file, self.problem], **light)
        self.file.focus(lambda: gr.update(choices=code_files(self.board.roots)), None, self.file, **light)

    @property
    def asked(self) -> set[Any]:
        """The inputs that `toolbox` reads."""
        return {self.offer, self.allowed}

    def looked_at(self, name: str | None) -> tuple[Offer | None, Any, str]:
        """Another file: what it offers, and nothing of it allowed."""
        hidden = gr.update(choices=[], value=[], visible=False)
        if not (name or "").strip():
            return None, hidden, ""
        try:
            self.board.roots.check("tools", str(name))
            offer = offered(typed(str(name)))
        except UserError as error:
            return None, hidden, wrong(error, self.t)
        choices = [
            (f"{function}: {about}" if about else function, function) for function, about in offer.functions.items()
        ]
        return offer, gr.update(choices=choices, value=[], visible=True), ""

    def uploaded(self, file: str) -> tuple[Any, str]:
        """A file has come: keep it and look at it, or say why not."""
        try:
            name = keep_code(file, self.board.roots)
        except UserError as error:
            return gr.skip(), wrong(error, self.t)
        return gr.update(choices=code_files(self.board.roots), value=name), ""

    def toolbox(self, values: Mapping[Any, Any], held: Toolbox | None = None) -> Toolbox | None:
        """The functions that may run, started; None where none may. Raises `UserError`.

        `held`: those of the answer before, which go on where they are the same and end otherwise.
        """
        offer, names = values[self.offer], tuple(values[self.allowed] or ())
        if held is not None:
            if not held.closed and names == held.allowed and offer == held.offer == offered(offer.file):
                return held
            held.close()
        if offer is None or not names:
            return None
        self.board.roots.check("tools", offer.file)
        return Toolbox(offer, names)
