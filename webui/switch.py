"""Panels of which one is shown, with a row of buttons to switch between them in the browser, without asking the server.

Gradio's own tabs mix up their labels when they stand within tabs. A switch stands within a column of the class
`tb-switched`, beside the panels; `tb-panel-N` is the N-th of them (from 1), and within a panel `tb-view-N`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import gradio as gr

from webui.markup import escape

Family = Literal["panel", "view"]
# The chosen place is kept on the column, which Gradio never draws anew; the style sheet does the rest.
SWITCH = """
const family = element.querySelector('[role=tablist]').dataset.family;
const root = element.closest('.tb-switched-' + family);
const buttons = [...element.querySelectorAll('[role=tab]')];
const show = (button) => {
  root.dataset[family] = button.dataset.place;
  for (const one of buttons) {
    one.setAttribute('aria-selected', one === button);
    one.tabIndex = one === button ? 0 : -1;
  }
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('[role=tab]');
  if (button) show(button);
});
element.addEventListener('keydown', (event) => {
  const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (!by) return;
  const next = buttons[(buttons.indexOf(document.activeElement) + by + buttons.length) % buttons.length];
  next.focus();
  show(next);
});
root.addEventListener('tb-show-' + family, (event) => show(buttons[event.detail - 1]));
"""


def put_switch(labels: Sequence[str], family: Family, name: str) -> None:
    """Put the row of buttons here; `name` says to a screen reader what they choose."""
    buttons = "".join(
        f'<button type="button" role="tab" data-place="{place}" aria-selected="{str(place == 1).lower()}" '
        f'tabindex="{0 if place == 1 else -1}">{escape(label)}</button>'
        for place, label in enumerate(labels, start=1)
    )
    bar = f'<div class="tb-switch" role="tablist" aria-label="{escape(name)}" data-family="{family}">{buttons}</div>'
    gr.HTML(bar, js_on_load=SWITCH, elem_classes=f"tb-switch-{family}")


def panel(place: int, family: Family = "panel") -> list[str]:
    """The classes of a panel."""
    return [f"tb-{family}", f"tb-{family}-{place}"]
