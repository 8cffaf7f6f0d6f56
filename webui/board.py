"""What the tabs share: the texts, the folders, the runs in them, and the components through which tabs meet."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.datasets import registry
from core.errors import UserError
from core.run import Run, list_runs
from core.template.choose import library_names
from webui.markup import waiting
from webui.models import Models
from webui.roots import Roots
from webui.texts import Texts
from webui.uploads import uploaded

# The page looks by itself whether anything has changed, and only then is there an event: Gradio's own timer makes an
# event a second, and at each step of each event its page goes through all inputs so far, which keeps a browser busy
# without end on a page of this size. The first look is made twice: an event of a page that is still being put together
# can get lost. An element may not be on the page yet when this begins; once it has gone, nobody looks.
WATCH = """
let last = '', looks = 0, seen = false;
const look = async () => {
  if (seen && !element.isConnected) return;
  seen ||= element.isConnected;
  if (element.offsetParent && !document.hidden) {
    try {
      const answer = await fetch('/changes');
      const mark = answer.ok ? await answer.text() : last;
      if (mark !== last || looks < 2) { looks += 1; last = mark; trigger('select', {}); }
    } catch { /* the board is away; it is asked again */ }
  }
  setTimeout(look, 1000);
};
look();
"""
# The board's handlers only read small files; what is heavy (starting, looking at data, chatting) says its own limit.
LIGHT = 16
QUIET: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}


@dataclass
class Board:
    """One page in one language. `chat_target`, `train_run` and `train_choice` are made here because several tabs use
    them: the last holds options of the config that another tab wants in the form of the Train tab."""

    t: Texts
    runs_dir: str
    page: gr.Blocks
    tabs: gr.Tabs
    chat_target: gr.Dropdown
    train_run: gr.Dropdown
    train_choice: gr.State
    models: Models
    roots: Roots

    def run(self, name: str | None) -> Run | None:
        """A run by its folder's name. What a browser sends is compared with the folders and never used as a path."""
        return next((run for run in self.runs() if run.path.name == name), None)

    def runs(self) -> list[Run]:
        """All runs, newest first."""
        return list_runs(self.runs_dir)

    def need_run(self, name: str | None) -> Run:
        """The same, or a `UserError`."""
        run = self.run(name)
        if run is None:
            raise UserError(self.t('There is no run "{name}".', name=name or ""))
        return run

    def names(self) -> list[str]:
        """The folders of the runs, newest first."""
        return [run.path.name for run in self.runs()]

    def with_model(self) -> list[str]:
        """Those of them that have a model."""
        return [run.path.name for run in self.runs() if run.has_model]

    def offered_with_model(self) -> Any:
        """The same, as the choices of a list."""
        return gr.update(choices=self.with_model())

    def chat_choices(self) -> Any:
        """What one may chat with: the starter, and every run with a result."""
        runs = [(name, name) for name in self.with_model()]
        return gr.update(choices=[(self.t("starter (the embedded model)"), "starter"), *runs])

    def to_chat(self, name: str) -> tuple[Any, Any]:
        """Show the Chat tab with this run chosen."""
        return gr.update(selected="chat"), {**self.chat_choices(), "value": name}

    @staticmethod
    def to_train(options: Mapping[str, Any]) -> tuple[float, Mapping[str, Any]]:
        """What `train_choice` becomes. With the time, for who asks twice for the same means it."""
        return time.monotonic(), options

    def datasets(self, dataset_dir: str = "") -> list[str]:
        """What a person may choose: what is registered in a folder, and what was uploaded, newest first."""
        try:
            if dataset_dir:
                self.roots.check("dataset_dir", dataset_dir)
        except UserError:
            return uploaded(self.roots)
        return [*dataset_names(dataset_dir), *uploaded(self.roots)]

    def watch(self, asked: Sequence[Any], show: Callable[..., Any], outputs: Sequence[Any]) -> None:
        """Put here what fills `outputs` with what `show` gives for `asked`, whenever a run has changed.

        It stands in the tab that it keeps up to date, for it looks only while that tab is in sight.
        """
        look = gr.HTML("<span></span>", js_on_load=WATCH, elem_classes="tb-watch")
        look.select(show, asked, outputs, concurrency_limit=LIGHT, trigger_mode="always_last", **QUIET)

    def newest(self) -> Run | None:
        """The newest run that is alive, else the newest."""
        runs = self.runs()
        return next((run for run in runs[:20] if run.state().alive), runs[0] if runs else None)

    def state_word(self, state: str) -> str:
        """A run's state in the page's language."""
        t = self.t
        words = {
            "waiting": t("waiting"),
            "starting": t("starting"),
            "running": t("running"),
            "stalled": t("stalled"),
            "finished": t("finished"),
            "stopped": t("stopped"),
            "failed": t("failed"),
            "killed": t("killed"),
        }
        return words.get(state, state)


def say_at_once(click: Callable[..., Any], place: Any, text: str) -> Any:
    """Put `text` into `place` when one clicks: the browser does it alone. What does the work follows with `.then`, and
    fills the place when it is done; beside it, its answer could be there first and be written over."""
    return click(None, None, place, js=f"() => {json.dumps(waiting(text))}", **QUIET)


def sent_with(event: gr.EventData) -> dict[str, Any]:
    """What a script of the page sent with its event; a browser may send anything."""
    return event._data if isinstance(event._data, dict) else {}


def dataset_names(dataset_dir: str = "") -> list[str]:
    """The registered datasets; none when the folder has no usable registry."""
    try:
        return list(registry(dataset_dir))
    except UserError:
        return []


def choices(name: str) -> list[str] | None:
    """What to offer for an option whose values are known but not closed; a person may type others."""
    offered = {
        "dataset": dataset_names,
        "eval_dataset": dataset_names,
        "template": lambda: ["auto", *library_names()],
        "model_name_or_path": lambda: ["starter"],
        "lora_target_modules": lambda: ["all-linear", "q_proj", "k_proj", "v_proj", "o_proj"],
    }
    return offered[name]() if name in offered else None
