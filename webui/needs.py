"""Beside the start button: what the training would need, and a button that makes it fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.commands.estimate import mebibytes
from core.config import TrainConfig
from core.errors import UserError
from core.forecast import keep_estimate, same_need
from core.run import Run
from webui.board import QUIET, say_at_once
from webui.form import Form
from webui.markup import amount, duration, escape, note, table
from webui.texts import Texts
from webui.told import wrong

if TYPE_CHECKING:
    from core.estimate import Estimate


class Needs:
    """The components, and what happens to them."""

    def __init__(self, form: Form[TrainConfig], t: Texts, check: Callable[[TrainConfig], None]) -> None:
        self.form, self.t, self.check = form, t, check

    def put_ask(self) -> None:
        """The button that asks."""
        self.ask = gr.Button(self.t("What would it need?"), min_width=140, elem_id="train-estimate")

    def put(self) -> None:
        """What is found, here."""
        self.shown = gr.HTML(elem_id="train-need")
        self.fit = gr.Button(self.t("Make it fit"), visible=False, elem_id="train-fit")
        self.changes = gr.State({})
        # The config that was looked at, and what it needs.
        self.looked_at = gr.State(None)

    def listen(self) -> None:
        """Tie the components to the functions below; models are counted one at a time."""
        parts = set(self.form.components.values())
        found = [self.shown, self.fit, self.changes, self.looked_at]
        ask = say_at_once(self.ask.click, self.shown, self.t("Counting …"))
        ask.then(self.estimate, parts, found, concurrency_limit=1, trigger_mode="once", **QUIET)
        filled = [*self.form.components.values(), self.fit]
        self.fit.click(self.fill, self.changes, filled, concurrency_limit=1, trigger_mode="once", **QUIET)

    def estimate(self, values: Mapping[Any, Any]) -> tuple[Any, ...]:
        """What the options in the form need, or what is wrong with them."""
        from core.auto_length import with_length
        from core.estimate import Estimator

        try:
            config = self.form.read(values)
            self.check(config)
            config = with_length(config)
            estimator = Estimator(config)
            needed, changes = estimator.estimate(config), estimator.fitting(config)
        except UserError as error:
            return wrong(error, self.t), gr.update(visible=False), {}, None
        return needs_html(needed, changes, self.t), gr.update(visible=bool(changes)), changes or {}, (config, needed)

    def keep(self, values: Mapping[Any, Any], run: Run) -> None:
        """Leave what was found with a run, if it was found for its very options."""
        found = values.get(self.looked_at)
        if found is not None and same_need(found[0], run.config):
            keep_estimate(run, found[1])

    def fill(self, changes: dict[str, Any]) -> dict[Any, Any]:
        """The form with the changes."""
        return {**self.form.updates(changes), self.fit: gr.update(visible=False)}


def needs_html(needed: Estimate, changes: dict[str, Any] | None, t: Texts) -> str:
    """The verdict, the parts, and the change that would do."""
    words = {
        "weights": t("weights"),
        "gradients": t("gradients"),
        "optimiser": t("optimiser"),
        "activations": t("activations"),
        "logits": t("logits"),
        "program": t("program"),
    }
    size, room = mebibytes(needed.memory), mebibytes(needed.available)
    verdict = t("About {size} at once, {room} are free: it fits.", size=size, room=room)
    if not needed.fits:
        verdict = t("About {size} at once, only {room} are free.", size=size, room=room)
    if changes:
        told = ", ".join(f"{name}: {value}" for name, value in changes.items())
        verdict += " " + t("It fits with {changes}.", changes=told)
    elif changes is None:
        verdict += " " + t("Nothing here makes it fit: take a smaller model.")
    took = t(
        "{steps} steps of about {step} s: {time}, without evaluations.",
        steps=amount(needed.steps),
        step=f"{needed.step_s:.2g}",
        time=duration(needed.total_s, t),
    )
    rows = [[escape(words[name]), escape(mebibytes(held))] for name, held in needed.parts.items()]
    parts = table([t("Part"), t("Memory")], rows, "tb-numbers")
    return note(verdict, "good" if needed.fits else "warn") + f'<div class="tb-dim">{escape(took)}</div>{parts}'
