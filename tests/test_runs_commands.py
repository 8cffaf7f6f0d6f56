"""core-cli runs: list, show, stop, resume, compare, delete, queue, move; and what they write down. No training here."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.compare import comparison, figures, from_defaults
from core.disk import write_atomic_json
from core.environment import STARTS, git_commit, record_start, shown_command
from core.errors import UserError
from core.estimate import Estimate
from core.forecast import keep_estimate, same_need
from core.queue import LOCK, enqueue, waiting
from core.run import Run, list_runs
from core.trash import TRASH, delete, empty, restore, trashed
from tests.conftest import small

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    monkeypatch.setattr("core.run.KEEPER", ("-m", "tests.faults.keeper"))


def finished(label: str, losses: list[float], **options: Any) -> Run:
    """A run as it is after a training that gave these losses."""
    run = Run.create(small(run_name=label, **options))
    for step, loss in enumerate(losses, 1):
        run.write_metrics({"step": step, "loss": loss, "elapsed_s": step})
    run.write_metrics({"step": len(losses), "eval_loss": losses[-1] + 1})
    run.write_state("finished", len(losses), len(losses))
    (run.path / "evals").mkdir()
    (run.path / "evals" / "held-tuned.json").write_text(json.dumps({"metrics": {"call_exact": losses[-1] / 10}}))
    return run


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_show_tells_what_a_person_would_ask(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished("a", [3.0] * 10 + [1.0], lora_r=7)
    record_start(run.path, "cpu", "")
    assert main(["runs", "show", "a", "--json"]) == 0
    shown = said(capsys)
    assert shown["options"]["lora_r"] == {"default": 16, "value": 7}
    assert "lora_alpha" not in shown["options"]
    assert shown["figures"]["eval_loss"] == 2.0
    assert shown["evaluations"]["held (tuned)"]["call_exact"] == 0.1
    assert shown["starts"][0]["packages"]["torch"]
    assert {"python", "commit", "command"} <= shown["facts"].keys()
    assert main(["runs", "show", str(run.path), "--verify"]) == 0
    text = capsys.readouterr().out
    assert "lora_r: 7  (default 16)" in text
    assert "eval_loss: 2" in text


def test_what_was_estimated_is_shown_beside_what_was_measured(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished("costly", [2.0])
    assert main(["runs", "show", "costly"]) == 0
    assert "needs" not in capsys.readouterr().out
    write_atomic_json(run.path / "cost.json", {"device": "cpu", "memory": 800 * 2**20, "step_s": 0.5, "steps": 12})
    keep_estimate(run, Estimate("cpu", 2**34, 600 * 2**20, {}, 9, 9, 16, 99, 8, 0.25))
    assert main(["runs", "show", "costly"]) == 0
    shown = capsys.readouterr().out
    assert (
        "  memory at once: 800.0 MiB measured, 600.0 MiB estimated\n  a step: 0.5 s measured, 0.25 s estimated" in shown
    )
    assert main(["runs", "show", "costly", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["needs"]["step_s"] == {"measured": 0.5, "estimated": 0.25}


def test_an_estimate_is_for_the_options_that_matter() -> None:
    config = small()
    assert same_need(config, small(run_name="another", runs_dir="elsewhere"))
    assert not same_need(config, small(lora_r=8))


def test_compare_shows_what_differs_and_nothing_else(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished("a", [2.0] * 20, lora_r=7)
    finished("b", [4.0] * 20, lora_r=9)
    assert main(["runs", "compare", "a", "b", "--json"]) == 0
    shown = said(capsys)
    assert shown["options"] == {"lora_r": [7, 9]}
    assert shown["figures"]["loss"] == [2.0, 4.0]
    assert shown["evaluations"] == {"held (tuned)": {"call_exact": [0.2, 0.4]}}
    assert main(["runs", "compare", "a", "b"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["lora_r", "7", "9"] for line in lines)
    assert main(["runs", "compare", "a"]) == 2
    assert "one run cannot be compared" in capsys.readouterr().err


def test_the_mean_of_the_last_tenth_and_the_last_held_out_figure(runs: Path) -> None:
    run = finished("a", [9.0] * 18 + [1.0, 3.0])
    assert figures(run) == {"loss": 2.0, "eval_loss": 4.0}
    assert comparison([run, run])["options"] == {}
    assert from_defaults(run.config)["max_steps"] == {"default": -1, "value": 3}


def test_delete_asks_and_what_is_deleted_can_be_had_back(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished("a", [1.0])
    assert main(["runs", "delete", "a"]) == 1
    assert "add --yes" in capsys.readouterr().err
    assert run.path.is_dir()
    assert main(["runs", "delete", "a", "--yes"]) == 0
    place = runs / TRASH / run.path.name
    assert str(place) in capsys.readouterr().err
    assert not run.path.exists()
    assert not list_runs()
    assert main(["runs", "trash"]) == 0
    assert run.path.name in capsys.readouterr().out
    assert main(["runs", "restore", "b"]) == 2
    assert "there is: " + run.path.name in capsys.readouterr().err
    assert main(["runs", "restore", "a"]) == 0
    assert run.state().state == "finished"
    assert main(["runs", "delete", "a", "--yes", "--forever"]) == 0
    assert not list((runs / TRASH).iterdir())


def test_a_run_named_twice_is_one(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished("a", [1.0])
    assert main(["runs", "delete", "a", str(run.path), "--yes"]) == 0
    assert main(["runs", "restore", "a", run.path.name]) == 0
    assert list_runs() == [run]


def test_where_there_are_none_it_is_said_of_which_folder(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list"]) == 0
    assert f"no run in {runs}: " in capsys.readouterr().err
    assert main(["runs", "queue", "--runs-dir", "nowhere"]) == 0
    assert "no run waits in nowhere" in capsys.readouterr().err


def test_runs_that_one_may_only_read_are_listed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = enqueue(small(run_name="quick"))
    (runs / LOCK).unlink()
    (runs / LOCK).mkdir()
    for words in (["runs", "list"], ["runs", "queue"]):
        assert main(words) == 0
        listed = capsys.readouterr()
        assert str(run.path) in listed.out
        assert "nothing was started: " in listed.err
        assert "the queue cannot be used" in listed.err


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("report.json", {"rows": 5}, "report.json is damaged"),
        ("report.json", [], "report.json is damaged"),
        ("cost.json", {"memory": "much", "step_s": 1}, "cost.json or estimate.json is damaged"),
        (STARTS, [1], "environment.json is damaged"),
        (STARTS, [{"started": "now"}], "environment.json is damaged"),
    ],
)
def test_what_is_damaged_hides_nothing_else(
    runs: Path, capsys: pytest.CaptureFixture[str], file: str, content: Any, said: str
) -> None:
    run = finished("a", [1.0])
    write_atomic_json(run.path / file, content)
    assert main(["runs", "show", "a"]) == 0
    out = capsys.readouterr().out
    assert said in out
    assert "loss: 1" in out
    assert "made by" in out


def test_the_trash_is_emptied_when_one_agrees(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = finished("a", [1.0]), finished("a", [2.0])
    delete(first)
    # Another run has taken its name by now: both stay.
    first.path.mkdir()
    assert restore(trashed(runs)[0]).path.name.startswith(f"{first.path.name}-")
    delete(second)
    assert main(["runs", "trash", "--empty"]) == 1
    assert "add --yes" in capsys.readouterr().err
    assert [run.path.name for run in trashed(runs)] == [second.path.name]
    assert main(["runs", "trash", "--empty", "--yes"]) == 0
    assert "freed" in capsys.readouterr().err
    assert not trashed(runs)
    assert main(["runs", "trash", "--empty"]) == 0
    assert "empty" in capsys.readouterr().err
    assert empty(runs) == 0


def test_a_run_that_waits_or_lives_is_never_deleted(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    living = Run.start(small(run_name="hold a"))
    queued = enqueue(small(run_name="quick b"))
    for name, state in (("hold a", ""), ("quick b", "waiting")):
        assert main(["runs", "delete", name, "--yes"]) == 2
        assert f"the run is {state}" in capsys.readouterr().err
    with pytest.raises(UserError, match="already training"):
        delete(living)
    with pytest.raises(UserError, match="waits in the queue"):
        delete(queued)
    assert main(["runs", "stop", "quick b"]) == 0
    assert main(["runs", "stop", "hold a"]) == 0
    assert living.wait().state == "stopped"
    assert main(["runs", "stop", "hold a"]) == 1


def test_queue_move_and_the_next_is_started_by_who_looks(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = Run.start(small(run_name="hold"))
    words = ["train", "--dataset", "identity", "--queue", "--detach", "--run-name"]
    for label in ("quick a", "quick b"):
        assert main([*words, label]) == 0
    assert main(["runs", "move", "quick b", "1"]) == 0
    capsys.readouterr()
    assert main(["runs", "queue", "--json"]) == 0
    assert [row["name"] for row in said(capsys)] == ["quick b", "quick a"]
    assert main([*words, "quick a"]) == 2
    assert "waits or runs already" in capsys.readouterr().err
    # Nobody is there to start the next: the keeper is killed with the trainer.
    running.write_state("running", 1, 9)
    for role in ("keeper", "trainer"):
        process = running.process(role)
        while process is None:
            time.sleep(0.05)
            process = running.process(role)
        process.signal(9)
    while running.is_locked():
        time.sleep(0.05)
    assert len(waiting(runs)) == 2
    assert main(["runs", "list", "--json"]) == 0
    shown = capsys.readouterr()
    assert "whose turn it was" in shown.err
    assert {row["name"]: row["state"] for row in json.loads(shown.out)}["hold"] == "killed"
    assert all(run.wait().state == "finished" for run in list_runs() if run.name.startswith("quick"))


def test_resume_waits_its_turn_or_goes_on_at_once(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.create(small(run_name="quick a"))
    assert main(["runs", "resume", "quick a", "--queue", "--json"]) == 0
    assert said(capsys)["state"] == "finished"
    assert main(["train", "--resume", "quick a"]) == 1
    assert "there is nothing to resume" in capsys.readouterr().err
    assert run.state().state == "finished"


def test_ctrl_c_stops_and_ctrl_c_twice_stops_at_once(runs: Path) -> None:
    """The first asks for a stop; a trainer that does not come to the end of its step is ended by the second."""
    # Whoever runs the tests in the background ignores SIGINT, and so would what they start.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "import core.run, sys; core.run.KEEPER = ('-m', 'tests.faults.keeper'); from core.cli import main; "
    code += "sys.exit(main(['train', '--dataset', 'identity', '--run-name', sys.argv[1]]))"
    for label, presses, message in (("hold a", 1, "stopped at step 9;"), ("busy b", 2, "stopped at once, without")):
        command = [sys.executable, "-c", code, label]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            while not (found := [run for run in list_runs() if run.name == label and run.said().step]):
                time.sleep(0.05)
            for _ in range(presses):
                process.send_signal(2)
                time.sleep(0.5)
            assert process.stderr is not None
            text = process.stderr.read()
        assert process.returncode == 75, text
        assert message in text
        assert found[0].wait().state == "stopped"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["core-cli", "--api-key", "abc"], "core-cli --api-key ***"),
        (["core-cli", "--extra", "{hub_token: abc, x: 1}"], "core-cli --extra '{hub_token: ***, x: 1}'"),
        (["HF_TOKEN=abc", "core-cli"], "HF_TOKEN=*** core-cli"),
        (["core-cli", "--x", "hf_" + "a" * 30], "core-cli --x ***"),
        (["core-cli", "--max-new-tokens", "5"], "core-cli --max-new-tokens 5"),
    ],
)
def test_secrets_are_not_written_down(words: list[str], shown: str) -> None:
    assert shown_command(words) == shown


def test_an_option_that_holds_a_secret_is_refused(runs: Path) -> None:
    with pytest.raises(UserError, match="hub_token would be written into the run's folder"):
        Run.create(small(extra={"hub_token": "hf_x"}))
    assert not list_runs()


def test_a_start_under_other_versions_is_said(runs: Path) -> None:
    run = Run.create(small())
    assert record_start(run.path, "cpu", "") == []
    starts = json.loads((run.path / STARTS).read_text(encoding="utf-8"))
    starts[0]["packages"]["trl"] = "0.1"
    (run.path / STARTS).write_text(json.dumps(starts), encoding="utf-8")
    changes = record_start(run.path, "cpu", "checkpoint-3")
    assert len(changes) == 1
    assert changes[0].startswith("trl: 0.1 → ")
    assert json.loads((run.path / STARTS).read_text(encoding="utf-8"))[1]["resumed_from"] == "checkpoint-3"


def test_the_commit_of_a_checkout_and_of_none(tmp_path: Path) -> None:
    assert git_commit(tmp_path) == ""
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    assert len(git_commit(tmp_path)) == 12
