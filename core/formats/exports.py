"""Conversations as programs for chatting export them, ChatGPT and others: trees, of which the branch shown is read.

Where an answer was asked for again, or a question written anew, messages have several that follow them. The branch that
the program showed last is the conversation; how many messages stand on others is noted.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from core.conversation import Conversation, JsonObject, Row
from core.errors import counted
from core.formats.apps import messages_of_parts
from core.formats.chat import conversation_of, read_message
from core.formats.layout import Layout, reads
from core.formats.roles import message_list
from core.formats.text import object_in, parse_object_text

_OPENAI = Layout("openai")
_ABOUT = ("id", "title", "conversation_id", "conversationId", "create_time", "update_time", "created_at", "updated_at")


def exported_by(record: JsonObject) -> tuple[str, str]:
    """The format of an export and the evidence for it; empty for other records."""
    mapping = record.get("mapping")
    if isinstance(mapping, dict) and isinstance(record.get("current_node"), str):
        return "chatgpt_export", "columns mapping and current_node of ChatGPT's export"
    if isinstance(mapping, dict) and any(_fragments(node) for node in mapping.values()):
        return "deepseek_export", "column mapping with the fragments of DeepSeek's export"
    if not {"chat", "history"}.isdisjoint(record) and _history(record):
        return "open_webui_export", "a history with a currentId, of Open WebUI's export"
    listed = record.get("messages")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict) and "isCreatedByUser" in listed[0]:
        return "librechat_export", "column messages with isCreatedByUser, of LibreChat's export"
    return "", ""


@reads("chatgpt_export", "mapping", "current_node", *_ABOUT)
def read_chatgpt_export(row: Row, layout: Layout) -> Conversation:
    """A conversation of ChatGPT's data export: `{"mapping": {id: {"message", "parent"}}, "current_node"}`."""
    mapping = row.data["mapping"]
    branch = _branch(row, "mapping", mapping, row.data["current_node"], "parent")
    raws = ((name, _of_chatgpt(row, f"mapping.{name}", object_in(mapping[name].get("message")))) for name in branch)
    messages = [
        one
        for name, raw in raws
        if raw["content"] or raw.get("reasoning_content")
        for one in read_message(row, f"mapping.{name}", raw, _OPENAI)
    ]
    return conversation_of(row, {}, messages)


@reads("deepseek_export", "mapping", *_ABOUT, "inserted_at")
def read_deepseek_export(row: Row, layout: Layout) -> Conversation:
    """A conversation of DeepSeek's data export: `{"mapping": {id: {"message": {"fragments"}, "parent"}}}`."""
    mapping = row.data["mapping"]
    last = next((name for name in reversed(mapping) if _fragments(mapping[name])), "")
    messages = []
    for name in _branch(row, "mapping", mapping, last, "parent"):
        said: dict[str, str] = {}
        for fragment in _fragments(mapping[name]):
            kind = str(fragment.get("type"))
            said[kind] = said.get(kind, "") + str(fragment.get("content") or "")
        others = sorted(said.keys() - {"REQUEST", "THINK", "RESPONSE"})
        if others:
            row.kept("SH107", f"mapping.{name}", f"ignored keys: {', '.join(others)}")
        role = "user" if "REQUEST" in said else "assistant"
        raw = {"role": role, "content": said.get("REQUEST", "") or said.get("RESPONSE", "")}
        raw |= {"reasoning_content": said["THINK"]} if said.get("THINK") else {}
        messages += read_message(row, f"mapping.{name}", raw, _OPENAI) if said else []
    return conversation_of(row, {}, messages)


@reads("open_webui_export", "chat", "history", "messages", *_ABOUT, "user_id", "meta", "models", "tags", "timestamp")
def read_open_webui_export(row: Row, layout: Layout) -> Conversation:
    """A chat of Open WebUI's export: `{"chat": {"history": {"messages": {id: {…}}, "currentId"}}}`."""
    history = _history(row.data)
    listed = history["messages"]
    messages = []
    for name in _branch(row, "history.messages", listed, history.get("currentId"), "parentId"):
        raw = {key: value for key, value in listed[name].items() if key in ("role", "content", "files", "error")}
        raw = {key: value for key, value in raw.items() if value or key in ("role", "content")}
        for one in messages_of_parts({**raw, "content": list(_details(raw.get("content")))}):
            messages += read_message(row, f"history.messages.{name}", one, _OPENAI)
    return conversation_of(row, {}, messages)


@reads("librechat_export", "messages", *_ABOUT, "endpoint", "options", "recursive", "branches", "exportAt")
def read_librechat_export(row: Row, layout: Layout) -> Conversation:
    """A conversation of LibreChat's export: `{"messages": [{"isCreatedByUser", "text", "content"?, …}]}`."""
    listed = list(_flat(message_list(row, "messages")))
    by_id = {str(raw.get("messageId") or at): raw for at, raw in enumerate(listed)}
    linked = any(str(raw.get("parentMessageId")) in by_id for raw in listed)
    branch = _branch(row, "messages", by_id, next(reversed(by_id), ""), "parentMessageId") if linked else list(by_id)
    messages = []
    for name in branch:
        raw = by_id[name]
        parts = raw.get("content") if isinstance(raw.get("content"), list) else []
        given = [_librechat_part(part) for part in parts or [{"type": "text", "text": raw.get("text")}]]
        role = "user" if raw.get("isCreatedByUser") else "assistant"
        for one in messages_of_parts({"role": role, "content": given}):
            messages += read_message(row, f"messages.{name}", one, _OPENAI)
    return conversation_of(row, {}, messages)


def _branch(row: Row, path: str, nodes: Mapping[str, Any], last: Any, parent: str) -> list[str]:
    """The names of the nodes that lead to the last one, the first of them first. Raises `RowRefusedError`."""
    branch: dict[str, None] = {}
    at = last
    while isinstance(at, str) and isinstance(nodes.get(at), dict):
        if at in branch:
            raise row.refuse("SH102", path, "a message is its own ancestor")
        branch[at] = None
        at = nodes[at].get(parent)
    left = [node for name, node in nodes.items() if name not in branch and isinstance(node, dict)]
    others = sum(bool(node.get("message", True)) for node in left)
    if others:
        row.kept("SH107", path, f"{counted(others, 'message')} on branches that were left: not read")
    return list(reversed(branch))


def _of_chatgpt(row: Row, path: str, message: JsonObject) -> JsonObject:
    """A message of an export with OpenAI's keys; without content when it only holds what the page works with."""
    content = object_in(message.get("content"))
    hidden = object_in(message.get("metadata")).get("is_visually_hidden_from_conversation")
    raw: JsonObject = {"role": object_in(message.get("author")).get("role"), "content": ""}
    thoughts, parts = content.get("thoughts"), content.get("parts")
    if content.get("content_type") == "thoughts":
        told = (
            [str(one.get("content", "")) for one in thoughts if isinstance(one, dict)]
            if isinstance(thoughts, list)
            else []
        )
        return raw | {"reasoning_content": "\n".join(told)}
    parts = parts if isinstance(parts, list) and parts else [content.get("text") or ""]
    if any(isinstance(part, dict) for part in parts):
        raise row.refuse("SH109", f"{path}.content", "images and files need a vision or audio model")
    return raw if hidden else raw | {"content": "".join(map(str, parts))}


def _fragments(node: Any) -> list[JsonObject]:
    message = node.get("message") if isinstance(node, dict) else None
    listed = message.get("fragments") if isinstance(message, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _history(record: JsonObject) -> JsonObject:
    """The tree of Open WebUI's messages in a record; empty when there is none."""
    chat = record.get("chat") if isinstance(record.get("chat"), dict) else record
    history = chat.get("history") if isinstance(chat, dict) else None
    return history if isinstance(history, dict) and isinstance(history.get("messages"), dict) else {}


_OPENED, _CLOSED = '<details type="', "</details>"
_KINDS = ('reasoning"', 'tool_calls"')
_ATTRIBUTE = re.compile(r'(?<!\w)(\w{1,40})="([^"]*)"')


def _details(content: Any) -> Iterator[JsonObject]:
    """What Open WebUI writes into a text for its page, as parts: reasoning, and calls with their results."""
    if not isinstance(content, str):
        yield from content if isinstance(content, list) else []
        return
    at, begun = 0, content.find(_OPENED)
    while begun >= 0:
        kind = begun + len(_OPENED)
        if content.startswith(_KINDS, kind):
            inner = content.find(">", kind) + 1
            closed = content.find(_CLOSED, inner) if inner else -1
            if closed < 0:
                break
            yield from _text_part(content[at:begun])
            yield _detail(content[begun:inner], content[inner:closed])
            at = kind = closed + len(_CLOSED)
        begun = content.find(_OPENED, kind)
    yield from _text_part(content[at:])


def _detail(head: str, inside: str) -> JsonObject:
    given = {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(head)}
    if given.get("type") == "reasoning":
        before, _, rest = inside.partition("<summary>")
        _, closed, behind = rest.partition("</summary>")
        lines = html.unescape(before + behind if closed else inside).strip().splitlines()
        return {"type": "reasoning", "text": "\n".join(line.removeprefix(">").removeprefix(" ") for line in lines)}
    said = parse_object_text(given.get("result", ""))
    call = {"id": given.get("id"), "name": given.get("name"), "args": given.get("arguments")}
    return {"type": "tool-call", **call, "output": given.get("result", "") if said is None else said}


def _text_part(text: str) -> Iterator[JsonObject]:
    if text.strip():
        yield {"type": "text", "text": text.strip()}


def _flat(listed: list[JsonObject]) -> Iterator[JsonObject]:
    """LibreChat's messages, those in the `children` of others behind them."""
    waiting = list(reversed(listed))
    while waiting:
        raw = waiting.pop()
        yield raw
        inner = raw.get("children")
        children = [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
        waiting += [{"parentMessageId": raw.get("messageId"), **one} for one in reversed(children)]


def _librechat_part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") == "think":
        return {"type": "reasoning", "text": part.get("think")}
    return {**part, "type": "tool-call"} if part.get("type") == "tool_call" else part
