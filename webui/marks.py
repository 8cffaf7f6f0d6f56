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

# A page with more boxes, or more letters, becomes slow.
MOST_TOKENS, MOST_CHARACTERS = 4000, 200_000


def kind_words(t: Texts) -> dict[Kind, str]:
    """The kinds of trained tokens, in words."""
    return {"text": t("text"), "reasoning": t("reasoning"), "tool_call": t("tool call"), "stop": t("stop token")}


def samples_html(shown: Preview, t: Texts, *, tokens: bool = False) -> str:
    """Every sample that training makes of a row, its counts and its text or tokens: the first, and others folded."""
    parts, left = [], MOST_TOKENS if tokens else MOST_CHARACTERS
    for place, (sample, example) in enumerate(zip(shown.samples, shown.examples, strict=True)):
        name = t("sample {n} of {all}", n=place + 1, all=len(shown.samples)) if len(shown.samples) > 1 else ""
        body = tokens_html(shown.tokens[place], t, left) if tokens else marked_html(sample, t, left)
        left = max(0, left - (len(shown.tokens[place]) if tokens else len(sample.text)))
        head = counts_html(example, t, name)
        parts.append(
            f'<details class="tb-fold tb-sample"><summary>{head}</summary>{body}</details>'
            if place
            else f'<div class="tb-sample">{head}{body}</div>'
        )
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


def marked_html(sample: Rendered, t: Texts, most: int) -> str:
    """The text up to `most` characters, with its trained spans marked, and how much there is besides."""
    more = len(sample.text) - most
    rest = f'<div class="tb-dim">{escape(t("… and {n} more characters", n=amount(more)))}</div>' if more > 0 else ""
    return f'<pre class="tb-marked">{marked(sample, most)}</pre>{rest}'


def marked(sample: Rendered, most: int = MOST_CHARACTERS) -> str:
    """The text up to `most` characters, escaped, with a `<mark>` around every trained span."""
    text, out, position = sample.text[:most], [], 0
    for span in sample.spans:
        if span.start >= most:
            break
        out.append(escape(text[position : span.start]))
        out.append(f'<mark class="tb-m-{span.kind}">{escape(text[span.start : span.end])}</mark>')
        position = span.end
    return "".join([*out, escape(text[position:])])


def tokens_html(tokens: Sequence[Token], t: Texts, most: int = MOST_TOKENS) -> str:
    """The tokens as boxes; pointing at one tells its id, its word in the vocabulary and how it is trained."""
    boxes = "".join(_box(token, t) for token in tokens[:most])
    more = t("… and {n} more", n=amount(len(tokens) - most)) if len(tokens) > most else ""
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
