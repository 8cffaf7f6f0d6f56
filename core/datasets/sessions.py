"""Files in which each row is an event of a coding agent's session, or a message of one conversation: they are a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from core.conversation import Finding, JsonObject, Row
from core.formats import recognise
from core.formats.roles import MOST_MESSAGES, role_word
from core.formats.sessions import EVENTS, logged_by

# Among so many rows at the top of a file one must be an event: some programs log other things first.
EVENTS_LOOKED_AT = 20


def are_events(head: Sequence[Row]) -> bool:
    """Whether rows are the events of a session, as the first of them say."""
    return any(logged_by(row.data) for row in head) and all(map(_may_be_event, head))


def _may_be_event(row: Row) -> bool:
    """Whether a row is an event, or what programs write around those."""
    if not isinstance(row.data, dict):
        return False
    keys = row.data.keys()
    around = keys <= _OF_A_HEAD or keys >= _OF_GOOSE or not keys.isdisjoint(_AROUND)
    return around or isinstance(row.data.get("type"), str) or bool(logged_by(row.data))


# What stands around events; what of the head of a session has no other sign; and messages that are text alone.
_AROUND = frozenset({"record_type", "projectHash", "working_dir", "$set", "$rewindTo", "$patch", "character_name"})
_OF_A_HEAD = frozenset({"id", "timestamp", "instructions", "git"})
_OF_GOOSE = frozenset({"role", "created", "content"})


def sessions(rows: Iterable[Row], notes: list[Finding]) -> Iterator[Row]:
    """One row for each session, and for what follows after a session was summed up, where its first event stands."""
    found: dict[object, Row] = {}
    part, file = 0, ""
    for row in rows:
        if not isinstance(row.data, dict):
            yield row
            continue
        event, file = row.data, row.file
        # Codex says where a session begins, and Claude Code where it goes on from a summary of itself.
        part += event.get("type") in ("session_meta", "session") or event.get("isCompactSummary") is True
        if _says_nothing(event):
            continue
        session, agent = (event.get(key) or event.get(other) for key, other in _NAMED)
        name = (part, str(session), bool(event.get("isSidechain")), str(agent))
        if name not in found:
            found[name] = Row({EVENTS: []}, row.file, row.line, lenient=row.lenient)
        found[name].data[EVENTS].append(event)
    said = f"each row is an event; those of one session are a conversation: {len(found)} in all"
    notes.append(Finding("SH115", "kept", said, file))
    yield from found.values()


# What Claude Code calls a session and an agent, in its logs and in what it writes as a stream.
_NAMED = (("sessionId", "session_id"), ("agentId", "parent_tool_use_id"))


def _says_nothing(event: JsonObject) -> bool:
    """Whether an event only serves the program that logs it, and leads to no message."""
    return event.get("type") != "reasoning" and event.keys().isdisjoint(_TELLING)


_TELLING = frozenset({"message", "payload", "content", "parentUuid", "parentId", "arguments", "output", "instructions"})
_TELLING |= {"action", "observation", "llm_message", "system_prompt", "error", "mes", "$rewindTo", "$patch"}


def are_messages(head: Sequence[Row]) -> bool:
    """Whether the rows of a list are the messages of one conversation, as programs save them; the first of them say."""
    listed = [row.data for row in head]
    roles = [role_word(str(one.get("role"))) if isinstance(one, dict) else None for one in listed]
    talk = [role for role in roles if role != "system"]
    if None in roles or talk[:1] != ["user"] or "assistant" not in talk:
        return False
    found = recognise({"messages": listed})
    return found.layout is not None and not found.also and found.record is None and recognise(listed[0]).layout is None


def as_messages(rows: Iterator[Row], notes: list[Finding]) -> Iterator[Row]:
    """One row with all messages of a list; what cannot be read of it comes as a row of its own."""
    first = next(rows)
    talk = Row({"messages": []}, first.file, first.line, lenient=first.lenient)
    notes.append(Finding("SH115", "kept", "the file is a list of messages; read as one conversation", first.file))
    for row in chain([first], rows):
        if row.unreadable:
            yield row
        elif len(talk.data["messages"]) <= MOST_MESSAGES:
            talk.data["messages"].append(row.data)
    yield talk
