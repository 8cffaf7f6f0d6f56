"""Small pieces of HTML. Everything that comes from data, a model or a file passes through `escape` first."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.state import State
from webui.texts import NARROW_SPACE, Texts

# gr.HTML reads its value as a template too: `${…}` and `{{…}}` in data must stay what they are.
TEMPLATE_SIGNS = {ord("$"): "&#36;", ord("{"): "&#123;", ord("}"): "&#125;", ord("@"): "&#64;", ord("`"): "&#96;"}


def escape(value: Any) -> str:
    """Text that shows as it is and means nothing, neither to the browser nor to a template."""
    return html.escape(str(value), quote=True).translate(TEMPLATE_SIGNS)


def pretty(value: Any) -> str:
    """JSON, indented, escaped."""
    return escape(indented(value))


def indented(value: Any) -> str:
    """JSON, indented."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def beginning(text: str, most: int, t: Texts) -> str:
    """A text, escaped; of one that would make the page slow its beginning, and how much there is besides."""
    return escape(text[:most]) + unshown(text, most, t)


def unshown(text: str, most: int, t: Texts) -> str:
    """How many characters of a text there are besides the first `most`; nothing where there are no others."""
    more = len(text) - most
    return f'<span class="tb-dim"> {escape(t("… and {n} more characters", n=amount(more)))}</span>' if more > 0 else ""


def title(text: str) -> str:
    """A small heading above a part of a tab."""
    return f'<h3 class="tb-title">{escape(text)}</h3>'


def note(text: str, tone: str = "plain") -> str:
    """A short message in a box; `tone` is plain, good, warn or bad, and what is bad is read out at once."""
    role = "alert" if tone == "bad" else "status"
    return f'<div class="tb-note tb-{tone}" role="{role}">{escape(text)}</div>' if text else ""


def waiting(text: str) -> str:
    """What stands where something is being worked on."""
    return f'<div class="tb-wait" role="status">{escape(text)}</div>'


def empty(text: str) -> str:
    """What stands where there is nothing yet."""
    return f'<div class="tb-empty">{escape(text)}</div>'


def dot(state: State, word: str) -> str:
    """The state of a run: a coloured dot and the word."""
    return f'<span class="tb-state tb-{state.state}"><i></i>{escape(word)}</span>'


def bar(state: State, label: str) -> str:
    """A progress bar; `label` says of what."""
    share = min(1.0, max(0.0, state.progress))
    return (
        f'<div class="tb-bar tb-{state.state}" role="progressbar" aria-label="{escape(label)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}">'
        f'<div style="width:{100 * share:.1f}%"></div></div>'
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """A table; `head` is text, the cells are HTML."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="tb-table {kind}"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'


def amount(value: Any) -> str:
    """A whole number with its thousands apart; a dash where there is none."""
    return f"{value:,}".replace(",", NARROW_SPACE) if isinstance(value, int) else "–"


def duration(seconds: float, t: Texts) -> str:
    """In the two largest units."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return t("{hours} h {minutes} min", hours=hours, minutes=minutes)
    if minutes:
        return t("{minutes} min {seconds} s", minutes=minutes, seconds=whole % 60)
    return t("{seconds} s", seconds=whole)


def number(value: Any) -> str:
    """The same as HTML, with figures of one width."""
    return f'<span class="tb-num">{amount(value)}</span>'


def tiles(figures: Iterable[tuple[str, Any]]) -> str:
    """Figures beside each other, each with its word; those that are not there are left out."""
    shown = "".join(
        f"<div><b>{amount(value)}</b><span>{escape(word)}</span></div>" for word, value in figures if value is not None
    )
    return f'<div class="tb-tiles">{shown}</div>' if shown else ""


def links(folder: Path) -> str:
    """The files of a folder of exports as links to download, with their sizes."""
    files = sorted(folder.iterdir())
    shown = "".join(
        f'<li><a href="/exports/{escape(folder.name)}/{escape(file.name)}" download>{escape(file.name)}</a> '
        f'<span class="tb-dim">{amount(-(-file.stat().st_size // 1024))} KiB</span></li>'
        for file in files
    )
    return f'<ul class="tb-files">{shown}</ul>'


def pager(key: str, value: str, page: int, pages: int, t: Texts) -> str:
    """Buttons to the pages beside this one, which carry `data-KEY` and `data-page`; nothing where there is one page."""
    if pages < 2:
        return ""

    def button(to: int, word: str) -> str:
        off = "" if 0 <= to < pages else " disabled"
        return (
            f'<button type="button" class="tb-button" data-{key}="{escape(value)}" data-page="{to}"{off}>'
            f"{escape(word)}</button>"
        )

    place = escape(t("page {n} of {all}", n=page + 1, all=pages))
    return (
        f'<div class="tb-pager">{button(page - 1, "← " + t("Previous page"))}<span>{place}</span>'
        f"{button(page + 1, t('Next page') + ' →')}</div>"
    )
