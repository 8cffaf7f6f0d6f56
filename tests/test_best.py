"""The best checkpoint: told by any held-out figure, kept, found again after a resume, and the result if asked for."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import load_file

from core.best import Best, best_faults, best_so_far
from core.checkpoint import checkpoints
from core.config import BestMetric
from core.errors import UserError
from core.evaluate import call_metrics
from core.run import Run
from core.template.spans import KINDS
from core.train import train_run
from tests.conftest import small
from tests.test_checkpoint import stopping_at
from tests.test_evaluate import RIGHT, SILENT, calling, judged

LESS = [{"step": 1, "eval_loss": 3.0}, {"step": 2, "eval_loss": 1.0}, {"step": 3, "loss": 0.0}]
LESS += [{"step": 4, "eval_loss": 1.0}, {"step": 5, "eval_loss": 2.0}]


def test_less_loss_is_better_more_of_the_rest_is_and_of_equals_the_first() -> None:
    assert best_so_far("loss", LESS) == Best("loss", 2, 1.0, since=2)
    more = [{"step": step, "eval_tool_call_exact": value} for step, value in ((1, 0.1), (2, 0.5), (3, 0.4))]
    assert best_so_far("tool_call_exact", more) == Best("tool_call_exact", 2, 0.5, since=1)
    assert best_so_far("tool_call_exact", LESS) is None


def test_every_figure_that_can_be_named_is_one_that_is_logged() -> None:
    written = call_metrics([judged(calling(RIGHT), calling(RIGHT)), judged(SILENT, SILENT)])
    logged = {f"{figure}_{kind}" for figure in ("loss", "accuracy") for kind in KINDS} | {"loss", "accuracy"}
    assert set(get_args(BestMetric)) == logged | written.keys() - {"turns", "reference_calls"}


@pytest.mark.parametrize(
    ("options", "kinds", "calls", "message"),
    [
        ({}, [], 0, ""),
        ({"metric_for_best_model": "tool_call_exact"}, ["text"], 3, ""),
        ({"early_stopping_patience": 2}, [], 0, "early_stopping_patience needs held-out rows"),
        ({"load_best_model_at_end": True}, [], 0, "load_best_model_at_end needs held-out rows"),
        ({"metric_for_best_model": "loss_tool_call"}, ["text", "stop"], 0, "nothing held out is tool_call"),
        ({"metric_for_best_model": "turn_exact", "eval_generate": 0}, ["text"], 0, "set eval_generate above 0"),
        ({"metric_for_best_model": "turn_exact"}, ["text"], 0, "no held-out turn calls a tool"),
    ],
)
def test_what_cannot_work_is_said(options: dict[str, Any], kinds: list[str], calls: int, message: str) -> None:
    faults = best_faults(small(**options), kinds, calls)
    assert len(faults) == bool(message)
    assert message in "".join(faults)


OPTIONS: dict[str, Any] = {
    "dataset": ["tools"],
    "eval_dataset": ["tools_heldout"],
    "max_samples": 6,
    "max_steps": 9,
    "eval_steps": 1,
    "save_steps": 100,
    "save_total_limit": 1,
    "metric_for_best_model": "tool_call_exact",
    "load_best_model_at_end": True,
    "early_stopping_patience": 2,
}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model would write gets better until step 2, then worse."""
    values = {1: 0.2, 2: 0.9, 3: 0.5, 4: 0.8}

    def figures(loaded: Any, turns: Any, config: Any, run: Run, step: int, *, in_parts: bool) -> dict[str, float]:
        assert not in_parts
        return {"tool_call_exact": values[step]}

    monkeypatch.setattr("core.train.write_samples", figures)


@pytest.mark.usefixtures("scripted")
def test_the_best_is_kept_and_is_the_result_also_over_a_resume(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, broken = Run.create(small(**OPTIONS)), Run.create(small(**OPTIONS))
    assert train_run(straight) == "finished"
    with monkeypatch.context() as patch:
        stopping_at(3, patch)
        assert train_run(broken) == "stopped"
    assert train_run(broken, resume=True) == "finished"
    for run in (straight, broken):
        said = json.loads((run.path / "state.json").read_text())
        assert (said["step"], said["max_steps"]) == (4, 9)
        assert said["message"] == (
            "stopped early: 2 evaluations without a new best, which is tool_call_exact 0.9 at step 2; "
            "the result is the best: tool_call_exact 0.9 at step 2"
        )
        last, best = checkpoints(run.path / "checkpoints")
        assert (last.name, best.name) == ("checkpoint-4", "checkpoint-2")
        weights = [load_file(folder / "adapter_model.safetensors") for folder in (run.model_dir, best, last)]
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
        assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[2])


def test_held_out_sets_are_evaluated_apart_and_together(runs: Any) -> None:
    """Together is the mean over all their tokens, whatever the sets and the batches."""
    options = {"dataset": ["identity"], "max_samples": 3, "max_steps": 1, "eval_generate": 0}
    one = Run.create(small(**options, eval_dataset=["tools_heldout"]))
    two = Run.create(small(**options, eval_dataset=["tools_heldout", "chat"], per_device_eval_batch_size=2))
    for run in (one, two):
        train_run(run)
    (alone,) = [line for line in one.metrics() if "eval_loss" in line]
    lines = {key: value for line in two.metrics() for key, value in line.items()}
    assert lines["eval_tools_heldout_loss_tool_call"] == pytest.approx(alone["eval_loss_tool_call"], rel=1e-5)
    assert lines["eval_loss_tool_call"] == pytest.approx(alone["eval_loss_tool_call"], rel=1e-5)
    between = sorted([lines["eval_tools_heldout_loss_text"], lines["eval_chat_loss_text"]])
    assert between[0] < lines["eval_loss_text"] < between[1]


def test_a_figure_that_cannot_be_measured_is_said_before_the_model_is_loaded(runs: Any) -> None:
    with pytest.raises(UserError, match="needs held-out rows"):
        train_run(Run.create(small(early_stopping_patience=1)))


def test_saved_and_evaluated_with_every_epoch_and_every_tenth(runs: Any) -> None:
    """Eight steps an epoch, two epochs: every second step is a tenth or more, and no step is saved twice."""
    run = Run.create(small(eval_dataset=["chat"], num_train_epochs=2, max_steps=-1, save_total_limit=99))
    train_run(run)
    assert [path.name for path in checkpoints(run.path / "checkpoints")] == [
        f"checkpoint-{step}" for step in (16, 14, 12, 10, 8, 6, 4, 2)
    ]
    assert [line["step"] for line in run.metrics() if "eval_loss" in line] == [8, 16]
    cost = run.cost()
    assert (cost["steps"], cost["device"]) == (16, "cpu")
    assert cost["memory"] > 2**28
    assert 0 < cost["step_s"] < run.metrics()[-1]["elapsed_s"]
