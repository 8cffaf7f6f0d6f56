"""Files that want too much, or are no files: bounded memory, and one clear answer."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import openpyxl
import pytest

from core.check import check
from core.cli import main
from core.conversation import Row
from core.datasets import Source, convert_row
from core.datasets.files import LONGEST_LINE
from core.formats import Layout
from core.formats.exports import _details
from core.formats.textcalls import find_calls
from core.formats.tools import concatenated_objects
from core.formats.transcript import read_transcript
from core.report import Report

GOOD = json.dumps({"instruction": "a", "output": "b"})


def report_of(path: Path) -> Report:
    return check(Source(path.stem, path)).report


def stops(report: Report) -> set[tuple[str, str]]:
    return {(f.code, f.message) for f in report.findings if f.action == "stopped" and f.code != "DS905"}


def test_a_row_of_an_array_may_not_be_longer_than_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.json"

    def written(size: int) -> Path:
        long = json.dumps({"instruction": "x" * size, "output": "b"})
        file.write_text(f"[{GOOD},\n{long},\n{GOOD}" + " " * (LONGEST_LINE * 2) + "]")
        return file

    report = report_of(written(LONGEST_LINE + 5))
    assert report.rows == {"in": 3, "kept": 2, "repaired": 0, "dropped": 1}
    assert [(f.line, f.message) for f in report.findings if f.code == "SH114"] == [(2, "row is longer than 16 MB")]
    report = report_of(written(LONGEST_LINE * 4))
    assert stops(report) == {("SH114", "a row is longer than 16 MB")}
    assert next(f.line for f in report.findings if f.code == "SH114") == 2


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_a_table_that_is_too_long_costs_that_line(packed: bool, tmp_path: Path) -> None:
    text = 'prompt,response\na,"' + "x" * (LONGEST_LINE + 5) + '"\nc,d\ne,f,g\n'
    file = tmp_path / ("a.csv.gz" if packed else "a.csv")
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    report = report_of(file)
    assert report.rows == {"in": 3, "kept": 1, "repaired": 0, "dropped": 2}
    assert [(f.line, f.message) for f in report.findings if f.code == "IO001"] == [
        (2, "not a table row (line is longer than 16 MB)"),
        (4, "row has 3 cells, the header has 2"),
    ]


def test_tables_that_grow_too_large_when_they_are_unpacked_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.datasets.files.MOST_UNPACKED", 1 << 20)
    monkeypatch.setattr("core.datasets.tables.MOST_UNPACKED", 1 << 20)
    file = tmp_path / "a.parquet.gz"
    file.write_bytes(gzip.compress(b"PAR1" + bytes(3 << 20)))
    assert stops(report_of(file)) == {
        ("SH114", "unpacked it is larger than 1 MB — unpack it, or give it as JSON Lines")
    }
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", bytes(3 << 20))
    sheet = tmp_path / "a.xlsx"
    sheet.write_bytes(book.getvalue())
    assert stops(report_of(sheet)) == {("SH114", "unpacked it is larger than 1 MB — save it as CSV")}


def test_formulas_without_values_are_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for cells in (["prompt", "response"], ["a", '=CONCATENATE("x","y")'], ["2+2", 4], [None, None], ["b", "c"]):
        book.active.append(cells)
    book.save(tmp_path / "a.xlsx")
    report = report_of(tmp_path / "a.xlsx")
    assert report.rows == {"in": 3, "kept": 1, "repaired": 1, "dropped": 1}
    (finding,) = (f for f in report.findings if f.action == "dropped")
    assert (finding.line, finding.code) == (2, "IO001")
    assert finding.message.startswith("column 2 holds a formula without a value")


def test_two_columns_of_which_one_is_a_number_or_empty(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows = [{"question": "2+2?", "answer": 4}, {"question": "3+3?", "answer": None}, {"question": None, "answer": None}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = report_of(file)
    assert report.rows == {"in": 3, "kept": 0, "repaired": 1, "dropped": 2}
    codes = {(f.code, f.line) for f in report.findings if f.line}
    assert codes == {("SH110", 1), ("SH111", 2), ("SH111", 3)}


def test_utf16_without_a_mark_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(GOOD.encode("utf-16-le"))
    assert stops(report_of(file)) == {("IO002", "looks like UTF-16 without a byte order mark — save it as UTF-8")}


def test_what_is_no_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    for name, said in (("pipe.jsonl", "is neither a file nor a folder"), ("one", "is a link that leads nowhere")):
        assert main(["data", "check", str(tmp_path / name)]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1


def test_a_folder_that_holds_itself_and_a_pipe_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(GOOD)
    (tmp_path / "again").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "b.jsonl")
    assert report_of(tmp_path).rows["in"] == 1


def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text(GOOD)
    (tmp_path / "shut").mkdir()
    scan, stat = os.scandir, Path.stat

    def refusing(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    def refusing_inside(path: Path, **options: bool) -> os.stat_result:
        if path.parent.name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr("os.scandir", refusing)
    monkeypatch.setattr(Path, "stat", refusing_inside)
    for folder in (tmp_path, tmp_path / "shut"):
        assert main(["data", "check", str(folder)]) == 2
        assert capsys.readouterr().err == f"error: {tmp_path / 'shut'}: cannot be read: Permission denied\n"


def test_an_empty_name_is_no_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", ""]) == 2
    assert "no dataset: its name is empty" in capsys.readouterr().err


def test_every_sheet_with_a_table_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "notes"
    book.active.append(["Made by hand."])
    first, second = book.create_sheet("a"), book.create_sheet("b")
    for row in (["My questions", None], [], ["question", "answer"], ["a", "b"]):
        first.append(row)
    for row in (["Frage", "Antwort"], ["c", "d"]):
        second.append(row)
    book.save(tmp_path / "a.xlsx")
    report = report_of(tmp_path / "a.xlsx")
    assert (report.rows["in"], report.rows["kept"]) == (2, 2)
    said = [finding.message for finding in report.findings if finding.code == "SH107"]
    assert 'sheet "notes" has no table and is not read' in said
    assert 'sheet "a": what stands above its header in row 3 is not read' in said


# Texts of which each once took minutes or more: they were looked at again from each place, or in every way to divide.
SLOW = {
    "arguments that do not end": "<tool_call>f" + "<arg_key>a</arg_key><arg_value>b</arg_value>" * 60 + "x",
    "names that do not end": "<tool_call>a<arg_key>" * 30_000 + "</tool_call>",
    "functions that do not end": "<function=f>{" * 60_000,
    "functions behind the last end": "</function>" + "<function=f>{" * 60_000,
    "parameters that do not end": "<function=f>" + "<parameter=a>" * 60_000 + "</function>",
    "invocations that do not end": '<invoke name="f">' * 60_000,
    "tags without a name": "<function=" * 100_000,
    "white space before no end": "<tool_call>x" + " " * 200_000 + "y",
    "white space in an action": "Action: f\nAction Input: x" + " " * 100_000 + "y",
    "white space in a function call": "<functioncall>x" + " " * 100_000 + "y",
    "arguments that are not closed": "[TOOL_CALLS]f[ARGS]{" * 40_000,
    "arguments with text behind": "[TOOL_CALLS]f[ARGS]{}x" * 40_000,
    "lists that are not closed": "<|tool_call_start|>[" * 30_000 + "<|tool_call_end|>",
    "names without an end": "<｜tool▁call▁begin｜>" * 20_000 + "<｜tool▁call▁end｜>",
    "white space before another end": "<function=f>x" + " " * 200_000 + "y</function>",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW.keys())
def test_no_answer_takes_long_to_be_searched_for_calls(text: str) -> None:
    found = find_calls(text)
    assert found is None or not found.calls


@pytest.mark.timeout(60)
def test_reasoning_and_tools_without_end_are_looked_at_once() -> None:
    """At a size where every look from every place would take minutes."""
    assert concatenated_objects('{"a":' * 400_000) == []
    thought = "<think>a</think>"
    row = Row(
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": thought * 200_000 + "yes"}]}
    )
    fate, conversation = convert_row(row, Layout("openai"))
    assert fate == "repaired"
    assert conversation is not None
    assert conversation.messages[1].content.endswith("yes")


@pytest.mark.timeout(60)
def test_chats_in_a_text_and_details_are_looked_at_once() -> None:
    many = 1_000_000
    for text in (
        "User: hi\nAssistant: yo" + " " * many + "x",
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyo" + "\n" * many + "x",
        "[INST] hi [/INST] yo" + " " * many + "x",
        "[INST] hi [/INST] yo" + "[INST]" * many,
    ):
        conversation = read_transcript(Row({"text": text}), Layout("transcript"))
        assert [message.content[:2] for message in conversation.messages] == ["hi", "yo"]
    for inside in (
        '<details type="reasoning">' * many,
        '<details type="reasoning"' * many,
        '<details type="own">' * many + "</details>",
        '<details type="reasoning" ' + "a" * many + ">" + " " * many + "yes</details>",
    ):
        assert sum(len(part["text"]) for part in _details(inside)) in (len(inside), len("yes"))


def test_a_row_of_a_table_that_is_too_short_has_empty_cells(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("question,answer\nWho?\nWhere?,There.\n")
    report = report_of(file)
    assert report.rows == {"in": 2, "kept": 1, "repaired": 0, "dropped": 1}
    [dropped] = (f for f in report.findings if f.action == "dropped")
    assert (dropped.code, dropped.line, dropped.message) == ("SH111", 2, 'column "answer" is empty')


def test_a_tsv_with_commas_is_read_by_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("question,answer\nWho?,I.\n")
    report = report_of(file)
    assert report.rows["kept"] == 1
    said = 'read with "," between its cells in spite of its suffix'
    assert [f.message for f in report.findings if f.code == "IO013"] == [said]
    file.write_text("text\nOne, two.\n")
    assert report_of(file).rows["kept"] == 1


@pytest.mark.parametrize("before", ["", " ", "\n\n  "])
def test_what_is_wrong_in_a_list_is_pointed_at_in_its_line(before: str, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    text = before + '[{"instruction": "a", "output": "b"}, {"instruction": "c" "output": "d"}]'
    file.write_text(text)
    column = text.index('"output": "d"') - text.rfind("\n")
    [finding] = (f for f in report_of(file).findings if f.code == "IO001")
    assert finding.line == before.count("\n") + 1
    assert finding.message == f"not valid JSON: Expecting ',' delimiter (column {column})"


def test_where_a_file_is_not_utf_8_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("question,answer\nWhere?,In the café.\n".encode("latin-1"))
    said = 'is not UTF-8: cannot decode byte 0xe9 behind "question,answer Where?,In the caf" — save it as UTF-8'
    assert stops(report_of(file)) == {("IO002", said)}
