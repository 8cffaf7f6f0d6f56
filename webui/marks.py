"""What is trained, marked in the text or token by token: a colour and an underline per kind, to be read without colour
too, with the number of tokens of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.label import Example
from core.preview import Preview, Token
from core.template.spans import KINDS, Kind, Rendered
from webui.markup import amount, escape
from webui.texts import Texts

# A page with more boxes than this becomes slow; the text view shows all of it.
MOST_TOKENS = 4000


def kind_words(t: Texts) -> dict[Kind, str]:
    """The kinds of trained tokens, in words."""
    return {"text": t("text"), "reasoning": t("reasoning"), "tool_call": t("tool call"), "stop": t("stop token")}


def samples_html(shown: Preview, t: Texts, *, tokens: bool = False) -> str:
    """Every sample that training makes of a row: its counts, and its text or its tokens."""
    parts = []
    for place, (sample, example) in enumerate(zip(shown.samples, shown.examples, strict=True)):
        name = t("sample {n} of {all}", n=place + 1, all=len(shown.samples)) if len(shown.samples) > 1 else ""
        body = tokens_html(shown.tokens[place], t) if tokens else f'<pre class="tb-marked">{marked(sample)}</pre>'
        parts.append(f'<div class="tb-sample">{counts_html(example, t, name)}{body}</div>')
    return "".join(parts)


def counts_html(example: Example, t: Texts, name: str = "") -> str:
    """How many tokens, how many of them trained, and of which kinds."""
    counts = Counter(KINDS[kind - 1] for kind in example.kinds if kind)
    length = len(example.ids)
    total = t("{n} tokens, {trained} trained", n=amount(length), trained=amount(example.trained))
    share = f" ({100 * example.trained / length:.0f} %)" if length else ""
    title = f'<span class="tb-dim">{escape(name)}</span>' if name else ""
    return f'<div class="tb-counts">{title}<b>{escape(total + share)}</b>{legend(counts, t)}</div>'


def legend(counts: Counter[Kind], t: Texts) -> str:
    """What the marks mean, with the number of tokens of each kind."""
    names = kind_words(t)
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


def tokens_html(tokens: Sequence[Token], t: Texts) -> str:
    """The tokens as boxes; pointing at one tells its id, its word in the vocabulary and how it is trained."""
    boxes = "".join(_box(token, t) for token in tokens[:MOST_TOKENS])
    more = t("… and {n} more", n=len(tokens) - MOST_TOKENS) if len(tokens) > MOST_TOKENS else ""
    return f'<pre class="tb-marked tb-tokens">{boxes}</pre><div class="tb-dim">{escape(more)}</div>'


def _box(token: Token, t: Texts) -> str:
    facts = [token.word, f"id {token.id}"]
    if token.kind is not None:
        facts += [kind_words(t)[token.kind]] + ([t("weight {n}", n=f"{token.weight:g}")] if token.weight != 1 else [])
    else:
        facts.append(t("not trained"))
    # A line break is shown as a sign and then made; a token that ends within a character shows a dot.
    text = escape(token.text).replace("\n", '<i class="tb-break">⏎</i>\n') or '<i class="tb-break">·</i>'
    tip = escape(" · ".join(facts))
    if token.kind is None:
        return f'<span title="{tip}">{text}</span>'
    return f'<mark class="tb-m-{token.kind}" title="{tip}">{text}</mark>'
