"""Files of every kind, the registry, mixing, and the account."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.checked import check_dataset
from core.config import DataOptions, TrainConfig
from core.datasets import (
    Loaded,
    Source,
    UnusableError,
    converted,
    find_source,
    interleaved,
    iterate_rows,
    load_conversations,
    load_dataset,
    registry,
    sampled,
    split,
    split_by_file,
)
from core.datasets.registry import REGISTRY
from core.errors import UserError

ROOT = Path(__file__).parent.parent
ROW = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
ROWS = [{"instruction": f"question {i}", "output": f"answer {i}"} for i in range(7)]


def load(file: Path, **options: Any) -> Loaded:
    return load_dataset(Source(file.stem, file), config=DataOptions(**options))


def said(loaded: Loaded) -> list[list[str]]:
    return [[message.content for message in conversation.messages] for conversation in loaded.conversations]


EXPECTED = [[f"question {i}", f"answer {i}"] for i in range(7)]


def jsonl() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def delimited(delimiter: str) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["instruction", "output"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode()


def parquet() -> bytes:
    import pyarrow
    from pyarrow import parquet as pq

    out = io.BytesIO()
    pq.write_table(pyarrow.Table.from_pylist(ROWS), out)
    return out.getvalue()


def arrow(stream: bool = False) -> bytes:
    import pyarrow

    table = pyarrow.Table.from_pylist(ROWS)
    out = io.BytesIO()
    make = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with make(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def excel() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["instruction", "output"])
    for row in ROWS:
        sheet.append(list(row.values()))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


KINDS = {
    "a.jsonl": jsonl,
    "a.ndjson": jsonl,
    "a.json": lambda: json.dumps(ROWS).encode(),
    "pretty.json": lambda: json.dumps(ROWS, indent=2).encode(),
    "lmflow.json": lambda: json.dumps(
        {"type": "text2text", "instances": [{"input": r["instruction"], "output": r["output"]} for r in ROWS]}
    ).encode(),
    "a.csv": lambda: delimited(","),
    "b.csv": lambda: delimited(";"),
    "a.tsv": lambda: delimited("\t"),
    "a.parquet": parquet,
    "a.arrow": arrow,
    "stream.arrow": lambda: arrow(stream=True),
    "a.xlsx": excel,
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_every_kind_of_file_plain_and_packed(name: str, packed: str, tmp_path: Path) -> None:
    data = KINDS[name]()
    file = tmp_path / (name + packed)
    file.write_bytes(gzip.compress(data) if packed == ".gz" else zstd(data) if packed else data)
    loaded = load(file)
    assert said(loaded) == EXPECTED, loaded.findings
    assert loaded.rows == {"in": 7, "kept": 7, "repaired": 0, "dropped": 0}


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    row = json.dumps(ROW)
    for name, text, expected in (
        ("a.jsonl", f"\n{row}\n\n{row}\n", [2, 4]),
        ("a.json", f"[\n{row},\n\n{row}]", [2, 4]),
        ("b.json", json.dumps([ROW, ROW], indent=1), [2, 14]),
        ("c.json", f'{{"type": "conversation",\n"instances": [\n{row},\n{row}]}}', [3, 4]),
    ):
        file = tmp_path / name
        file.write_text(text)
        assert [conversation.line for conversation in load(file).conversations] == expected, name


def test_a_folder_is_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl())
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "b.csv").write_bytes(delimited(","))
    (tmp_path / "README.md").write_text("not data")
    loaded = load(tmp_path)
    assert loaded.rows["in"] == 14
    assert len(loaded.evidence) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnusableError, match="no data files"):
        load(tmp_path / "empty")


def test_a_saved_dataset_folder(tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"))
    assert said(load(tmp_path / "saved")) == EXPECTED


def test_arguments_that_a_table_filled_with_nulls(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet as pq

    def row(name: str, **arguments: Any) -> dict[str, Any]:
        tool = {
            "name": name,
            "parameters": {"type": "object", "properties": {key: {"type": "string"} for key in arguments}},
        }
        call = {"id": None, "function": {"name": name, "arguments": arguments}}
        messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
        return {"messages": messages, "tools": json.dumps([tool])}

    pq.write_table(pyarrow.Table.from_pylist([row("f", x="1"), row("g", y="2")]), tmp_path / "a.parquet")
    loaded = load(tmp_path / "a.parquet")
    assert [c.messages[1].tool_calls[0].arguments for c in loaded.conversations] == [{"x": "1"}, {"y": "2"}]
    assert {finding.code for finding in loaded.findings} == {"TC521", "TL403"}


def test_chained_tables_give_a_row_for_each_last_turn(tmp_path: Path) -> None:
    file = tmp_path / "tree.csv"
    file.write_text("id,parent_id,prompt,response\n1,,a,b\n2,1,c,d\n3,1,e,f\n4,,g,h\n")
    assert said(load(file)) == [["a", "b", "c", "d"], ["a", "b", "e", "f"], ["g", "h"]]


def info(tmp_path: Path, **entries: Any) -> str:
    (tmp_path / "dataset_info.json").write_text(json.dumps(entries))
    (tmp_path / "a.jsonl").write_bytes(jsonl())
    return str(tmp_path)


def test_the_registry_reads_a_whole_entry(tmp_path: Path) -> None:
    columns = {"messages": "talk", "system": "sys", "tools": "tools"}
    tags = {"role_tag": "r", "content_tag": "c", "user_tag": "U", "assistant_tag": "A", "observation_tag": "O"}
    tags |= {"function_tag": "F", "system_tag": "S"}
    folder = info(
        tmp_path,
        full={"file_name": "b.json", "formatting": "sharegpt", "columns": columns, "tags": tags, "num_samples": 3},
        hub={"hf_hub_url": "org/data", "subset": "en", "split": "test", "folder": "x", "ms_hub_url": "other/data"},
    )
    call = json.dumps({"name": "f", "arguments": {}})
    talk = [
        {"r": "S", "c": "s"},
        {"r": "U", "c": "q"},
        {"r": "F", "c": call},
        {"r": "O", "c": "1"},
        {"r": "A", "c": "a"},
    ]
    (tmp_path / "b.json").write_text(json.dumps([{"talk": talk}] * 2))
    loaded = load_conversations(DataOptions(dataset=["full"], dataset_dir=folder))
    assert [message.role for message in loaded.conversations[0].messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert len(loaded.conversations) == 3
    hub = registry(folder)["hub"]
    assert (hub.hub, hub.subset, hub.split, hub.folder) == ("org/data", "en", "test", "x")


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"script_url": "x.py"}, "script_url would run"),
        ({"cloud_file_name": "s3://x"}, "cloud_file_name"),
        ({"ms_hub_url": "org/x"}, "Hugging Face"),
        ({}, "needs a file_name"),
        ({"file_name": "a.jsonl", "ranking": True}, "ranking"),
        ({"file_name": "a.jsonl", "columns": {"images": "img"}}, "images"),
        ({"file_name": "a.jsonl", "columns": {"audios": "a"}}, "sound"),
        ({"file_name": "a.jsonl", "columns": {"videos": "v"}}, "video"),
        ({"file_name": "a.jsonl", "columns": {"kto_tag": "label"}}, "KTO"),
    ],
)
def test_what_is_not_trained_on_is_refused_by_name_and_spares_its_neighbours(
    entry: dict[str, Any], word: str, tmp_path: Path
) -> None:
    folder = info(tmp_path, bad=entry, good={"file_name": "a.jsonl"})
    with pytest.raises(UserError, match=word):
        find_source("bad", folder)
    assert find_source("good", folder).file.name == "a.jsonl"


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (7, "must be an object"),
        ({"file_name": 7}, "file_name must be text"),
        ({"file_nam": "a"}, 'unknown key "file_nam" — did you mean "file_name"'),
        ({"file_name": "a", "formatting": "alpacca"}, 'unknown format "alpacca"'),
        ({"file_name": "a", "formatting": ["alpaca"]}, "formatting must be text"),
        ({"file_name": "a", "num_samples": 0}, "num_samples"),
        ({"file_name": "a", "columns": ["x"]}, "columns must map"),
        ({"file_name": "a", "columns": {"promt": "x"}}, 'columns has no "promt"'),
        ({"file_name": "a", "tags": {"role": "x"}}, 'tags has no "role"'),
        ({"file_name": "a", "roles": {"x": "king"}}, 'there is no role "king"'),
    ],
)
def test_a_wrong_entry_is_one_clear_error(entry: Any, word: str, tmp_path: Path) -> None:
    folder = info(tmp_path, bad=entry, good={"file_name": "a.jsonl"})
    with pytest.raises(UserError, match=f"{REGISTRY}: .*{word}"):
        find_source("bad", folder)
    assert word.partition(" — ")[0] in registry(folder)["bad"].refused
    assert find_source("good", folder) == registry(folder)["good"]


def test_hub_names() -> None:
    source = find_source("hf:org/name/sub:test@v1")
    assert (source.hub, source.subset, source.split, source.revision) == ("org/name", "sub", "test", "v1")
    with pytest.raises(UserError, match="no name of a Hub dataset"):
        find_source("hf:nothing")


def test_hub_rows_stream_and_fail_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: dict[str, Any] = {}

    def pretend(path: str, **options: Any) -> list[dict[str, str]]:
        asked.update(options, path=path)
        return ROWS

    monkeypatch.setattr(datasets, "load_dataset", pretend)
    assert said(load_dataset(find_source("hf:org/name/sub:test@v1"))) == EXPECTED
    assert asked["streaming"]
    assert (asked["path"], asked["name"], asked["split"], asked["revision"]) == ("org/name", "sub", "test", "v1")

    def offline(path: str, **options: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    monkeypatch.setattr("core.datasets.hub.hub_fault", str)
    with pytest.raises(UserError, match="cannot read the Hub dataset: no network"):
        load_dataset(find_source("hf:org/name"))


def test_a_person_can_say_the_format_columns_tags_and_roles(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"q": "hi", "a": "yo"}) + "\n")
    assert said(load_conversations(DataOptions(dataset=[str(file)], columns={"prompt": "q", "response": "a"}))) == [
        ["hi", "yo"]
    ]
    file.write_text(json.dumps({"talk": [{"who": "customer", "what": "hi"}, {"who": "agent", "what": "yo"}]}))
    options = DataOptions(
        dataset=[str(file)],
        formatting="openai",
        columns={"messages": "talk"},
        tags={"role_tag": "who", "content_tag": "what"},
        roles={"customer": "user", "agent": "assistant"},
    )
    loaded = load_conversations(options)
    assert said(loaded) == [["hi", "yo"]]
    assert not loaded.findings
    with pytest.raises(UserError, match='unknown format "opena1"'):
        load_conversations(DataOptions(dataset=[str(file)], formatting="opena1"))


def test_profiles_and_findings_that_stop(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    user_last = {"messages": [*ROW["messages"], {"role": "user", "content": "?"}]}
    file.write_text("".join(json.dumps(row) + "\n" for row in (ROW, user_last)))
    assert load_conversations(DataOptions(dataset=[str(file)])).rows["repaired"] == 1
    strict = load_conversations(DataOptions(dataset=[str(file)], profile="strict"))
    assert strict.rows == {"in": 2, "kept": 1, "repaired": 0, "dropped": 1}
    file.write_text("{oops\n" + json.dumps(ROW))
    with pytest.raises(UserError, match="IO001, stopped"):
        load_conversations(DataOptions(dataset=[str(file)], profile="strict"))
    file.write_text(json.dumps({**ROW, "input_ids": [1]}))
    with pytest.raises(UserError, match="SH113, stopped"):
        load_conversations(DataOptions(dataset=[str(file)]))


def test_interleaving() -> None:
    parts = [list("aaaaaaaa"), list("bb")]
    under, note = interleaved(parts, "interleave_under", [1, 1])
    assert under.count("b") == 2 or under.count("a") == 8
    assert note.code == "DS909"
    over, _ = interleaved(parts, "interleave_over", [1, 1])
    assert over.count("a") >= 8
    assert over.count("b") >= 2
    assert interleaved(parts, "interleave_over", [1, 1])[0] == over
    mostly_a, _ = interleaved([list("a" * 1000), list("b" * 1000)], "interleave_under", [9, 1])
    assert 0.85 < mostly_a.count("a") / len(mostly_a) < 0.95
    for weights in ([1.0], [1.0, 0.0]):
        with pytest.raises(UserError, match="interleave_probs needs 2"):
            interleaved(parts, "interleave_under", weights)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"prompt": "{prompt:q}"}, 'columns: there is no column "{prompt:q}" in the row; it has: a, q'),
        ({"prompt": "q", "response": ""}, None),
    ],
)
def test_columns_that_are_not_there_are_named(tmp_path: Path, columns: dict[str, str], said: str | None) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"q": "hello there", "a": "b"}\n')
    report = check_dataset(str(file), TrainConfig(columns=columns))
    messages = [finding.message for finding in report.findings if finding.action == "dropped"]
    assert len(messages) == 1
    assert said is None or messages == [said]


def test_words_that_no_column_or_tag_has_are_one_error(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"q": "hello there", "a": "b"}\n')
    with pytest.raises(UserError, match='columns has no "promt" — did you mean "prompt"'):
        check_dataset(str(file), TrainConfig(columns={"promt": "q"}))
    with pytest.raises(UserError, match='tags has no "role" — did you mean "role_tag"'):
        check_dataset(str(file), TrainConfig(tags={"role": "from"}))


TASKS = '{"instruction": "a", "instances": [{"input": "", "output": "b"}]}\n' * 2
TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("name", "content", "formatting", "evidence"),
    [
        ("a.json", {"type": "conversation", "instances": [{"messages": TURNS}]}, "lmflow", 'type "conversation" in'),
        ("a.json", {"type": "text2text", "instances": [{"text": "a"}]}, "text", "column text"),
        ("a.jsonl", TASKS, "alpaca", "opened column instances"),
        ("a.json", {"instances": [{"text": "a"}], "type": "text_only"}, "text", "column text"),
        ("a.csv", "id,parent_id,instruction,output\n1,,a,b\n2,1,c,d\n", "h2o", "columns id and parent_id"),
    ],
)
def test_the_evidence_for_a_format_is_what_it_was_known_by(
    tmp_path: Path, name: str, content: Any, formatting: str, evidence: str
) -> None:
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    report = check_dataset(str(file), TrainConfig())
    assert list(report.formats) == [formatting]
    assert report.evidence.startswith(evidence)
    declared = check_dataset(str(file), TrainConfig(formatting=formatting))
    assert declared.evidence == "as declared"


def test_num_samples_draws_or_repeats() -> None:
    drawn, notes = sampled(list(range(10)), 4, "x")
    assert len(drawn) == len(set(drawn)) == 4
    assert drawn == sorted(drawn) == sampled(list(range(10)), 4, "x")[0]
    assert notes[0].code == "DS909"
    assert (
        sorted(sampled([1, 2, 3], 7, "x")[0])[:6] == [1, 1, 2, 2, 3, 3][:4] + sorted(sampled([1, 2, 3], 7, "x")[0])[4:6]
    )
    assert len(sampled([1, 2, 3], 7, "x")[0]) == 7


def test_a_split_depends_on_what_is_asked_alone() -> None:
    asked = list(range(1000, 1400))
    held = split(asked, 0.25)
    assert 60 < sum(held) < 140
    assert split([*asked, 7, 8, 9], 0.25)[:400] == held
    assert split(asked[::-1], 0.25) == held[::-1]
    assert split(asked, 0.25, seed=1) != held
    assert len(set(split([5] * 50, 0.5))) == 1, "the same question is never on both sides"


def test_a_split_file(tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    file.write_text('{"validation": [2, 4]}')
    assert split_by_file([1, 2, 3, 4, 5], file) == [False, True, False, True, False]
    for text, word in (('{"validation": [99]}', "line 99"), ("[]", "validation"), ("{", "split file")):
        file.write_text(text)
        with pytest.raises(UserError, match=word):
            split_by_file([1, 2, 3], file)


def test_a_large_file_is_read_as_a_stream(tmp_path: Path) -> None:
    """64 MB of rows, checked in a process that may grow by less than that."""
    row = json.dumps(
        {"messages": [{"role": "user", "content": "x" * 2000}, {"role": "assistant", "content": "y" * 2000}]}
    )
    for name, text in (("a.jsonl", (row + "\n") * 16000), ("a.json", "[" + ",".join([row] * 16000) + "]")):
        (tmp_path / name).write_text(text)
        # The kernel's own high-water mark of this program; ru_maxrss would begin with that of the parent process.
        code = (
            "import re; from pathlib import Path; from core.datasets import Source; from core.check import check\n"
            "def mark(): return int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()).group(1))\n"
            "before = mark()\n"
            f"report = check(Source('a', Path({str(tmp_path / name)!r}))).report\n"
            "print(report.rows['kept'], mark() - before)"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        kept, grown_kb = map(int, out.split())
        assert kept == 16000
        assert grown_kb < 60_000, f"{name}: {grown_kb} kB"


@pytest.mark.parametrize(
    "arguments",
    [
        r'{"a": "\ud83d"}',
        r'"{\"a\": \"\\ud800\"}"',
        r'"{\"a\": \"\u005cuDFFF\"}"',
        r'"{\"a\": \"\\\u0075\u0064c00\"}"',
        json.dumps(r"{'a': '\U0000d800'}"),
        json.dumps(r"""'{"a": "\\ud800"}'"""),
        json.dumps(r"""'{"a": "\x5cud800"}'"""),
        json.dumps(r"""'{"a": "\134ud800"}'"""),
    ],
)
def test_no_way_to_write_a_lone_surrogate_gets_past(tmp_path: Path, arguments: str) -> None:
    """However it is written, and however often it takes to read it; rows without numbered characters are not asked."""
    file = tmp_path / "a.jsonl"
    made = f'{{"role": "assistant", "tool_calls": [{{"function": {{"name": "f", "arguments": {arguments}}}}}]}}'
    plain = r'{"messages": [{"role": "user", "content": "é \n\"\/"}, {"role": "assistant", "content": "a"}]}'
    file.write_text(f'{{"messages": [{{"role": "user", "content": "go"}}, {made}]}}\n{plain}', encoding="utf-8")
    (odd, _), (other, _) = iterate_rows(Source("a", file))
    assert (odd.surrogates, other.surrogates) == (True, False)
    conversation = converted(odd, None).conversation
    assert conversation is not None, odd.findings
    assert conversation.messages[1].tool_calls[0].arguments == {"a": "\ufffd"}
    assert [finding.code for finding in odd.findings if finding.code == "CT308"] == ["CT308"]


def test_an_older_registry_of_llama_factory_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"instruction": "a", "output": "b"}]))
    folder = info(tmp_path, old={"file_name": "a.json", "file_sha1": "607f94a7f581341e59685aef32f531095232cf23"})
    assert len(load_dataset(find_source("old", folder)).conversations) == 1


def test_one_line_with_a_list_of_messages_is_one_row(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    file.write_text(json.dumps(talk) + "\n")
    [conversation] = load_dataset(find_source(str(file))).conversations
    assert [message.content for message in conversation.messages] == ["hi", "yo"]
    file.write_text(json.dumps([{**message, "conversation_id": 1} for message in talk]))
    assert len(load_dataset(find_source(str(file))).conversations) == 1
    file.write_text("[]")
    with pytest.raises(UserError, match="no rows"):
        load_dataset(find_source(str(file)))


def test_ids_of_chains_as_pandas_writes_them(tmp_path: Path) -> None:
    """A column of whole numbers with gaps becomes one of floats."""
    file = tmp_path / "a.csv"
    file.write_text("id,parent_id,prompt,response\n1,,a,b\n2,1.0,c,d\n3,nan,e,f\n4,None,g,h\n")
    loaded = load_dataset(find_source(str(file)))
    assert [len(conversation.messages) for conversation in loaded.conversations] == [4, 2, 2]


def test_no_row_of_a_chain_is_lost_where_ids_stand_twice_or_are_missing(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = ["1,,first,a", "1,,again,b", "2,1,below,c", "3,,top,d", "4,3,one,e", "4,,two,f", ",4,last,g", ",3,end,h"]
    file.write_text("id,parent_id,prompt,response\n" + "\n".join(rows) + "\n")
    loaded = load_dataset(find_source(str(file)))
    asked = [[m.content for m in c.messages if m.role == "user"] for c in loaded.conversations]
    assert asked == [["first"], ["again", "below"], ["top", "one"], ["two", "last"], ["top", "end"]]
    assert loaded.rows["dropped"] == 0
