"""The cache of checked and encoded datasets: never stale, whatever changes, and to be had again when nothing does."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.cache import LENGTHS, MOST_BYTES
from core.check import check
from core.checked import check_dataset, checked, job_of
from core.cli import main
from core.config import DataOptions, TrainConfig
from core.encoded import ROWS
from core.model import load_vocabulary
from core.paths import starter_dir
from core.window_length import Lengths

# Another value of each option that says what becomes of a row; a new option is added here, or the test fails.
OTHERWISE: dict[str, Any] = {
    "append_stop": False,
    "columns": {"prompt": "instruction"},
    "drop_duplicates": True,
    "formatting": "alpaca",
    "max_length": 99,
    "max_samples": 2,
    "overlong": "drop",
    "profile": "lenient",
    "roles": {"x": "user"},
    "swallowed": "ignore",
    "tags": {"role_tag": "who"},
    "train_on": "last_turn",
    "unstable_history": "last_turn",
    "window_overlap": 0.25,
}
# How datasets are put together changes none of their rows.
OF_THE_MIXTURE = {"dataset", "dataset_dir", "mix_strategy", "interleave_probs"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"instruction": f"q{n}", "output": f"a{n}"}) + "\n" for n in range(3)))
    return file


def place(file: Path, **options: Any) -> Path:
    """Where the cache has the rows of a file."""
    config = TrainConfig(**options)
    tokenizer, template = load_vocabulary(config)
    found = checked(str(file), config, job_of(config, template, {}), tokenizer).folder
    assert found is not None
    return found


def test_what_has_not_changed_is_found_again(rows: Path) -> None:
    first = place(rows)
    before = {file.name: file.stat().st_mtime_ns for file in first.iterdir()}
    os.utime(rows, (1, 1))
    assert place(rows) == first
    assert {file.name: file.stat().st_mtime_ns for file in first.iterdir()} == before
    assert place(rows, learning_rate=0.5, mix_strategy="interleave_over") == first


def test_how_long_the_rows_are_is_found_again(rows: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = check_dataset(str(rows), TrainConfig(), with_model=True)
    (kept,) = (cache / "data" / LENGTHS).iterdir()
    monkeypatch.setattr("core.checked.lengths_of", lambda *_: pytest.fail("the rows were encoded again"))
    assert check_dataset(str(rows), TrainConfig(), with_model=True) == report
    kept.write_text("{")
    monkeypatch.setattr("core.checked.lengths_of", lambda *_: Lengths(1, 1000, 1000))
    other = check_dataset(str(rows), TrainConfig(), with_model=True)
    assert (report.stats["tokens"]["window"], other.stats["tokens"]["window"]) == (256, 1024)
    check_dataset(str(rows), TrainConfig(inline_reasoning=True, max_length=77), with_model=True)
    assert len(list((cache / "data" / LENGTHS).iterdir())) == 1, "a number that is given asks no rows"


def test_a_byte_in_the_middle_with_size_and_time_as_before(rows: Path) -> None:
    first, stat = place(rows), rows.stat()
    rows.write_bytes(rows.read_bytes().replace(b"a1", b"b1"))
    os.utime(rows, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (rows.stat().st_size, rows.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert place(rows) != first


def test_rows_that_changed_while_they_were_read_are_not_kept(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows.read_bytes()

    def changed(*given: Any, **options: Any) -> Any:
        rows.write_bytes(before.replace(b"a1", b"b1"))
        return check(*given, **options)

    monkeypatch.setattr("core.checked.check", changed)
    seen = place(rows)
    monkeypatch.setattr("core.checked.check", check)
    rows.write_bytes(before)
    again = place(rows)
    assert (again / ROWS).read_bytes() != (seen / ROWS).read_bytes()
    assert again.name != seen.name


def test_who_is_slower_takes_what_is_there(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faster: list[tuple[Path, int]] = []

    def overtaken(*given: Any, **options: Any) -> Any:
        monkeypatch.setattr("core.checked.check", check)
        there = place(rows)
        faster.append((there, there.stat().st_ino))
        return check(*given, **options)

    monkeypatch.setattr("core.checked.check", overtaken)
    found = place(rows)
    assert [(found, found.stat().st_ino)] == faster, "nothing is taken away from who reads it"
    assert list(found.parent.iterdir()) == [found]


def test_every_option_that_says_what_becomes_of_a_row(rows: Path) -> None:
    assert OTHERWISE.keys() | OF_THE_MIXTURE == DataOptions.model_fields.keys()
    places = [place(rows), *(place(rows, **{name: value}) for name, value in OTHERWISE.items())]
    assert len(set(places)) == len(OTHERWISE) + 1


def test_template_and_tokenizer(rows: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(starter_dir(), model, ignore=shutil.ignore_patterns("*.safetensors", "*.py"))
    places = [place(rows, model_name_or_path=str(model))]
    template = model / "chat_template.jinja"
    template.write_text("{#- another -#}" + template.read_text("utf-8"), encoding="utf-8")
    places.append(place(rows, model_name_or_path=str(model)))
    tokenizer = json.loads((model / "tokenizer.json").read_text("utf-8"))
    tokenizer["added_tokens"][-1]["lstrip"] = not tokenizer["added_tokens"][-1]["lstrip"]
    (model / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    places.append(place(rows, model_name_or_path=str(model)))
    places.append(place(rows, model_name_or_path=str(model), template="chatml"))
    assert len(set(places)) == 4


def test_the_cache_is_shown_cleared_and_bounded(
    rows: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["data", "cache"]) == 0
    assert "0 datasets, 0.0 MiB" in capsys.readouterr().out
    first = place(rows)
    assert main(["data", "cache", "--json"]) == 0
    size = sum(file.stat().st_size for file in first.iterdir())
    said = {"folder": str(cache / "data"), "datasets": 1, "bytes": size, "most_bytes": MOST_BYTES}
    assert json.loads(capsys.readouterr().out) == said
    being_written = cache / "data" / ".x.1.2"
    being_written.mkdir()
    assert main(["data", "cache", "--clear"]) == 0
    assert "1 datasets deleted" in capsys.readouterr().out
    assert [path.name for path in (cache / "data").iterdir()] == [".x.1.2"]
    os.utime(being_written, (1, 1))
    monkeypatch.setattr("core.cache.MOST_BYTES", size + 10)
    older = place(rows)
    assert not being_written.exists()
    os.utime(older, (5, 5))
    newer = place(rows, max_length=99)
    assert list((cache / "data").iterdir()) == [newer]


def test_a_file_that_moves_within_its_folder_is_reported_where_it_is_now(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
    (folder / "one" / "a.jsonl").write_text("{")
    assert check_dataset(str(folder), TrainConfig()).findings[0].file == str(folder / "one" / "a.jsonl")
    (folder / "one" / "a.jsonl").rename(folder / "two" / "a.jsonl")
    assert check_dataset(str(folder), TrainConfig()).findings[0].file == str(folder / "two" / "a.jsonl")
