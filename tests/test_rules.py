"""Each rule on the smallest row that it is about: its code, what becomes of the row, and the table that explains it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core
from core.conversation import Conversation, JsonObject, Row
from core.datasets import convert_row, converted
from core.formats import detect
from core.rules import RULES, Profile, explain
from core.rules.schema import problems

TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "kind": {"enum": ["x", "y"]}},
            "required": ["a"],
        },
    },
}
USER: dict[str, Any] = {"role": "user", "content": "hi"}
ANSWER: dict[str, Any] = {"role": "assistant", "content": "yo"}
RESULT: dict[str, Any] = {"role": "tool", "content": "1"}


def call(arguments: Any = '{"a": 1}', name: Any = "f", **more: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": name, "arguments": arguments}, **more}],
    }


def said(content: Any, role: str = "assistant", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def talk(*messages: Any, tools: Any = None, **columns: Any) -> dict[str, Any]:
    return {"messages": list(messages), **({"tools": tools} if tools is not None else {}), **columns}


def fate_of(data: Any, profile: Profile = "default") -> tuple[str, set[str], Conversation | None]:
    row = Row(data, "x.jsonl", 3, lenient=profile == "lenient")
    fate, conversation = convert_row(row, detect(data), profile)
    assert all(finding.file == "x.jsonl" and finding.line == 3 for finding in row.findings), row.findings
    return fate, {finding.code for finding in row.findings}, conversation


TOOLED = {"tools": [TOOL]}
MIXED = said([{"type": "tool_result", "tool_use_id": "i", "content": "1"}, {"type": "text", "text": "so?"}], "user")
# code: rows, and what becomes of them by default. One row a case.
CASES: list[tuple[str, Any, str]] = [
    ("IO006", {"a": 1}, "dropped"),
    ("IO006", {"prompt": "a", "chosen": "b", "rejected": "c"}, "dropped"),
    ("IO007", {"messages": [USER, ANSWER], "conversations": [{"from": "human", "value": "a"}]}, "dropped"),
    ("SH101", [1], "dropped"),
    ("SH101", "text", "dropped"),
    ("SH103", {"messages": '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]'}, "repaired"),
    ("SH105", talk(USER, ANSWER, 7), "dropped"),
    ("SH105", {"instruction": "a", "output": "b", "history": [["x"]]}, "dropped"),
    ("SH106", talk(USER, {"role": "assistant"}), "dropped"),
    ("SH106", talk(USER, {"content": "x"}), "dropped"),
    ("SH107", talk(USER, said("yo", mood="good")), "kept"),
    ("SH109", talk(said([{"type": "image_url", "image_url": {"url": "x"}}], "user"), ANSWER), "dropped"),
    ("SH110", talk(said(5, "user"), ANSWER), "repaired"),
    ("SH110", talk(said({"a": 1}, "user"), ANSWER), "repaired"),
    ("SH111", {"instruction": "", "output": "b"}, "dropped"),
    ("SH111", {"instruction": "a", "output": None}, "dropped"),
    ("SH113", talk(USER, ANSWER, input_ids=[1]), "dropped"),
    ("SH114", talk(*[USER, ANSWER] * 5001), "dropped"),
    ("SH114", talk(USER, ANSWER, tools=[{"name": f"t{i}", "parameters": {}} for i in range(129)]), "dropped"),
    ("RO201", talk(USER, said("yo", "bot")), "repaired"),
    ("RO202", talk(said("hi", "narrator"), ANSWER), "dropped"),
    ("RO203", talk(ANSWER, USER, ANSWER), "repaired"),
    ("RO203", talk(ANSWER), "dropped"),
    ("RO203", talk(RESULT, USER, ANSWER), "dropped"),
    ("RO204", talk(USER, USER, ANSWER), "repaired"),
    ("RO205", talk(USER, ANSWER, ANSWER), "repaired"),
    ("RO205", talk(USER, ANSWER, said("so", train=False), USER, ANSWER), "kept"),
    ("RO206", talk(USER, said("s", "system"), ANSWER), "repaired"),
    ("RO207", talk(said(" ", "system"), USER, ANSWER), "repaired"),
    ("RO208", talk(said("s", "system"), USER, ANSWER, system="t"), "kept"),
    ("RO208", talk(said("s", "system"), USER, ANSWER, system="s"), "repaired"),
    ("RO209", talk(USER, ANSWER, USER), "repaired"),
    ("RO209", talk(said("s", "system"), USER, ANSWER, said("t", "system")), "repaired"),
    ("RO210", talk(USER, call(), RESULT, **TOOLED), "repaired"),
    ("RO211", talk(USER), "dropped"),
    ("RO213", talk(said("s", "developer"), USER, ANSWER), "repaired"),
    ("CT301", talk(said("", "user"), ANSWER), "dropped"),
    ("CT301", talk(said(None, "user"), ANSWER), "dropped"),
    ("CT303", talk(USER, said(""), USER, ANSWER), "kept"),
    ("CT304", talk(said("\u200b \n", "user"), ANSWER), "dropped"),
    ("CT304", talk(USER, said(" \u200b"), USER, ANSWER), "kept"),
    ("CT306", talk(said("hi [/INST]", "user"), ANSWER), "kept"),
    ("CT306", talk(said("[INST] hi [/INST]", "user"), ANSWER), "repaired"),
    ("CT306", talk(USER, said("### Response: yo")), "kept"),
    ("CT307", talk(USER, said("yo <|endoftext|></s>")), "repaired"),
    ("CT308", talk(said("a\ud800b", "user"), ANSWER), "repaired"),
    ("CT308", talk(said("a\ufffdb", "user"), ANSWER), "kept"),
    ("CT308", talk(USER, call({"a": "\udfff"}), **TOOLED), "repaired"),
    ("TL401", talk(USER, call(), tools="[{'name': 'f', 'parameters': {'type': 'object'}}]"), "repaired"),
    ("TL402", talk(USER, call(), tools="{oops"), "dropped"),
    ("TL402", talk(USER, ANSWER, tools="{oops"), "repaired"),
    ("TL403", talk(USER, call(), functions=[TOOL["function"]]), "repaired"),
    ("TL403", talk(USER, ANSWER, tools=[TOOL["function"]]), "repaired"),
    ("TL403", talk(USER, ANSWER, tools=json.dumps([{"name": "f", "input_schema": {"type": "object"}}])), "repaired"),
    ("TL403", talk(USER, ANSWER, tools=[{"functionDeclarations": [{"name": "f"}]}]), "repaired"),
    ("TL404", talk(USER, ANSWER, tools=[{"name": "f", "parameters": {"a": {"type": "int"}}}]), "repaired"),
    ("TL405", talk(USER, ANSWER, tools=[{"name": "f"}]), "repaired"),
    ("TL406", talk(USER, ANSWER, tools=[TOOL, TOOL]), "repaired"),
    ("TL406", talk(USER, ANSWER, tools=[TOOL, {"name": "f", "description": "other", "parameters": {}}]), "dropped"),
    ("TL407", talk(USER, ANSWER, tools=[{"type": "function", "function": {"name": "f g", "parameters": {}}}]), "kept"),
    ("TL408", talk(said('<tools>[{"name": "f"}]</tools>', "system"), USER, ANSWER, **TOOLED), "repaired"),
    ("TL408", talk(said('<tools>[{"name": "g"}]</tools>', "system"), USER, ANSWER, **TOOLED), "kept"),
    ("TL410", talk(USER, call()), "kept"),
    ("TC502", talk(USER, call('"{\\"a\\": 1}"'), **TOOLED), "repaired"),
    ("TC503", talk(USER, call("{'a': 1}"), **TOOLED), "repaired"),
    ("TC504", talk(USER, call("{a: 1"), **TOOLED), "dropped"),
    ("TC504", talk(USER, call('{"a": NaN}'), **TOOLED), "dropped"),
    ("TC504", talk(USER, {"role": "assistant", "tool_calls": [7]}, **TOOLED), "dropped"),
    ("TC505", talk(USER, call("[1]"), **TOOLED), "dropped"),
    ("TC506", talk(USER, call(name=" "), **TOOLED), "dropped"),
    ("TC507", talk(USER, call(name="g"), **TOOLED), "kept"),
    ("TC508", talk(USER, call("{}"), **TOOLED), "kept"),
    ("TC508", talk(USER, call('{"a": "one"}'), **TOOLED), "kept"),
    ("TC508", talk(USER, call('{"a": 1, "b": 2}'), **TOOLED), "kept"),
    ("TC508", talk(USER, call('{"a": 1, "kind": "z"}'), **TOOLED), "kept"),
    ("TC509", talk(USER, call(id="one"), RESULT, call(), RESULT, ANSWER, **TOOLED), "repaired"),
    ("TC510", talk(USER, call(id="i"), RESULT, call(id="i"), RESULT, ANSWER, **TOOLED), "repaired"),
    ("TC511", talk(USER, ANSWER, RESULT, ANSWER, **TOOLED), "dropped"),
    ("TC512", talk(USER, call(id="i"), said("1", "tool", tool_call_id="j"), ANSWER, **TOOLED), "repaired"),
    ("TC513", talk(USER, call(), USER, ANSWER, **TOOLED), "kept"),
    ("TC513", talk(USER, call(), ANSWER, **TOOLED), "kept"),
    ("TC514", talk(USER, call(), said("1", "tool", name="g"), ANSWER, **TOOLED), "repaired"),
    ("TC515", talk(USER, call(), said(None, "tool"), ANSWER, **TOOLED), "repaired"),
    ("TC515", talk(USER, call(), said({"x": 1}, "tool"), ANSWER, **TOOLED), "repaired"),
    ("TC518", talk(USER, said(None, function_call={"name": "f", "arguments": '{"a": 1}'}), **TOOLED), "repaired"),
    ("TC519", talk(USER, said('<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>'), **TOOLED), "repaired"),
    ("TC520", talk(USER, said("<tool_call>{oops</tool_call>"), **TOOLED), "kept"),
    ("TC521", talk(USER, call({"a": 1, "other": None}), **TOOLED), "repaired"),
    ("TC522", talk(USER, said([{"type": "tool_use", "id": "i", "name": "f", "input": {"a": 1}}]), MIXED, ANSWER,
                   **TOOLED), "repaired"),
    ("RS601", talk(USER, said("<think>hm</think> yo")), "repaired"),
    ("RS602", talk(USER, said("<think>hm yo")), "kept"),
    ("RS603", talk(USER, said("yo", reasoning="a", thinking="bb")), "kept"),
    ("RS606", talk(USER, said([{"type": "redacted_thinking"}, {"type": "text", "text": "yo"}])), "repaired"),
    ("RS608", talk(USER, said("", reasoning_content="hm"), USER, ANSWER), "kept"),
    ("MK701", talk(USER, said("")), "dropped"),
    ("MK701", talk(USER, said("yo", train=False)), "dropped"),
    ("MK707", talk(USER, said("yo", weight=0, train=True), USER, ANSWER), "kept"),
    ("MK707", talk(USER, said("yo", weight=-1)), "dropped"),
    ("MK707", talk(USER, said([{"text": "a", "train": True}, {"text": "b", "train": False}])), "dropped"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "data", "fate"), CASES, ids=[f"{code}-{i}" for i, (code, _, _) in enumerate(CASES)])
def test_rule(code: str, data: Any, fate: str) -> None:
    found_fate, codes, conversation = fate_of(data)
    assert code in codes
    assert found_fate == fate
    assert (conversation is None) == (fate == "dropped")


@pytest.mark.parametrize(("code", "data", "fate"), CASES, ids=[f"{code}-{i}" for i, (code, _, _) in enumerate(CASES)])
def test_strict_keeps_nothing_imperfect(code: str, data: Any, fate: str) -> None:
    strict, _, conversation = fate_of(data, "strict")
    assert strict == ("kept" if RULES[code].action == "I" else "dropped")
    assert (conversation is None) == (strict == "dropped")


# Cases of these codes for which even the lenient profile has no repair, or which have a test of their own below.
WITHOUT = ("SH105", "SH106", "RO203", "MK707")
LENIENT = [
    (code, data) for code, data, fate in CASES if fate == "dropped" and RULES[code].lenient and code not in WITHOUT
]


@pytest.mark.parametrize(("code", "data"), LENIENT)
def test_lenient_repairs_what_it_says(code: str, data: Any) -> None:
    assert fate_of(data, "lenient")[0] == "repaired"


def test_lenient_repairs_of_shape() -> None:
    assert fate_of(talk(USER, ANSWER, 7), "lenient")[0] == "repaired"
    assert fate_of(talk(USER, {"role": "assistant"}, USER, ANSWER), "lenient")[0] == "repaired"
    assert fate_of(talk(RESULT, USER, ANSWER), "lenient")[0] == "repaired"


CLEAN = [
    talk(USER, ANSWER),
    talk(said("s", "system"), USER, ANSWER, USER, ANSWER),
    talk(USER, call(), RESULT, ANSWER, **TOOLED),
    talk(USER, call(id="i"), said("1", "tool", tool_call_id="i"), ANSWER, **TOOLED),
    talk(USER, said("yo", reasoning_content="hm")),
    talk(USER, ANSWER, tools=[], system=""),
    {"instruction": "a", "input": "", "output": "b"},
    {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    {"text": "once"},
]


@pytest.mark.parametrize("data", CLEAN)
@pytest.mark.parametrize("profile", ["strict", "default", "lenient"])
def test_clean_rows_have_no_findings(data: Any, profile: Profile) -> None:
    assert fate_of(data, profile)[:2] == ("kept", set())


def test_what_a_repair_makes() -> None:
    merged = fate_of(talk(said("a", "user"), said("b", "user"), said("c"), said("d")))[2]
    assert merged is not None
    assert [m.content for m in merged.messages] == ["a\n\nb", "c\n\nd"]
    trimmed = fate_of(talk(USER, call(), RESULT, **TOOLED))[2]
    assert trimmed is not None
    assert [m.role for m in trimmed.messages] == ["user", "assistant"]
    apart = fate_of(talk(USER, said("<think>\nhm\n</think>\n\nyo")))[2]
    assert apart is not None
    assert (apart.messages[1].reasoning, apart.messages[1].content) == ("hm", "yo")


def test_parallel_results_find_their_calls() -> None:
    both = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "p", "function": {"name": "f", "arguments": '{"a": 1}'}},
            {"id": "q", "function": {"name": "f", "arguments": '{"a": 2}'}},
        ],
    }
    results = [said("two", "tool", tool_call_id="q"), said("one", "tool", tool_call_id="p")]
    conversation = fate_of(talk(USER, both, *results, ANSWER, **TOOLED))[2]
    assert conversation is not None
    found = [(m.tool_call_id, m.name, m.content) for m in conversation.messages if m.role == "tool"]
    assert found == [("p", "f", "one"), ("q", "f", "two")], "in the order of the calls: templates without ids need it"


def test_ids_that_are_made_are_nine_letters_and_unlike_any_given() -> None:
    conversation = fate_of(talk(USER, call(id="call00000"), RESULT, call(), RESULT, ANSWER, **TOOLED))[2]
    assert conversation is not None
    ids = [c.id for m in conversation.messages for c in m.tool_calls]
    assert ids == ["call00000", "call00001"]


def codes_in_source() -> set[str]:
    files = [path for path in Path(core.__file__).parent.rglob("*.py") if path.name != "table.py"]
    return {code for path in files for code in re.findall(r'"([A-Z]{2}\d{3})"', path.read_text(encoding="utf-8"))}


def test_the_table_and_the_source_agree() -> None:
    """Every code that is used is explained, and the table says why of every other that it is not reported."""
    used = codes_in_source()
    assert used <= RULES.keys()
    assert used == {code for code, rule in RULES.items() if not rule.silent}


def test_every_rule_explains_itself() -> None:
    for code, rule in RULES.items():
        text = explain(code)
        assert text.startswith(f"{code} (")
        assert rule.what.endswith(".")
        assert set(rule.action) <= set("RDEWI/")


_TYPES = st.sampled_from(
    ["string", "integer", "number", "boolean", "array", "object", "null", "any", ["string", "null"]]
)
_VALUES = st.sampled_from([None, True, 0, 2.0, 0.5, "a", "b", [], ["a"], {}, {"x": 1}])
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "type": _TYPES,
        "enum": st.sampled_from([None, [], ["a"], ["a", 0, True], "a"]),
        "const": _VALUES,
        "anyOf": st.just([{"type": "string"}]),
        "$ref": st.just("#/properties/a"),
        "items": st.just({"type": "string"}),
    },
) | st.sampled_from([True, None, "string"])
_SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "string", ["object", "null"]]),
        "properties": st.dictionaries(st.sampled_from("ab"), _PROPERTIES) | st.just([]),
        "required": st.lists(st.sampled_from("abc"), max_size=2) | st.just("a"),
        "additionalProperties": st.booleans(),
        "enum": st.just([{"a": 1}]),
        "oneOf": st.just([{"required": ["b"]}]),
    },
)


@given(schema=_SCHEMAS, arguments=st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=2))
def test_arguments_that_fit_at_a_glance_are_those_that_fit(schema: JsonObject, arguments: JsonObject) -> None:
    with mock.patch("core.rules.schema._plainly_fit", return_value=False):
        looked_through = list(problems(arguments, schema))
    assert list(problems(arguments, schema)) == looked_through


def test_plain_arguments_fit_at_a_glance() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}, "b": {"type": "number"}}}
    with mock.patch("core.rules.schema._check", side_effect=AssertionError):
        assert list(problems({"a": "x", "b": 1}, {**schema, "required": ["a"]})) == []


WRITTEN = '{"name": "f", "arguments": {"a": 1}}'
TAGGED = f"<tool_call>{WRITTEN}</tool_call>"


@pytest.mark.parametrize(
    ("text", "content", "reasoning", "calls"),
    [
        ("[f(a=1)]</s>", "", "", 1),
        (f"So.</s>{TAGGED}", "So.", "", 1),
        (f"{TAGGED}<think>hm</think>So.", "So.", "hm", 1),
        (f"{TAGGED}\n{WRITTEN}", "", "", 2),
        ("<think>hm</think>\n<think>well</think>So.", "So.", "hm\n\nwell", 0),
        ("<think></think><reasoning>hm</reasoning>So.", "So.", "hm", 0),
    ],
)
def test_what_is_left_of_an_answer_is_read_too(text: str, content: str, reasoning: str, calls: int) -> None:
    _, _, conversation = fate_of(talk(USER, said(text), **TOOLED))
    assert conversation is not None
    answer = conversation.messages[1]
    assert (answer.content, answer.reasoning, len(answer.tool_calls)) == (content, reasoning, calls)
    again = fate_of(conversation.to_openai())[2]
    assert again == conversation


def test_a_bare_call_is_read_where_the_system_prompt_describes_its_tool() -> None:
    described = said(f"You may call: {json.dumps([TOOL['function']])}", "system")
    _, codes, conversation = fate_of(talk(described, USER, said(WRITTEN)))
    assert conversation is not None
    assert [call.name for call in conversation.messages[-1].tool_calls] == ["f"]
    assert codes == {"TC519", "TL401"}


def test_answers_between_which_a_result_was_removed_are_merged() -> None:
    fate, codes, conversation = fate_of(talk(USER, ANSWER, RESULT, said("so")), "lenient")
    assert (fate, codes) == ("repaired", {"TC511", "RO205"})
    assert conversation is not None
    assert [message.content for message in conversation.messages] == ["hi", "yo\n\nso"]


def test_questions_between_which_a_result_was_removed_are_merged() -> None:
    fate, codes, conversation = fate_of(talk(USER, RESULT, said("and?", "user"), ANSWER), "lenient")
    assert (fate, codes) == ("repaired", {"TC511", "RO204"})
    assert conversation is not None
    assert [message.content for message in conversation.messages] == ["hi\n\nand?", "yo"]


def test_an_example_of_a_call_in_the_system_prompt_is_no_tool() -> None:
    example = '[{"name": "f", "arguments": {"a": 1}}]'
    prompt = f"Answer with a list of calls, such as {example}."
    _, codes, conversation = fate_of(talk(said(prompt, "system"), USER, call()))
    assert conversation is not None
    assert (conversation.messages[0].content, conversation.tools, codes) == (prompt, (), {"TL410"})
    described = f"{prompt} You have: {json.dumps([TOOL['function']])}"
    _, codes, conversation = fate_of(talk(said(described, "system"), USER, call()))
    assert conversation is not None
    assert (conversation.messages[0].content, len(conversation.tools)) == (f"{prompt} You have:", 1)


HAND = "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nhi [/INST]"


def test_llama_2_written_by_hand_is_not_formatted_twice() -> None:
    """As LMFlow's users write it; `</s>` stands behind answers, or before the next question."""
    for answers in (("yo </s>", "ok </s>"), ("yo", "ok")):
        again = "[INST] more [/INST]" if "</s>" in answers[0] else "</s><s>[INST] more [/INST]"
        row = talk(said(HAND, "user"), said(answers[0]), said(again, "user"), said(answers[1]))
        fate, codes, conversation = fate_of(row)
        assert conversation is not None
        assert (fate, codes - {"CT307"}) == ("repaired", {"CT306"})
        assert [(m.role, m.content) for m in conversation.messages] == [
            *(("system", "Be kind."), ("user", "hi"), ("assistant", "yo"), ("user", "more"), ("assistant", "ok")),
        ]
    same = talk(said("Be kind.", "system"), said(HAND, "user"), ANSWER)
    assert fate_of(same)[2] == fate_of(talk(said(HAND, "user"), ANSWER))[2]


@pytest.mark.parametrize(
    "row",
    [
        talk(said(HAND, "user"), ANSWER, USER, ANSWER),
        talk(said("Be rude.", "system"), said(HAND, "user"), ANSWER),
        talk(said("[INST] hi [/INST]", "user"), ANSWER, said(HAND, "user"), ANSWER),
        talk(said("What does [INST] mean, and [/INST]?", "user"), ANSWER),
        talk(said("[INST] a [/INST] b [INST] c [/INST]", "user"), ANSWER),
        talk(said("[INST] hi [/INST]", "user"), said("yo [INST] and [/INST]")),
        talk(said("[INST] <<SYS>> hi [/INST]", "user"), ANSWER),
        talk(USER, said("[INST]"), USER, ANSWER),
        talk(said("[INST]" + " " * 100_000 + "hi", "user"), ANSWER),
    ],
    ids=range(9),
)
def test_what_is_not_surely_written_by_hand_stays(row: dict[str, Any]) -> None:
    fate, codes, conversation = fate_of(row)
    assert conversation is not None
    assert (fate, codes) == ("kept", {"CT306"})
    assert [m.content for m in conversation.messages] == [m["content"] for m in row["messages"]]


def test_text_for_a_model_as_it_is_keeps_its_marks() -> None:
    row = Row(talk(said(HAND, "user"), ANSWER))
    done = converted(row, None, formatted=True)
    assert done.conversation is not None
    assert done.conversation.messages[0].content == HAND


def test_strict_is_explained_as_it_is() -> None:
    """A warning about the dataset as a whole drops no row, however strict."""
    assert "strict    kept, with a warning\n" in explain("DS906")
    assert "strict    kept, with a warning or stops\n" in explain("SH112")
    assert "strict    dropped\n" in explain("DS904")
    assert "strict    stops\n" in explain("TC504")
    for code, rule in RULES.items():
        assert set(rule.strict) <= set("RDEWI/"), code


def test_what_is_left_of_an_answer_is_shown_behind_the_arrow() -> None:
    row = Row(talk(USER, said("yo <|endoftext|>")))
    convert_row(row, detect(row.data))
    assert [(f.before, f.after) for f in row.findings if f.code == "CT307"] == [("yo <|endoftext|>", "yo")]


@pytest.mark.parametrize("tools", [[{"x": 1}], json.dumps([{"x": 1}]), ["words"], 5, {"x": 1}])
def test_tools_that_cannot_be_read_cost_a_row_where_its_calls_need_them(tools: Any) -> None:
    assert fate_of(talk(USER, ANSWER, tools=tools))[:2] == ("repaired", {"TL402"})
    assert fate_of(talk(USER, call(), RESULT, ANSWER, tools=tools))[0] == "dropped"


def test_tools_defined_twice_are_no_better_without_calls() -> None:
    twice = [TOOL, {**TOOL, "function": {**TOOL["function"], "description": "another"}}]
    for tools in (twice, json.dumps(twice)):
        assert fate_of(talk(USER, ANSWER, tools=tools))[:2] == ("dropped", {"TL406"})


@pytest.mark.parametrize("hosted", [{"type": "web_search"}, {"googleSearch": {}}, {"type": "mcp", "server_label": "x"}])
def test_tools_that_a_provider_runs_are_left_out(hosted: Any) -> None:
    fate, codes, conversation = fate_of(talk(USER, call(), RESULT, ANSWER, tools=[TOOL, hosted]))
    assert (fate, codes) == ("repaired", {"TL402"})
    assert conversation is not None
    assert [tool["function"]["name"] for tool in conversation.tools] == ["f"]


def test_a_message_stays_short_whatever_is_named_in_it() -> None:
    long = "L" * 50_000
    for data in ({long: 1}, talk({**USER, long: 1}, ANSWER), talk(USER, call(name=long), RESULT, ANSWER)):
        row = Row(data)
        convert_row(row, detect(data))
        assert row.findings
        assert all(len(finding.message) <= 1000 for finding in row.findings)
    row = Row(talk(USER, said("yo" + "</s>" * 5000)))
    convert_row(row, detect(row.data))
    assert [finding.message for finding in row.findings] == [f"removed leaked {'</s>' * 14}</s…"]


@pytest.mark.parametrize(
    ("row", "path", "key"),
    [
        (talk(USER, said("yo", refusal="no")), "messages[1]", "refusal"),
        (talk(USER, said("yo", annotations=[{"url": "u"}])), "messages[1]", "annotations"),
        (talk(USER, said([{"type": "text", "text": "yo", "citations": ["c"]}])), "messages[1].content[0]", "citations"),
        (talk(USER, call(cost=1), RESULT, ANSWER, **TOOLED), "messages[1].tool_calls[0]", "cost"),
        ({"segments": [{"label": True, "text": "yo", "source": "s"}]}, "segments[0]", "source"),
    ],
)
def test_no_key_is_ignored_in_silence(row: dict[str, Any], path: str, key: str) -> None:
    read = Row(row, "x", 1)
    convert_row(read, None)
    assert [(f.path, f.message) for f in read.findings if f.code == "SH107"] == [(path, f"ignored keys: {key}")]
