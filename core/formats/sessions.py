"""Sessions of coding agents, as Claude Code, Codex and Pi log them: a list of events, some of which are messages.

A row holds the events of one session. Only what the model was sent and wrote is read: the branch of messages that was
gone on with, without what the program notes for itself. What is left out of the conversation is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from core.conversation import Conversation, JsonObject, Row
from core.errors import counted
from core.formats.chat import read_openai
from core.formats.layout import Layout, reads
from core.formats.roles import message_list
from core.formats.text import object_in
from core.formats.vendors import read_anthropic, read_responses

EVENTS = "traces"
# Codex wraps what it logs; the items of older versions lie open.
_CODEX = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted"})
_ITEMS = frozenset({"message", "reasoning", "function_call", "function_call_output", "local_shell_call"})
_ITEMS |= {"custom_tool_call", "custom_tool_call_output"}


def logged_by(event: Any) -> str:
    """Which program logs such an event; empty for a row of another kind."""
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return ""
    if event["type"] in _CODEX and isinstance(event.get("payload"), dict):
        return "Codex"
    if {"parentUuid", "sessionId"} <= event.keys():
        return "Claude Code"
    return "Pi" if {"parentId", "timestamp"} <= event.keys() and isinstance(event.get("message"), dict) else ""


@reads("session", EVENTS, "harness", "session_id", "file_name")
def read_session(row: Row, layout: Layout) -> Conversation:
    """`{"traces": [{"type", "message" or "payload", …}, …]}`, or the lines of a session's file."""
    column = layout.columns.get("messages", EVENTS)
    events = [event for event in message_list(row, column) if isinstance(event.get("type"), str)]
    by = next(filter(None, map(logged_by, events)), "")
    if by == "Codex":
        items = list(_codex(row, column, events))
        return read_responses(replace(row, data={"input": items, "instructions": _instructions(events)}), Layout(""))
    if by == "Claude Code":
        messages = _claude_code(row, column, events)
        return read_anthropic(replace(row, data={"messages": messages}), Layout("anthropic"))
    if by == "Pi":
        branch = _branch(row, column, [e for e in events if isinstance(e.get("id"), str)], "id", "parentId")
        messages = [_pi(event["message"]) for event in branch if isinstance(event.get("message"), dict)]
        return read_openai(replace(row, data={"messages": messages}), Layout("openai"))
    raise row.refuse("SH102", column, "no events of a session that is known (Claude Code, Codex, Pi)")


def _branch(row: Row, column: str, events: list[JsonObject], own: str, parent: str) -> list[JsonObject]:
    """The events that lead to the last one, by their parents; how many others have messages is noted."""
    by_id = {event[own]: event for event in events}
    at: Any = events[-1][own] if events else None
    chain = dict[str, None]()
    while isinstance(at, str) and at in by_id and at not in chain:
        chain[at] = None
        at = by_id[at].get(parent)
    left = sum("message" in event and event[own] not in chain for event in events)
    if left:
        row.kept("SH107", column, f"{counted(left, 'message')} on branches that were left: not read")
    return [event for event in events if event[own] in chain]


def _claude_code(row: Row, column: str, events: list[JsonObject]) -> list[JsonObject]:
    """The messages of the main conversation, or of a subagent's where there is no other."""
    said = [e for e in events if e.get("type") in ("user", "assistant") and isinstance(e.get("message"), dict)]
    main = [event for event in said if not event.get("isSidechain")] or said
    if len(main) < len(said):
        row.kept("SH107", column, f"{counted(len(said) - len(main), 'message')} of subagents: not read")
    sound = [event for event in main if not event.get("isApiErrorMessage")]
    if len(sound) < len(main):
        row.kept("SH107", column, f"{counted(len(main) - len(sound), 'message')} about errors of the service: not read")
    messages: list[JsonObject] = []
    for event in _gone_on_with(row, column, events, sound):
        message = event["message"]
        last = messages[-1] if messages else {}
        if message.get("id") and message.get("id") == last.get("id"):
            # Each block of an answer is logged as a message of its own.
            messages[-1] = {**last, "content": [*_blocks(last), *_blocks(message)]}
        else:
            messages.append({key: message.get(key) for key in ("id", "role", "content")})
    return messages


def _gone_on_with(row: Row, column: str, events: list[JsonObject], main: list[JsonObject]) -> list[JsonObject]:
    """The messages that lead to the last one, with all blocks of their answers and the results of all their calls."""
    parents = {event["uuid"]: event.get("parentUuid") for event in events if isinstance(event.get("uuid"), str)}
    at: Any = main[-1].get("uuid") if main else None
    chain = set[str]()
    while isinstance(at, str) and at in parents and at not in chain:
        chain.add(at)
        at = parents[at]
    on_it = [str(event.get("uuid")) in chain for event in main]
    answers = {str(event["message"].get("id") or "") for event, on in zip(main, on_it, strict=True) if on} - {""}
    kept = [on or str(event["message"].get("id")) in answers for event, on in zip(main, on_it, strict=True)]
    asked = (event["message"] for event, on in zip(main, kept, strict=True) if on)
    calls = {str(block["id"]) for message in asked for block in _blocks(message) if block.get("id")}
    read = [event for event, on in zip(main, kept, strict=True) if on or _answers_to(event["message"]) & calls]
    if len(read) < len(main):
        row.kept("SH107", column, f"{counted(len(main) - len(read), 'message')} on branches that were left: not read")
    return read


def _blocks(message: JsonObject) -> list[Any]:
    content = message.get("content")
    listed = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return [block if isinstance(block, dict) else {"type": "text", "text": block} for block in listed]


def _answers_to(message: JsonObject) -> set[str]:
    """The calls whose results a message holds."""
    return {str(block["tool_use_id"]) for block in _blocks(message) if block.get("tool_use_id")}


def _codex(row: Row, column: str, events: list[JsonObject]) -> Iterator[JsonObject]:
    """The items of the model's input and output, in order."""
    others: dict[str, int] = {}
    for event in events:
        item = object_in(event.get("payload")) if event["type"] == "response_item" else event
        kind = str(item.get("type"))
        if kind in _ITEMS and event.get("type") not in _CODEX - {"response_item"}:
            yield item
        elif event.get("type") in ("response_item", "compacted"):
            name = str(kind if event["type"] == "response_item" else "compacted")
            others[name] = others.get(name, 0) + 1
    if others:
        shown = ", ".join(f"{count} {name}" for name, count in others.items())
        row.kept("SH107", column, f"items that are not read: {shown}")


def _instructions(events: list[JsonObject]) -> str:
    for event in events:
        meta = event.get("payload") if event.get("type") == "session_meta" else None
        given = (meta.get("base_instructions") or meta.get("instructions")) if isinstance(meta, dict) else None
        given = given.get("text") if isinstance(given, dict) else given
        if isinstance(given, str):
            return given
    return ""


def _pi(message: JsonObject) -> JsonObject:
    """A message of Pi with OpenAI's keys."""
    blocks = _blocks(message)
    plain: JsonObject = {"role": "tool" if message.get("role") == "toolResult" else message.get("role")}
    plain["content"] = [block for block in blocks if block.get("type") not in ("toolCall", "thinking")]
    plain["reasoning_content"] = "".join(str(b.get("thinking") or "") for b in blocks if b.get("type") == "thinking")
    calls = [block for block in blocks if block.get("type") == "toolCall"]
    plain |= {"tool_calls": [{key: b.get(key) for key in ("id", "name", "arguments")} for b in calls]} if calls else {}
    if plain["role"] == "tool":
        plain |= {"tool_call_id": message.get("toolCallId"), "name": message.get("toolName")}
    return plain
