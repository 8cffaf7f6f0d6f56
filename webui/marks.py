"""The rendered text with what is trained marked: a colour and an underline per kind, to be read without colour too."""

from __future__ import annotations

from collections import Counter

from core.encode import Example
from core.template.spans import KINDS, Kind, Rendered
from webui.markup import escape
from webui.texts import Texts


def sample_html(sample: Rendered, example: Example, t: Texts) -> str:
    """One sample: its counts and its text."""
    counts = Counter(KINDS[kind - 1] for kind in example.kinds if kind)
    total = t("{n} tokens, {trained} trained", n=len(example.input_ids), trained=example.trained)
    return (
        f'<div class="tb-sample"><div class="tb-counts"><b>{escape(total)}</b>{legend(counts, t)}</div>'
        f'<pre class="tb-marked">{marked(sample)}</pre></div>'
    )


def legend(counts: Counter[Kind], t: Texts) -> str:
    """What the marks mean, with the number of tokens of each kind."""
    names = {"text": t("text"), "reasoning": t("reasoning"), "tool_call": t("tool call"), "stop": t("stop token")}
    items = [
        f'<span class="tb-key"><mark class="tb-m-{kind}">{escape(names[kind])}</mark> {counts[kind]}</span>'
        for kind in KINDS
        if counts[kind]
    ]
    return f'<span class="tb-legend">{"".join(items)}</span>'


def marked(sample: Rendered) -> str:
    """The text, escaped, with a `<mark>` around every trained span."""
    out: list[str] = []
    position = 0
    for span in sample.spans:
        out.append(escape(sample.text[position : span.start]))
        out.append(f'<mark class="tb-m-{span.kind}">{escape(sample.text[span.start : span.end])}</mark>')
        position = span.end
    return "".join([*out, escape(sample.text[position:])])
