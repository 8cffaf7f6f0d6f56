"""What a model wrote on held-out turns at the last evaluation of its training, beside the reference."""

from __future__ import annotations

from typing import Any

from core.run import Run
from webui.markup import empty, escape, table
from webui.texts import Texts

# Characters of a prompt's end.
TAIL = 160


def written_html(run: Run | None, t: Texts) -> str:
    """A row a turn: the end of what came before, the reference, what was written."""
    samples = run.samples() if run else []
    if not samples:
        return empty(t("What it writes on held-out turns appears with the first evaluation."))
    step = samples[-1]["step"]
    rows = [_row(sample) for sample in samples if sample["step"] == step]
    head = [t("step {n}", n=step), t("Reference"), t("Written"), ""]
    return table(head, rows, "tb-written")


def _row(sample: dict[str, Any]) -> list[str]:
    calls = sample["reference"].get("tool_calls")
    mark = "" if not calls else "✓" if sample["exact_calls"] else "✗"
    tail = sample["prompt_tail"].strip()[-TAIL:]
    return [f'<span class="tb-dim">… {escape(tail)}</span>', _said(sample["reference"]), _said(sample["written"]), mark]


def _said(message: dict[str, Any]) -> str:
    lines = [escape(message["content"])] if message.get("content") else []
    for call in message.get("tool_calls", ()):
        called = call["function"]
        lines.append(f"<code>{escape(called['name'])}({escape(called['arguments'])})</code>")
    return "<br>".join(lines) or "–"
