"""What the Train tab says of memory and time, and what it shows of the turns that the model writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.config import TrainConfig
from core.estimate import Estimate
from core.run import Run
from tests.conftest import small
from webui.board import Board
from webui.form import Form
from webui.live import status_html
from webui.needs import Needs, needs_html
from webui.texts import load_texts
from webui.written import written_html

GIB = 2**30


def needed(memory: int) -> Estimate:
    parts = {"weights": GIB, "program": GIB // 2}
    return Estimate(
        device="cpu",
        available=4 * GIB,
        memory=memory,
        parts=parts,
        parameters=1,
        trained_parameters=1,
        rows=10,
        longest=5,
        steps=120,
        step_s=2.0,
    )


@pytest.mark.parametrize(
    ("memory", "changes", "words"),
    [
        (2 * GIB, {}, ["tb-good", "2,048 MiB at once", "it fits", "4 min 0 s"]),
        (5 * GIB, {"max_length": 512}, ["tb-warn", "only 4,096 MiB are free", "It fits with max_length: 512"]),
        (5 * GIB, None, ["tb-warn", "take a smaller model"]),
    ],
)
def test_the_verdict(memory: int, changes: dict[str, Any] | None, words: list[str]) -> None:
    shown = needs_html(needed(memory), changes, load_texts("en"))
    for word in words:
        assert word in shown
    assert load_texts("zh")("Make it fit") != "Make it fit"


def test_an_estimate_stays_with_the_run_that_it_was_made_for(runs: Path, board: Board) -> None:
    needs = Needs(Form(TrainConfig, board.t), board.t, lambda config: None)
    needs.put()
    run, other = Run.create(small()), Run.create(small(lora_r=64))
    for one in (run, other):
        needs.keep({needs.looked_at: (small(), needed(2 * GIB))}, one)
        needs.keep({needs.looked_at: None}, one)
    assert "estimated: 2,048 MiB at most, 2 s a step" in status_html(run, board)
    assert "estimated" not in status_html(other, board)


def test_the_last_evaluation_is_shown_and_nothing_of_it_is_markup(runs: Path) -> None:
    run, t = Run.create(small()), load_texts("en")
    assert "first evaluation" in written_html(run, t)
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}], "content": None}
    place = {"file": "a", "line": 1, "message": 1, "prompt_tail": "<b>Hi</b>", "raw": ""}
    said = {"role": "assistant", "content": "<script>"}
    for step in (1, 2):
        run.write_samples([place | {"step": step, "reference": call, "written": said, "exact_calls": False}])
    shown = written_html(run, t)
    assert "step 2" in shown
    assert shown.count("✗") == 1
    assert "<script>" not in shown
    assert "<b>Hi" not in shown
    assert "<code>f(&#123;&#125;)</code>" in shown
