"""Rows as people bring them, read on their whole way: what belongs together finds itself, and no flag is ignored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.conversation import Row
from core.datasets import converted, find_source, load_dataset
from core.formats import Layout

USER = {"role": "user", "content": "q"}
ASSISTANT = {"role": "assistant", "content": "a"}


def whole(data: Any) -> tuple[str, set[str], Any]:
    """What becomes of a row on its whole way: its fate, the codes, and the conversation."""
    row = Row(data)
    done = converted(row, None)
    return done.fate, {finding.code for finding in row.findings}, done.conversation


def test_results_in_typed_parts_are_their_text() -> None:
    call = {"type": "tool_call", "value": '{"name": "f", "arguments": {}}'}
    messages = [
        {"role": "user", "content": [{"type": "text", "value": "q"}]},
        {"role": "assistant", "content": [{"type": "reasoning", "value": "hm"}, call]},
        {"role": "tool", "content": [{"type": "text", "value": "1"}]},
        {"role": "assistant", "content": [{"type": "text", "value": "a"}]},
    ]
    fate, codes, conversation = whole({"messages": messages})
    assert (fate, codes) == ("kept", {"TL410"})
    assert conversation.messages[2].content == "1"


def test_flags_of_characters_and_parts_are_not_ignored() -> None:
    def talk(**flags: Any) -> Any:
        user = {"role": "user", "content": "q"}
        return {"messages": [user, {"role": "assistant", "content": "abc", **flags}, user, ASSISTANT]}

    detail = [{"begin_offset": 0, "end_offset": 1, "train": True}]
    assert whole(talk(train_detail=detail))[:2] == ("dropped", {"MK707"})
    off = [{"begin_offset": 0, "end_offset": 2, "train": False}]
    assert whole(talk(train_detail=off))[2].messages[1].train is False
    parts = [{"type": "text", "text": "ab", "train": False}, {"type": "text", "text": "c", "weight": 0}]
    assert whole(talk(content=parts))[2].messages[1].train is False


def test_code_of_torchtune_and_results_of_harmony_find_each_other() -> None:
    code = {"role": "assistant", "content": "print(3)", "ipython": True}
    _, codes, conversation = whole({"messages": [USER, code, {"role": "ipython", "content": "3"}, ASSISTANT]})
    assert codes == {"RO201", "TL410"}
    assert conversation.messages[1].tool_calls[0].arguments == {"code": "print(3)"}
    channels = [
        USER,
        {"role": "assistant", "channel": "commentary", "recipient": "functions.f", "content": '{"a": 1}'},
        {"role": "functions.f", "channel": "commentary", "content": "1"},
        {"role": "assistant", "channel": "final", "content": "a"},
    ]
    fate, codes, conversation = whole({"messages": channels})
    assert (fate, codes) == ("kept", {"TL410"})
    assert (conversation.messages[2].role, conversation.messages[2].name) == ("tool", "f")


def test_a_row_that_is_only_its_messages() -> None:
    fate, codes, conversation = whole([USER, ASSISTANT])
    assert (fate, codes) == ("repaired", {"SH101"})
    assert [message.content for message in conversation.messages] == ["q", "a"]
    assert whole([USER, "a"])[:2] == ("dropped", {"SH101"})


@pytest.mark.parametrize(
    "data",
    [
        {"id": "x", "question": [[USER]], "function": [{"name": "f"}]},
        {"question": "q", "correct_answer": "direct", "answers": {"direct": "a"}, "target_tool": "f", "tools": []},
    ],
)
def test_benchmarks_are_refused_by_name(data: Any) -> None:
    row = Row(data)
    assert converted(row, None).fate == "dropped"
    assert "benchmark" in row.findings[0].message


def test_columns_that_well_known_sets_have_beside_question_and_answer() -> None:
    conversation = whole({"id": "1", "system_prompt": "s", "question": "q", "response": "a"})[2]
    assert [message.content for message in conversation.messages] == ["s", "q", "a"]
    conversation = whole({"instruction": "q", "context": "c", "response": "a", "category": "x"})[2]
    assert [message.content for message in conversation.messages] == ["q\nc", "a"]


def test_one_column_declared_as_a_prompt_is_text_for_pre_training(tmp_path: Path) -> None:
    (tmp_path / "wiki.json").write_text(json.dumps([{"text": "once"}]))
    info = {"wiki": {"file_name": "wiki.json", "columns": {"prompt": "text"}}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    loaded = load_dataset(find_source("wiki", str(tmp_path)))
    assert [conversation.plain for conversation in loaded.conversations] == [True]
    row = Row({"q": "a", "output": "b"})
    assert not converted(row, Layout("alpaca", {"prompt": "q"})).conversation.plain  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("roles", "odd"),
    [
        ("user assistant user assistant", ""),
        ("user assistant user", ""),
        ("user function observation assistant", ""),
        ("user user assistant", "messages[1]"),
        ("user assistant assistant", "messages[2]"),
        ("assistant user assistant", "messages[0]"),
    ],
)
def test_rows_of_lmflow_that_do_not_alternate_are_named(roles: str, odd: str) -> None:
    call = json.dumps({"name": "f", "arguments": {}})
    said = {"function": call, "observation": "1"}
    row = Row({"messages": [{"role": role, "content": said.get(role, "x")} for role in roles.split()]})
    done = converted(row, Layout("lmflow"))
    assert done.conversation is not None
    found = [(finding.path, finding.action) for finding in row.findings if finding.code == "RO212"]
    assert found == ([(odd, "repaired")] if odd else [])


def lmflow(*said: tuple[str, str], **columns: Any) -> tuple[str, list[str], Any]:
    row = Row({"messages": [{"role": role, "content": content} for role, content in said], **columns})
    done = converted(row, Layout("lmflow"))
    return done.fate, [finding.code for finding in row.findings], done.conversation


def test_calls_of_lmflow_in_words_stay_words_and_no_turn_is_lost() -> None:
    fate, codes, conversation = lmflow(
        ("user", "Rain in Oslo?"),
        ("function", "ask the weather service about Oslo"),
        ("observation", "light rain"),
        ("assistant", "Yes, a little."),
        system="Be brief.",
        tools=["the weather service: knows about rain", '{"name": "f", "parameters": {}}'],
    )
    assert fate == "repaired"
    assert codes == ["TC520", "TC520", "TL402"]
    assert [(message.role, message.content) for message in conversation.messages] == [
        ("system", "Be brief.\n\nthe weather service: knows about rain"),
        ("user", "Rain in Oslo?"),
        ("assistant", "ask the weather service about Oslo"),
        ("user", "light rain"),
        ("assistant", "Yes, a little."),
    ]
    assert [tool["function"]["name"] for tool in conversation.tools] == ["f"]


@pytest.mark.parametrize("text", ['look(city="Oslo")', '[look(city="Oslo")]', "look(city='Oslo')\n"])
def test_calls_of_lmflow_written_as_code_are_calls(text: str) -> None:
    fate, codes, conversation = lmflow(("user", "q"), ("function", text), ("observation", "1"), ("assistant", "a"))
    assert (fate, codes) == ("repaired", ["TC519", "TL410"])
    assert conversation.messages[1].tool_calls[0].arguments == {"city": "Oslo"}
    assert conversation.messages[2].role == "tool"


def parallel(result: str, **more: Any) -> tuple[str, set[str], Any]:
    calls = json.dumps([{"name": "f", "arguments": {}}, {"name": "g", "arguments": {"a": 1}}])
    turns = [("human", "q"), ("function_call", calls), ("observation", result), ("gpt", "a")]
    tools = [{"name": name, "description": "d", "parameters": {}} for name in ("f", "g")]
    talk = [{"from": who, "value": text, **(more if who == "observation" else {})} for who, text in turns]
    return whole({"conversations": talk, "tools": json.dumps(tools)})


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ('[{"name": "g", "results": 2}, {"name": "f", "results": 1}]', ['"results": 1', '"results": 2']),
        ('[{"x": 1}, "two"]', ['{"x": 1}', "two"]),
        ("one\n</tool_response>\n<tool_response>\ntwo", ["one", "two"]),
        ("<tool_response>one</tool_response>\n<tool_response>two</tool_response>", ["one", "two"]),
    ],
)
def test_one_message_with_the_results_of_several_calls_is_divided(result: str, expected: list[str]) -> None:
    fate, codes, conversation = parallel(result)
    assert fate == "repaired"
    assert codes & {"TC512", "TC519"}
    assert "TC513" not in codes
    answers = [message for message in conversation.messages if message.role == "tool"]
    assert [message.tool_call_id for message in answers] == [call.id for call in conversation.messages[1].tool_calls]
    assert all(part in message.content for part, message in zip(expected, answers, strict=True))


@pytest.mark.parametrize("result", ["sunny", "[1, 2, 3]", '[{"name": "f"}, {"name": "h"}]', '{"f": 1, "g": 2}'])
def test_what_cannot_be_divided_stays_whole(result: str) -> None:
    _, codes, conversation = parallel(result)
    assert {"TC513"} == codes & {"TC513", "TC512"}
    assert [message.content for message in conversation.messages if message.role == "tool"] == [result]
    assert "TC513" in parallel("[1, 2]", name="f")[1]


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        ({"request": {"messages": [USER]}, "response": {"error": "no"}}, "SH102", "no message in the response"),
        (
            {"request": {"messages": [{"x": 1}]}, "response": {"message": {}}},
            "IO006",
            "the request has no format",
        ),
        ({"messages": [USER, {"role": "assistant", "content": [{"audio_url": "x"}]}]}, "SH109", "part with audio_url"),
    ],
)
def test_what_a_log_or_a_part_lacks_is_said(data: Any, code: str, said: str) -> None:
    row = Row(data)
    assert converted(row, None).fate == "dropped"
    assert row.findings[0].code == code
    assert said in row.findings[0].message


def test_several_answers_to_one_request_are_not_left_out_silently() -> None:
    choices = [{"message": ASSISTANT}, {"message": {"role": "assistant", "content": "b"}}]
    fate, codes, conversation = whole({"request": {"messages": [USER]}, "response": {"choices": choices}})
    assert (fate, codes) == ("kept", {"SH107"})
    assert conversation.messages[-1].content == "a"


def test_the_branch_of_a_chatgpt_export_that_was_shown_last() -> None:
    def node(parent: str | None, role: str, text: str, kind: str = "text") -> dict[str, Any]:
        message = {"author": {"role": role}, "content": {"content_type": kind, "parts": [text]}}
        return {"parent": parent, "message": message}

    tree = {"r": {"parent": None, "message": None}, "u": node("r", "user", "q"), "x": node("u", "assistant", "old")}
    tree["a"] = node("u", "assistant", "new")
    fate, codes, conversation = whole({"mapping": tree, "current_node": "a"})
    assert (fate, codes) == ("kept", {"SH107"})
    assert [message.content for message in conversation.messages] == ["q", "new"]
    tree["a"]["message"]["content"] = {"content_type": "multimodal_text", "parts": [{"asset_pointer": "x"}]}
    assert whole({"mapping": tree, "current_node": "a"})[:2] == ("dropped", {"SH107", "SH109"})
    assert whole({"mapping": tree, "current_node": "gone"})[0] == "dropped"


def test_results_are_put_into_the_order_of_their_calls() -> None:
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in range(3)]
    results = [{"role": "tool", "tool_call_id": f"c{n}", "content": f"result {n}"} for n in (2, 0, 1)]
    talk = [USER, {"role": "assistant", "tool_calls": calls}, *results, ASSISTANT]
    fate, codes, conversation = whole({"messages": talk})
    assert (fate, codes) == ("repaired", {"TC512", "TL410"})
    assert [(m.tool_call_id, m.content) for m in conversation.messages if m.role == "tool"] == [
        (f"c{n}", f"result {n}") for n in range(3)
    ]
    talk[2:5] = sorted(results, key=lambda result: result["tool_call_id"])
    assert whole({"messages": talk})[:2] == ("kept", {"TL410"})


def test_a_message_without_content_does_not_hide_the_format() -> None:
    assert whole({"messages": [{"role": "user"}, ASSISTANT]})[:2] == ("dropped", {"SH106"})
    assert whole({"messages": [{"role": "user"}]})[:2] == ("dropped", {"SH106"})
    assert whole({"conversations": [{"from": "human"}]})[:2] == ("dropped", {"SH106"})


@pytest.mark.parametrize(("flag", "read"), [({"weight": "x"}, (None, 1.0)), ({"train": "x"}, (None, 1.0))])
def test_flags_of_the_wrong_type_are_left_out_in_a_lenient_reading(flag: Any, read: Any) -> None:
    data = {"messages": [USER, {**ASSISTANT, **flag}]}
    assert whole(data)[:2] == ("dropped", {"MK707"})
    row = Row(data, lenient=True)
    done = converted(row, None, "lenient")
    assert done.fate == "repaired"
    assert done.conversation is not None
    assert (done.conversation.messages[1].train, done.conversation.messages[1].weight) == read


def test_a_row_that_is_read_in_another_shape_stays_as_it_is() -> None:
    data = {"id": 1, "Sample": {"Frage": "q", "Antwort": "a"}, "Quelle": "x"}
    row = Row(json.loads(json.dumps(data)))
    done = converted(row, None)
    assert done.conversation is not None
    assert [message.content for message in done.conversation.messages] == ["q", "a"]
    assert row.data == data
    assert done.ignored == ("Quelle",)
    assert [finding.code for finding in row.findings] == ["SH115"]


def test_what_a_folder_holds_beside_data_is_named(tmp_path: Path) -> None:
    for name in ("data/a.jsonl", "data/old.zip", "data/b.txt", "README.md", "LICENSE", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"messages": [USER, ASSISTANT]}) + "\n")
    [finding] = load_dataset(find_source(str(tmp_path))).findings
    assert (finding.code, finding.action) == ("IO015", "kept")
    assert finding.message == "files that are not read: data/b.txt, data/old.zip"
    openai = {"formatting": "openai"}
    registered = {
        "a": {"file_name": ".", "folder": "data", **openai},
        "b": {"file_name": ".", "folder": "more", **openai},
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(registered))
    (tmp_path / "more").mkdir()
    (tmp_path / "more/a.jsonl").write_text((tmp_path / "data/a.jsonl").read_text())
    assert [one.code for one in load_dataset(find_source("a", str(tmp_path))).findings] == ["IO015"]
    assert not load_dataset(find_source("b", str(tmp_path))).findings


def test_a_folder_with_several_splits_says_so(tmp_path: Path) -> None:
    for name in ("data/train-00000.jsonl", "data/train-00001.jsonl", "data/attest.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"messages": [USER, ASSISTANT]}) + "\n")
    assert not load_dataset(find_source(str(tmp_path))).findings
    (tmp_path / "data/train-00001.jsonl").rename(tmp_path / "data/test-00000.jsonl")
    [finding] = load_dataset(find_source(str(tmp_path))).findings
    assert finding.code == "IO014"
    assert finding.message.endswith("test, train")
