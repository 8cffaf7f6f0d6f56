"""Conversations as programs keep them, one a file: LM Studio, AI Studio, Copilot Chat, opencode, Harbor's trajectories.

Each is rewritten into OpenAI's messages. What a program keeps for itself is left out; what the model saw and that is no
text is refused, and what cannot be read is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from core.conversation import Conversation, JsonObject, Row
from core.errors import counted
from core.formats.apps import messages_of_parts
from core.formats.chat import conversation_of, read_message
from core.formats.layout import Layout, reads
from core.formats.roles import leading_system, message_list, not_read
from core.formats.text import is_text_part, object_in
from core.formats.tools import read_tools

_OPENAI = Layout("openai")
_NEEDS_MORE = "images and files need a vision or audio model"


def kept_by(record: JsonObject) -> tuple[str, str]:
    """The format in which a program keeps a record and the evidence for it; empty for other records."""
    first = _first(record.get("messages"))
    if first.keys().isdisjoint(("versions", "parts")) and record.keys().isdisjoint(_TELLING):
        return "", ""
    return next(((name, said) for name, said, is_one in _PROGRAMS if is_one(record, first)), ("", ""))


def _has_calls(record: JsonObject) -> bool:
    return any(_blocks(message, "tool_use", "tool_result") for message in _objects(record.get("chat_messages")))


_PROGRAMS: tuple[tuple[str, str, Callable[[JsonObject, JsonObject], bool]], ...] = (
    (
        "lm_studio",
        "column messages with versions, of LM Studio",
        lambda _, first: {"versions", "currentlySelected"} <= first.keys(),
    ),
    (
        "opencode",
        "column messages with info and parts, of opencode",
        lambda _, first: {"info", "parts"} <= first.keys(),
    ),
    (
        "ai_studio",
        "column chunkedPrompt of AI Studio",
        lambda record, _: isinstance(record.get("chunkedPrompt"), dict),
    ),
    (
        "copilot_chat",
        "columns requests and responderUsername of Copilot Chat",
        lambda record, _: "responderUsername" in record and isinstance(record.get("requests"), list),
    ),
    (
        "atif",
        "column steps of an ATIF trajectory",
        lambda record, _: (
            str(record.get("schema_version")).startswith("ATIF") and isinstance(record.get("steps"), list)
        ),
    ),
    (
        "autogen_chat",
        "column chat_history from the side of who asked, of AutoGen",
        lambda record, _: "cost" in record and _first(record.get("chat_history")).get("role") == "assistant",
    ),
    ("claude_export", "column chat_messages with calls, of Claude's export", lambda record, _: _has_calls(record)),
)
_TELLING = frozenset({"chunkedPrompt", "responderUsername", "schema_version", "chat_messages", "chat_history"})


def _first(listed: Any) -> JsonObject:
    return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}


def _objects(listed: Any) -> list[JsonObject]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _blocks(message: Any, *kinds: str) -> list[JsonObject]:
    """The parts of a message that are of some kinds."""
    return [part for part in _objects(object_in(message).get("content")) if part.get("type") in kinds]


def _conversation(row: Row, path: str, raws: Iterable[tuple[int, JsonObject]], system: str = "") -> Conversation:
    """The conversation of OpenAI's messages, each with the number of what it was made of."""
    messages = [one for at, raw in raws for one in read_message(row, f"{path}[{at}]", raw, _OPENAI)]
    return conversation_of(row, {}, leading_system(row, system, messages))


def _with_results(parts: Iterable[JsonObject]) -> list[JsonObject]:
    """Parts in which a result stands with its call, found by its id, or as the next one."""
    whole: list[JsonObject] = []
    for part in parts:
        open_calls = [one for one in whole if one.get("type") == "tool-call" and "output" not in one]
        if part.get("type") == "tool-result" and open_calls:
            named = (one for one in open_calls if one.get("toolCallId") == part.get("toolCallId"))
            next(named, open_calls[0])["output"] = part.get("output")
        else:
            whole.append(part)
    return whole


def _text(content: Any) -> Any:
    """Parts that are all text as one text; anything else as it is."""
    if isinstance(content, list) and all(is_text_part(part) for part in content):
        return "".join(str(part.get("text") or "") for part in content)
    return content


@reads("lm_studio", "messages", "systemPrompt", "name", "createdAt", "tokenCount", "lastUsedModel", "pinned")
def read_lm_studio(row: Row, layout: Layout) -> Conversation:
    """LM Studio's `{"messages": [{"versions": [{"role", "content" or "steps"}], "currentlySelected"}]}`."""
    raws: list[tuple[int, JsonObject]] = []
    left, others = 0, list[str]()
    for index, kept in enumerate(message_list(row, "messages")):
        versions, at = _objects(kept.get("versions")), kept.get("currentlySelected")
        if not isinstance(at, int) or not 0 <= at < len(versions):
            raise row.refuse("SH106", f"messages[{index}].versions", "no version of the message is chosen")
        left += len(versions) - 1
        chosen = versions[at]
        steps = _objects(chosen.get("steps")) or [chosen]
        others += [str(step.get("type")) for step in steps if not isinstance(step.get("content"), list)]
        parts = _with_results(part for step in steps for part in _of_step(step))
        raws += [(index, raw) for raw in messages_of_parts({"role": chosen.get("role"), "content": parts})]
    if left:
        row.kept("SH107", "messages", f"{counted(left, 'message')} on branches that were left: not read")
    not_read(row, "messages", (name for name in others if name not in ("debugInfoBlock", "toolStatus")))
    return _conversation(row, "messages", raws, "systemPrompt")


def _of_step(step: JsonObject) -> Iterator[JsonObject]:
    thinks = object_in(step.get("style")).get("type") == "thinking"
    for part in _objects(step.get("content")):
        if part.get("type") == "toolCallRequest":
            call = {**object_in(part.get("toolCallRequest")), **part}
            given = call.get("parameters", call.get("arguments"))
            identity = call.get("toolCallRequestId") or call.get("id") or call.get("callId")
            yield {"type": "tool-call", "toolCallId": identity, "toolName": call.get("name"), "input": given}
        elif part.get("type") == "toolCallResult":
            identity = part.get("toolCallId") or part.get("toolCallRequestId") or part.get("callId")
            yield {"type": "tool-result", "toolCallId": identity, "output": _text(part.get("content"))}
        else:
            yield {**part, "type": "reasoning"} if thinks else part


@reads("opencode", "messages", "info", "tools")
def read_opencode(row: Row, layout: Layout) -> Conversation:
    """opencode's `{"messages": [{"info": {"role"}, "parts": [{"type": "tool", "tool", "state"}, …]}]}`."""
    raws: list[tuple[int, JsonObject]] = []
    others: list[str] = []
    for index, kept in enumerate(message_list(row, "messages")):
        parts = _objects(kept.get("parts"))
        others += [str(part.get("type")) for part in parts if part.get("type") not in (*_SHOWN, *_STEPS)]
        shown = [_of_opencode(part) for part in parts if part.get("type") in _SHOWN]
        raws += [
            (index, raw)
            for raw in messages_of_parts({"role": object_in(kept.get("info")).get("role"), "content": shown})
        ]
    not_read(row, "messages", others)
    return _conversation(row, "messages", raws)


_SHOWN = ("text", "reasoning", "tool")
_STEPS = ("step-start", "step-finish", "snapshot", "patch")


def _of_opencode(part: JsonObject) -> JsonObject:
    if part["type"] != "tool":
        return {"type": part["type"], "text": part.get("text")}
    state = object_in(part.get("state"))
    call = {
        "type": "tool-call",
        "toolCallId": part.get("callID"),
        "toolName": part.get("tool"),
        "input": state.get("input"),
    }
    ended = next((state[key] for key in ("output", "error") if key in state), None)
    return call if ended is None else {**call, "output": ended}


@reads("ai_studio", "chunkedPrompt", "systemInstruction", "runSettings", "citations", "title", "id", "createTime")
def read_ai_studio(row: Row, layout: Layout) -> Conversation:
    """A prompt that Google's AI Studio saved: `{"chunkedPrompt": {"chunks": [{"role", "text", "isThought"?}]}}`."""
    path = "chunkedPrompt.chunks"
    raws: list[tuple[int, JsonObject]] = []
    thought = ""
    for index, chunk in enumerate(_objects(object_in(row.data["chunkedPrompt"]).get("chunks"))):
        if any(key.startswith(("drive", "inline", "youtube")) for key in chunk):
            raise row.refuse("SH109", f"{path}[{index}]", _NEEDS_MORE)
        text = _said(chunk)
        if chunk.get("isThought"):
            thought += text
        elif text:
            raw = {"role": "user" if chunk.get("role") == "user" else "assistant", "content": text}
            raws.append((index, raw | ({"reasoning_content": thought} if thought else {})))
            thought = ""
    system = _said(object_in(row.data.get("systemInstruction")))
    first = [(0, {"role": "system", "content": system})] if system else []
    return _conversation(row, path, [*first, *raws])


def _said(chunk: JsonObject) -> str:
    """The text of a chunk, or of its parts."""
    text = chunk.get("text")
    parts = "".join(str(part.get("text") or "") for part in _objects(chunk.get("parts")))
    return text if isinstance(text, str) and text else parts


@reads("copilot_chat", "requests", "responderUsername", "requesterUsername", "initialLocation", "version", "sessionId")
def read_copilot_chat(row: Row, layout: Layout) -> Conversation:
    """A chat that VS Code exports: `{"requests": [{"message": {"text"}, "response": [{"value"}, …]}]}`."""
    raws: list[tuple[int, JsonObject]] = []
    others: list[str] = []
    for index, request in enumerate(message_list(row, "requests")):
        asked = request.get("message")
        raws.append((index, {"role": "user", "content": object_in(asked).get("text", asked)}))
        said = {"text": "", "thinking": ""}
        for part in _objects(request.get("response")):
            kind = str(part.get("kind") or "text").replace("markdownContent", "text")
            value = part.get("value", object_in(part.get("content")).get("value"))
            if kind == "inlineReference":
                kind, value = "text", _referred(part)
            if kind in said:
                said[kind] += "".join(map(str, value)) if isinstance(value, list) else str(value or "")
            else:
                others.append(kind)
        thought = {"reasoning_content": said["thinking"]} if said["thinking"] else {}
        raws.append((index, {"role": "assistant", "content": said["text"], **thought}))
    not_read(row, "requests", others)
    return _conversation(row, "requests", raws)


def _referred(part: JsonObject) -> str:
    """The name of what a reference in the text of an answer leads to."""
    inner = object_in(part.get("inlineReference"))
    path = inner.get("path") or object_in(inner.get("uri")).get("path") or ""
    name = str(part.get("name") or inner.get("name") or str(path).rpartition("/")[2])
    return f"`{name}`" if name else ""


@reads("atif", "steps", "schema_version", "session_id", "agent", "final_metrics", "notes", "extra")
def read_atif(row: Row, layout: Layout) -> Conversation:
    """An ATIF trajectory: `{"steps": [{"source", "message", "tool_calls"?, "observation"?: {"results"}}]}`."""
    raws: list[tuple[int, JsonObject]] = []
    for index, step in enumerate(message_list(row, "steps")):
        calls = [
            {"id": call.get("tool_call_id"), "name": call.get("function_name"), "arguments": call.get("arguments")}
            for call in _objects(step.get("tool_calls"))
        ]
        role = {"agent": "assistant"}.get(str(step.get("source")), step.get("source"))
        raw = {"role": role, "content": step.get("message") or ""} | ({"tool_calls": calls} if calls else {})
        raw |= {"reasoning_content": step["reasoning_content"]} if step.get("reasoning_content") else {}
        raws.append((index, raw))
        for result in _objects(object_in(step.get("observation")).get("results")):
            # What an agent without calls is shown is said to it.
            seen = {"role": "tool", "tool_call_id": result.get("source_call_id")} if calls else {"role": "user"}
            raws.append((index, {**seen, "content": _text(result.get("content")) or ""}))
    tools = object_in(row.data.get("agent")).get("tool_definitions")
    messages = _conversation(row, "steps", raws)
    return messages if not tools else replace(messages, tools=read_tools(replace(row, data={"tools": tools})))


@reads("claude_export", "chat_messages", "uuid", "name", "summary", "created_at", "updated_at", "account")
def read_claude_export(row: Row, layout: Layout) -> Conversation:
    """A conversation of Claude's export whose answers hold calls and their results."""
    raws: list[tuple[int, JsonObject]] = []
    others: list[str] = []
    for index, kept in enumerate(message_list(row, "chat_messages")):
        blocks = _objects(kept.get("content")) or [{"type": "text", "text": kept.get("text")}]
        parts = _with_results(part for block in blocks for part in _of_claude(block))
        others += [str(block.get("type")) for block in blocks if not list(_of_claude(block))]
        others += ["attachments"] * bool(kept.get("attachments") or kept.get("files"))
        role = "user" if kept.get("sender") == "human" else kept.get("sender")
        raws += [(index, raw) for raw in messages_of_parts({"role": role, "content": parts})]
    not_read(row, "chat_messages", others)
    return _conversation(row, "chat_messages", raws)


def _of_claude(block: JsonObject) -> Iterator[JsonObject]:
    kind = block.get("type")
    if kind == "text":
        yield {"type": "text", "text": block.get("text") or ""}
    elif kind == "thinking":
        yield {"type": "reasoning", "text": block.get("thinking") or ""}
    elif kind == "tool_use":
        call = {"type": "tool-call", "toolCallId": block.get("id"), "toolName": block.get("name")}
        yield {**call, "input": block.get("input")}
    elif kind == "tool_result":
        yield {"type": "tool-result", "toolCallId": block.get("tool_use_id"), "output": _text(block.get("content"))}


@reads("autogen_chat", "chat_history", "chat_id", "summary", "cost", "human_input")
def read_autogen_chat(row: Row, layout: Layout) -> Conversation:
    """The result of a chat of AutoGen 0.2, where the side that asked has the role `assistant`."""
    raws: list[tuple[int, JsonObject]] = []
    for index, kept in enumerate(message_list(row, "chat_history")):
        answers = _objects(kept.get("tool_responses"))
        if answers:
            raws += [(index, {"role": "tool", **{key: one.get(key) for key in _OF_AN_ANSWER}}) for one in answers]
            continue
        plain = {key: value for key, value in kept.items() if key != "name"}
        if not (kept.get("tool_calls") or kept.get("function_call")):
            role = str(kept.get("role"))
            plain["role"] = {"assistant": "user", "user": "assistant"}.get(role, role)
        raws.append((index, plain))
    return _conversation(row, "chat_history", raws)


_OF_AN_ANSWER = ("content", "tool_call_id")
