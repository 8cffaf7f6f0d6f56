"""Sessions of agents: a list of events, some of which are messages, as Claude Code, Codex, Gemini CLI and others log.

A row holds the events of one session. Only what the model was sent and wrote is read: the branch of messages that was
gone on with, without what the program notes for itself. What is left out of the conversation is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from core.conversation import Conversation, JsonObject, Row
from core.errors import counted
from core.formats.chat import read_openai
from core.formats.layout import Layout, reads
from core.formats.openhands import is_of_openhands, messages_of_openhands
from core.formats.roles import message_list, not_read
from core.formats.text import object_in
from core.formats.vendors import read_anthropic, read_responses

EVENTS = "traces"
# Codex wraps what it logs; the items of older versions lie open.
_CODEX = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted"})
_ITEMS = frozenset({"message", "reasoning", "function_call", "function_call_output", "local_shell_call"})
_ITEMS |= {"custom_tool_call", "custom_tool_call_output"}
_ITEM_PARTS = ("input_text", "output_text")
_OF_CURSOR = frozenset({"role", "message", "id", "timestamp"})
_GOOSE_PARTS = ("toolRequest", "toolResponse")
_NAMES = frozenset({"conversation_id", "session_id", "thread_id"})


def logged_by(event: Any) -> str:
    """Which program logs such an event; empty for a row of another kind."""
    return (
        next((name for name, (is_one, _) in _PROGRAMS.items() if is_one(event)), "") if isinstance(event, dict) else ""
    )


def _is_of_codex(event: JsonObject) -> bool:
    kind = event.get("type")
    if not isinstance(kind, str) or kind in _CODEX:
        return isinstance(kind, str) and isinstance(event.get("payload"), dict)
    # The items of older versions lie open; rows that name their conversation are none.
    called = kind in _ITEMS and "call_id" in event
    return (called or (kind == "message" and _has_part(event, _ITEM_PARTS))) and event.keys().isdisjoint(_NAMES)


def _has_part(event: JsonObject, kinds: tuple[str, ...]) -> bool:
    parts = event.get("content")
    return isinstance(parts, list) and any(isinstance(part, dict) and part.get("type") in kinds for part in parts)


def _is_of_claude_code(event: JsonObject) -> bool:
    logged = {"parentUuid", "sessionId"} <= event.keys()
    # What it writes for other programs, as a stream.
    streamed = {"parent_tool_use_id", "session_id"} <= event.keys() and isinstance(event.get("message"), dict)
    return isinstance(event.get("type"), str) and (logged or streamed)


def _is_of_cursor(event: JsonObject) -> bool:
    message = event.get("message")
    listed = isinstance(message, dict) and isinstance(message.get("content"), list)
    return listed and event.get("role") in ("user", "assistant") and event.keys() <= _OF_CURSOR


def _is_of_pi(event: JsonObject) -> bool:
    typed = isinstance(event.get("type"), str) and {"parentId", "timestamp"} <= event.keys()
    return typed and isinstance(event.get("message"), dict)


@reads("session", EVENTS, "harness", "session_id", "file_name", "sessionId", "projectHash", "startTime", "lastUpdated")
def read_session(row: Row, layout: Layout) -> Conversation:
    """`{"traces": [{"type", "message" or "payload", …}, …]}`, or the lines of a session's file."""
    column = layout.columns.get("messages", EVENTS)
    events = message_list(row, column)
    by = next(filter(None, map(logged_by, events)), "")
    if not by:
        raise row.refuse("SH102", column, f"no events of a session that is known ({', '.join(_PROGRAMS)})")
    return _PROGRAMS[by][1](row, column, events)


def _read_codex(row: Row, column: str, events: list[JsonObject]) -> Conversation:
    items = list(_codex(row, column, [event for event in events if isinstance(event.get("type"), str)]))
    return read_responses(replace(row, data={"input": items, "instructions": _instructions(events)}), Layout(""))


def _read_claude_code(row: Row, column: str, events: list[JsonObject]) -> Conversation:
    messages = _claude_code(row, column, events)
    return read_anthropic(replace(row, data={"messages": messages}), Layout("anthropic"))


def _read_cursor(row: Row, column: str, events: list[JsonObject]) -> Conversation:
    said = [event for event in events if isinstance(event.get("message"), dict)]
    messages = [{"role": event.get("role"), "content": event["message"].get("content")} for event in said]
    return read_anthropic(replace(row, data={"messages": messages}), Layout("anthropic"))


def _read_pi(row: Row, column: str, events: list[JsonObject]) -> Conversation:
    branch = _branch(row, column, [event for event in events if isinstance(event.get("id"), str)], "id", "parentId")
    return _as_openai(row, [_pi(event["message"]) for event in branch if isinstance(event.get("message"), dict)])


def _read_gemini(row: Row, column: str, events: list[JsonObject]) -> Conversation:
    return _as_openai(row, list(_gemini(row, column, events)))


def _read_openhands(row: Row, column: str, events: list[JsonObject]) -> Conversation:
    return _as_openai(row, *messages_of_openhands(row, column, events))


def _read_tavern(row: Row, column: str, events: list[JsonObject]) -> Conversation:
    said = [event for event in events if "mes" in event and not event.get("is_system")]
    not_read(row, column, ("system" for event in events if event.get("is_system")))
    return _as_openai(row, [{"role": ("assistant", "user")[bool(e.get("is_user"))], "content": e["mes"]} for e in said])


def _read_goose(row: Row, column: str, events: list[JsonObject]) -> Conversation:
    messages = [{"role": e.get("role"), "content": [_goose(b) for b in _blocks(e)]} for e in events if "role" in e]
    return read_anthropic(replace(row, data={"messages": messages}), Layout("anthropic"))


def _as_openai(row: Row, messages: list[JsonObject], tools: Any = None) -> Conversation:
    return read_openai(replace(row, data={"messages": messages, "tools": tools}), Layout("openai"))


def _branch(row: Row, column: str, events: list[JsonObject], own: str, parent: str) -> list[JsonObject]:
    """The events that lead to the last one, by their parents; how many others have messages is noted."""
    chain = _chain(events[-1][own] if events else None, {event[own]: event.get(parent) for event in events})
    left = sum("message" in event and event[own] not in chain for event in events)
    if left:
        row.kept("SH107", column, f"{counted(left, 'message')} on branches that were left: not read")
    return [event for event in events if event[own] in chain]


def _chain(last: Any, parents: Mapping[str, Any]) -> set[str]:
    """The names that lead to the last one, and that, as far as their parents are known."""
    chain = set[str]()
    while isinstance(last, str) and last in parents and last not in chain:
        chain.add(last)
        last = parents[last]
    return chain


def _claude_code(row: Row, column: str, events: list[JsonObject]) -> list[JsonObject]:
    """The messages of the main conversation, or of a subagent's where there is no other."""
    said = [e for e in events if e.get("type") in ("user", "assistant") and isinstance(e.get("message"), dict)]
    main = [e for e in said if not (e.get("isSidechain") or e.get("parent_tool_use_id"))] or said
    if len(main) < len(said):
        row.kept("SH107", column, f"{counted(len(said) - len(main), 'message')} of subagents: not read")
    sound = [event for event in main if not (event.get("isApiErrorMessage") or event.get("error"))]
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
    if not any("parentUuid" in event for event in events):
        return main
    parents = {event["uuid"]: event.get("parentUuid") for event in events if isinstance(event.get("uuid"), str)}
    chain = _chain(main[-1].get("uuid") if main else None, parents)
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
    others: list[str] = []
    for event in events:
        item = object_in(event.get("payload")) if event["type"] == "response_item" else event
        kind = str(item.get("type"))
        if kind in _ITEMS and event.get("type") not in _CODEX - {"response_item"}:
            yield item
        elif event.get("type") in ("response_item", "compacted"):
            others.append(kind if event["type"] == "response_item" else "compacted")
    not_read(row, column, others)


def _instructions(events: list[JsonObject]) -> str:
    for event in events:
        meta = event.get("payload") if event.get("type") == "session_meta" else None if "type" in event else event
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


def _gemini(row: Row, column: str, events: list[JsonObject]) -> Iterator[JsonObject]:
    """The messages that were not taken back, with the calls in them and their results."""
    said: dict[str, JsonObject] = {}
    others: list[str] = []
    for number, event in enumerate(events):
        removed = object_in(event.get("$patch")).get("removeIds")
        back = list(said)
        if str(event.get("$rewindTo")) in said:
            removed = back[back.index(str(event["$rewindTo"])) :]
        for name in removed if isinstance(removed, list) else ():
            said.pop(str(name), None)
        if event.get("type") in ("user", "gemini"):
            said[str(event.get("id") or number)] = event
        elif "type" in event:
            others.append(str(event["type"]))
    not_read(row, column, others)
    for event in said.values():
        yield from _of_gemini(event)


def _of_gemini(event: JsonObject) -> Iterator[JsonObject]:
    parts = [part for part in _blocks(event) if not part.get("thought")]
    told = [part.get("text") for part in _blocks(event) if part.get("thought")]
    given = event.get("thoughts")
    for thought in given if isinstance(given, list) else ():
        told += [object_in(thought).get(key) for key in ("subject", "description")]
    called = event.get("toolCalls")
    calls = [object_in(call) for call in called] if isinstance(called, list) else []
    message: JsonObject = {"role": "user" if event["type"] == "user" else "assistant", "content": parts}
    message |= {"reasoning_content": "\n".join(str(one) for one in told if one)} if any(told) else {}
    message |= (
        {"tool_calls": [{key: call.get(key) for key in ("id", "name", "args")} for call in calls]} if calls else {}
    )
    yield message
    for call in calls:
        listed = call.get("result")
        first = object_in(listed[0]) if isinstance(listed, list) and listed else {}
        response = object_in(object_in(first.get("functionResponse")).get("response"))
        shown = response["output"] if list(response) == ["output"] else response or call.get("resultDisplay") or listed
        yield {"role": "tool", "tool_call_id": call.get("id"), "name": call.get("name"), "content": shown or ""}


def _goose(block: JsonObject) -> JsonObject:
    """A part of Goose's as Anthropic's block."""
    if block.get("type") == "toolRequest":
        call = object_in(block.get("toolCall"))
        call = object_in(call.get("value")) or call
        return {"type": "tool_use", "id": block.get("id"), "name": call.get("name"), "input": call.get("arguments")}
    if block.get("type") == "toolResponse":
        result = object_in(block.get("toolResult"))
        given = result.get("value", result.get("error", ""))
        content = object_in(given).get("content", given)
        return {"type": "tool_result", "tool_use_id": block.get("id"), "content": content}
    return block


# How each program's events are known, and read.
_PROGRAMS: dict[str, tuple[Callable[[JsonObject], bool], Callable[[Row, str, list[JsonObject]], Conversation]]] = {
    "Codex": (_is_of_codex, _read_codex),
    "Claude Code": (_is_of_claude_code, _read_claude_code),
    "Pi": (_is_of_pi, _read_pi),
    "Cursor": (_is_of_cursor, _read_cursor),
    "Gemini CLI": (lambda event: event.get("type") == "gemini" and "content" in event, _read_gemini),
    "OpenHands": (is_of_openhands, _read_openhands),
    "SillyTavern": (lambda event: {"is_user", "mes", "name"} <= event.keys(), _read_tavern),
    "Goose": (lambda event: "role" in event and _has_part(event, _GOOSE_PARTS), _read_goose),
}
