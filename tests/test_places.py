"""What a rule finds in a conversation is told with the path into the row, whatever its format calls things."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.conversation import Row
from core.datasets import converted
from core.formats import Layout

U, A = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}
EMPTY = {"role": "user", "content": ""}
THOUGHT = "<think>so</think>yo"
TOOL = {"name": "f", "description": "", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
CALL = {"name": "f", "arguments": {"a": "x"}}
OPENAI_CALL = {"role": "assistant", "tool_calls": [{"id": "i", "type": "function", "function": CALL}]}
SAID = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": THOUGHT}]
CALLED = [SAID[0], {"from": "function_call", "value": json.dumps(CALL)}, {"from": "observation", "value": "1"}]

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("CT301", {"messages": [U, A, EMPTY, A]}, "messages[2]"),
    # A system prompt of its own is the first message of the conversation and none of the list.
    ("CT301", {"system": "s", "messages": [EMPTY, A]}, "messages[0]"),
    ("RS601", {"system": "s", "conversations": SAID}, "conversations[1].value"),
    ("CT308", {"system": "a\ufffdb", "messages": [U, A]}, "system"),
    ("RS601", {"instruction": "hi", "output": THOUGHT, "history": [["a", "b"]]}, "output"),
    ("CT301", {"instruction": "hi", "output": "yo", "history": [["", "b"]]}, "history[0][0]"),
    ("RS601", {"prompt": "hi", "completion": THOUGHT}, "completion"),
    ("RS601", {"conversations": ["hi", THOUGHT]}, "conversations[1]"),
    ("RS601", {"conversation": [{"input": "hi", "output": THOUGHT}]}, "conversation[0].output"),
    ("RS601", {"Messages": [{"Role": "user", "Content": "hi"}, {"Role": "bot", "Content": THOUGHT}]}, "Messages[1]"),
    (
        "RS601",
        {"contents": [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": THOUGHT}]}]},
        "contents[1]",
    ),
    (
        "RS601",
        {"input": "hi", "output": [{"type": "message", "role": "assistant", "content": THOUGHT}]},
        "output[0].content",
    ),
    (
        "TC507",
        {"query": "hi", "tools": json.dumps([TOOL]), "answers": json.dumps([{"name": "g", "arguments": {}}])},
        "answers",
    ),
    ("TC508", {"messages": [U, OPENAI_CALL], "tools": [TOOL]}, "messages[1].tool_calls[0].function.arguments.a"),
    ("TC508", {"conversations": CALLED, "tools": [TOOL]}, "conversations[1].value"),
    # What was merged or left out before does not move what is behind it.
    ("RS601", {"messages": [A, U, U, {"role": "assistant", "content": THOUGHT}]}, "messages[3].content"),
    ("CT303", {"messages": [A, U, U, {"role": "assistant", "content": ""}, U, A]}, "messages[3]"),
]


@pytest.mark.parametrize(("code", "data", "path"), CASES)
def test_a_path_leads_into_the_row(code: str, data: dict[str, Any], path: str) -> None:
    row = Row(data)
    converted(row, None)
    assert next(finding.path for finding in row.findings if finding.code == code).startswith(path)


def test_lmflow_has_its_system_prompt_in_a_field() -> None:
    row = Row({"system": "s", "tools": [], "messages": [U, A, EMPTY, A]})
    converted(row, Layout("lmflow"))
    assert [finding.path for finding in row.findings] == ["messages[2]"]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"messages": [U, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]},
         "messages[1].tool_calls[0].function.arguments"),
        ({"messages": [U, {"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": "{"}]}]},
         "messages[1].content[0].input"),
        ({"contents": [{"parts": [{"text": "q"}]}, {"role": "model", "parts": [{"functionCall": {"name": "f",
         "args": "{"}}]}]}, "contents[1].parts[0].functionCall.args"),
        ({"query": "q", "tools": "[]", "answers": json.dumps([{"name": "f", "arguments": "{"}])},
         "answers[0].arguments"),
    ],
)  # fmt: skip
def test_arguments_are_pointed_at_where_the_format_has_them(data: dict[str, Any], path: str) -> None:
    row = Row(data)
    converted(row, None)
    assert [(finding.code, finding.path) for finding in row.findings] == [("TC504", path)]
