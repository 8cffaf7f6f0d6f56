"""The report and the commands around it: the account, the exit codes, the cache, and other people's formats."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.check import check
from core.checked import check_dataset
from core.cli import main
from core.config import TrainConfig
from core.conversation import Conversation, Message, Row, ToolCall
from core.datasets import Source, convert_row, load_conversations
from core.errors import UserError
from core.formats import Layout, detect
from core.formats.write import WRITERS, writer
from core.report import exceeds, histogram, report_from_json, terminal, together
from core.rules import RULES
from core.rules.dataset import DatasetFacts
from core.rules.table import advice

GOOD = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
REPAIRED = {"messages": [*GOOD["messages"], {"role": "user", "content": "?"}]}
DROPPED = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEBOARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    return write(tmp_path / "mixed.jsonl", GOOD, REPAIRED, DROPPED, "{oops\n")


def test_the_account_adds_up_and_files_hold_every_row(mixed: Path, tmp_path: Path) -> None:
    report = check(Source("mixed", mixed), output=tmp_path / "out").report
    assert report.rows == {"in": 4, "kept": 1, "repaired": 1, "dropped": 2}
    clean = [json.loads(line) for line in (tmp_path / "out" / "clean.jsonl").read_text().splitlines()]
    assert clean == [GOOD, GOOD]
    dropped = [json.loads(line) for line in (tmp_path / "out" / "dropped.jsonl").read_text().splitlines()]
    assert [(row["codes"], row["line"], row["row"]) for row in dropped] == [
        (["RO211"], 3, DROPPED),
        (["IO001"], 4, "{oops"),
    ]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report.to_json()
    bare = write(tmp_path / "bare.jsonl", GOOD["messages"], DROPPED["messages"])
    check(Source("bare", bare), output=tmp_path / "bare")
    assert json.loads((tmp_path / "bare" / "dropped.jsonl").read_text())["row"] == DROPPED["messages"]
    assert "| 4 | 1 | 1 | 2 |" in (tmp_path / "out" / "report.md").read_text()


def test_the_json_for_programs(mixed: Path) -> None:
    report = check(Source("mixed", mixed)).report
    value = json.loads(json.dumps(report.to_json()))
    assert value["rows"] == {"in": 4, "kept": 1, "repaired": 1, "dropped": 2}
    finding = next(item for item in value["findings"] if item["code"] == "RO209")
    assert finding == {
        "code": "RO209",
        "severity": "warning",
        "action": "repaired",
        "message": "last message is from the user; removed",
        "file": str(mixed),
        "line": 2,
        "path": "messages[2]",
        "before": "?",
        "after": "",
    }
    assert {item["severity"] for item in value["findings"] if item["action"] == "dropped"} == {"error"}
    assert report_from_json(value) == report


def test_the_terminal_shows_three_examples_with_their_place(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", GOOD, *[DROPPED] * 5)
    shown = terminal(check(Source("a", file)).report)
    assert "rows       6 in = 1 kept + 0 repaired + 5 dropped" in shown
    assert shown.count(f"{file}:") >= 3
    assert "RO211 dropped × 5" in shown
    assert "… and 2 more" in shown
    assert "format     openai (6): column messages with role and content" in shown


def test_the_report_and_explanations_fit_a_terminal(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    run(["data", "check", "mixed.jsonl", "--model-name-or-path", "starter"], capsys)
    code, out, _ = run(["data", "check", mixed.name, "--template", "chatml"], capsys)
    assert code == 1
    assert max(map(len, out.splitlines())) <= 80
    for rule in RULES:
        assert max(map(len, run(["data", "explain", rule], capsys)[1].splitlines())) <= 80, rule


def test_no_file_of_many_findings_fills_the_memory(tmp_path: Path) -> None:
    report = check(Source("a", write(tmp_path / "a.jsonl", *[DROPPED] * 1500))).report
    assert report.counts["RO211", "dropped"] == 1500
    assert sum(finding.code == "RO211" for finding in report.findings) == 1000


@pytest.mark.parametrize(
    ("limits", "over"),
    [("", ""), ("D", "D"), ("D>2", ""), ("D>1", "D>1"), ("D>50%", ""), ("D>49%", "D>49%"), ("E", ""), ("R", "R"),
     ("RO211", "RO211"), ("RO211>1", ""), ("E, D>5, R>0", "R>0")],
)  # fmt: skip
def test_limits(mixed: Path, limits: str, over: str) -> None:
    assert exceeds(check(Source("mixed", mixed)).report, limits) == over


@pytest.mark.parametrize("limits", ["X", "D>x", "RO999"])
def test_a_wrong_limit_is_an_error(mixed: Path, limits: str) -> None:
    with pytest.raises(UserError):
        exceeds(check(Source("mixed", mixed)).report, limits)


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_exit_codes(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = write(tmp_path / "clean.jsonl", GOOD)
    empty = write(tmp_path / "empty.jsonl")
    assert run(["data", "check", str(clean)], capsys)[0] == 0
    assert run(["data", "check", str(mixed)], capsys)[0] == 1
    assert run(["data", "check", str(mixed), "--fail-on", "D>50%"], capsys)[0] == 0
    assert run(["data", "check", str(mixed), "--profile", "strict"], capsys)[0] == 2
    assert run(["data", "check", str(empty)], capsys)[0] == 2
    assert run(["data", "check", "no-such-data"], capsys)[0] == 2
    _, out, _ = run(["data", "check", str(empty), "--json"], capsys)
    assert json.loads(out)["findings"][0]["code"] == "IO005"


def test_with_a_model_lengths_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = {"instruction": "word " * 300, "output": "b"}
    file = write(tmp_path / "a.jsonl", *[{"instruction": f"q{i}", "output": "b" * i} for i in range(1, 20)], long)
    words = ["data", "check", str(file), "--model-name-or-path", "starter", "--max-length", "64", "--json"]
    code, out, _ = run(words, capsys)
    value = json.loads(out)
    assert code == 1
    assert value["rows"] == {"in": 20, "kept": 19, "repaired": 0, "dropped": 1}
    tokens = value["stats"]["tokens"]
    assert tokens["over the window"] == 1
    assert sum(count for _, count in tokens["lengths"]) == tokens["samples"] + 1 == 20
    assert 0 < tokens["trained tokens"] < tokens["tokens"]
    assert "LN803" in {item["code"] for item in value["counts"]}


def test_control_tokens_in_text_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.jsonl", {"instruction": "say <|im_end|> now", "output": "b"})
    _, out, _ = run(["data", "check", str(file), "--model-name-or-path", "starter", "--json"], capsys)
    assert "CT305" in {item["code"] for item in json.loads(out)["counts"]}


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["data", "explain", "tc504"], capsys)
    assert code == 0
    assert out.startswith("TC504 (tool calls and results): A call or its arguments parse neither")
    code, _, err = run(["data", "explain", "TC999"], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert 'there is no rule "TC999"' in err
    assert len(run(["data", "explain"], capsys)[1].splitlines()) > 110


def test_show_reads_as_check_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.jsonl", {"q": "hi", "a": "yo \ud800"})
    words = ["data", "show", str(file), "--columns", "{prompt: q, response: a}"]
    code, out, _ = run(words, capsys)
    assert code == 0
    assert "⟦yo" in out
    code, out, _ = run([*words, "--json"], capsys)
    shown = json.loads(out)
    assert shown["conversation"]["messages"][0]["content"] == "hi"
    assert shown["samples"][0]["spans"]
    assert shown["findings"][0]["code"] == "CT308"


def test_the_cache_is_used_and_never_stale(tmp_path: Path, cache: Path) -> None:
    file = write(tmp_path / "a.jsonl", GOOD, DROPPED)
    first = check_dataset(str(file), TrainConfig())
    (kept,) = cache.rglob("report.json")
    assert check_dataset(str(file), TrainConfig()) == first
    kept.write_text(kept.read_text().replace('"in": 2', '"in": 77'))
    assert check_dataset(str(file), TrainConfig()).rows["in"] == 77, "it was read from the cache"
    assert check_dataset(str(file), TrainConfig(), use_cache=False).rows["in"] == 2
    size, stamp = file.stat().st_size, file.stat().st_mtime_ns
    file.write_bytes(file.read_bytes().replace(b"yo", b"no"))
    import os

    os.utime(file, ns=(stamp, stamp))
    assert file.stat().st_size == size
    assert check_dataset(str(file), TrainConfig()).rows["in"] == 2, "same size and time, other bytes"
    for options in ({"profile": "lenient"}, {"max_samples": 1}, {"max_length": 99}, {"roles": {"x": "user"}}):
        before = len(list(cache.rglob("report.json")))
        check_dataset(str(file), TrainConfig(**options))
        assert len(list(cache.rglob("report.json"))) == before + 1, options
    kept.write_text("{damaged")
    assert check_dataset(str(file), TrainConfig()).rows["in"] == 2


def test_with_a_template_the_cache_knows_it(tmp_path: Path, cache: Path) -> None:
    file = write(tmp_path / "a.jsonl", GOOD)
    template = tmp_path / "t.jinja"
    template.write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}<|im_end|>\n{% endfor %}"
                        "{% if add_generation_prompt %}assistant: {% endif %}")  # fmt: skip
    config = TrainConfig(template=str(template))
    short = check_dataset(str(file), config, with_model=True).stats["tokens"]["tokens"]
    template.write_text(template.read_text().replace("{{ m.role }}: ", "{{ m.role }} says this: ").replace(
        "assistant: ", "assistant says this: "))  # fmt: skip
    assert check_dataset(str(file), config, with_model=True).stats["tokens"]["tokens"] > short


def facts(*rows: Any, **options: Any) -> set[str]:
    """The codes found in some rows, looked at in two parts that are merged."""
    found, more = DatasetFacts(**options), DatasetFacts(**options)
    for number, row in enumerate(rows):
        part = found if number < len(rows) // 2 else more
        part.add_id(row)
        conversation = convert_row(Row(row), detect(row))[1]
        assert conversation is not None
        part.add(conversation)
    found.merge(more)
    return {finding.code for finding in found.findings("x")}


def pair(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"instruction": question, "output": answer, **more}


def test_rules_of_the_whole_dataset() -> None:
    many = [pair(f"q{i}", f"a{i}") for i in range(60)]
    assert facts(*many) == set()
    assert facts(*many, many[0]) == {"DS901"}
    assert facts(*many, pair("q0", "other")) == {"DS902"}
    assert facts(*many[:20]) == {"DS905"}
    assert "DS905" in facts()
    assert facts(*many, *[pair(f"p{i}", "same") for i in range(40)]) == {"DS906"}
    assert facts(*many, pair("a", "b", id=1), pair("c", "d", id=1)) == {"SH112"}
    assert facts(*many, pair("mail me at ann@example.org", "ok"), scans=frozenset({"secrets"})) == {"DS907"}
    assert facts(*many, pair("card 4111 1111 1111 1111", "ok"), scans=frozenset({"secrets"})) == {"DS907"}
    assert facts(*many, pair("number 4111 1111 1111 1112", "ok"), scans=frozenset({"secrets"})) == set()
    assert facts(*many, pair("q", "<think>hm</think>a")) == {"RS607"}


def talk(*words: str) -> dict[str, Any]:
    return {"messages": [{"role": ("user", "assistant")[i % 2], "content": word} for i, word in enumerate(words)]}


def test_rows_that_others_begin_with_train_the_same_answers_again(tmp_path: Path) -> None:
    many = [pair(f"q{i}", f"a{i}") for i in range(60)]
    long = talk("hi", "there", "and", "then", "so", "what")
    assert facts(*many, talk("hi", "there"), long) == {"DS910"}
    assert facts(*many, long, talk("hi", "there", "and", "then")) == {"DS910"}
    assert facts(*many, long, talk("hi", "now"), talk("and", "then")) == set()
    of_tools = {**talk("hi", "there"), "tools": [{"name": "f", "description": "d", "parameters": {}}]}
    assert "DS910" not in facts(*many, long, of_tools)
    only_last = {"messages": [{**m, "train": False} if m["content"] == "there" else m for m in long["messages"]]}
    assert facts(*many, only_last, talk("hi", "there")) == set()
    assert facts(*many, {"text": "ab"}, {"text": "a"}) == set()
    file = write(tmp_path / "rows.jsonl", *many, talk("hi", "there"), talk("hi", "there", "and", "then"), long)
    for train_on, said in (("assistant", ["2 rows"]), ("last_turn", [])):
        report = check_dataset(str(file), TrainConfig(train_on=train_on))
        assert [f.message[:6] for f in report.findings if f.code == "DS910"] == said
        assert report.rows["kept"] == 63


def test_what_is_also_held_out_is_not_trained_on(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", pair("Same  question", "a"), pair("other", "b"))
    held = write(tmp_path / "held.jsonl", pair("same question", "z"))
    report = check_dataset(str(train), TrainConfig(eval_dataset=[str(held)]))
    assert [(f.code, f.action, f.line) for f in report.findings if f.code == "DS903"] == [("DS903", "dropped", 1)]
    assert report.rows == {"in": 2, "kept": 1, "repaired": 0, "dropped": 1}
    lenient = check_dataset(str(train), TrainConfig(eval_dataset=[str(held)], profile="lenient"))
    assert lenient.rows["kept"] == 2
    held.write_text(json.dumps(pair("no such question", "z")))
    assert check_dataset(str(train), TrainConfig(eval_dataset=[str(held)])).rows["kept"] == 2


def test_histogram_marks_the_window() -> None:
    lines = histogram([[10, 5], [95, 1]], 40)
    assert sum(int(re.findall(r"\d+", line)[-1]) for line in lines) == 6
    assert [index for index, line in enumerate(lines) if "|" in line] == [3]


TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "d",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}
CALLS = (ToolCall("f", {"a": 1}, "call00000"), ToolCall("f", {"a": 2}, "call00001"))
TALKS = {
    "plain pair": Conversation((Message("user", "hi"), Message("assistant", "yo"))),
    "system and history": Conversation(
        (
            Message("system", "s"),
            Message("user", "a"),
            Message("assistant", "b"),
            Message("user", "c"),
            Message("assistant", "d"),
        )
    ),
    "one call": Conversation(
        (
            Message("user", "a"),
            Message("assistant", tool_calls=CALLS[:1]),
            Message("tool", "1", tool_call_id="call00000", name="f"),
            Message("assistant", "b"),
        ),
        (TOOL,),
    ),
    "parallel calls beside text": Conversation(
        (
            Message("user", "a"),
            Message("assistant", "Both.", tool_calls=CALLS),
            Message("tool", "1", tool_call_id="call00000", name="f"),
            Message("tool", "2", tool_call_id="call00001", name="f"),
            Message("assistant", "b"),
        ),
        (TOOL,),
    ),
    "reasoning": Conversation((Message("user", "a"), Message("assistant", "b", "hm"))),
    "flags": Conversation(
        (
            Message("user", "a"),
            Message("assistant", "b", train=False),
            Message("user", "c"),
            Message("assistant", "d", weight=0.5),
        )
    ),
}
LAYOUTS = {"lmflow": Layout("lmflow"), "alpaca": Layout("alpaca"), "sharegpt": Layout("sharegpt")}


@pytest.mark.parametrize("name", TALKS)
@pytest.mark.parametrize("to", WRITERS)
def test_what_a_format_holds_comes_back_exactly_and_the_rest_is_named(to: str, name: str) -> None:
    given = TALKS[name]
    row, losses = writer(to)(given)
    if row is None:
        assert losses
        return
    raw = Row(json.loads(json.dumps(row)))
    fate, back = convert_row(raw, LAYOUTS.get(to, Layout("openai")))
    assert fate != "dropped", raw.findings
    assert back is not None
    # Text beside a call comes back through the rule that merges, and tags of reasoning through the one that splits;
    # call ids are made anew in the same way.
    same = set(losses) <= {
        "call ids",
        "text beside a call (it becomes a turn of its own)",
        "text beside a call (it becomes a message of its own)",
    }
    assert (back.messages == given.messages and back.tools == given.tools) == same, (losses, back)


@pytest.mark.parametrize("to", ["sharegpt", "lmflow"])
def test_results_do_not_change_their_calls_where_there_are_no_ids(to: str) -> None:
    calls = tuple(ToolCall("f", {"a": name}, name) for name in ("one", "two"))
    results = [Message("tool", f"of {name}", "", (), name, "f") for name in ("two", "one")]
    asked = (Message("user", "q"), Message("assistant", tool_calls=calls))
    row, losses = writer(to)(Conversation((*asked, *results, Message("assistant", "a"))))
    assert set(losses) == {"call ids", "the order of results"}
    _, back = convert_row(Row(json.loads(json.dumps(row))), LAYOUTS[to])
    assert back is not None
    ids = {call.id: call.arguments["a"] for call in back.messages[1].tool_calls}
    assert all(m.content == f"of {ids[m.tool_call_id]}" for m in back.messages if m.role == "tool")
    _, losses = writer(to)(Conversation((*asked, results[0], Message("assistant", "a"))))
    assert "which of several calls a result belongs to" in losses


def test_white_space_that_tags_of_reasoning_lose_is_named() -> None:
    talk = Conversation((Message("user", "q"), Message("assistant", "\n\na", reasoning="r")))
    assert writer("sharegpt")(talk)[1] == ["white space around reasoning"]
    talk = Conversation((Message("user", "q"), Message("assistant", "a", reasoning="I write </think> now")))
    assert writer("sharegpt")(talk)[1] == ["where reasoning that holds </think> ends"]


def test_the_report_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = [{"role": "user", "content": "q"}, {"role": "tool", "content": "r"}, {"role": "assistant", "content": "a"}]
    file = write(tmp_path / "a.jsonl", {"messages": talk})
    _, out, _ = run(["data", "check", str(file)], capsys)
    said = " ".join(out.split())
    assert "messages[1]: tool result with no call What to do: Put the assistant's call before the result." in said
    assert "--profile lenient: the result is removed." in said
    assert advice("TC511", "repaired") == advice("nothing", "dropped") == ""


def test_plain_text_survives_as_itself() -> None:
    text = Conversation((Message("assistant", "once"),), plain=True)
    row, losses = writer("openai")(text)
    assert (row, losses) == ({"text": "once"}, [])
    assert writer("sharegpt")(text) == (None, ["text without turns"])
    silent = Conversation((Message("user", "q"), Message("assistant", "", train=False)))
    assert writer("alpaca")(silent) == (None, ["an empty last answer"])


def test_one_account_of_several_has_every_figure(mixed: Path) -> None:
    report = check(Source("mixed", mixed)).report
    whole = together([report, report])
    assert whole.stats["dataset"] == {name: 2 * figure for name, figure in report.stats["dataset"].items()}
    assert whole.rows == {"in": 8, "kept": 2, "repaired": 2, "dropped": 4}
    assert "8 in = 2 kept + 2 repaired + 4 dropped" in terminal(whole)


@pytest.mark.parametrize("to", WRITERS)
def test_convert_writes_a_file_that_is_read_again(to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    source = "chat" if to == "alpaca" else "tools_heldout"
    code, _, err = run(["data", "convert", source, "--to", to, "--output", str(out), "--max-samples", "20"], capsys)
    assert code == 0, err
    assert "20 rows: 20 written" in err
    report = check(Source("out", out)).report
    assert report.rows["in"] == report.rows["kept"] + report.rows["repaired"] == 20, report.findings[:3]


def test_convert_counts_what_cannot_be_held(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(["data", "convert", "tools_heldout", "--to", "alpaca", "--output", str(tmp_path / "o")], capsys)
    assert "left out: tool calls" in err
    assert code == 1
    assert run(["data", "convert", "tools", "--to", "alpacca"], capsys)[0] == 2


def test_convert_gives_as_many_rows_as_training_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"instruction": f"question {number}", "output": "yes"} for number in range(6)]
    write(tmp_path / "a.jsonl", *rows, rows[0], {"instruction": "", "output": ""})
    entries = {"few": {"file_name": "a.jsonl", "num_samples": 4}, "many": {"file_name": "a.jsonl", "num_samples": 15}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(entries))
    for name, count, said in (("few", 4, "has 7 conversations, 4 are"), ("many", 15, "has 7 conversations, 15 are")):
        words = ["data", "convert", name, "--to", "openai", "--dataset-dir", str(tmp_path)]
        code, out, err = run(words, capsys)
        asked = [json.loads(line)["messages"][0]["content"] for line in out.splitlines()]
        taken = load_conversations(TrainConfig(dataset=[name], dataset_dir=str(tmp_path))).conversations
        assert (code, len(asked)) == (0, count), err
        assert asked == [conversation.messages[0].content for conversation in taken]
        assert said in err
        assert f"8 rows: {count} written, 1 dropped" in err
    code, out, err = run([*words, "--drop-duplicates"], capsys)
    assert "has 6 conversations, 15 are" in err
    assert "2 dropped" in err


def test_shares_are_neither_nothing_nor_all_where_they_are_not(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "", "parameters": {"type": "object"}}}
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    rows = [[{"role": "user", "content": str(n)}, {"role": "assistant", "content": "a"}] for n in range(999)]
    rows.append([{"role": "user", "content": "x"}, call, {"role": "tool", "content": "1"}])
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"messages": row, "tools": [tool]}) + "\n" for row in rows))
    said = {finding.code: finding.message for finding in check_dataset(str(file), TrainConfig()).findings}
    assert said["TL411"] == "> 99 % of tool rows contain no call"
    assert said["DS908"] == "1 call, 0.001 a row; 0 % of answers make several at once"


@pytest.mark.parametrize("to", ["sharegpt", "lmflow"])
def test_ids_that_were_never_given_are_not_lost(to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    talk = [
        {"role": "user", "content": "q"},
        call,
        {"role": "tool", "content": "1"},
        {"role": "assistant", "content": "a"},
    ]
    file = write(tmp_path / "a.jsonl", {"messages": talk})
    _, _, err = run(["data", "convert", str(file), "--to", to, "--output", str(tmp_path / "out.json")], capsys)
    assert err == f"1 row: 1 written, 0 dropped by the rules, 0 that {to} cannot hold\n"
    call["tool_calls"][0]["id"] = "mine"
    file = write(tmp_path / "a.jsonl", {"messages": talk})
    _, _, err = run(["data", "convert", str(file), "--to", to, "--output", str(tmp_path / "out.json")], capsys)
    assert "lost: call ids (1 row)\n" in err


def test_a_cut_that_leaves_no_answer_is_told_with_its_lengths(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "w " * 100}, {"role": "assistant", "content": "yo"}]
    file = write(tmp_path / "a.jsonl", {"messages": talk})
    report = check_dataset(str(file), TrainConfig(max_length=32, overlong="truncate"), with_model=True)
    [message] = (finding.message for finding in report.findings if finding.code == "MK701")
    assert re.fullmatch(r"nothing to train in the first 32 tokens of 2\d\d", message)


def test_the_report_on_a_file_that_is_no_data_says_what_to_do_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.jsonl.bz2"
    file.write_bytes(b"BZh9")
    code, out, _ = run(["data", "check", str(file)], capsys)
    assert code == 2
    assert "is bzip2 — unpack it, or pack it with gzip or zstd" in " ".join(out.split())
    assert "DS905" not in out, "that there are no rows is no news"
