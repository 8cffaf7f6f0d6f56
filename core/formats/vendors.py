"""Formats of single vendors: Anthropic, Gemini, OpenAI Responses, Glaive, xLAM. Each says how it writes calls."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from core.conversation import Conversation, JsonObject, Message, Row, ToolCall, json_text, snippet
from core.formats.calls import arguments_of, calls_from_text, read_call
from core.formats.chat import flagged, result_text
from core.formats.layout import Layout, reads
from core.formats.parts import read_parts
from core.formats.roles import leading_system, message_list, require, role_of
from core.formats.text import parse_text, text_of, type_name
from core.formats.tools import concatenated_objects, read_tools, tools_of


@reads("anthropic", "messages", "system", "tools", "id", "model", "max_tokens", "tool_choice")
def read_anthropic(row: Row, layout: Layout) -> Conversation:
    """Anthropic's `{"system"?, "tools"?: [{"name", "input_schema"}], "messages": [{"role", "content": [blocks]}]}`."""
    columns = {"messages": "messages", "system": "system", "tools": "tools"} | dict(layout.columns)
    messages: list[Message] = []
    for index, raw in enumerate(message_list(row, columns["messages"])):
        path = f"{columns['messages']}[{index}]"
        role = role_of(row, f"{path}.role", require(row, path, raw, "role"), layout)
        content = require(row, path, raw, "content")
        blocks = content if isinstance(content, list) else [content]
        results = [block for block in blocks if isinstance(block, dict) and block.get("type") == "tool_result"]
        rest = [block for block in blocks if block not in results]
        messages += [_anthropic_result(row, path, block) for block in results]
        if results and rest:
            row.repaired("TC522", path, "tool results split from the text of the same message")
        if rest or not results:
            piece = read_parts(row, f"{path}.content", rest if isinstance(content, list) else content)[0]
            messages.append(
                flagged(row, path, raw, Message(role, piece.text, piece.reasoning, piece.calls, place=path))
            )
    messages = leading_system(row, columns["system"], messages)
    has_calls = any(message.tool_calls for message in messages)
    tools = read_tools(row, columns["tools"], has_calls=has_calls)
    return Conversation(tuple(messages), tools, row.file, row.line)


def _anthropic_result(row: Row, path: str, block: JsonObject) -> Message:
    text = result_text(row, f"{path}.content", block.get("content", ""))
    row.ignored(path, block, _RESULT_KEYS)
    return Message("tool", text, tool_call_id=str(block.get("tool_use_id") or ""), place=path)


_RESULT_KEYS = {"type", "tool_use_id", "content", "cache_control"}


@reads("gemini", "contents", "systemInstruction", "system_instruction", "tools", "id")
def read_gemini(row: Row, layout: Layout) -> Conversation:
    """Google's `{"systemInstruction"?, "contents": [{"role": "user" | "model", "parts": […]}], "tools"?}`."""
    column = layout.columns.get("messages", "contents")
    messages: list[Message] = []
    for index, raw in enumerate(message_list(row, column)):
        path = f"{column}[{index}]"
        role = role_of(row, f"{path}.role", raw.get("role") or "user", Layout("gemini", roles={"model": "assistant"}))
        parts = raw.get("parts")
        if not isinstance(parts, list):
            raise row.refuse("SH106", f"{path}.parts", f"parts is {type_name(parts)}, expected a list")
        messages += _gemini_messages(row, f"{path}.parts", "user" if role == "tool" else role, parts)
    system = row.data.get("systemInstruction") or row.data.get("system_instruction")
    if system:
        pieces = system.get("parts", []) if isinstance(system, dict) else system
        column = "systemInstruction" if row.data.get("systemInstruction") else "system_instruction"
        messages = [Message("system", text_of(row, column, pieces), place=column), *messages]
    has_calls = any(message.tool_calls for message in messages)
    tools = read_tools(row, layout.columns.get("tools", "tools"), has_calls=has_calls)
    return Conversation(tuple(messages), tools, row.file, row.line)


def _gemini_messages(row: Row, path: str, role: Any, parts: list[Any]) -> list[Message]:
    text, reasoning, calls, results = "", "", [], []
    for index, part in enumerate(parts):
        at = f"{path}[{index}]"
        if not isinstance(part, dict):
            raise row.refuse("SH105", at, f"part is {type_name(part)}, expected an object")
        call = part.get("functionCall") or part.get("function_call")
        response = part.get("functionResponse") or part.get("function_response")
        if call:
            calls.append(read_call(row, f"{at}.{'functionCall' if 'functionCall' in part else 'function_call'}", call))
        elif isinstance(response, dict):
            content = json_text(response.get("response"))
            results.append(Message("tool", content, name=str(response.get("name") or ""), place=at))
        elif isinstance(part.get("text"), str):
            text, reasoning = (
                (text, reasoning + part["text"]) if part.get("thought") else (text + part["text"], reasoning)
            )
        else:
            raise row.refuse("SH109", at, f"part {snippet(', '.join(part))} needs a vision or audio model")
    spoken = (
        [Message(role, text, reasoning, tuple(calls), place=path)] if text or reasoning or calls or not results else []
    )
    return [*results, *spoken]


@reads("responses", "input", "items", "output", "instructions", "tools", "id", "model")
def read_responses(row: Row, layout: Layout) -> Conversation:
    """OpenAI Responses: a list of items (`message`, `function_call`, `function_call_output`, `reasoning`)."""
    messages: list[Message] = []
    for column in ("input", "items", "output"):
        value = row.data.get(layout.columns.get("messages", column))
        if isinstance(value, str) and value and column == "input":
            messages.append(Message("user", value, place=column))
        elif value:
            for index, item in enumerate(message_list(row, layout.columns.get("messages", column))):
                _add_item(row, f"{column}[{index}]", item, layout, messages)
        if layout.columns.get("messages"):
            break
    if not messages:
        raise row.refuse("SH102", "input", "no list of items")
    messages = leading_system(row, "instructions", messages)
    tools = read_tools(row, "tools", has_calls=any(message.tool_calls for message in messages))
    return Conversation(tuple(messages), tools, row.file, row.line)


def _add_item(row: Row, path: str, item: JsonObject, layout: Layout, messages: list[Message]) -> None:
    """Append an item; calls and reasoning that belong to one turn are joined into one message."""
    kind = item.get("type") or "message"
    if kind in ("function_call_output", "custom_tool_call_output"):
        text = result_text(row, f"{path}.output", item.get("output"))
        messages.append(Message("tool", text, tool_call_id=str(item.get("call_id") or ""), place=path))
        return
    if kind == "message":
        role = role_of(row, f"{path}.role", require(row, path, item, "role"), layout)
        piece = read_parts(row, f"{path}.content", item.get("content"))[0]
        new = Message(role, piece.text, piece.reasoning, piece.calls, place=path)
    elif kind in ("function_call", "custom_tool_call", "local_shell_call"):
        new = Message("assistant", tool_calls=(_item_call(row, path, item),), place=path)
    elif kind == "reasoning":
        new = Message("assistant", reasoning=_item_reasoning(row, path, item), place=path)
    else:
        raise row.refuse("SH109", path, f'item type "{snippet(kind)}" is not one that a text model is trained on')
    last = messages[-1] if messages else None
    joins = last is not None and last.role == new.role == "assistant" and not (last.content and new.content)
    if last is not None and joins and not (last.tool_calls and new.content):
        messages[-1] = replace(
            last,
            content=last.content + new.content,
            reasoning=last.reasoning + new.reasoning,
            tool_calls=last.tool_calls + new.tool_calls,
            place="",
        )
    elif new != Message("assistant"):
        messages.append(new)


def _item_call(row: Row, path: str, item: JsonObject) -> ToolCall:
    """A call; a tool of free text gets it as `input`, the shell what it is to run."""
    named = str(item.get("name") or ("local_shell" if item["type"] == "local_shell_call" else ""))
    if not named:
        raise row.refuse("TC506", path, "tool call without a name")
    given = {"custom_tool_call": {"input": item.get("input")}, "local_shell_call": item.get("action")}
    arguments = arguments_of(row, f"{path}.arguments", given.get(item["type"], item.get("arguments")))
    return ToolCall(named, arguments, str(item.get("call_id") or item.get("id") or ""))


def _item_reasoning(row: Row, path: str, item: JsonObject) -> str:
    shown = [item[key] for key in ("summary", "content") if item.get(key)]
    texts = ["".join(piece.reasoning + piece.text for piece in read_parts(row, path, value)) for value in shown]
    text = max(texts, key=len, default="")
    if len(set(texts)) > 1:
        row.kept("RS603", path, "reasoning given twice; the longest is used")
    if not text:
        row.repaired("RS606", path, "redacted reasoning removed")
    return text


@reads("xlam", "query", "tools", "answers", "id")
def read_xlam(row: Row, layout: Layout) -> Conversation:
    """`{"query", "tools": JSON text, "answers": JSON text of a list of calls}`: one question, its calls, no results."""
    columns = {"prompt": "query", "response": "answers", "tools": "tools"} | dict(layout.columns)
    query, answers = row.data.get(columns["prompt"]), row.data.get(columns["response"])
    for column, value in ((columns["prompt"], query), (columns["response"], answers)):
        if value in (None, "", "[]", []):
            raise row.refuse("SH111", column, f'column "{column}" is empty')
    calls = calls_from_text(row, columns["response"], answers)
    tools = read_tools(row, columns["tools"])
    asked = Message("user", text_of(row, columns["prompt"], query), place=columns["prompt"])
    messages = (asked, Message("assistant", tool_calls=calls, place=columns["response"]))
    return Conversation(messages, tools, row.file, row.line)


_GLAIVE_TURN = re.compile(r"(?:^|\n)\s*(USER|ASSISTANT|FUNCTION RESPONSE|A|U):[ \t]?", re.MULTILINE)
_GLAIVE_CALL = re.compile(r"<functioncall>\s*(.*)", re.DOTALL)
_GLAIVE_QUOTED = re.compile(r'\{\s*"name":\s*("(?:[^"\\]|\\.)*"),\s*"arguments":\s*\'(.*)\'\s*\}', re.DOTALL)


@reads("glaive", "system", "chat", "id")
def read_glaive(row: Row, layout: Layout) -> Conversation:
    """Glaive v2: `{"system": "SYSTEM: … {tool}{tool}", "chat": "USER: …\\n\\n\\nASSISTANT: … <functioncall> {…}"}`."""
    column = layout.columns.get("messages", "chat")
    chat, system = row.data.get(column), str(row.data.get("system") or "")
    if not isinstance(chat, str) or not chat.strip():
        raise row.refuse("SH111", column, f'column "{column}" is empty')
    if not system and chat.startswith("SYSTEM:") and (begun := _GLAIVE_TURN.search(chat)):
        # Version 1 has all in one column.
        system, chat = chat[: begun.start()], chat[begun.start() :]
    messages = _glaive_messages(row, column, chat)
    objects = concatenated_objects(system)
    tools = tools_of(row, "system", objects) if objects else ()
    prompt = system.removeprefix("SYSTEM:").strip()
    if tools:
        row.repaired("TL401", "system", "tools read from the system text and taken out of it")
        prompt = prompt[: prompt.find("{")].strip() if "{" in prompt else prompt
    first = [Message("system", prompt)] if prompt else []
    return Conversation((*first, *messages), tools, row.file, row.line)


def _glaive_messages(row: Row, path: str, chat: str) -> list[Message]:
    marks = list(_GLAIVE_TURN.finditer(chat))
    if not marks:
        raise row.refuse("SH102", path, "no USER: and ASSISTANT: turns in the text")
    if chat[: marks[0].start()].strip():
        row.repaired("IO012", path, "text before the first turn removed", chat[: marks[0].start()])
    messages: list[Message] = []
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        text = chat[mark.end() : after.start() if after else len(chat)].strip().removesuffix("<|endoftext|>").strip()
        who = mark.group(1)
        if who in ("USER", "U"):
            messages.append(Message("user", text))
        elif who == "FUNCTION RESPONSE":
            messages.append(Message("tool", text))
        elif text:
            messages.append(_glaive_answer(row, path, text))
    return messages


def _glaive_answer(row: Row, path: str, text: str) -> Message:
    found = _GLAIVE_CALL.search(text)
    if found is None:
        return Message("assistant", text)
    return Message("assistant", text[: found.start()].strip(), tool_calls=(glaive_call(row, path, found.group(1)),))


def glaive_call(row: Row, path: str, text: str) -> ToolCall:
    """A call as Glaive writes it: its arguments are a JSON string in single quotes, so the whole is not JSON."""
    text = text.strip().removesuffix("<|endoftext|>").strip()
    value, written = parse_text(text)
    if written == "json":
        return read_call(row, path, value)
    quoted = _GLAIVE_QUOTED.search(text)
    if quoted is None:
        return read_call(row, path, value) if written else calls_from_text(row, path, text)[0]
    arguments = quoted.group(2)
    for tried in (arguments, arguments.replace("\\'", "'"), arguments.replace('\\"', '"')):
        if parse_text(tried)[1] == "json":
            return read_call(row, path, {"name": parse_text(quoted.group(1))[0], "arguments": tried})
    raise row.refuse("TC504", path, f"arguments are not JSON: {snippet(arguments)}")
