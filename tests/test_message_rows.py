"""Files with a message in each row, in tables and in JSON: grouped by conversation, or refused with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.check import check
from core.datasets import Source
from core.datasets.load import load_dataset

CALL = {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": '{"place": "Ely"}'}}
TOOL = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}}
TALKS: list[dict[str, Any]] = [
    {"conversation_id": "a", "role": "user", "content": "Tide?", "tools": [TOOL]},
    {"conversation_id": "b", "role": "user", "content": "Hi"},
    {"conversation_id": "a", "role": "assistant", "content": None, "tool_calls": [CALL]},
    {"conversation_id": "a", "role": "tool", "content": "06:12", "tool_call_id": "c1"},
    {"conversation_id": "b", "role": "assistant", "content": "Yes?", "mood": "calm"},
    {"conversation_id": "a", "role": "assistant", "content": "At 06:12."},
]


def written(file: Path, rows: list[Any]) -> Path:
    whole = file.suffix == ".json"
    file.write_text(json.dumps(rows) if whole else "".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_messages_of_one_conversation_are_grouped_with_their_calls(name: str, tmp_path: Path) -> None:
    file = written(tmp_path / name, TALKS)
    loaded = load_dataset(Source("a", file))
    assert loaded.rows == {"in": 2, "kept": 2, "repaired": 0, "dropped": 0}
    tide, greeting = loaded.conversations
    assert [message.role for message in tide.messages] == ["user", "assistant", "tool", "assistant"]
    assert tide.messages[1].tool_calls[0].arguments == {"place": "Ely"}
    assert tide.messages[2].tool_call_id == "c1"
    assert len(tide.tools) == 1
    assert [message.content for message in greeting.messages] == ["Hi", "Yes?"]
    assert (tide.line, greeting.line) == ((1, 2) if name == "a.jsonl" else (tide.line, greeting.line))
    notes = [finding.message for finding in loaded.findings if finding.code == "SH115"]
    assert notes == ["each row is a message; those of one conversation_id are a conversation"]
    report = check(Source("a", file)).report
    assert report.rows == loaded.rows, "the check cuts the file into the same rows"


def test_a_column_that_numbers_the_messages_orders_them(tmp_path: Path) -> None:
    said = [("assistant", 1, "06:12"), ("user", 2, "More?"), ("user", 0, "Tide?"), ("assistant", 3, "07:01")]
    rows = [{"session_id": 7, "turn_index": at, "speaker": who, "text": text, "x": 1} for who, at, text in said]
    loaded = load_dataset(Source("a", written(tmp_path / "a.jsonl", rows)))
    assert [message.content for message in loaded.conversations[0].messages] == ["Tide?", "06:12", "More?", "07:01"]
    note = next(finding.message for finding in loaded.findings if finding.code == "SH115")
    assert note.endswith("are a conversation, in the order of turn_index; not used: x")


def test_a_list_of_messages_is_a_conversation(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    talk: list[Any] = [{"role": "user", "content": "Tide?"}, {"role": "assistant", "content": "06:12"}]
    parts: list[Any] = [
        {"role": "user", "content": [{"type": "text", "text": "Tide at Ely?"}], "ts": 1},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "tide", "input": {"port": "Ely"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "06:12"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "At 06:12."}]},
    ]
    for listed in (talk, parts):
        file.write_text(json.dumps(listed))
        loaded = load_dataset(Source("talk", file))
        assert loaded.rows == {"in": 1, "kept": 1, "repaired": 0, "dropped": 0}, loaded.findings
        assert loaded.findings[0].message == "the file is a list of messages; read as one conversation"
    assert [message.role for message in loaded.conversations[0].messages] == ["user", "assistant", "tool", "assistant"]
    for other in (talk[:1], talk[1:], [talk[0], {"role": "nobody", "content": "?"}], [talk[0], 7]):
        file.write_text(json.dumps(other))
        assert load_dataset(Source("talk", file)).rows["kept"] == 0


def test_messages_without_a_conversation_are_refused_with_what_to_do(tmp_path: Path) -> None:
    rows = [{"role": "user", "content": "Tide?"}, {"role": "assistant", "content": "06:12"}]
    report = check(Source("a", written(tmp_path / "a.jsonl", rows))).report
    assert report.rows["dropped"] == 2
    assert "give those of one conversation the same conversation_id" in report.findings[0].message


def test_rows_that_hold_whole_conversations_are_not_grouped_by_their_id(tmp_path: Path) -> None:
    rows = [{"conversation_id": "a", "role": "x", "content": "y", "instruction": str(n), "output": "b"} for n in (1, 2)]
    loaded = load_dataset(Source("a", written(tmp_path / "a.jsonl", rows)))
    assert loaded.formats == {"alpaca": 2}
