"""Zip and tar archives as folders of data: read in place, within bounds, with one clear answer to what is hostile."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from core.check import check
from core.datasets import Source, archives, iterate_rows
from core.errors import UserError
from core.report import Report

ROW = json.dumps({"instruction": "Tide?", "output": "06:12"})
Files = dict[str, bytes]


def zipped(file: Path, files: Files) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return file


def tarred(file: Path, files: Files) -> Path:
    with tarfile.open(file, "w:gz" if file.suffix in (".gz", ".tgz") else "w") as packed:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return file


def tar_in_zstd(file: Path, files: Files) -> Path:
    import zstandard

    plain = tarred(file.with_suffix(".plain"), files)
    file.write_bytes(zstandard.ZstdCompressor().compress(plain.read_bytes()))
    return file


Pack = Callable[[Path, Files], Path]
PACKED: list[tuple[str, Pack]] = [
    ("a.zip", zipped),
    ("a.tar", tarred),
    ("a.tar.gz", tarred),
    ("a.tgz", tarred),
    ("a.tar.zst", tar_in_zstd),
]


def report_of(file: Path) -> Report:
    return check(Source(file.stem, file)).report


def stop(file: Path) -> tuple[str, str]:
    with pytest.raises(UserError) as raised:
        list(iterate_rows(Source(file.stem, file)))
    return raised.value.finding.code, str(raised.value)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "pack"), PACKED, ids=[name for name, _ in PACKED])
def test_an_archive_is_a_folder_of_its_files(name: str, pack: Pack, tmp_path: Path) -> None:
    table = io.BytesIO()
    parquet.write_table(pyarrow.table({"prompt": ["Tide?"], "completion": ["06:12"]}), table)
    bad = ROW + "\n{broken\n"
    files = {
        "talks/b.jsonl": bad.encode(),
        "./a.csv": b"prompt,completion\nTide?,06:12\n",
        "c.jsonl.gz": gzip.compress(ROW.encode()),
        "d.parquet": table.getvalue(),
        "e.json": json.dumps([json.loads(ROW)] * 2).encode(),
        "README.md": b"# Tides",
        "talks/notes.txt": b"tides",
        "__MACOSX/._a.csv": b"\0",
        "talks/.hidden.jsonl": b"{",
    }
    file = pack(tmp_path / name, files)
    report = report_of(file)
    assert report.rows == {"in": 7, "kept": 6, "repaired": 0, "dropped": 1}
    found = {finding.code: finding for finding in report.findings}
    assert (found["IO001"].file, found["IO001"].line) == (str(file / "talks/b.jsonl"), 2)
    assert found["IO015"].message == "files that are not read: talks/notes.txt"


def test_files_of_several_splits_are_said(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {"train.jsonl": ROW.encode(), "test.jsonl": ROW.encode()})
    assert "IO014" in {finding.code for finding in report_of(file).findings}


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({"../a.jsonl": b"{}"}, "IO001", "a name that leads out of it: '../a.jsonl'"),
        ({"/etc/a.jsonl": b"{}"}, "IO001", "a name that leads out"),
        ({"b/more.zip": b"PK"}, "IO001", "another archive: b/more.zip"),
        ({"more.tar.bz2": b"BZh"}, "IO001", "another archive: more.tar.bz2"),
        ({"README.md": b"x"}, "IO005", "the archive holds no data files"),
        ({"a.jsonl": b"PK\x03\x04"}, "IO001", "a.jsonl: is a zip archive"),
    ],
)
@pytest.mark.parametrize(("name", "pack"), PACKED[:3], ids=[name for name, _ in PACKED[:3]])
def test_what_is_hostile_gets_one_answer(
    name: str, pack: Pack, files: Files, code: str, said: str, tmp_path: Path
) -> None:
    found, message = stop(pack(tmp_path / name, files))
    assert found == code
    assert said in message


def test_too_many_files_and_too_much_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"{number}.jsonl": ROW.encode() for number in range(archives.MOST_IN_TAR + 1)}
    assert "more than 100" in stop(tarred(tmp_path / "a.tar", many))[1]
    assert len(list(iterate_rows(Source("a", zipped(tmp_path / "a.zip", many))))) == len(many)
    thousands = {f"{number}.jsonl": b"" for number in range(archives.MOST_FILES + 1)}
    assert "more than 1000" in stop(zipped(tmp_path / "b.zip", thousands))[1]
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    bomb = {"a.jsonl": b" " * (2 << 20)}
    assert stop(zipped(tmp_path / "bomb.zip", bomb))[0] == "SH114"
    assert stop(tarred(tmp_path / "bomb.tar.gz", bomb))[0] == "SH114"


def test_links_passwords_and_damage(tmp_path: Path) -> None:
    link = tmp_path / "link.tar"
    with tarfile.open(link, "w") as packed:
        info = tarfile.TarInfo("a.jsonl")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(info)
    assert "a.jsonl, which is a link" in stop(link)[1]
    whole = zipped(tmp_path / "a.zip", {"a.jsonl": ROW.encode() * 50}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-30])
    assert "damaged archive" in stop(tmp_path / "cut.zip")[1]
    locked = bytearray(whole)
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[whole.index(mark) + flags] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    assert "needs a password" in stop(tmp_path / "locked.zip")[1]
    damaged = bytearray(whole)
    damaged[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "damaged.zip").write_bytes(damaged)
    assert "damaged archive" in stop(tmp_path / "damaged.zip")[1]
    tar = tarred(tmp_path / "a.tar.gz", {"a.jsonl": ROW.encode()}).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(tar[: len(tar) // 2])
    assert "damaged archive" in stop(tmp_path / "cut.tar.gz")[1]


def test_a_file_without_a_name_is_refused(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", {"a": ROW.encode(), "b.jsonl": ROW.encode()}).read_bytes()
    at = whole.index(b"PK\x01\x02")
    nameless = bytearray(whole[: at + 28] + b"\0\0" + whole[at + 30 : at + 46] + whole[at + 47 :])
    # The directory is a byte shorter.
    nameless[nameless.index(b"PK\x05\x06") + 12] -= 1
    (tmp_path / "nameless.zip").write_bytes(nameless)
    assert "a name that leads out of it: ''" in stop(tmp_path / "nameless.zip")[1]
