"""Loss curves as SVG: no script, follows the page's light and dark colours, at most 500 points a line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webui.markup import escape

Point = tuple[float, float]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 620, 250, 44, 26, 10, 10
MOST_POINTS = 500
COLOURS = 8
# A line of more points is drawn smoothed, with what was measured faintly behind it; it follows about a twentieth of it.
MOST_AS_MEASURED = 40
SMOOTHED_OVER = 20
HELD_OUT = re.compile(r"eval_(?:.+_)?(loss(?:_.+)?)")
# Not a figure of the training itself: the axis, the clock, and what Trainer says once at the end.
NOT_PLOTTED = ("step", "epoch", "total_flos", "num_tokens", "train_loss")
CLOCKS = ("_runtime", "_per_second", "elapsed_s")


@dataclass(frozen=True, slots=True)
class Line:
    """One series."""

    name: str
    points: tuple[Point, ...]


def lines_of(metrics: Iterable[Mapping[str, Any]]) -> dict[str, Line]:
    """Every numeric key of the metrics as a line over the steps."""
    found: dict[str, list[Point]] = {}
    for row in metrics:
        step = row.get("step")
        if not isinstance(step, int | float):
            continue
        for key, value in row.items():
            if _plotted(key) and isinstance(value, int | float) and math.isfinite(value):
                found.setdefault(key, []).append((float(step), float(value)))
    return {key: Line(key, tuple(_thinned(points))) for key, points in found.items()}


def is_loss(name: str) -> bool:
    """Whether the line belongs on the loss chart."""
    return "loss" in name.split("_")


def chart(lines: Sequence[Line], title: str = "") -> str:
    """The lines in one chart with a legend; hovering a step shows its figures."""
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    x_low, x_high = _range([x for x, _ in points], pad=0)
    y_low, y_high = _range([y for _, y in points], pad=0.06)

    def at(point: Point) -> Point:
        x = LEFT + (point[0] - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (point[1] - y_low) / (y_high - y_low) * (HEIGHT - BOTTOM - TOP)
        return round(x, 1), round(y, 1)

    body = _grid(at, (x_low, x_high), (y_low, y_high))
    looks = looks_of([line.name for line in lines])
    drawn = [smoothed(line.points) for line in lines]
    body += "".join(_measured([at(p) for p in line.points], look) for line, look in zip(lines, looks, strict=True))
    body += "".join(_polyline([at(p) for p in points], look) for points, look in zip(drawn, looks, strict=True))
    body += _hover(lines, at)
    legend = "".join(
        f'<span class="tb-key"><svg class="tb-swatch" viewBox="0 0 24 8" aria-hidden="true">'
        f'<line class="{look}" x1="1" x2="23" y1="4" y2="4"/></svg>'
        f'<span title="{escape(line.name)}">{escape(line.name)}</span> '
        f"<b>{_short(points[-1][1])}</b></span>"
        for line, points, look in zip(lines, drawn, looks, strict=True)
    )
    head = f"<b>{escape(title)}</b>" if title else ""
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(spoken(lines, title))}">{body}</svg>'
    return (
        f'<div class="tb-chart"><div class="tb-counts">{head}<span class="tb-legend">{legend}</span></div>{svg}</div>'
    )


def spoken(lines: Sequence[Line], title: str = "") -> str:
    """A chart in words: where each line begins and where it is now."""
    said = [f"{line.name}: {_short(line.points[0][1])} → {_short(line.points[-1][1])}" for line in lines if line.points]
    return "; ".join([title, *said] if title else said)


def looks_of(names: Sequence[str]) -> list[str]:
    """A class for each line, no two alike: what is measured gives the colour, and on held-out data it is dashed."""
    measured = [found.group(1) if (found := HELD_OUT.fullmatch(name)) else name for name in names]
    order = list(dict.fromkeys(measured))
    looks: list[str] = []
    for name, what in zip(names, measured, strict=True):
        dash = int(name != what) + order.index(what) // COLOURS
        while (look := f"tb-c{order.index(what) % COLOURS} tb-dash-{dash}") in looks:
            dash += 1
        looks.append(look)
    return looks


def smoothed(points: Sequence[Point]) -> Sequence[Point]:
    """The exponential mean of a long line, without the pull of its first value; a short line as it is."""
    if len(points) <= MOST_AS_MEASURED:
        return points
    kept = 1 - 2 / (len(points) / SMOOTHED_OVER + 1)
    total = weight = 0.0
    means = []
    for x, y in points:
        total, weight = kept * total + y, kept * weight + 1
        means.append((x, total / weight))
    return means


def _measured(points: list[Point], look: str) -> str:
    """What stands faintly behind a smoothed line."""
    if len(points) <= MOST_AS_MEASURED:
        return ""
    return f'<path class="tb-measured {look}" d="M{" L".join(f"{x},{y}" for x, y in points)}"/>'


def _plotted(key: str) -> bool:
    return key not in NOT_PLOTTED and not key.endswith(CLOCKS)


def _thinned(points: list[Point]) -> list[Point]:
    """At most `MOST_POINTS`, each the mean of its neighbours; the last point is kept."""
    if len(points) <= MOST_POINTS:
        return points
    size = math.ceil(len(points) / (MOST_POINTS - 1))
    parts = [points[first : first + size] for first in range(0, len(points) - 1, size)]
    return [(part[-1][0], sum(y for _, y in part) / len(part)) for part in parts] + [points[-1]]


def _range(values: list[float], pad: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low == high:
        return low - 0.5, high + 0.5
    return low - pad * (high - low), high + pad * (high - low)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values between two, about as many as asked for."""
    raw = (high - low) / about
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def _grid(at: Any, x_range: Point, y_range: Point) -> str:
    out = []
    for value in ticks(*y_range, 5):
        _, y = at((x_range[0], value))
        out.append(f'<line class="tb-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        out.append(f'<text class="tb-tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{_short(value)}</text>')
    for value in ticks(*x_range, 8):
        x, _ = at((value, y_range[0]))
        if value == int(value):
            out.append(f'<text class="tb-tick" x="{x}" y="{HEIGHT - 8}" text-anchor="middle">{int(value)}</text>')
    return "".join(out)


def _polyline(points: list[Point], look: str) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    marks = points if len(points) <= MOST_AS_MEASURED else points[-1:]
    dots = "".join(f'<circle class="{look}" cx="{x}" cy="{y}" r="2.5"/>' for x, y in marks)
    return f'<polyline class="{look}" points="{path}"/>{dots}'


def _hover(lines: Sequence[Line], at: Any) -> str:
    """An invisible strip per step, with its figures as a tooltip."""
    figures: dict[float, list[str]] = {}
    for line in lines:
        for x, y in line.points:
            figures.setdefault(x, []).append(f"{line.name}: {_short(y)}")
    steps = sorted(figures)[-MOST_POINTS:]
    places = [at((step, 0))[0] for step in steps]
    width = max(2.0, (WIDTH - LEFT - RIGHT) / max(1, len(steps)))
    height = HEIGHT - TOP - BOTTOM
    return "".join(
        f'<rect class="tb-strip" x="{x - width / 2:.1f}" y="{TOP}" width="{width:.1f}" height="{height}">'
        f"<title>{escape('; '.join([f'step {step:g}', *figures[step]]))}</title></rect>"
        for step, x in zip(steps, places, strict=True)
    )


def _short(value: float) -> str:
    return f"{value:.1e}" if value and abs(value) < 1e-3 else f"{value:.4g}"
