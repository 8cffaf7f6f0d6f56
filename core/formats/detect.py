"""Which format a record has, by its keys and the first messages in it, with the evidence for it.

A format that is told apart by something of its own (Gemini's `parts`, xLAM's `answers`) is tried before the ones that
share their keys with others. What we do not train on (ranking pairs, images, sound) is recognised, so that it can be
refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from core.conversation import JsonObject
from core.formats.apps import is_of_autogen
from core.formats.exports import exported_by
from core.formats.layout import Layout
from core.formats.logged import logged
from core.formats.names import (
    ABOUT,
    ANSWERS,
    MESSAGE_COLUMNS,
    MESSAGE_KEYS,
    PAIRS,
    REASONING_COLUMNS,
    TURN_KEYS,
)
from core.formats.programs import kept_by
from core.formats.refused import refusal, refusal_when_nothing_fits
from core.formats.reshape import candidates
from core.formats.roles import answering_system, messages_in_text
from core.formats.sessions import EVENTS, logged_by
from core.formats.spans import span_in
from core.formats.text import parse_object_text
from core.formats.transcript import style_of

# Columns with what is to be said of a chat that is one text: the chat alone is not what such a row teaches.
_SAID_OF_A_TALK = frozenset({*ANSWERS, "summary", "label", "intent", "question", "instruction", "prompt"})
_SWITCHES = ("", "on", "off", "true", "false", "yes", "no")
_RESPONSES = {"function_call", "function_call_output", "reasoning"}
_LANGCHAIN = {"human", "ai", "system", "tool", "function", "chat", "AIMessageChunk"}
_BEDROCK = {"toolUse", "toolResult", "reasoningContent"}
_ANTHROPIC = {"tool_use", "tool_result", "thinking", "redacted_thinking"}


@dataclass(frozen=True, slots=True)
class Recognition:
    """A record's layout and why; `also` holds other layouts that fit as well, `refused` why it is of no use to us.

    `record` is what to read instead of the record that was given, where only another shape of it fits a format;
    `reshaped` says what was done.
    """

    layout: Layout | None
    evidence: str = ""
    also: tuple[Layout, ...] = ()
    refused: str = ""
    record: JsonObject | None = None
    reshaped: str = ""


_Test = Callable[[JsonObject], Recognition | None]


def detect(record: Any) -> Layout | None:
    """The layout of a record as it stands, by its keys; None when nothing fits, or several do."""
    found = recognise(record)
    return None if found.also or found.refused or found.record is not None else found.layout


def recognise(record: Any) -> Recognition:
    """The layout of a record with the evidence for it."""
    found = _as_it_stands(record) if isinstance(record, dict) else None
    if found is not None:
        return found
    why = refusal_when_nothing_fits(record) if isinstance(record, dict) else ""
    if why:
        return Recognition(None, refused=why)
    for candidate, said in candidates(record):
        found = _as_it_stands(candidate)
        if found is not None and (found.refused or _is_sure(found, candidate)):
            return replace(found, evidence=f"{said}; {found.evidence}", record=candidate, reshaped=said)
    return Recognition(None)


def _is_sure(found: Recognition, record: JsonObject) -> bool:
    """Whether a record in another shape is surely meant so: one format fits, and it is no mere text or numbers."""
    if found.layout is None or found.also or found.layout.formatting == "text":
        return False
    pair = [
        record.get(found.layout.columns.get(word, own))
        for word, own in (("prompt", "instruction"), ("response", "output"))
    ]
    return found.layout.formatting != "alpaca" or any(isinstance(value, str) for value in pair)


def _as_it_stands(record: JsonObject) -> Recognition | None:
    return next((found for test in _TESTS if (found := test(record)) is not None), None)


def _refused(record: JsonObject) -> Recognition | None:
    why = refusal(record)
    return Recognition(None, refused=why) if why else None


def _session(record: JsonObject) -> Recognition | None:
    """The events of a coding agent's session, in a column or as the lines of a file."""
    for column in (EVENTS, "messages", "trajectory", "history", "events"):
        by = next(filter(None, map(logged_by, _items(record.get(column)))), "")
        if by:
            return Recognition(Layout("session", {"messages": column}), f"column {column} with the events of {by}")
    return None


def _own_keys(record: JsonObject) -> Recognition | None:
    """Formats that are known by a key of their own."""
    if {"query", "answers", "tools"} <= record.keys():
        return Recognition(Layout("xlam"), "columns query, tools and answers")
    for column in ("chat", "sample"):
        chat = record.get(column)
        if isinstance(chat, str) and "USER:" in chat and "ASSISTANT:" in chat:
            said = f'column {column} with "USER:" and "ASSISTANT:" turns'
            return Recognition(Layout("glaive", {"messages": column}), said)
    if _first(record.get("contents"), "parts") is not None:
        return Recognition(Layout("gemini"), "column contents with parts")
    segment = _first(record.get("segments"), "label")
    if segment is not None and "text" in segment:
        return Recognition(Layout("segments"), "column segments with label and text")
    if isinstance(record.get("chain"), list) and len(record) == 1:
        return Recognition(Layout("h2o"), "table rows chained by parent_id")
    return _request_log(record)


def _export(record: JsonObject) -> Recognition | None:
    formatting, evidence = exported_by(record)
    if not formatting:
        formatting, evidence = kept_by(record)
    return Recognition(Layout(formatting), evidence) if formatting else None


def _request_log(record: JsonObject) -> Recognition | None:
    said = logged(record)
    return Recognition(Layout("request_log"), said) if said else None


def _response_items(record: JsonObject) -> Recognition | None:
    for column in ("input", "items", "output"):
        kinds = _types(record.get(column))
        if kinds & _RESPONSES or ("message" in kinds and (column != "output" or record.get("input"))):
            return Recognition(Layout("responses"), f"column {column} with items of type {_shown(kinds)}")
    return None


def _messages(record: JsonObject) -> Recognition | None:
    """Formats that are a list of messages, under any of the usual names."""
    there = (column for column in MESSAGE_COLUMNS if column in record)
    found = [found for column in there if (found := _message_column(record, column)) is not None]
    if len(found) < 2:
        return found[0] if found else None
    layouts = tuple(one.layout for one in found if one.layout is not None)
    return Recognition(layouts[0], " and ".join(one.evidence for one in found), layouts[1:])


def _message_column(record: JsonObject, column: str) -> Recognition | None:
    value = record.get(column)
    style = style_of(value) if isinstance(value, str) and _SAID_OF_A_TALK.isdisjoint(record) else ""
    if style:
        return Recognition(Layout("transcript", {"text": column}), f"column {column} with turns as {style}")
    as_text = isinstance(value, str) and value.lstrip()[:1] == "["
    listed = parse_object_text(value) if isinstance(value, str) and as_text else value
    if not isinstance(listed, list) or not listed:
        return None
    columns = {} if column == "messages" else {"messages": column}
    if "system" not in record:
        columns |= _system_column(record)
    where = f"column {column}" + (" (JSON text)" if as_text else "")
    found = _message_list(record, column, listed, columns, where)
    system = answering_system(listed)
    if found is None or found.layout is None or not system:
        return found
    said = f'{found.evidence}, role "system" as the assistant'
    return replace(found, layout=replace(found.layout, roles={system: "assistant"}), evidence=said)


def _message_list(
    record: JsonObject, column: str, listed: list[Any], columns: dict[str, str], where: str
) -> Recognition | None:
    if all(isinstance(item, str) for item in listed):
        return Recognition(Layout("turns", {"messages": column}), f"{where} is a list of texts")
    first = next((item for item in listed if isinstance(item, dict)), {})
    library = _of_a_library(first, listed, {**columns, "messages": column}, where)
    if library is not None:
        return library
    keys = next((keys for item in listed if isinstance(item, dict) and (keys := _keys_of(item))), None)
    if keys is None and {"role", "from"}.isdisjoint(first):
        return _turn_pairs(first, columns, where)
    # Messages that all lack their content are refused by the format that they are nearest to.
    keys = keys or (("role", "content") if "role" in first else ("from", "value"))
    evidence = f"{where} with {keys[0]} and {keys[1]}"
    if keys == ("role", "content"):
        return _role_content(record, listed, columns, evidence)
    if keys == ("from", "value"):
        columns = {name: value for name, value in columns.items() if value != "conversations"}
        columns |= {"messages": "messages"} if column == "messages" else {}
        return Recognition(Layout("sharegpt", columns), evidence)
    if keys[0] == "author" and isinstance(record.get("context"), str):
        columns["system"] = "context"  # Chats for PaLM.
    tags = {"role_tag": keys[0], "content_tag": keys[1]}
    return Recognition(Layout("openai", columns, tags), evidence)


def _of_a_library(first: JsonObject, listed: list[Any], columns: dict[str, str], where: str) -> Recognition | None:
    """Messages with the keys of LangChain, of Gemini, or of a library for chat programs."""
    if "lc" in first or (_types([first]) & _LANGCHAIN and {"data", "content"} & first.keys()):
        return Recognition(Layout("langchain", columns), f"{where} with LangChain's types")
    if is_of_autogen(first):
        return Recognition(Layout("app_messages", columns), f"{where} with AutoGen's types")
    if "parts" not in first:
        return None
    items = _items(listed)
    if any(i.get("role") == "model" or _first(i.get("parts"), "functionCall") is not None for i in items):
        return Recognition(Layout("gemini", columns), f"{where} with parts, and Gemini's names")
    return Recognition(Layout("app_messages", columns), f"{where} with the parts of a chat library")


def _keys_of(message: JsonObject) -> tuple[str, str] | None:
    """Under which keys a message has its role and its content."""
    for role, content in MESSAGE_KEYS:
        if role in message and (content in message or "tool_calls" in message):
            return role, content
    return None


def _turn_pairs(first: JsonObject, columns: dict[str, str], where: str) -> Recognition | None:
    """A list of turns that hold a question and its answer each."""
    keys = next((pair for pair in TURN_KEYS if pair[0] in first and pair[1] in first), None)
    if keys is None:
        return None
    tags = {"user_tag": keys[0], "assistant_tag": keys[1]}
    return Recognition(Layout("turn_pairs", columns, tags), f"{where} with {keys[0]} and {keys[1]} in each turn")


def _role_content(record: JsonObject, listed: list[Any], columns: dict[str, str], evidence: str) -> Recognition:
    """OpenAI's shape, and the two that look like it until one reads the messages."""
    for message in listed:
        if isinstance(message, dict) and (other := _by_parts(record, message, columns, evidence)) is not None:
            return other
    if _first(record.get("tools"), "input_schema") is not None and all(
        _first(listed, key) is None for key in ("tool_calls", "tool_call_id")
    ):
        return Recognition(Layout("anthropic", columns), f"{evidence}, and tools with input_schema")
    last = listed[-1] if isinstance(listed[-1], dict) else {}
    answer = next((name for name in ANSWERS if _says(record.get(name))), "")
    if answer and last.get("role") in ("user", "tool"):
        columns = {"prompt": columns.pop("messages", "messages"), "response": answer, **columns}
        columns |= _reasoning_column(record)
        return Recognition(Layout("prompt_completion", columns), f"{evidence}, and its answer in column {answer}")
    return Recognition(Layout("openai", columns), evidence)


def _by_parts(record: JsonObject, message: JsonObject, columns: dict[str, str], evidence: str) -> Recognition | None:
    """The format that one message tells by a key or by the parts of its content; None for OpenAI's own."""
    if "channel" in message or "recipient" in message:
        return Recognition(Layout("harmony", columns), f"{evidence}, and channels")
    content, invoked = message.get("content"), "toolInvocations" in message or bool(message.get("tool_uses"))
    if not invoked and not isinstance(content, list):
        return None
    blocks = _types(content)
    if blocks & _ANTHROPIC:
        return Recognition(Layout("anthropic", columns), f"{evidence}, and blocks of type {_shown(blocks)}")
    parts = {key for part in _items(content) if "type" not in part for key in part}
    if invoked or {"tool_call", "tool_call_result"} & parts or any(kind.startswith("tool-") for kind in blocks):
        return Recognition(Layout("app_messages", columns), f"{evidence}, and the parts of a chat library")
    if parts & _BEDROCK or (parts == {"text"} and {"schemaVersion", "toolConfig"} & record.keys()):
        return Recognition(Layout("bedrock", columns), f"{evidence}, and parts with {_shown(parts)}")
    return None


def _pairs(record: JsonObject) -> Recognition | None:
    """A question and its answer in two columns."""
    if _given(record.get("prompt")) and _given(record.get("completion")):
        return Recognition(Layout("prompt_completion"), "columns prompt and completion")
    if "instruction" in record and "output" in record:
        columns = _query_column(record, "instruction", "output") | _reasoning_column(record)
        return Recognition(Layout("alpaca", columns), "columns instruction and output")
    named = {str(name).lower(): name for name in record}
    for pair in PAIRS:
        if pair[0] not in named or pair[1] not in named:
            continue
        if pair[0] == "input" and "instruction" in named and "instruction" not in record:
            continue  # Alpaca under other names.
        prompt, response = (named.get(word, word) for word in pair)
        said = _says(record.get(response))
        asked = record.get(prompt)
        if said and (_first(asked, "content") is not None or messages_in_text(asked)):
            columns = {"prompt": prompt, "response": response} | _system_column(record)
            return Recognition(Layout("prompt_completion", columns), f"columns {prompt} (messages) and {response}")
        if _is_pair(record, prompt, response):
            columns = {"prompt": prompt, "query": "", "response": response} | _query_column(record, prompt, response)
            columns |= _system_column(record) | _reasoning_column(record)
            return Recognition(Layout("alpaca", columns), f"columns {columns['prompt']} and {response}")
    return None


def _query_column(record: JsonObject, prompt: str, response: str) -> dict[str, str]:
    """A third column with what the question is about: it belongs to the question."""
    if prompt == "input" and isinstance(record.get("prompt"), str):
        return {"prompt": "prompt", "query": "input"}
    if prompt.lower() not in ("instruction", "question", "query", "prompt"):
        return {}
    named = {str(name).lower(): name for name in record if isinstance(record[name], str) and name != response}
    query = next((named[word] for word in ABOUT if word in named), "")
    return {"query": query} if query else {}


def _system_column(record: JsonObject) -> dict[str, str]:
    found = next((name for name in ("system_prompt", "preamble") if isinstance(record.get(name), str)), "")
    return {"system": found} if found else {}


def _reasoning_column(record: JsonObject) -> dict[str, str]:
    """The column with the reasoning for the answer, if there is one."""
    named = {str(name).lower(): name for name in record}
    found = (named[word] for word in REASONING_COLUMNS if word in named)
    told = (name for name in found if isinstance(record[name], str) and record[name].lower() not in _SWITCHES)
    return {"reasoning": name} if (name := next(told, "")) else {}


def _is_pair(record: JsonObject, prompt: str, response: str) -> bool:
    """Whether two columns hold words or numbers; one of them may be empty in this row."""
    if prompt not in record or response not in record:
        return False
    given = [value for value in (record[prompt], record[response]) if value is not None]
    return bool(given) and all(isinstance(value, str | int | float) for value in given)


def _text(record: JsonObject) -> Recognition | None:
    return Recognition(Layout("text"), "column text") if isinstance(record.get("text"), str) else None


def _span(record: JsonObject) -> Recognition | None:
    """A span of a trace, with the messages of a model's call or of something else."""
    place, columns, why = span_in(record)
    if why:
        return Recognition(None, refused=why)
    return Recognition(Layout("span", columns), f"a span with {place}") if place else None


def _no_messages(record: JsonObject) -> Recognition | None:
    """A list of messages that has none in this row."""
    column = next((name for name in MESSAGE_COLUMNS if record.get(name) == []), None)
    formatting = "sharegpt" if column == "conversations" else "openai"
    return Recognition(Layout(formatting, {"messages": column}), f"column {column}, empty") if column else None


_TESTS: tuple[_Test, ...] = (
    _refused,
    _own_keys,
    _export,
    _response_items,
    _messages,
    _pairs,
    _text,
    _span,
    _session,
    _no_messages,
)


def _says(value: Any) -> bool:
    """Whether a column holds what was answered: words, a message, or a list of messages."""
    if isinstance(value, str):
        return bool(value)
    return (isinstance(value, dict) and "role" in value) or _first(value, "role") is not None


def _given(value: Any) -> bool:
    return isinstance(value, str | list) and bool(value)


def _items(value: Any) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _types(value: Any) -> set[str]:
    return {item["type"] for item in _items(value) if isinstance(item.get("type"), str)}


def _first(value: Any, key: str) -> JsonObject | None:
    return next((item for item in _items(value) if key in item), None)


def _shown(kinds: set[str]) -> str:
    return ", ".join(sorted(kinds))
