"""What is trained, marked in the text or token by token: a colour and an underline per kind, to be read without colour
too, with the number of tokens of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.label import Example
from core.preview import Preview, Token
from core.template.spans import KINDS, Kind, Rendered
from webui.markup import amount, escape, unshown, waiting
from webui.texts import Texts

# A page with more boxes, or more letters, becomes slow.
MOST_TOKENS, MOST_CHARACTERS = 4000, 200_000
# A sample that is not there yet waits for its text, and stays where it is on the screen when that comes and the one
# that was open folds. Those that are there are folded and opened by the browser alone.
ON_OPEN = """
element.addEventListener('click', (event) => {
  const sample = event.target.closest('summary')?.parentElement;
  if (!sample?.dataset.sample || sample.open) return;
  const top = sample.getBoundingClientRect().top;
  new MutationObserver((changes, observer) => {
    const summary = element.querySelector('details[open]:not([data-sample]) > summary');
    if (!summary) return;
    observer.disconnect();
    window.scrollBy(0, summary.getBoundingClientRect().top - top);
    summary.focus({preventScroll: true});
  }).observe(element, {childList: true, subtree: true});
  trigger('select', {sample: sample.dataset.sample});
});
"""


def kind_words(t: Texts) -> dict[Kind, str]:
    """The kinds of trained tokens, in words."""
    return {"text": t("text"), "reasoning": t("reasoning"), "tool_call": t("tool call"), "stop": t("stop token")}


def samples_html(shown: Preview, t: Texts, *, place: int = 0, tokens: bool = False) -> str:
    """Every sample that training makes of a row, with its counts: the one at `place` open, with its text or tokens, the
    others folded. `ON_OPEN` asks for one that is opened."""
    parts = []
    for n, (sample, example) in enumerate(zip(shown.samples, shown.examples, strict=True)):
        name = t("sample {n} of {all}", n=n + 1, all=len(shown.samples)) if len(shown.samples) > 1 else ""
        head = counts_html(example, t, name)
        if n != place:
            wait = waiting(t("One moment …"))
            parts.append(
                f'<details class="tb-fold tb-sample" data-sample="{n}"><summary>{head}</summary>{wait}</details>'
            )
            continue
        body = tokens_html(shown.tokens(n), t) if tokens else marked_html(sample, t)
        parts.append(
            f'<details class="tb-fold tb-sample" open><summary>{head}</summary>{body}</details>'
            if name
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


def marked_html(sample: Rendered, t: Texts) -> str:
    """The beginning of the text, with its trained spans marked, and how much there is besides."""
    return f'<pre class="tb-marked">{marked(sample)}{unshown(sample.text, MOST_CHARACTERS, t)}</pre>'


def marked(sample: Rendered) -> str:
    """The text up to `MOST_CHARACTERS`, escaped, with a `<mark>` around every trained span."""
    text, out, position = sample.text[:MOST_CHARACTERS], [], 0
    for span in sample.spans:
        if span.start >= MOST_CHARACTERS:
            break
        out.append(escape(text[position : span.start]))
        out.append(f'<mark class="tb-m-{span.kind}">{escape(text[span.start : span.end])}</mark>')
        position = span.end
    return "".join([*out, escape(text[position:])])


def tokens_html(tokens: Sequence[Token], t: Texts) -> str:
    """The tokens as boxes; pointing at one tells its id, its word in the vocabulary and how it is trained."""
    boxes = "".join(_box(token, t) for token in tokens[:MOST_TOKENS])
    more = t("… and {n} more", n=amount(len(tokens) - MOST_TOKENS)) if len(tokens) > MOST_TOKENS else ""
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
