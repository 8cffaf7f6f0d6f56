"""`max_length: auto`: the number that the data asks for, within the model's context, kept with the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.auto_length import with_length
from core.checked import check_dataset
from core.cli import main
from core.config import EvalConfig, TrainConfig, load_config, parse_config
from core.errors import UserError
from core.estimate.need import possible_changes
from core.launch import train
from core.model import load_template, load_tokenizer
from core.preview import preview
from core.window_length import lengths_of, percentile, window_for
from tests.conftest import small


@pytest.mark.parametrize(
    ("length", "context", "window"),
    [(10, None, 256), (256, None, 256), (257, None, 320), (1000, 4096, 1024), (1000, 1000, 1000), (10, 128, 128)],
)
def test_rounded_up_within_the_context(length: int, context: int | None, window: int) -> None:
    assert window_for(length, context) == window


def test_one_row_in_a_hundred_may_be_longer() -> None:
    assert percentile([*range(1, 100), 9999]) == 99
    assert percentile([7]) == 7
    assert percentile([5, 8]) == 8


def test_auto_is_a_word_for_a_training_and_a_number_over_it_wins(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("max_length: auto\n", encoding="utf-8")
    assert load_config(TrainConfig, file, {}).auto_length
    number = load_config(TrainConfig, file, {"max_length": "512"})
    assert (number.auto_length, number.max_length) == (False, 512)
    assert TrainConfig().auto_length
    assert TrainConfig(preset="low_memory").auto_length
    assert not TrainConfig(max_length=1024).auto_length
    assert TrainConfig(max_length=1024, auto_length=True).auto_length
    with pytest.raises(UserError, match="max_length: should be a valid integer"):
        parse_config(EvalConfig, {"max_length": "auto"})
    with pytest.raises(UserError, match="max_length: should be a valid integer"):
        parse_config(TrainConfig, {"max_length": "automatic"})


def _rows(file: Path, words: list[int]) -> str:
    rows = [
        {"messages": [{"role": "user", "content": f"{n} {i}"}, {"role": "assistant", "content": "word " * n}]}
        for i, n in enumerate(words)
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(file)


def test_the_number_is_said_and_kept_with_the_run(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _rows(tmp_path / "rows.jsonl", [300] * 8)
    config: TrainConfig = small(dataset=[data], max_samples=None, max_length="auto", max_steps=1)
    decided = with_length(config)
    assert decided.max_length % 64 == 0
    assert decided.max_length > 300
    run = train(config)
    assert run.config.max_length == decided.max_length
    assert f"max_length {decided.max_length}: 99 % of 8 samples" in capsys.readouterr().err
    assert json.loads((run.path / "report.json").read_text())["max_length"] == decided.max_length
    assert f"max_length {decided.max_length}, as the data asked for" in (run.path / "log.txt").read_text()
    assert main(["runs", "show", str(run.path)]) == 0
    assert str(decided.max_length) in capsys.readouterr().out


def test_large_data_is_known_by_its_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _rows(tmp_path / "rows.jsonl", [10] * 4 + [400] * 4)
    config = small(dataset=[data], max_samples=None, auto_length=True)
    assert with_length(config).max_length > 400
    monkeypatch.setattr("core.window_length.SPREAD_BYTES", 1)
    monkeypatch.setattr("core.window_length.SAMPLE", 4)
    monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / "cache"))
    assert with_length(config).max_length == 256


def test_of_large_rows_no_more_are_looked_at_than_memory_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = load_tokenizer("starter")
    config = small(dataset=[_rows(tmp_path / "rows.jsonl", [400] * 40 + [900] * 8)], max_samples=None)
    template = load_template(config, tokenizer)
    monkeypatch.setattr("core.window_length.SPREAD_BYTES", 1)
    monkeypatch.setattr("core.window_length.CHUNK", 5)
    every = lengths_of(config, template, tokenizer)
    assert every is not None
    assert every.samples == 48
    monkeypatch.setattr("core.window_length.MOST_CHARACTERS", 30_000)
    some = lengths_of(config, template, tokenizer)
    assert some is not None
    assert 16 <= some.samples < 40
    assert some.longest < every.longest
    monkeypatch.setattr("core.window_length.MOST_CHARACTERS", 1)
    few = lengths_of(config, template, tokenizer)
    assert few is not None
    assert few.samples == 16
    three = lengths_of(config.model_copy(update={"max_samples": 3}), template, tokenizer)
    assert three is not None
    assert three.samples == 3


def test_a_check_takes_the_window_that_training_takes(tmp_path: Path) -> None:
    """Also where nothing can be trained on, and what is wrong is for the check to say."""
    data = _rows(tmp_path / "rows.jsonl", [300] * 8)
    told = check_dataset(data, small(max_samples=None), with_model=True).stats["tokens"]
    assert told["window"] == with_length(small(dataset=[data], max_samples=None)).max_length
    assert told["over the window"] == 0
    fixed = check_dataset(data, small(max_samples=None, max_length=128), with_model=True).stats["tokens"]
    assert (fixed["window"], fixed["over the window"]) == (128, 8)
    empty = _rows(tmp_path / "empty.jsonl", [])
    assert check_dataset(empty, small(), with_model=True).stopped


def test_what_a_check_found_is_not_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / "cache"))
    data, other = _rows(tmp_path / "rows.jsonl", [300] * 8), _rows(tmp_path / "other.jsonl", [600] * 8)
    config = small(dataset=[data], max_samples=None)
    said = [with_length(config), capsys.readouterr().err]
    monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / "other"))
    check_dataset(data, config, with_model=True)
    mixed = config.model_copy(update={"dataset": [data, other], "eval_dataset": [other]})
    both = with_length(mixed)
    capsys.readouterr()
    monkeypatch.setattr("core.encode.prepare", lambda *_: pytest.fail("the rows were encoded again"))
    assert [with_length(config), capsys.readouterr().err] == said
    assert both.max_length > said[0].max_length, "two datasets are asked together"
    assert with_length(mixed) == both
    beside = config.model_copy(update={"eval_dataset": [str(tmp_path / "none.jsonl")]})
    assert with_length(beside) == beside, "whoever looks at the data next says what is wrong"


def test_a_row_is_shown_whole_where_the_data_decides(tmp_path: Path) -> None:
    data = _rows(tmp_path / "rows.jsonl", [2000])
    assert len(preview(data, 1, small()).examples[0].input_ids) > 2000
    assert preview(data, 1, small(max_length=1024)).examples == []


def test_what_makes_it_fit_takes_the_word_back() -> None:
    def windows(config: TrainConfig) -> list[dict[str, Any]]:
        return [change for change in possible_changes(config, 1024, "cpu") if "max_length" in change]

    assert windows(TrainConfig(max_length=1024))[0] == {"max_length": 512}
    assert windows(TrainConfig())[0] == {"max_length": 512, "auto_length": False}
