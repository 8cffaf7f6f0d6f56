"""The one data type: its canonical JSON, what a template sees, and the findings of a row."""

from __future__ import annotations

import json

import pytest

from core.conversation import Conversation, Message, Row, RowRefusedError, ToolCall, snippet, template_messages

CALL = ToolCall("f", {"a": 1}, "id1")
TALK = Conversation(
    (
        Message("user", "hi"),
        Message("assistant", "", "hm", (CALL,), train=False, weight=0.5),
        Message("tool", "1", tool_call_id="id1", name="f"),
        Message("assistant", "yo"),
    )
)


def test_canonical_json_has_arguments_as_text() -> None:
    messages = TALK.to_openai()["messages"]
    assert json.loads(messages[1]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert messages[1] == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "hm",
        "tool_calls": messages[1]["tool_calls"],
        "train": False,
        "weight": 0.5,
    }
    assert messages[2] == {"role": "tool", "content": "1", "tool_call_id": "id1", "name": "f"}
    assert "tools" not in TALK.to_openai()


def test_a_template_sees_arguments_as_an_object() -> None:
    assert template_messages(TALK.messages)[1]["tool_calls"][0]["function"]["arguments"] == {"a": 1}


def test_findings_say_where() -> None:
    row = Row({}, "x.jsonl", 3)
    row.repaired("SH110", "a.b", "changed", 5, "5")
    row.kept("SH107", "$", "odd")
    assert [str(finding) for finding in row.findings] == [
        "x.jsonl:3: a.b: changed (5 → 5) [SH110, repaired]",
        "x.jsonl:3: $: odd [SH107, kept]",
    ]
    assert row.refuse("SH101", "$", "no").finding.action == "dropped"
    assert row.stop("SH113", "$", "no").finding.action == "stopped"


def test_mending_is_for_the_lenient() -> None:
    with pytest.raises(RowRefusedError):
        Row({}).mend("SH105", "$", "bad", "left out")
    row = Row({}, lenient=True)
    row.mend("SH105", "$", "bad", "left out")
    assert [finding.action for finding in row.findings] == ["repaired"]


def test_snippets_are_one_short_line_that_can_be_printed() -> None:
    assert snippet("a\n  b") == "a b"
    assert len(snippet("x" * 10**7)) == 60
    snippet("\ud800").encode()
