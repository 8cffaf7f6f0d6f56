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
OLD_CODEX: list[Event] = [
    {"id": "1", "timestamp": "t", "instructions": "Be brief.", "git": {"branch": "main"}},
    {"record_type": "state"},
    {"type": "message", "id": None, "role": "user", "content": [{"type": "input_text", "text": "Which files?"}]},
    {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "I look."}]},
    {"type": "function_call", "name": "shell", "arguments": '{"command": ["ls"]}', "call_id": "c1"},
    {"record_type": "state"},
    {"type": "function_call_output", "call_id": "c1", "output": "tide.py"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Only tide.py."}]},
]
LS = {"id": "c1", "name": "list_directory", "args": {"path": "."}, "status": "success"}
LS["result"] = [{"functionResponse": {"id": "c1", "name": "list_directory", "response": {"output": "tide.py"}}}]
GEMINI: list[Event] = [
    {"id": "1", "timestamp": "t", "type": "user", "content": [{"text": "Which files?"}]},
    {"id": "2", "type": "gemini", "content": "", "thoughts": [{"subject": "Look", "description": "I look."}]}
    | {"toolCalls": [LS], "model": "m", "tokens": {"input": 3, "output": 2}},
    {"id": "3", "type": "info", "content": "Another model"},
    {"id": "4", "type": "gemini", "content": [{"text": "hm", "thought": True}, {"text": "Only tide.py."}]},
]
REPLY = {"role": "assistant", "content": "I look.", "tool_calls": [{"id": "c1", "type": "function"}]}
REPLY["tool_calls"][0]["function"] = {"name": "bash", "arguments": '{"command": "ls"}'}  # type: ignore[index]
CALLED = {
    "function_name": "bash",
    "tool_call_id": "c1",
    "model_response": {"id": "m1", "choices": [{"message": REPLY}]},
}
BASH = {"type": "function", "function": {"name": "bash", "parameters": {"type": "object", "properties": {}}}}
OPENHANDS: list[Event] = [
    {"id": 0, "source": "agent", "action": "system", "args": {"content": "Be brief.", "tools": [BASH]}},
    {"id": 1, "source": "user", "action": "message", "args": {"content": "Which files?"}, "message": "Which files?"},
    {"id": 2, "source": "environment", "observation": "agent_state_changed", "content": "", "extras": {}},
    {"id": 3, "source": "agent", "action": "run", "args": {"command": "ls"}, "tool_call_metadata": CALLED},
    {"id": 4, "source": "agent", "observation": "run", "cause": 3, "content": "tide.py", "extras": {}}
    | {"tool_call_metadata": {"tool_call_id": "c1"}},
    {"id": 5, "source": "agent", "action": "read", "args": {"path": "tide.py", "thought": "More.", "hidden": False}},
    {"id": 6, "source": "agent", "observation": "read", "cause": 5, "content": "low, high", "extras": {}},
    {"id": 7, "source": "agent", "action": "finish", "args": {"final_thought": "Only tide.py."}},
    {"id": 8, "source": "user", "observation": "note", "content": "?", "extras": {}},
]
SDK: list[Event] = [
    {"id": "0", "kind": "SystemPromptEvent", "source": "agent", "system_prompt": {"type": "text", "text": "Be brief."}}
    | {"tools": [BASH]},
    {"id": "1", "kind": "MessageEvent", "source": "user"}
    | {"llm_message": {"role": "user", "content": [{"cache_prompt": False, "type": "text", "text": "Which files?"}]}},
    {"id": "2", "kind": "ActionEvent", "source": "agent", "thought": [{"type": "text", "text": "I look."}]}
    | {"tool_name": "bash", "tool_call_id": "c1", "llm_response_id": "m1", "action": {"command": "ls"}}
    | {"tool_call": {"id": "c1", "name": "bash", "arguments": '{"command": "ls"}'}, "reasoning_content": "Hm."},
    {"id": "3", "kind": "ObservationEvent", "source": "environment", "tool_name": "bash", "tool_call_id": "c1"}
    | {"observation": {"kind": "Seen", "content": [{"type": "text", "text": "tide.py"}]}, "action_id": "2"},
    {"id": "4", "kind": "PauseEvent", "source": "user"},
    {"id": "5", "kind": "MessageEvent", "source": "agent", "llm_message": {"content": "Only tide.py."}},
]
ASKED = {"status": "success", "value": {"name": "shell", "arguments": {"command": "ls"}}}
SEEN = {"status": "success", "value": [{"type": "text", "text": "tide.py"}]}
GOOSE: list[Event] = [
    {"working_dir": "/sea", "description": "files", "message_count": 4},
    {"role": "user", "created": 1, "content": [{"type": "text", "text": "Which files?"}]},
    {"role": "assistant", "created": 2, "content": [{"type": "toolRequest", "id": "c1", "toolCall": ASKED}]},
    {"role": "user", "created": 3, "content": [{"type": "toolResponse", "id": "c1", "toolResult": SEEN}]},
    {"role": "assistant", "created": 4, "content": [{"type": "text", "text": "Only tide.py."}]},
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


TALK = [("user", "Which files?", []), ("assistant", "", ["shell"]), ("tool", "tide.py", [])]


def test_codex_before_it_wrapped_its_items(tmp_path: Path) -> None:
    [conversation] = loaded(tmp_path, OLD_CODEX).conversations
    assert said(conversation) == [("system", "Be brief.", []), *TALK, ("assistant", "Only tide.py.", [])]
    assert conversation.messages[2].reasoning == "I look."
    named = [{**event, "conversation_id": "a"} for event in OLD_CODEX[2:]]
    assert loaded(tmp_path, named).evidence != {}, "grouped by the name of their conversation"


def test_gemini_cli(tmp_path: Path) -> None:
    back: list[Event] = [{"id": "5", "type": "user", "content": "No."}, {"$rewindTo": "5"}]
    back += [{"id": "6", "type": "user", "content": "Oh."}, {"$patch": {"removeIds": ["6"]}}]
    events = [{"sessionId": "s", "projectHash": "h", "startTime": "t"}, *GEMINI, {"$set": {"lastUpdated": "t"}}, *back]
    found = loaded(tmp_path, events)
    [conversation] = found.conversations
    assert said(conversation) == [
        ("user", "Which files?", []),
        ("assistant", "", ["list_directory"]),
        ("tool", "tide.py", []),
        ("assistant", "Only tide.py.", []),
    ]
    assert [message.reasoning for message in conversation.messages] == ["", "Look\nI look.", "", "hm"]
    assert "items that are not read: 1 info" in {finding.message for finding in found.findings}
    done = converted(Row({"sessionId": "s", "projectHash": "h", "messages": GEMINI}), None)
    assert done.conversation is not None
    assert said(done.conversation) == said(conversation)
    assert done.evidence == "column messages with the events of Gemini CLI"


def test_openhands(tmp_path: Path) -> None:
    found = loaded(tmp_path, OPENHANDS)
    [conversation] = found.conversations
    assert said(conversation) == [
        ("system", "Be brief.", []),
        ("user", "Which files?", []),
        ("assistant", "I look.", ["bash"]),
        ("tool", "tide.py", []),
        ("assistant", "More.", ["read"]),
        ("tool", "low, high", []),
        ("assistant", "Only tide.py.", []),
    ]
    assert [tool["function"]["name"] for tool in conversation.tools] == ["bash"]
    assert conversation.messages[4].tool_calls[0].arguments == {"path": "tide.py"}
    assert "items that are not read: 1 note" in {finding.message for finding in found.findings}
    feedback = converted(Row({"version": "1.0", "trajectory": OPENHANDS}), None)
    assert feedback.evidence == "column trajectory with the events of OpenHands"


def test_openhands_sdk(tmp_path: Path) -> None:
    [conversation] = loaded(tmp_path, SDK).conversations
    assert said(conversation) == [
        ("system", "Be brief.", []),
        ("user", "Which files?", []),
        ("assistant", "I look.", ["bash"]),
        ("tool", "tide.py", []),
        ("assistant", "Only tide.py.", []),
    ]
    assert conversation.messages[2].reasoning == "Hm."
    assert conversation.messages[3].tool_call_id == conversation.messages[2].tool_calls[0].id


def test_claude_code_as_a_stream(tmp_path: Path) -> None:
    named = {"session_id": "s", "parent_tool_use_id": None}
    kept = [event for event in CLAUDE if event["type"] in ("user", "assistant") and "isCompactSummary" not in event]
    stream = [{"type": kept[at]["type"], "message": kept[at]["message"], "uuid": str(at), **named} for at in (0, 2, 3)]
    stream.append({"type": "user", "message": {"role": "user", "content": result("t1", "tide.py")}, **named})
    stream.append({"type": "assistant", "message": {"role": "assistant", "content": "In a helper."}, **named})
    stream[-1]["parent_tool_use_id"] = "t1"
    said_last = {"role": "assistant", "content": [{"type": "text", "text": "Only tide.py."}]}
    stream += [{"type": "assistant", "message": said_last, **named}, {"type": "result", "result": "x", **named}]
    main = loaded(tmp_path, [{"type": "system", "subtype": "init", "session_id": "s"}, *stream]).conversations[0]
    assert said(main) == [
        ("user", "Which files?", []),
        ("assistant", "", ["Bash"]),
        ("tool", "tide.py", []),
        ("assistant", "Only tide.py.", []),
    ]


def test_cursor(tmp_path: Path) -> None:
    contents: list[tuple[str, list[Event]]] = [
        ("user", [{"type": "text", "text": "Which files?"}]),
        ("assistant", [{"type": "tool_use", "name": "shell", "input": {"command": "ls"}}]),
        ("user", [{"type": "tool_result", "content": "tide.py"}]),
        ("assistant", [{"type": "text", "text": "Only tide.py."}]),
    ]
    events: list[Event] = [{"role": role, "message": {"content": content}} for role, content in contents]
    [conversation] = loaded(tmp_path, [*events, {"type": "turn_ended"}]).conversations
    assert said(conversation) == [*TALK, ("assistant", "Only tide.py.", [])]


def test_silly_tavern(tmp_path: Path) -> None:
    lines = [("Ann", False, "Hello."), ("You", True, "Which files?"), ("Ann", False, "Only tide.py.")]
    events: list[Event] = [{"user_name": "You", "character_name": "Ann", "chat_metadata": {}}]
    events += [{"name": name, "is_user": by_user, "mes": text, "send_date": "d"} for name, by_user, text in lines]
    events.append({"name": "System", "is_user": False, "is_system": True, "mes": "Saved."})
    found = loaded(tmp_path, events)
    assert said(found.conversations[0]) == [TALK[0], ("assistant", "Only tide.py.", [])]
    assert "items that are not read: 1 system" in {finding.message for finding in found.findings}


def test_goose(tmp_path: Path) -> None:
    [conversation] = loaded(tmp_path, GOOSE).conversations
    assert said(conversation) == [*TALK, ("assistant", "Only tide.py.", [])]


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
