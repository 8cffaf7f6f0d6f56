"""The curves: what is plotted, and that no two lines look alike."""

from __future__ import annotations

import re

import pytest

from webui.curve import Line, chart, lines_of, looks_of, smoothed

TRAIN = ["loss", "loss_text", "loss_tool_call", "loss_stop", "loss_reasoning"]


@pytest.mark.parametrize("sets", [0, 1, 3])
def test_no_two_lines_look_alike_and_held_out_ones_are_dashed_in_their_colour(sets: int) -> None:
    held = [f"eval_set_{n}_{name}" for n in range(sets) for name in TRAIN]
    looks = dict(zip([*TRAIN, *held], looks_of([*TRAIN, *held]), strict=True))
    assert len(set(looks.values())) == len(looks)
    assert all(looks[name].endswith("dash-0") for name in TRAIN)
    for n in range(sets):
        assert looks[f"eval_set_{n}_loss_text"].split()[0] == looks["loss_text"].split()[0]
    many = [f"loss_{n}" for n in range(20)]
    assert len(set(looks_of(many))) == 20


def test_the_chart_has_a_line_and_a_key_for_each_figure() -> None:
    rows = [
        {"step": n, "loss": 1 / n, "eval_held_loss": 2 / n, "bad": float("nan"), "name": "x"} for n in range(1, 900)
    ]
    lines = lines_of(rows)
    assert lines.keys() == {"loss", "eval_held_loss"}
    assert max(len(line.points) for line in lines.values()) <= 500
    svg = chart(list(lines.values()), "<Loss>")
    assert svg.count("<polyline") == svg.count("tb-swatch") == 2
    assert "&lt;Loss&gt;" in svg
    assert len(set(re.findall(r'polyline class="([^"]+)"', svg))) == 2
    assert chart([]) == ""


def test_a_long_line_is_smoothed_and_what_was_measured_stands_behind_it() -> None:
    noisy = tuple((float(n), 2.0 + (-1) ** n) for n in range(400))
    assert all(abs(y - 2.0) < 0.2 for _, y in smoothed(noisy)[40:])
    assert [x for x, _ in smoothed(noisy)] == [x for x, _ in noisy]
    assert smoothed(noisy[:40]) == noisy[:40]
    assert [y for _, y in smoothed([(float(n), 3.0) for n in range(99)])] == pytest.approx([3.0] * 99)
    svg = chart([Line("loss", noisy)])
    assert svg.count("<path") == svg.count("<polyline") == 1
