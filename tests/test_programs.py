"""Conversations as programs keep them: LM Studio, opencode, AI Studio, Copilot Chat, ATIF, Claude's export, AutoGen."""

from __future__ import annotations

from typing import Any

import pytest

from core.conversation import Conversation, Row
from core.datasets import Converted, converted

LOOK = {"type": "text", "text": "I look."}
ONE = [{"type": "text", "text": "At 06:12."}]
SHELL = {"command": "tide Ely"}
LM_STUDIO: dict[str, Any] = {
    "name": "Tides",
    "systemPrompt": "Be brief.",
    "messages": [
        {
            "currentlySelected": 0,
            "versions": [{"type": "singleStep", "role": "user", "content": [{"type": "text", "text": "Tide at Ely?"}]}],
        },
        {
            "currentlySelected": 1,
            "versions": [
                {"type": "multiStep", "role": "assistant", "steps": [{"type": "contentBlock", "content": []}]},
                {
                    "type": "multiStep",
                    "role": "assistant",
                    "steps": [
                        {
                            "type": "contentBlock",
                            "style": {"type": "thinking"},
                            "content": [{"type": "text", "text": "Hm."}],
                        },
                        {
                            "type": "contentBlock",
                            "content": [
                                LOOK,
                                {"type": "toolCallRequest", "callId": "c1", "name": "shell", "parameters": SHELL},
                            ],
                        },
                        {
                            "type": "contentBlock",
                            "content": [{"type": "toolCallResult", "toolCallId": "c1", "content": "06:12"}],
                        },
                        {"type": "contentBlock", "content": ONE},
                        {"type": "debugInfoBlock", "debugInfo": "x"},
                    ],
                },
            ],
        },
    ],
}
OPENCODE: dict[str, Any] = {
    "info": {"id": "s", "title": "Tides"},
    "messages": [
        {"info": {"role": "user"}, "parts": [{"type": "text", "text": "Tide at Ely?"}, {"type": "file", "url": "x"}]},
        {
            "info": {"role": "assistant"},
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "Hm."},
                LOOK,
                {
                    "type": "tool",
                    "tool": "shell",
                    "callID": "c1",
                    "state": {"status": "completed", "input": SHELL, "output": "06:12"},
                },
                {"type": "step-finish"},
            ],
        },
        {"info": {"role": "assistant"}, "parts": ONE},
    ],
}
ATIF: dict[str, Any] = {
    "schema_version": "ATIF-v1.6",
    "session_id": "s",
    "agent": {"name": "a", "version": "1"},
    "steps": [
        {"step_id": 1, "source": "system", "message": "Be brief."},
        {"step_id": 2, "source": "user", "message": "Tide at Ely?"},
        {
            "step_id": 3,
            "source": "agent",
            "message": "I look.",
            "reasoning_content": "Hm.",
            "tool_calls": [{"tool_call_id": "c1", "function_name": "shell", "arguments": SHELL}],
            "observation": {"results": [{"source_call_id": "c1", "content": [{"type": "text", "text": "06:12"}]}]},
        },
        {"step_id": 4, "source": "agent", "message": "At 06:12."},
    ],
}
CLAUDE: dict[str, Any] = {
    "uuid": "u",
    "name": "Tides",
    "chat_messages": [
        {"sender": "human", "text": "Tide at Ely?", "content": [{"type": "text", "text": "Tide at Ely?"}]},
        {
            "sender": "assistant",
            "text": "…",
            "content": [
                {"type": "thinking", "thinking": "Hm."},
                LOOK,
                {"type": "tool_use", "id": "c1", "name": "shell", "input": SHELL},
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "06:12"}]},
                *ONE,
                {"type": "token_budget"},
            ],
        },
    ],
}
USED = [
    ("user", "Tide at Ely?", ""),
    ("assistant", "I look.", "Hm."),
    ("tool", "06:12", ""),
    ("assistant", "At 06:12.", ""),
]


def read(data: dict[str, Any]) -> tuple[Conversation, Converted]:
    done = converted(Row(data), None)
    assert done.conversation is not None, done.row.findings
    return done.conversation, done


def said(conversation: Conversation) -> list[tuple[str, str, str]]:
    return [(m.role, m.content, m.reasoning) for m in conversation.messages]


@pytest.mark.parametrize(
    ("formatting", "data", "system", "noted"),
    [
        ("lm_studio", LM_STUDIO, "Be brief.", "1 message on branches that were left: not read"),
        ("opencode", OPENCODE, "", "items that are not read: 1 file"),
        ("atif", ATIF, "Be brief.", ""),
        ("claude_export", CLAUDE, "", "items that are not read: 1 token_budget"),
    ],
)
def test_calls_stand_with_their_results(formatting: str, data: dict[str, Any], system: str, noted: str) -> None:
    conversation, done = read(data)
    assert done.layout is not None
    assert done.layout.formatting == formatting
    assert said(conversation) == ([("system", system, "")] if system else []) + USED
    [call] = [call for message in conversation.messages for call in message.tool_calls]
    assert (call.name, call.arguments) == ("shell", SHELL)
    assert [m.tool_call_id for m in conversation.messages if m.role == "tool"] == [call.id]
    assert not noted or noted in [finding.message for finding in done.row.findings]


def test_what_no_version_is_chosen_of_is_refused() -> None:
    first = {**LM_STUDIO["messages"][0], "currentlySelected": 3}
    done = converted(Row({"messages": [first, LM_STUDIO["messages"][1]]}), None)
    assert done.conversation is None
    assert "no version of the message is chosen" in done.row.findings[0].message


def test_ai_studio() -> None:
    chunks: list[dict[str, Any]] = [
        {"role": "user", "text": "Tide at Ely?", "tokenCount": 4},
        {"role": "model", "text": "Hm.", "isThought": True, "parts": [{"text": "Hm.", "thought": True}]},
        {"role": "model", "parts": [{"text": "At "}, {"text": "06:12."}], "finishReason": "STOP"},
    ]
    data = {"runSettings": {}, "systemInstruction": {"text": "Be brief."}, "chunkedPrompt": {"chunks": chunks}}
    assert said(read(data)[0]) == [("system", "Be brief.", ""), USED[0], ("assistant", "At 06:12.", "Hm.")]
    chunks.insert(1, {"role": "user", "driveImage": {"id": "x"}})
    done = converted(Row(data), None)
    assert done.conversation is None
    assert done.row.findings[-1].code == "SH109"


def test_copilot_chat() -> None:
    response = [
        {"kind": "thinking", "value": "Hm."},
        {"value": "At 06:12, says "},
        {"kind": "inlineReference", "inlineReference": {"path": "/sea/tide.py"}},
        {"kind": "markdownContent", "content": {"value": "."}},
        {"kind": "toolInvocationSerialized", "toolId": "x"},
    ]
    requests = [{"requestId": "r", "message": {"text": "Tide at Ely?"}, "response": response}]
    conversation, done = read({"responderUsername": "GitHub Copilot", "requests": requests})
    assert said(conversation) == [USED[0], ("assistant", "At 06:12, says `tide.py`.", "Hm.")]
    assert "items that are not read: 1 toolInvocationSerialized" in [f.message for f in done.row.findings]


def test_autogen_from_the_side_of_who_asked() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "shell", "arguments": '{"command": "tide Ely"}'}}
    history = [
        {"role": "assistant", "name": "user_proxy", "content": "Tide at Ely?"},
        {"role": "assistant", "name": "helper", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "06:12", "tool_responses": [{"tool_call_id": "c1", "content": "06:12"}]},
        {"role": "user", "name": "helper", "content": "At 06:12."},
    ]
    conversation, _ = read({"chat_id": None, "chat_history": history, "summary": "06:12", "cost": {}})
    assert [role for role, _, _ in said(conversation)] == ["user", "assistant", "tool", "assistant"]
    assert conversation.messages[2].tool_call_id == conversation.messages[1].tool_calls[0].id
    assert conversation.messages[3].content == "At 06:12."
