"""Checkpoints are whole or not used, and a resumed run is the run that was never interrupted."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.checkpoint import MANIFEST, SPARE_BYTES, checkpoints, fault_of, keep_newest, newest_whole, seal, write_whole
from core.disk import lay_ballast, write_atomic_json
from core.errors import UserError
from core.room import check_room, needed_bytes
from core.run import BALLAST, Run
from core.template.choose import LIBRARY
from core.train import checkpoint_to_resume, train_run
from tests.conftest import small
from tests.faults.power import PowerCut


def folder(parent: Path, name: str, text: str = "weights") -> Path:
    place = parent / name

    def write(stage: Path) -> None:
        (stage / "model.bin").write_text(text)
        (stage / "state.json").write_text("{}")

    write_whole(place, write)
    return place


def test_a_whole_folder_is_whole(tmp_path: Path) -> None:
    place = folder(tmp_path, "checkpoint-1")
    assert fault_of(place) == ""
    assert set(json.loads((place / MANIFEST).read_text())) == {"model.bin", "state.json"}


def test_every_damage_is_found_and_named(tmp_path: Path) -> None:
    cut, flipped, gone, unsealed = (folder(tmp_path, f"checkpoint-{n}") for n in range(1, 5))
    (cut / "model.bin").write_text("weigh")
    (flipped / "model.bin").write_text("Weights")
    (gone / "state.json").unlink()
    (unsealed / MANIFEST).unlink()
    assert "checkpoint-1/model.bin has 5 bytes" in fault_of(cut)
    assert "checkpoint-2/model.bin is damaged" in fault_of(flipped)
    assert "checkpoint-3/state.json is missing" in fault_of(gone)
    assert "not written to its end" in fault_of(unsealed)
    for content in ("[]", '{"model.bin": 5}', '{"model.bin": {"size": 7}}'):
        (unsealed / MANIFEST).write_text(content)
        assert "not written to its end" in fault_of(unsealed)
    good = folder(tmp_path, "checkpoint-0")
    found, faults = newest_whole(tmp_path)
    assert found == good
    assert len(faults) == 4


def test_what_fails_while_writing_leaves_nothing_and_keeps_the_old(tmp_path: Path) -> None:
    place = folder(tmp_path, "model", "old")

    def fails(stage: Path) -> None:
        (stage / "half").write_text("x")
        raise OSError(errno.ENOSPC, "no space")

    with pytest.raises(OSError, match="no space"):
        write_whole(place, fails)
    assert (place / "model.bin").read_text() == "old"
    assert not list((tmp_path / ".stage").iterdir())


def test_killed_at_any_point_leaves_a_valid_checkpoint(tmp_path: Path) -> None:
    """Stop the writer before each system call that matters; what is there is always whole."""
    folder(tmp_path, "checkpoint-1")
    for point in range(1, 12):
        code = f"""
import os, sys
from pathlib import Path
import core.checkpoint as c
calls = 0
def counted(real):
    def call(*a, **k):
        global calls
        calls += 1
        if calls == {point}:
            os._exit(9)
        return real(*a, **k)
    return call
c.flush, c._sha256 = counted(c.flush), counted(c._sha256)
Path.rename = counted(Path.rename)
def write(stage):
    for name in ("a", "b", "c"):
        (stage / name).write_text(name)
c.write_whole(Path({str(tmp_path)!r}) / "checkpoint-2", write)
"""
        subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parent.parent)
        found, faults = newest_whole(tmp_path)
        assert found is not None
        assert not faults, (point, faults)


def saves(folder_of_checkpoints: Path) -> None:
    """A second checkpoint, with a folder in it, takes the place of the first."""

    def write(stage: Path) -> None:
        (stage / "model.bin").write_text("new weights")
        (stage / "parts").mkdir()
        (stage / "parts" / "1.bin").write_text("more weights")

    write_whole(folder_of_checkpoints / "checkpoint-2", write)
    keep_newest(folder_of_checkpoints, 1)


def test_a_power_cut_at_any_point_leaves_a_whole_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "checkpoints"
    folder(place, "checkpoint-1")
    cut = PowerCut(place, monkeypatch, assert_whole, tmp_path / "left")
    saves(place)
    assert cut.points > 20
    found, faults = newest_whole(cut.left(eager=False))
    assert found is not None
    assert (found.name, faults) == ("checkpoint-2", [])


def test_without_flushing_a_power_cut_would_leave_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above is worth: it fails as soon as a flush is missing."""
    place = tmp_path / "checkpoints"
    folder(place, "checkpoint-1")
    monkeypatch.setattr("core.checkpoint.flush", lambda path: None)
    PowerCut(place, monkeypatch, assert_whole, tmp_path / "left")
    with pytest.raises(AssertionError, match="no whole checkpoint"):
        saves(place)


def assert_whole(left: Path) -> None:
    found, faults = newest_whole(left)
    assert found is not None, f"no whole checkpoint: {faults}"


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        folder(tmp_path, f"checkpoint-{number}")
    keep_newest(tmp_path, 2)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-10", "checkpoint-2"]


def stopping_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody asks for a stop when the run has reached this step."""
    real = Run.stop_requested
    monkeypatch.setattr(Run, "stop_requested", lambda run: real(run) or run.state().step == step)


def losses(run: Run) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in run.metrics() if "loss" in line}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_stopped_and_resumed_equals_uninterrupted(runs: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    options: dict[str, Any] = {"max_steps": 8, "save_steps": 100, "finetuning_type": method, "lora_dropout": 0.1}
    straight = Run.create(small(**options))
    assert train_run(straight) == "finished"
    broken = Run.create(small(**options))
    with monkeypatch.context() as patch:
        stopping_at(3, patch)
        assert train_run(broken) == "stopped"
    assert train_run(broken, resume=True) == "finished"
    assert losses(broken) == losses(straight)


def test_resume_takes_the_newest_whole_one_and_says_what_it_skipped(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(small(max_steps=4, save_steps=1, save_total_limit=3))
    train_run(run)
    newest = checkpoints(run.path / "checkpoints")
    assert [path.name for path in newest] == ["checkpoint-4", "checkpoint-3", "checkpoint-2"]
    weights = next(newest[0].glob("*.safetensors"))
    os.truncate(weights, weights.stat().st_size // 2)
    assert checkpoint_to_resume(run.path).name == "checkpoint-3"
    assert "skipped: checkpoint-4/adapter_model.safetensors has" in capsys.readouterr().out
    for path in newest:
        (path / MANIFEST).unlink()
    with pytest.raises(UserError, match="no whole checkpoint to resume from"):
        checkpoint_to_resume(run.path)


def test_a_changed_dataset_is_said_and_the_runs_own_copy_used(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi there"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([json.dumps({"messages": talk})] * 8), encoding="utf-8")
    run = Run.create(small(dataset=[str(path)], max_steps=4))
    with monkeypatch.context() as patch:
        stopping_at(2, patch)
        assert train_run(run) == "stopped"
    path.write_text("", encoding="utf-8")
    assert train_run(run, resume=True) == "finished"
    assert "rows.jsonl has changed since the run began" in capsys.readouterr().out


def test_a_full_disk_is_said_before_the_start(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": SPARE_BYTES})())
    with pytest.raises(UserError, match="are needed for checkpoints"):
        train_run(Run.create(small()))


def test_a_disk_that_fills_up_is_said_and_the_last_checkpoint_kept(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(small(max_steps=4, save_steps=1))
    real = seal

    def full(stage: Path) -> None:
        if stage.name == "checkpoint-3":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(stage)

    monkeypatch.setattr("core.trainer.seal", full)
    with pytest.raises(UserError, match=r"the disk is full: \d+ MiB are free, \d+ MiB needed; the last whole"):
        train_run(run)
    assert checkpoint_to_resume(run.path).name == "checkpoint-2"
    assert not (run.path / "checkpoints" / ".stage" / "checkpoint-3").exists()


def test_a_library_that_hides_a_full_disk_is_seen_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.save says `unexpected pos 64 vs 0`; and the stage, once cleared away, leaves room again."""

    def fails(stage: Path) -> None:
        (stage / "half").write_text("x")
        raise RuntimeError("unexpected pos 64 vs 0")

    monkeypatch.setattr(
        "shutil.disk_usage",
        lambda path: type("Usage", (), {"free": 0 if (Path(path) / "half").exists() else 2**40})(),
    )
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(tmp_path / "checkpoint-1", fails)
    assert caught.value.errno == errno.ENOSPC


def test_how_a_run_ended_is_said_on_a_full_disk(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(small())
    lay_ballast(run.path / BALLAST)
    real = write_atomic_json

    def full(path: Path, data: Any, **how: Any) -> None:
        if (run.path / BALLAST).exists():
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, data, **how)

    for place in ("core.run", "core.disk"):
        monkeypatch.setattr(f"{place}.write_atomic_json", full)
    with pytest.raises(OSError, match="No space left"):
        run.write_state("running", 3, 9)
    run.write_state("failed", 3, 9, "the disk is full")
    assert (run.said().state, run.said().message) == ("failed", "the disk is full")


def test_a_run_that_cannot_be_made_leaves_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: Any, **how: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("core.run.write_atomic_json", full)
    with pytest.raises(UserError, match="the disk is full — make room"):
        Run.create(small())
    assert not [path for path in runs.iterdir() if path.is_dir()]


def test_a_resumed_run_goes_on_with_the_template_that_it_kept(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.jinja"
    shutil.copy(LIBRARY / "chatml.jinja", mine)
    run = Run.create(small(max_steps=3, template=str(mine)))
    with monkeypatch.context() as patch:
        stopping_at(1, patch)
        assert train_run(run) == "stopped"
    kept = (run.path / "template.jinja").read_text(encoding="utf-8")
    mine.unlink()
    assert train_run(run, resume=True) == "finished"
    assert (run.model_dir / "chat_template.jinja").read_text(encoding="utf-8") == kept


def test_a_run_cut_off_before_its_first_checkpoint_begins_again(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(small(max_steps=2))
    with monkeypatch.context() as patch:
        patch.setattr("core.train.load_trainable", lambda *_, **__: (_ for _ in ()).throw(UserError("cut off")))
        with pytest.raises(UserError, match="cut off"):
            train_run(run)
    assert train_run(run, resume=True) == "finished"
    assert "there is no checkpoint yet: beginning again" in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["gone", "read-only"])
def test_a_folder_that_goes_or_cannot_be_written_ends_the_run_with_the_reason(
    runs: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    run = Run.create(small(max_steps=6))
    real = Run.write_state

    def write_state(self: Run, state: Any, step: int = 0, max_steps: int = 0, message: str = "") -> None:
        if step == 2 and fault == "gone":
            shutil.rmtree(run.path)
        elif step == 2:
            raise OSError(errno.EROFS, "Read-only file system", str(run.path / "state.json"))
        real(self, state, step, max_steps, message)

    monkeypatch.setattr(Run, "write_state", write_state)
    message = "the run's folder is gone" if fault == "gone" else "state.json: it cannot be written: Read-only"
    with pytest.raises(UserError, match=message):
        train_run(run)
    assert run.path.exists() == (fault == "read-only")


def test_a_folder_that_a_checkpoint_would_make_anew_is_not(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deletes a run is not done at once: what is left of it must not be trained on in secret."""
    run = Run.create(small(max_steps=6, save_steps=1))
    real = Run.write_metrics

    def write_metrics(self: Run, metrics: dict[str, Any]) -> None:
        real(self, metrics)
        if metrics["step"] == 2:
            (run.path / "run.json").unlink()

    monkeypatch.setattr(Run, "write_metrics", write_metrics)
    with pytest.raises(UserError, match="the run's folder is gone"):
        train_run(run)
    assert run.said().step == 2


def test_room_is_counted(tmp_path: Path) -> None:
    import torch

    check_room(tmp_path, needed_bytes(torch.nn.Linear(2, 2), 2))
