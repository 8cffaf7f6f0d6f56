"""A template's card on the page: what it expresses, swallows or refuses, how it writes, and what it makes of text."""

from __future__ import annotations

from core.template.probe import Fate, TemplateCard
from core.template.spans import KINDS, Rendered
from webui.marks import kind_words, marked
from webui.markup import escape, note
from webui.texts import Texts

SIGNS: dict[Fate, str] = {"yes": "✓", "swallowed": "!", "refused": "✕"}


def card_html(card: TemplateCard, rewrites: tuple[str, ...], t: Texts) -> str:
    """The whole card; `rewrites` is what training writes another way because the template has no place for it."""
    words: dict[Fate, str] = {"yes": t("expresses"), "swallowed": t("swallows"), "refused": t("refuses")}
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}<div class="tb-dim">{escape(what)}</div></th>'
        f'<td><span class="tb-fate tb-fate-{fate}"><i aria-hidden="true">{SIGNS[fate]}</i>{escape(words[fate])}'
        "</span></td></tr>"
        for name, what, fate in _abilities(card, t)
    )
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in _facts(card, t))
    explained = t(
        "Expresses: it reaches the model. Swallows: it is left out without a word, so nothing of it can be learned. "
        "Refuses: the template stops with an error."
    )
    return (
        f'<table class="tb-table tb-abilities"><caption class="tb-unseen">{escape(t("What the template can express"))}'
        f"</caption><tbody>{rows}</tbody></table>"
        f'<p class="tb-dim">{escape(explained)}</p>{_rewritten(rewrites, t)}<dl class="tb-list">{facts}</dl>'
    )


def _abilities(card: TemplateCard, t: Texts) -> list[tuple[str, str, Fate]]:
    return [
        (t("System prompt"), t("instructions before the conversation"), card.system),
        (t("Developer role"), t("a newer name for the system prompt"), card.developer),
        (t("Tools"), t("the list of what the model may call"), card.tools),
        (t("Calls"), t("the assistant asks for a tool"), card.calls),
        (t("Several calls at once"), t("more than one call in a turn"), card.parallel_calls),
        (t("Words beside a call"), t("the assistant says something and calls"), card.text_beside_calls),
        (t("Results"), t("what a tool gave back"), card.results),
        (t("May end with a call"), t("a conversation whose last call has no result yet"), card.ends_with_call),
        (t("Reasoning"), t("what the model thinks before it answers"), card.reasoning),
        (t("Reasoning in earlier turns"), t("kept when the conversation goes on"), card.reasoning_in_history),
        (t("Content in parts"), t("messages as lists of text parts"), card.content_parts),
    ]


def lost_words(t: Texts) -> dict[str, str]:
    """What of calls a template may lose, in words."""
    return {
        "no arguments": t("no arguments"),
        "quotation marks": t("quotation marks"),
        "line breaks": t("line breaks"),
        "punctuation": t("punctuation"),
        "white space": t("white space"),
        "numbers": t("numbers"),
        "true and false": t("true and false"),
        "null": t("null"),
        "lists and objects": t("lists and objects"),
        "empty lists and objects": t("empty lists and objects"),
        "texts that look like another argument": t("texts that look like another argument"),
        "texts that look like other values": t("texts that look like other values"),
        "several calls": t("several calls"),
        "words beside a call": t("words beside a call"),
    }


def _facts(card: TemplateCard, t: Texts) -> list[tuple[str, str]]:
    """How the template writes; the values are HTML."""
    arguments = {"object": t("as an object"), "text": t("as JSON text"), "none": t("not at all")}
    ids = {"any": t("any"), "nine characters": t("nine letters or digits")}
    stops = " ".join(f"<code>{escape(token)}</code>" for token in card.stop_tokens)
    stable = t("stay as they were written") if card.history == "stable" else t("change later: one sample per history")
    learns = t("yes") if card.stops else t("no: the model would not learn to stop")
    return [
        (t("Arguments of calls"), escape(arguments[card.arguments])),
        (
            t("Lost in calls"),
            escape(", ".join(lost_words(t).get(what, what) for what in card.calls_lost) or t("nothing")),
        ),
        (t("Ids of calls"), escape(ids[card.call_ids])),
        (t("User and assistant must alternate"), escape(t("yes") if card.alternates else t("no"))),
        (t("Stop tokens"), stops or escape(t("none"))),
        (t("Turns end with one"), escape(learns)),
        (t("Earlier turns"), escape(stable)),
        (t("Before an answer stands"), f"<code>{escape(repr(card.generation_prompt))}</code>"),
    ]


def _rewritten(rewrites: tuple[str, ...], t: Texts) -> str:
    said = []
    for name in rewrites:
        kind, _, dialect = name.partition(":")
        if kind == "system":
            said.append(t("the system prompt moves into the first user message"))
        elif kind == "tools":
            said.append(t("tools and calls are written as text ({dialect})", dialect=dialect))
    return note(t("What it lacks, training writes another way: {ways}.", ways="; ".join(said)), "warn") if said else ""


def spans_html(sample: Rendered, t: Texts) -> str:
    """A text with what is trained in it marked, and what the marks mean."""
    names, kinds = kind_words(t), {span.kind for span in sample.spans}
    keys = "".join(
        f'<span class="tb-key"><mark class="tb-m-{kind}">{escape(names[kind])}</mark></span>'
        for kind in KINDS
        if kind in kinds
    )
    return f'<div class="tb-legend">{keys}</div><pre class="tb-marked">{marked(sample)}</pre>'
