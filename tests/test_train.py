"""Training: what must not change a result does not, and what must be said is said."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from core.batch import Collator, Sums
from core.config import TrainConfig
from core.errors import UserError
from core.method import load_trainable
from core.run import Run
from core.template.spans import KINDS
from core.train import keep_logs, train_run
from tests.conftest import small


def trained(runs: Path, **options: Any) -> tuple[Run, list[dict[str, Any]]]:
    """Train in this process; returns the run and its metric lines that hold a loss."""
    run = Run.create(small(**options))
    assert train_run(run) == "finished"
    return run, [line for line in run.metrics() if "loss" in line]


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(next(run.model_dir.glob("*.safetensors")))


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-5)


def test_same_seed_same_losses(runs: Path) -> None:
    _, first = trained(runs)
    _, second = trained(runs)
    assert [line["loss"] for line in first] == [line["loss"] for line in second]


def test_batch_times_accumulation_gives_one_trajectory(runs: Path) -> None:
    """Four at once, or four in two passes of two: the loss is the mean over all their tokens either way."""
    rows = {"max_samples": 4, "max_steps": 2}
    one, _ = trained(runs, per_device_train_batch_size=4, gradient_accumulation_steps=1, **rows)
    two, _ = trained(runs, per_device_train_batch_size=2, gradient_accumulation_steps=2, **rows)
    assert_same(weights_of(one), weights_of(two))


def test_selected_head_gives_the_losses_of_all_logits(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    selected, first = trained(runs)
    monkeypatch.setattr("core.trainer.head_is_plain", lambda model: False)
    whole, second = trained(runs)
    assert [line["loss"] for line in first] == pytest.approx([line["loss"] for line in second], rel=1e-5)
    assert_same(weights_of(selected), weights_of(whole))


def test_padding_without_a_mask_gives_the_losses_with_one(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"dataset": ["tools"], "per_device_train_batch_size": 4, "packing": "off"}
    bare, first = trained(runs, **options)
    monkeypatch.setattr("core.trainer.padding_is_inert", lambda model: False)
    masked, second = trained(runs, **options)
    assert [line["loss"] for line in first] == pytest.approx([line["loss"] for line in second], rel=1e-5)
    assert_same(weights_of(bare), weights_of(masked))


def test_packed_and_padded_give_one_trajectory(runs: Path) -> None:
    """The same rows in a step, put one behind the other or side by side.

    Plain SGD, for Adam divides a gradient by its own size: next to nothing, its rounding becomes a whole step.
    """
    options = {"dataset": ["tools"], "max_samples": 4, "max_steps": 3, "per_device_train_batch_size": 4}
    options |= {"optim": "sgd", "learning_rate": 0.1}
    packed, first = trained(runs, **options, packing="on")
    padded, second = trained(runs, **options, packing="off")
    assert [line["loss"] for line in first] == pytest.approx([line["loss"] for line in second], rel=1e-5)
    assert_same(weights_of(packed), weights_of(padded))


def test_a_model_that_leaks_is_trained_by_length_or_refused(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("core.train.packing_fault", lambda model: "a row changes")
    trained(runs)
    assert "rows are not packed but batched by length: a row changes" in capsys.readouterr().out
    with pytest.raises(UserError, match="packing on: not with this model, a row changes"):
        train_run(Run.create(small(packing="on")))


def test_weights_of_rows_count(runs: Path, tmp_path: Path) -> None:
    """A weight of 0 is not trained; a weight of 2 on everything changes nothing, since the mean is weighted."""

    def rows(name: str, **weight: float) -> str:
        path = tmp_path / f"{name}.jsonl"
        talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi there", **weight}]
        path.write_text("\n".join(json.dumps({"messages": talk}) for _ in range(4)), encoding="utf-8")
        return str(path)

    plain, _ = trained(runs, dataset=[rows("plain")])
    doubled, _ = trained(runs, dataset=[rows("doubled", weight=2)])
    assert_same(weights_of(plain), weights_of(doubled))
    with pytest.raises(UserError, match="no row can be trained on"):
        train_run(Run.create(small(dataset=[rows("nothing", weight=0)])))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_result_can_be_loaded_and_keeps_the_template(runs: Path, method: str) -> None:
    from core.model import load_for_chat

    run, lines = trained(runs, finetuning_type=method, max_samples=2, max_steps=6)
    assert lines[-1]["loss"] < lines[0]["loss"]
    loaded = load_for_chat(run, TrainConfig())
    assert loaded.template.source == load_for_chat("starter", TrainConfig()).template.source
    assert loaded.stop_ids
    assert json.loads((run.path / "report.json").read_text())["rows"]["in"] == 2


def test_losses_per_kind_are_logged_and_held_out_rows_are_evaluated(runs: Path) -> None:
    run, _ = trained(
        runs, dataset=["tools"], eval_dataset=["tools_heldout"], max_samples=8, num_train_epochs=1, max_steps=-1
    )
    lines = run.metrics()
    merged = {key: value for line in lines for key, value in line.items()}
    for key in ("loss_text", "loss_tool_call", "loss_stop", "accuracy_tool_call"):
        assert key in merged
    assert any(key.startswith("eval") and key.endswith("loss_tool_call") for key in merged), sorted(merged)


def test_a_loss_that_is_no_number_ends_the_run(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One weight overflows, as after a step that was too long; whether a rate does that depends on the machine."""

    def overflowed(config: TrainConfig, new: Any, *, place: bool) -> Any:
        model, adapter = load_trainable(config, new, place=place)
        model.get_decoder().layers[0].mlp.up_proj.weight.data[0] = float("inf")
        return model, adapter

    monkeypatch.setattr("core.train.load_trainable", overflowed)
    with pytest.raises(UserError, match="the loss is not finite at step 1"):
        train_run(Run.create(small(finetuning_type="full")))


def test_collator_gives_labels_their_places() -> None:
    rows = [
        {"input_ids": [1, 2, 3], "labels": [-100, 2, 3], "kinds": [0, 1, 4], "weights": [0.0, 1.0, 1.0], "length": 3},
        {"input_ids": [4, 5], "labels": [4, 5], "kinds": [1, 3], "weights": [1.0, 0.5], "length": 2},
    ]
    padded, packed = Collator(9, packs=False)(rows), Collator(9, packs=True)(rows)
    assert padded["input_ids"].tolist() == [[1, 2, 3], [4, 5, 9]]
    assert padded["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert padded["places"].tolist() == [0, 1, 3]
    assert packed["input_ids"].tolist() == [[1, 2, 3, 4, 5]]
    assert packed["places"].tolist() == [0, 1, 3]
    for batch in (padded, packed):
        assert batch["targets"].tolist() == [2, 3, 5]
        assert batch["weights"].tolist() == [1, 1, 0.5]
        assert batch["kinds"].tolist() == [1, 4, 3]
        assert batch["tokens"] == 5


def test_sums_are_means_over_tokens() -> None:
    sums = Sums()
    text, stop = KINDS.index("text") + 1, KINDS.index("stop") + 1
    sums.add(torch.tensor([1.0, 3.0]), torch.tensor([True, False]), torch.tensor([text, text]))
    sums.add(torch.tensor([8.0]), torch.tensor([True]), torch.tensor([stop]))
    assert sums.take() == {
        "loss": 4.0,
        "accuracy": pytest.approx(2 / 3),
        "loss_text": 2.0,
        "accuracy_text": 0.5,
        "loss_stop": 8.0,
        "accuracy_stop": 1.0,
    }
    assert sums.take() == {}


def test_what_loggers_write_lies_in_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But where the environment says otherwise, and only of a run that logs elsewhere too."""
    monkeypatch.setenv("WANDB_DIR", "/elsewhere")
    for name in ("TENSORBOARD_LOGGING_DIR", "SWANLAB_LOG_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    quiet, loud = (Run.create(small(runs_dir=str(tmp_path), report_to=to)) for to in ([], ["tensorboard"]))
    keep_logs(quiet)
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ
    keep_logs(loud)
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == os.environ["SWANLAB_LOG_DIR"] == str(loud.path / "logs")
    assert os.environ["WANDB_DIR"] == "/elsewhere"
    assert (loud.path / "logs").is_dir()
    assert not (quiet.path / "logs").exists()
