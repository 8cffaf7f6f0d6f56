"""Copies of rows are counted, or dropped on request; rows that a set for measuring asks too are asked about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from core.check import check
from core.checked import check_dataset
from core.cli import main
from core.config import TrainConfig
from core.copies import asked_in_benchmarks
from core.datasets import Source, find_source, load_conversations, load_dataset, with_options
from core.examine import Job
from core.gate import ConsentNeededError, look_first
from core.model import load_template
from core.preview import first_rows, row_number
from core.run import Run
from core.template.sandbox import Template
from core.training_data import training_data


def pair(question: str, answer: str = "yes", **more: Any) -> dict[str, Any]:
    return {"instruction": question, "output": answer, **more}


def write(path: Path, *rows: Any) -> str:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_copies_are_counted_and_stay(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", pair("one"), pair("two"), pair("one"), pair("One"), pair("one", "no"))
    report = check_dataset(file, TrainConfig())
    assert report.rows == {"in": 5, "kept": 5, "repaired": 0, "dropped": 0}
    found = [finding for finding in report.findings if finding.code == "DS901"]
    assert [(f.action, f.message) for f in found] == [("kept", "1 row is an exact copy of an earlier one")]


@pytest.mark.parametrize("profile", ["strict", "default", "lenient"])
def test_copies_are_dropped_when_it_is_asked_for(tmp_path: Path, profile: Any) -> None:
    once = json.dumps(pair("one"))
    rows = (pair("one"), pair("two"), pair("one"), pair("One"), pair("three"), once + once + "\n")
    file = write(tmp_path / "a.jsonl", *rows)
    report = check_dataset(file, TrainConfig(drop_duplicates=True, profile=profile))
    copies = [(f.line, f.action, f.message) for f in report.findings if f.code == "DS901"]
    # Two rows on one line are a repair, which strict drops anyway.
    lines = (3,) if profile == "strict" else (3, 6, 6)
    assert copies == [(line, "dropped", "an exact copy of the row on line 1") for line in lines]
    assert report.rows["in"] == sum(report.rows[fate] for fate in ("kept", "repaired", "dropped")) == 7
    assert report.stats["dataset"]["duplicates"] == 0
    assert report.stats["dataset"]["conversations"] == 4


@pytest.mark.parametrize("around", ["{}", '{{"type": "text2text", "instances": {}}}', '{{"data": {}}}'])
def test_rows_of_a_file_of_one_line_are_told_apart(around: str, tmp_path: Path) -> None:
    rows = [{"input": f"question {n % 100}", "output": "yes"} for n in range(150)]
    file = tmp_path / "a.json"
    file.write_text(around.format(json.dumps(rows)))
    report = check_dataset(str(file), TrainConfig(drop_duplicates=True))
    copies = [(f.line, f.message) for f in report.findings if f.code == "DS901"]
    assert copies == [(n + 101, f"an exact copy of the row on line {n + 1}") for n in range(50)]
    assert row_number(str(file), str(file), 101, TrainConfig()) == 101, "from a finding to its row"
    file.write_text("[\n" + ",\n".join(2 * (json.dumps(row) + ",") for row in rows[:3])[:-1] + "]")
    assert [row.line for row in first_rows(str(file), TrainConfig())] == [2, 3, 4, 5, 6, 7]


def test_tools_and_weights_make_rows_unlike(tmp_path: Path) -> None:
    def talk(tool: str = "f", **flags: Any) -> dict[str, Any]:
        tools = [{"type": "function", "function": {"name": tool, "description": "", "parameters": {"type": "object"}}}]
        messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", **flags}]
        return {"messages": messages, "tools": tools}

    file = write(tmp_path / "a.jsonl", talk(), talk("g"), talk(weight=0.5), talk(), talk())
    report = check_dataset(file, TrainConfig(drop_duplicates=True))
    assert [f.line for f in report.findings if f.code == "DS901"] == [4, 5]


def test_copies_are_found_across_files_and_processes(tmp_path: Path, template: Template, tokenizer: Any) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    long = "word " * 400
    for name in ("a", "b", "c", "d"):
        write(folder / f"{name}.jsonl", *[pair(f"{number} {long}") for number in range(700)])
    config = TrainConfig(drop_duplicates=True, dataset_num_proc=2, overlong="truncate", max_length=64)
    done = check(Source("many", folder), Job(config), None)
    assert done.report.rows == {"in": 2800, "kept": 700, "repaired": 0, "dropped": 2100}
    kept = {Path(f.file).name for f in done.report.findings if f.code == "DS901"}
    assert kept <= {"b.jsonl", "c.jsonl", "d.jsonl"}, "the first file has the first of each"


def test_training_goes_without_copies_and_asks_nothing_about_them(
    tmp_path: Path, runs: Path, template: Template, tokenizer: Any
) -> None:
    file = write(tmp_path / "a.jsonl", *[pair(f"question {n}", f"answer {n}") for n in range(12)] * 2)
    config = TrainConfig(dataset=[file], drop_duplicates=True, val_size=0)
    (report,) = look_first(config)
    assert report.rows["dropped"] == 12
    run = Run.create(config)
    data = training_data(run, config, template, tokenizer)
    assert len(data.train) == 12
    written = json.loads((run.path / "report.json").read_text())
    assert (written["rows"]["dropped"], written["samples"]) == (12, 12)
    assert {item["code"]: item["count"] for item in written["counts"]}["DS901"] == 12


@pytest.mark.parametrize("profile", ["strict", "default", "lenient"])
def test_who_reads_conversations_gets_those_that_training_gets(tmp_path: Path, profile: Any) -> None:
    """What estimates and evaluations read: the same copies are dropped, with the same findings."""
    rows = (pair("one"), pair("two"), pair("one"), pair("three"), pair("one"), {"instruction": "a"}, pair("two"))
    file = write(tmp_path / "a.jsonl", *rows)
    config = TrainConfig(dataset=[file], drop_duplicates=True, profile=profile)
    source = with_options(find_source(file), config)
    loaded = load_dataset(source, None, config)
    report = check_dataset(file, config)
    assert loaded.rows == report.rows
    assert [one.line for one in loaded.conversations] == [1, 2, 4]
    assert [f for f in loaded.findings if f.code == "DS901"] == [f for f in report.findings if f.code == "DS901"]
    assert len(load_dataset(source, None, TrainConfig(profile=profile)).conversations) == 6


def test_formatted_text_is_compared_and_read_as_it_stands(tmp_path: Path, tokenizer: Any) -> None:
    """With the template `none` a control token at the end of a row is meant: it is read, and makes rows unlike."""
    file = write(tmp_path / "a.jsonl", *[pair("one", answer) for answer in ("yes<|im_end|>", "yes", "yes<|im_end|>")])
    config = TrainConfig(dataset=[file], template="none", drop_duplicates=True)
    job = Job(config, load_template(config, tokenizer))
    report = check(find_source(file), job, tokenizer).report
    assert [f.line for f in report.findings if f.code == "DS901"] == [3]
    answers = [one.messages[-1].content for one in load_conversations(config).conversations]
    assert answers == ["yes<|im_end|>", "yes"]
    templated = load_conversations(config.model_copy(update={"template": "chatml"})).conversations
    assert [one.messages[-1].content for one in templated] == ["yes"]


BFCL = {"id": "x_1", "question": [[{"role": "user", "content": "What is the weather in Rome today?"}]],
        "function": [{"name": "weather"}]}  # fmt: skip


def test_what_a_set_for_measuring_asks_is_found(tmp_path: Path) -> None:
    rows = [pair("what is  the Weather in Rome today?"), pair("something else entirely"), pair("hi")]
    file = write(tmp_path / "train.jsonl", *rows)
    sets = {
        "bfcl.json": json.dumps(BFCL) + "\n",
        "questions.txt": "What is the weather in Rome today?\n\nhi\n",
        "held.jsonl": json.dumps(pair("What is the weather in Rome today?", "sunny")) + "\n",
    }
    for name, content in sets.items():
        (tmp_path / name).write_text(content)
        report = check_dataset(file, TrainConfig(benchmarks=[str(tmp_path / name)]))
        found = [(f.line, f.path, f.action) for f in report.findings if f.code == "DS904"]
        assert found == [(1, "instruction", "kept")], name
    strict = check_dataset(file, TrainConfig(benchmarks=[str(tmp_path / "held.jsonl")], profile="strict"))
    assert strict.rows["dropped"] == 1
    assert asked_in_benchmarks(TrainConfig()) == {}
    assert main(["data", "check", file, "--benchmarks", str(tmp_path / "none.txt")]) == 2


def test_training_asks_before_it_uses_such_rows(tmp_path: Path, template: Template, tokenizer: Any) -> None:
    file = write(tmp_path / "train.jsonl", *[pair(f"what is the number {n}?") for n in range(20)])
    known = write(tmp_path / "known.txt", "What is the number 7?\n")
    config = TrainConfig(dataset=[file], benchmarks=[known], val_size=0)
    with pytest.raises(ConsentNeededError, match="1 row asks what a set asks that is kept for measuring") as asked:
        look_first(config)
    assert "--yes" in str(asked.value)
    (report,) = look_first(config.model_copy(update={"max_dropped": 1.0}))
    assert report.rows["kept"] == 20
    (report,) = look_first(config.model_copy(update={"profile": "strict"}))
    assert report.rows["dropped"] == 1


def test_boilerplate_is_counted_when_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.jsonl", pair("a", "As an AI language model I do not."), pair("b", "todo: write it"))
    assert main(["data", "check", file, "--boilerplate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert sorted(item["message"] for item in found if item["code"] == "CT309") == [
        '1 answer contains "TODO"',
        '1 answer contains "as an AI language model"',
    ]
    assert main(["data", "check", file, "--json"]) == 0
    assert "CT309" not in capsys.readouterr().out


def test_copies_in_other_files_and_sheets_are_found_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.jsonl", pair("one"), pair("two"))
    write(folder / "b.jsonl", pair("three"), pair("two"))
    [copy] = [f for f in check_dataset(str(folder), TrainConfig(drop_duplicates=True)).findings if f.code == "DS901"]
    first = f"an exact copy of the row on line 2 of {folder / 'a.jsonl'}"
    assert (copy.file, copy.line, copy.message) == (str(folder / "b.jsonl"), 2, first)
    assert main(["data", "convert", str(folder), "--to", "openai", "--drop-duplicates", "--output", "-"]) == 0

    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("more")):
        sheet.append(["question", "answer"])
        for number in range(100):
            sheet.append([f"question {number}", "yes"])
    book.save(tmp_path / "a.xlsx")
    report = check_dataset(str(tmp_path / "a.xlsx"), TrainConfig(drop_duplicates=True))
    assert report.rows == {"in": 200, "kept": 100, "repaired": 0, "dropped": 100}
    copies = [(f.file, f.line, f.message) for f in report.findings if f.code == "DS901"]
    one, two = (str(tmp_path / "a.xlsx" / name) for name in ("Sheet", "more"))
    assert copies[0] == (two, 2, f"an exact copy of the row on line 2 of {one}")
