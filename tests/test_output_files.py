"""Files that the data commands write: whole or as they were before, also where they are the ones that are read."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.crew import _started, parts
from core.datasets import Source
from core.datasets.pieces import pieces
from core.disk import disk_trouble, written_whole
from core.examine import Job


def rows(count: int, text: str = "hi") -> str:
    said = [{"role": "user", "content": text}, {"role": "assistant", "content": "yo"}]
    return "".join(
        json.dumps({"messages": [{**said[0], "content": f"{text} {n}"}, said[1]]}) + "\n" for n in range(count)
    )


def test_a_file_may_be_converted_and_checked_into_its_own_place(tmp_path: Path) -> None:
    file = tmp_path / "clean.jsonl"
    file.write_text(rows(20))
    before = [json.loads(line) for line in file.read_text().splitlines()]
    assert main(["data", "convert", str(file), "--to", "openai", "--output", str(file)]) == 0
    assert [json.loads(line) for line in file.read_text().splitlines()] == before
    assert main(["data", "check", str(file), "--output", str(tmp_path)]) == 0
    assert [json.loads(line) for line in file.read_text().splitlines()] == before
    written = {"clean.jsonl", "dropped.jsonl", "report.json", "report.md"}
    assert {path.name for path in tmp_path.iterdir()} == written


def write_half(file: Path, error: BaseException) -> None:
    with written_whole(file) as out:
        out.write("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_what_fails_half_way_leaves_what_there_was(error: BaseException, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with pytest.raises(type(error)):
        write_half(file, error)
    assert list(tmp_path.iterdir()) == []
    file.write_text("old")
    with pytest.raises(type(error)):
        write_half(file, error)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to("real")
    with written_whole(link) as out:
        out.write("new")
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with written_whole(pipe) as out:
        out.write("through")
    assert os.read(reader, 99) == b"through"
    os.close(reader)


def test_what_is_larger_than_allowed_is_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(rows(2000))
    command = [sys.executable, "-m", "core.cli", "data", "check", str(file), "--output", str(tmp_path / "out")]
    limited = ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *command]
    done = subprocess.run(limited, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: the file is larger than is allowed — see ulimit -f\n")
    assert list((tmp_path / "out").iterdir()) == []
    assert "full" in str(disk_trouble(OSError(errno.ENOSPC, "")))


def test_lone_surrogates_and_names_that_are_no_text_can_be_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / os.fsdecode(b"\xff.jsonl")
    row: dict[str, Any] = {**json.loads(rows(1)), "\ud800": 1}
    file.write_text(json.dumps(row))
    out = tmp_path / "out"
    assert main(["data", "check", str(file)]) == 0
    assert "columns that are not used: \\ud800" in capsys.readouterr().out
    assert main(["data", "check", str(file), "--output", str(out)]) == 0
    assert "columns that are not used: \\ud800" in (out / "report.md").read_text("utf-8")
    assert main(["data", "show", str(file)]) == 0
    assert main(["data", "check", str(file) + "l"]) == 2


def test_an_interrupt_of_the_terminal_is_left_to_the_process_that_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("core.datasets.jsonrows.PIECE", 2000)
    file = tmp_path / "rows.jsonl"
    file.write_text(rows(300))
    started: list[subprocess.Popen[bytes]] = []

    def start_helper(connections: Any) -> subprocess.Popen[bytes]:
        started.append(_started(connections))
        return started[0]

    monkeypatch.setattr("core.crew._started", start_helper)
    found = parts(pieces(Source("rows", file), []), Job(), None, 2)
    count = next(found).report.rows["in"]
    started[0].send_signal(signal.SIGINT)
    assert count + sum(part.report.rows["in"] for part in found) == 300
    assert (started[0].returncode, capfd.readouterr().err) == (0, "")
