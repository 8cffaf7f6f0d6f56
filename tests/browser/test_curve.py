"""The curves: what is plotted, and that no two lines look alike."""

from __future__ import annotations

import re

import pytest

from webui.curve import chart, lines_of, looks_of

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
