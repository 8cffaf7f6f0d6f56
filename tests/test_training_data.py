"""The rows of a run: encoded once, put together as the config says, asked about before training, kept with the run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.checked import check_dataset, checked
from core.cli import main
from core.config import TrainConfig
from core.conversation import Finding
from core.crew import _started, parts
from core.datasets import find_source, load_conversations
from core.datasets.pieces import pieces
from core.encode import prepare
from core.errors import UserError
from core.examine import Job
from core.gate import ConsentNeededError, look_first, require_consent
from core.label import IGNORED
from core.launch import start
from core.report import report_from_json
from core.run import Run
from core.template.sandbox import Template
from core.train import train_run
from core.training_data import TrainingData, kept_data, training_data
from tests.conftest import small


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pairs(path: Path, count: int, *, bad: int = 0, first: int = 0) -> str:
    rows = [{"instruction": f"what is {n}?", "output": f"it is {n}"} for n in range(first, first + count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{oops\n" * bad, encoding="utf-8")
    return str(path)


def made(config: TrainConfig, template: Template, tokenizer: Any) -> tuple[Run, TrainingData]:
    if config.val_size is None:
        config = config.model_copy(update={"val_size": 0})
    run = Run.create(config)
    return run, training_data(run, config, template, tokenizer)


def texts(rows: Any, tokenizer: Any) -> list[str]:
    return [tokenizer.decode([label for label in row["labels"] if label != IGNORED]) for row in rows]


def test_the_rows_are_those_that_prepare_makes(runs: Path, template: Template, tokenizer: Any) -> None:
    config = TrainConfig(dataset=["tools", "identity"], max_samples=40, max_length=256, max_dropped=1.0)
    run, data = made(config, template, tokenizer)
    expected = prepare(load_conversations(config).conversations, template, tokenizer, config).examples
    assert len(data.train) == len(expected)
    for row, example in zip(data.train, expected, strict=True):
        lists = [row[name].tolist() for name in ("input_ids", "labels", "kinds")]
        assert lists == [example.input_ids, example.labels, example.kinds]
        assert row["weights"] == pytest.approx(example.weights)
        assert row["length"] == len(example.input_ids)
    report = json.loads((run.path / "report.json").read_text())
    assert report["tokens"] == sum(len(example.input_ids) for example in expected)
    assert report["trained_tokens"] == sum(example.trained for example in expected)
    assert report["rows"]["in"] == 80


def test_the_report_of_a_run_is_that_of_the_check(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any
) -> None:
    config = TrainConfig(dataset=[pairs(tmp_path / "a.jsonl", 60, bad=1)], max_length=256)
    run, _ = made(config, template, tokenizer)
    written = json.loads((run.path / "report.json").read_text())
    report = check_dataset(config.dataset[0], config, with_model=True)
    assert {key: written[key] for key in report.to_json()} == report.to_json()
    assert report_from_json(written).rows == {"in": 61, "kept": 60, "repaired": 0, "dropped": 1}


def test_nothing_is_read_twice(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(
        dataset=[pairs(tmp_path / "a.jsonl", 60)],
        eval_dataset=[pairs(tmp_path / "b.jsonl", 3, first=99)],
        max_length=256,
    )
    check_dataset(config.dataset[0], config, with_model=True)
    monkeypatch.setattr("core.check.parts", lambda *_: pytest.fail("the data was looked at again"))
    _, data = made(config.model_copy(update={"learning_rate": 1e-3, "seed": 7}), template, tokenizer)
    assert len(data.train) == 60
    assert {name: len(rows) for name, rows in data.held_out.items()} == {"b": 3}
    assert {turn.line for turn in data.turns} == {1, 2, 3}


def test_a_run_keeps_its_rows(runs: Path, tmp_path: Path, cache: Path, template: Template, tokenizer: Any) -> None:
    config = TrainConfig(dataset=[pairs(tmp_path / "a.jsonl", 60)])
    run, data = made(config, template, tokenizer)
    before = data.train.with_format(None)[:]
    shutil.rmtree(cache)
    pairs(tmp_path / "a.jsonl", 10)
    assert kept_data(run).train.with_format(None)[:] == before
    (run.path / "encoded" / "parts.json").unlink()
    with pytest.raises(UserError, match="no encoded rows"):
        kept_data(run)


def test_without_a_cache_the_rows_lie_with_the_run(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / "file" / "below"))
    _, data = made(TrainConfig(dataset=[pairs(tmp_path / "a.jsonl", 60)]), template, tokenizer)
    assert len(data.train) == 60


def test_a_split_by_what_is_asked_and_by_file(runs: Path, tmp_path: Path, template: Template, tokenizer: Any) -> None:
    name = pairs(tmp_path / "a.jsonl", 200)
    _, data = made(TrainConfig(dataset=[name], val_size=0.2), template, tokenizer)
    held = data.held_out["validation"]
    assert 20 < len(held) < 60
    assert len(data.train) + len(held) == 200
    assert not set(texts(held, tokenizer)) & set(texts(data.train, tokenizer))
    (tmp_path / "split.json").write_text('{"validation": [3, 200]}')
    _, data = made(TrainConfig(dataset=[name], split_file=str(tmp_path / "split.json")), template, tokenizer)
    held = texts(data.held_out["validation"], tokenizer)
    assert [text.partition("<")[0] for text in held] == ["it is 2", "it is 199"]
    assert len(data.train) == 198


def test_what_a_split_file_holds_out_is_not_asked_in_training(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any
) -> None:
    name = pairs(tmp_path / "a.jsonl", 60)
    copied = json.dumps({"instruction": "What  is 2?", "output": "two"}) + "\n"
    (tmp_path / "a.jsonl").write_text(copied + Path(name).read_text() + copied)
    (tmp_path / "split.json").write_text('{"validation": [4]}')
    config = TrainConfig(dataset=[name], split_file=str(tmp_path / "split.json"))
    run, data = made(config, template, tokenizer)
    assert (len(data.held_out["validation"]), len(data.train)) == (1, 59)
    assert "two<|im_end|>" not in texts(data.train, tokenizer)
    findings = json.loads((run.path / "report.json").read_text())["findings"]
    said = "split_file: 2 conversations ask what held-out ones ask, and are not trained on"
    assert said in [found["message"] for found in findings if found["code"] == "DS909"]
    _, data = made(config.model_copy(update={"profile": "lenient"}), template, tokenizer)
    assert len(data.train) == 61


def test_five_in_a_hundred_are_held_out_unless_said_otherwise(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any
) -> None:
    """And about two hundred at most; of a single row, none."""
    assert [TrainConfig().held_out_part(count) for count in (1, 1000, 4000, 20_000)] == [0.05, 0.05, 0.05, 0.01]
    assert TrainConfig(val_size=0.5).held_out_part(20_000) == 0.5
    config = TrainConfig(dataset=[pairs(tmp_path / "a.jsonl", 400)])
    data = training_data(Run.create(config), config, template, tokenizer)
    assert 8 < len(data.held_out["validation"]) < 36
    assert len(data.train) + len(data.held_out["validation"]) == 400
    single = config.model_copy(update={"dataset": [pairs(tmp_path / "b.jsonl", 1)]})
    for seed in range(40):
        one = single.model_copy(update={"seed": seed})
        assert len(training_data(Run.create(one), one, template, tokenizer).train) == 1


def test_mixing_and_sampling_choose_whole_conversations(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any
) -> None:
    pairs(tmp_path / "a.jsonl", 60)
    pairs(tmp_path / "b.jsonl", 70, first=100)
    entries = {"a": {"file_name": "a.jsonl", "num_samples": 100}, "b": {"file_name": "b.jsonl", "num_samples": 10}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(entries))
    config = TrainConfig(dataset=["a", "b"], dataset_dir=str(tmp_path))
    run, data = made(config, template, tokenizer)
    assert len(data.train) == 110
    assert sum(" 1" in text for text in texts(data.train.select(range(100, 110)), tokenizer)) == 10
    codes = {item["code"] for item in json.loads((run.path / "report.json").read_text())["findings"]}
    assert "DS909" in codes
    _, mixed = made(config.model_copy(update={"mix_strategy": "interleave_under"}), template, tokenizer)
    assert len(mixed.train) < 110
    assert texts(mixed.train, tokenizer) != texts(data.train.select(range(len(mixed.train))), tokenizer)


def test_a_mixture_or_split_that_cannot_be_is_said_before_there_is_a_run(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [pairs(tmp_path / "a.jsonl", 20), pairs(tmp_path / "b.jsonl", 20)]
    split, lines = tmp_path / "split.json", tmp_path / "lines.json"
    split.write_text('{"validation": [true]}')
    lines.write_text('{"validation": [1]}')
    (tmp_path / "folder").mkdir()
    for letter in "ab":
        shutil.copy(names[0], tmp_path / "folder" / f"{letter}.jsonl")
    mixed = ["--mix-strategy", "interleave_over"]
    for options, said in (
        ([*names, *mixed, "--interleave-probs", "1"], "needs 2 numbers above 0"),
        ([*names, *mixed, "--interleave-probs", "1", "0"], "needs 2 numbers above 0"),
        ([*names, "--split-file", str(split)], "there are several"),
        ([names[0], "--eval-dataset", names[1], "--split-file", str(split)], "give one of them"),
        ([names[0], "--split-file", str(split)], "a list of line numbers"),
        ([names[0], "--split-file", str(tmp_path / "none.json")], "No such file"),
        ([str(tmp_path / "folder"), "--split-file", str(lines)], "those of one file, and the dataset has several"),
    ):
        assert main(["train", "--runs-dir", str(runs), "--model-name-or-path", "starter", "--dataset", *options]) == 2
        assert said in capsys.readouterr().err
    assert not runs.exists() or not list(runs.iterdir())


def test_what_is_repeated_for_training_is_measured_once(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any
) -> None:
    pairs(tmp_path / "a.jsonl", 30)
    (tmp_path / "dataset_info.json").write_text(json.dumps({"a": {"file_name": "a.jsonl", "num_samples": 90}}))
    _, data = made(TrainConfig(dataset=["a"], dataset_dir=str(tmp_path), val_size=0.3), template, tokenizer)
    held = texts(data.held_out["validation"], tokenizer)
    assert len(held) == len(set(held)) == 30 - len(data.train) // 3


def test_held_out_sets_have_as_many_conversations_as_their_entry_says(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any
) -> None:
    pairs(tmp_path / "a.jsonl", 60)
    pairs(tmp_path / "b.jsonl", 30, first=100)
    entries = {
        "few": {"file_name": "b.jsonl", "num_samples": 7},
        "many": {"file_name": "b.jsonl", "num_samples": 45},
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(entries))
    config = TrainConfig(
        dataset=[str(tmp_path / "a.jsonl")], eval_dataset=["few", "many"], dataset_dir=str(tmp_path), eval_generate=True
    )
    run, data = made(config, template, tokenizer)
    assert {name: len(rows) for name, rows in data.held_out.items()} == {"few": 7, "many": 45}
    said = texts(data.held_out["many"], tokenizer)
    assert (len(set(said)), {said.count(text) for text in said}) == (30, {1, 2})
    report = json.loads((run.path / "report.json").read_text())
    assert report["eval_samples"] == {"few": 7, "many": 45}
    said = [found["message"] for name in ("few", "many") for found in report["held_out"][name]["findings"]]
    assert sum("30 conversations" in message for message in said) == 2, said


def test_windows_of_a_conversation_stay_together(
    runs: Path, tmp_path: Path, template: Template, tokenizer: Any
) -> None:
    turns = [
        {"role": role, "content": f"{word} {n} " + "word " * 12}
        for n in range(8)
        for role, word in (("user", "question"), ("assistant", "answer"))
    ]
    rows = [{"messages": turns}, {"messages": turns[:2]}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "split.json").write_text('{"validation": [1]}')
    config = TrainConfig(dataset=[str(tmp_path / "a.jsonl")], max_length=128, split_file=str(tmp_path / "split.json"))
    _, data = made(config, template, tokenizer)
    assert len(data.train) == 1
    assert len(data.held_out["validation"]) > 1
    said = " ".join(texts(data.held_out["validation"], tokenizer))
    assert [said.count(f"answer {n} ") for n in range(8)] == [1] * 8


def test_large_data_is_encoded_by_helpers_just_the_same(
    tmp_path: Path, template: Template, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.datasets.jsonrows.PIECE", 2000)
    name = pairs(tmp_path / "a.jsonl", 300, bad=2)
    reports, rows = [], []
    for processes in (1, 2, 3):
        config = TrainConfig(dataset=[name], dataset_num_proc=processes)
        monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / f"cache{processes}"))
        entry = checked(name, config, Job(config, template), tokenizer)
        assert entry.rows is not None
        reports.append(entry.report)
        rows.append((entry.rows.read_bytes(), entry.facts()["lines"].tolist()))
    assert reports[0] == reports[1] == reports[2]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][1] == list(range(1, 301))


def test_a_helper_that_is_killed_is_said(
    tmp_path: Path, template: Template, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.datasets.jsonrows.PIECE", 200)
    started: list[subprocess.Popen[bytes]] = []

    def start_helper(connections: Any) -> subprocess.Popen[bytes]:
        started.append(_started(connections))
        return started[0]

    monkeypatch.setattr("core.crew._started", start_helper)
    read = parts(pieces(find_source(pairs(tmp_path / "a.jsonl", 300)), []), Job(TrainConfig(), template), tokenizer, 2)
    assert next(read).report.rows["in"]
    started[0].kill()
    with pytest.raises(UserError, match="a helper process was killed"):
        list(read)
    assert started[0].returncode == -9


def test_a_fresh_process_checks_and_encodes(tmp_path: Path) -> None:
    """What tests import before must not be what makes it work."""
    words = ["data", "check", pairs(tmp_path / "a.jsonl", 60), "--model-name-or-path", "starter", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", *words], capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stats"]["tokens"]["samples"] == 60


def test_the_gate(tmp_path: Path, runs: Path) -> None:
    config = TrainConfig(dataset=[pairs(tmp_path / "a.jsonl", 90, bad=10)])
    with pytest.raises(ConsentNeededError, match=r"10 of 100 rows \(10 %\) would be dropped: IO001 × 10") as caught:
        start(config)
    assert caught.value.share == pytest.approx(0.1)
    assert not runs.exists(), "no run folder is made for what cannot be trained"
    (report,) = look_first(config.model_copy(update={"max_dropped": 1.0}))
    assert report.rows["kept"] == 90
    require_consent([report], config.model_copy(update={"max_dropped": 0.1}))
    report.add(Finding("SH113", "stopped", "reserved", "a.jsonl", 4))
    with pytest.raises(UserError, match=r"a.jsonl:4: reserved \[SH113, stopped\]"):
        require_consent([report], config.model_copy(update={"max_dropped": 1.0}))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--template", "chatmll"], 'unknown template "chatmll" — did you mean "chatml"?'),
        (["--model-name-or-path", "no-such/model"], 'cannot load the tokenizer of "no-such/model"'),
        (["--dataset", "no-such-data"], 'unknown dataset "no-such-data"'),
        (["--dataset"], "no dataset"),
        (["--max-length", "1000000"], "max_length 1000000 is above the model's context of"),
        (["--eval-dataset", "{bad}"], "no row can be trained on; the first finding: "),
        (["--dataset", "{bad}"], "no row can be trained on; the first finding: "),
        (["--dataset", "{half}"], "2 of 4 rows (50 %) would be dropped: IO001 × 2 — mend the data, or"),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_run(
    words: list[str], said: str, tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"bad": pairs(tmp_path / "bad.jsonl", 0, bad=3), "half": pairs(tmp_path / "half.jsonl", 2, bad=2)}
    words = [word.format(**files) for word in words]
    assert main(["train", "--dataset", "identity", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert [line.startswith("max_length") for line in err.splitlines()][-1:] == [False]
    assert err.count("error: ") == 1
    assert not runs.exists()


def test_a_split_that_leaves_nothing_to_train_on_is_said(runs: Path) -> None:
    with pytest.raises(UserError, match="all rows are held out, and none is left to train on"):
        train_run(Run.create(small(max_samples=4, val_size=0.5)))
