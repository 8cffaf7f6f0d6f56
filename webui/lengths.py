"""How long the samples are: a histogram with the window (max_length) drawn in it, as SVG, and the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.quantile import quantile
from core.window_length import window_for
from webui.curve import ticks
from webui.markup import amount, escape, note
from webui.texts import Texts

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 250, 46, 14, 26, 30
BARS = 40


def enough(lengths: Sequence[Sequence[int]]) -> int:
    """A window that holds 99 % of the samples, rounded up."""
    return window_for(quantile(lengths, 0.99), None)


def lengths_html(tokens: dict[str, Any], t: Texts) -> str:
    """Figures and histogram; `tokens` are those of a report."""
    lengths, window = tokens.get("lengths") or [], int(tokens.get("window", 0))
    if not lengths:
        return note(t("Nothing could be rendered, so there are no lengths. The report says why."), "warn")
    total = sum(count for _, count in lengths)
    over = sum(count for length, count in lengths if length > window)
    facts = [
        t("samples: {n}", n=amount(total)),
        t("half have at most {n} tokens", n=amount(quantile(lengths, 0.5))),
        t("99 % at most {n}", n=amount(quantile(lengths, 0.99))),
        t("the longest has {n}", n=amount(lengths[-1][0])),
    ]
    said = (
        t("Longer than the window: {n} ({part} %).", n=amount(over), part=f"{100 * over / total:.1f}")
        if over
        else t("All of them fit the window.")
    )
    tone = "warn" if over else "good"
    return (
        f'<p class="tb-facts">{escape(" · ".join(facts))}</p>{note(said, tone)}{_histogram(lengths, window, said, t)}'
    )


def reach(lengths: Sequence[Sequence[int]], window: int) -> int:
    """The length up to which bars are drawn. Few very long samples do not press all others into one bar: what is
    longer than the window, and than twice what 99 % have, goes into a bar of its own."""
    longest = lengths[-1][0]
    most = max(2 * quantile(lengths, 0.99), round(1.25 * window))
    return most if longest > most else max(longest, min(window, 2 * longest))


def _histogram(lengths: Sequence[Sequence[int]], window: int, said: str, t: Texts) -> str:
    top = reach(lengths, window)
    step = max(1, -(-top // BARS))
    counts = [0] * (top // step + 1)
    beyond = 0
    for length, count in lengths:
        if length // step < len(counts):
            counts[length // step] += count
        else:
            beyond += count
    # A gap stands before the bar of what is longer.
    counts += [0, beyond] if beyond else []
    most, last = max(counts), len(counts) - 1
    wide, tall = (WIDTH - LEFT - RIGHT) / len(counts), HEIGHT - TOP - BOTTOM

    def x(length: float) -> float:
        return round(LEFT + length / step * wide, 1)

    body = "".join(
        _grid_line(value, round(HEIGHT - BOTTOM - value / most * tall, 1))
        for value in ticks(0, most, 4)
        if value == int(value)
    )
    for place, count in enumerate(counts):
        if not count:
            continue
        high = max(2.0, count / most * tall)
        low = place * step
        kind = "tb-over" if low > window else "tb-within"
        tip = t("samples of {low} to {high} tokens: {n}", low=amount(low), high=amount(low + step - 1), n=amount(count))
        if beyond and place == last:
            tip = t("samples longer than {low} tokens: {n}", low=amount((last - 1) * step - 1), n=amount(count))
        body += (
            f'<rect class="{kind}" x="{x(low) + 0.5}" y="{HEIGHT - BOTTOM - high:.1f}" width="{max(1, wide - 1):.1f}" '
            f'height="{high:.1f}" rx="1.5"><title>{escape(tip)}</title></rect>'
        )
    for value in ticks(0, top, 8):
        body += (
            f'<text class="tb-tick" x="{x(value)}" y="{HEIGHT - 10}" text-anchor="middle">{amount(int(value))}</text>'
        )
    if beyond:
        body += f'<text class="tb-tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 10}" text-anchor="end">→</text>'
    if window <= top:
        anchor = "end" if x(window) > WIDTH / 2 else "start"
        shift = -6 if anchor == "end" else 6
        label = escape(t("window: {n}", n=amount(window)))
        body += (
            f'<line class="tb-window" x1="{x(window)}" x2="{x(window)}" y1="{TOP - 14}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="tb-window-label" x="{x(window) + shift}" y="{TOP - 6}" text-anchor="{anchor}">{label}</text>'
        )
    return (
        f'<svg class="tb-histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">{body}</svg>'
        f'<div class="tb-axis">{escape(t("tokens in a sample"))}</div>'
    )


def _grid_line(value: float, y: float) -> str:
    return (
        f'<line class="tb-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text class="tb-tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{amount(int(value))}</text>'
    )
