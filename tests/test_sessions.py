"""Sessions of coding agents: the events of a file, or of a row, as the conversation that the model had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.check import check
from core.conversation import Conversation, Row
from core.datasets import Source, converted
from core.datasets.load import Loaded, load_dataset

Event = dict[str, Any]


def claude(own: str, parent: str | None, role: str, content: Any, **more: Any) -> Event:
    message = {"role": role, "content": content} | ({"id": more.pop("answer")} if "answer" in more else {})
    return {"type": role, "uuid": own, "parentUuid": parent, "sessionId": "s", "message": message, **more}


def block(identity: str, command: str) -> Event:
    return {"type": "tool_use", "id": identity, "name": "Bash", "input": {"command": command}}


def result(identity: str, text: str) -> list[Event]:
    return [{"type": "tool_result", "tool_use_id": identity, "content": text}]


CLAUDE: list[Event] = [
    {"type": "summary", "summary": "Tides", "leafUuid": "u9"},
    {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
    claude("u1", None, "user", "Which files?"),
    claude("w1", "u1", "user", "A wording that was taken back"),
    claude("a1", "u1", "assistant", [{"type": "thinking", "thinking": "I look."}], answer="m1"),
    claude("a2", "a1", "assistant", [block("t1", "ls")], answer="m1"),
    claude("a3", "a2", "assistant", [block("t2", "pwd")], answer="m1"),
    claude("r1", "a2", "user", result("t1", "tide.py")),
    claude("r2", "a3", "user", result("t2", "/sea")),
    {"type": "system", "uuid": "x1", "parentUuid": "r2", "sessionId": "s", "content": "hook ran"},
    claude("e1", "x1", "assistant", [{"type": "text", "text": "overloaded"}], isApiErrorMessage=True, answer="m0"),
    claude("a4", "x1", "assistant", [{"type": "text", "text": "Only tide.py, in /sea."}], answer="m2"),
    claude("k1", None, "user", "Look for tides", isSidechain=True, agentId="g"),
    claude("k2", "k1", "assistant", [{"type": "text", "text": "None."}], isSidechain=True, agentId="g", answer="m3"),
    claude("c1", None, "user", "So far: tide.py was found. Go on.", isCompactSummary=True),
    claude("c2", "c1", "assistant", [{"type": "text", "text": "Going on."}], answer="m4"),
]


def item(**payload: Any) -> Event:
    return {"timestamp": "t", "type": "response_item", "payload": payload}


CODEX: list[Event] = [
    {"timestamp": "t", "type": "session_meta", "payload": {"id": "1", "base_instructions": {"text": "Be brief."}}},
    {"timestamp": "t", "type": "event_msg", "payload": {"type": "user_message", "message": "Which files?"}},
    item(type="message", role="user", content=[{"type": "input_text", "text": "Which files?"}]),
    item(type="reasoning", summary=[{"type": "summary_text", "text": "I look."}], encrypted_content="x"),
    item(type="function_call", name="shell", arguments='{"command": ["ls"]}', call_id="c1"),
    item(type="function_call_output", call_id="c1", output="tide.py"),
    item(type="custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="c2"),
    item(type="custom_tool_call_output", call_id="c2", output="Done!"),
    item(type="ghost_snapshot", ghost_commit={}),
    item(type="message", role="assistant", content=[{"type": "output_text", "text": "Only tide.py."}]),
]
PI: list[Event] = [
    {"type": "session", "version": 3, "id": "0", "timestamp": "t", "cwd": "/sea"},
    {
        "type": "message",
        "id": "1",
        "parentId": None,
        "timestamp": "t",
        "message": {"role": "user", "content": "Files?"},
    },
    {
        "type": "message",
        "id": "2",
        "parentId": "1",
        "timestamp": "t",
        "message": {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I look."},
                {"type": "toolCall", "id": "c1", "name": "bash", "arguments": {"command": "ls"}},
            ],
        },
    },
    {
        "type": "message",
        "id": "3",
        "parentId": "2",
        "timestamp": "t",
        "message": {
            "role": "toolResult",
            "toolCallId": "c1",
            "toolName": "bash",
            "content": [{"type": "text", "text": "tide.py"}],
        },
    },
    {
        "type": "message",
        "id": "4",
        "parentId": "3",
        "timestamp": "t",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Only tide.py."}]},
    },
]


def said(conversation: Conversation) -> list[tuple[str, str, list[str]]]:
    return [(m.role, m.content, [call.name for call in m.tool_calls]) for m in conversation.messages]


def loaded(tmp_path: Path, events: list[Event]) -> Loaded:
    file = tmp_path / "session.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert check(Source("s", file)).report.rows == load_dataset(Source("s", file)).rows
    return load_dataset(Source("s", file))


def test_claude_code(tmp_path: Path) -> None:
    found = loaded(tmp_path, CLAUDE)
    main, helper, later = found.conversations
    assert said(main) == [
        ("user", "Which files?", []),
        ("assistant", "", ["Bash", "Bash"]),
        ("tool", "tide.py", []),
        ("tool", "/sea", []),
        ("assistant", "Only tide.py, in /sea.", []),
    ]
    assert main.messages[1].reasoning == "I look."
    calls = [call.id for call in main.messages[1].tool_calls]
    assert [message.tool_call_id for message in main.messages[2:4]] == calls
    assert said(helper) == [("user", "Look for tides", []), ("assistant", "None.", [])]
    assert said(later)[1] == ("assistant", "Going on.", [])
    told = {finding.message for finding in found.findings}
    assert "1 message on branches that were left: not read" in told
    assert "1 message about errors of the service: not read" in told
    assert "each row is an event; those of one session are a conversation: 3 in all" in told


def test_codex(tmp_path: Path) -> None:
    found = loaded(tmp_path, [*CODEX, *CODEX])
    assert len(found.conversations) == 2
    assert said(found.conversations[0]) == [
        ("system", "Be brief.", []),
        ("user", "Which files?", []),
        ("assistant", "", ["shell"]),
        ("tool", "tide.py", []),
        ("assistant", "", ["apply_patch"]),
        ("tool", "Done!", []),
        ("assistant", "Only tide.py.", []),
    ]
    assert found.conversations[0].messages[2].reasoning == "I look."
    assert found.conversations[0].messages[4].tool_calls[0].arguments == {"input": "*** Begin Patch"}
    assert "items that are not read: 1 ghost_snapshot" in {finding.message for finding in found.findings}


def test_pi(tmp_path: Path) -> None:
    [conversation] = loaded(tmp_path, PI).conversations
    assert [role for role, _, _ in said(conversation)] == ["user", "assistant", "tool", "assistant"]
    assert conversation.messages[1].reasoning == "I look."
    assert conversation.messages[2].tool_call_id == conversation.messages[1].tool_calls[0].id


def test_a_session_in_a_row() -> None:
    for events, by in ((CLAUDE[:12], "Claude Code"), (CODEX, "Codex"), (PI, "Pi")):
        done = converted(Row({"harness": "x", "session_id": "1", "traces": events, "file_name": "a.jsonl"}), None)
        assert done.conversation is not None
        assert by in done.evidence
        assert done.conversation.messages[-1].content.startswith("Only tide.py")


def test_other_rows_with_types_are_no_events(tmp_path: Path) -> None:
    rows = [{"type": "easy", "instruction": "a", "output": "b"}] * 3
    assert loaded(tmp_path, rows).formats == {"alpaca": 3}


def test_a_circle_of_parents_ends(tmp_path: Path) -> None:
    events = [claude("a", "b", "user", "Hi"), claude("b", "a", "assistant", "Yes?")]
    assert len(loaded(tmp_path, events).conversations) == 1
