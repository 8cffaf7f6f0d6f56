"""Which format a record has, by its keys and the first messages in it, with the evidence for it.

A format that is told apart by something of its own (Gemini's `parts`, xLAM's `answers`) is tried before the ones that
share their keys with others. What we do not train on (ranking pairs, images, sound) is recognised, so that it can be
refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.conversation import JsonObject
from core.formats.layout import Layout
from core.formats.text import parse_object_text

MESSAGE_COLUMNS = ("messages", "conversations", "conversation", "interactions", "dialog", "dialogue", "turns")
MESSAGE_KEYS = (
    ("role", "content"),
    ("from", "value"),
    ("role", "value"),
    ("role", "text"),
    ("from", "content"),
    ("speaker", "text"),
    ("author", "content"),
    ("user", "text"),
)
PAIRS = (
    ("prompt", "response"),
    ("question", "answer"),
    ("input", "output"),
    ("query", "response"),
    ("instruction", "response"),
    ("problem", "solution"),
    ("question", "response"),
    ("prompt", "output"),
)
MEDIA = ("images", "image", "videos", "video", "audios", "audio")
_RESPONSES = {"function_call", "function_call_output", "reasoning"}
_ANTHROPIC = {"tool_use", "tool_result", "thinking", "redacted_thinking"}


@dataclass(frozen=True, slots=True)
class Recognition:
    """A record's layout and why; `also` holds other layouts that fit as well, `refused` why it is of no use to us."""

    layout: Layout | None
    evidence: str = ""
    also: tuple[Layout, ...] = ()
    refused: str = ""


_Test = Callable[[JsonObject], Recognition | None]


def detect(record: Any) -> Layout | None:
    """The layout of a record, by its keys; None when nothing fits, or several do."""
    found = recognise(record)
    return None if found.also or found.refused else found.layout


def recognise(record: Any) -> Recognition:
    """The layout of a record with the evidence for it."""
    if not isinstance(record, dict):
        return Recognition(None)
    for test in _TESTS:
        found = test(record)
        if found is not None:
            return found
    return Recognition(None)


def nearest(record: Any) -> str:
    """The format that comes closest and the key that is missing, for the message that nothing fits."""
    keys = set(record) if isinstance(record, dict) else set()
    needs = {"openai": {"messages"}, "sharegpt": {"conversations"}, "alpaca": {"instruction", "output"}}
    needs |= {"prompt_completion": {"prompt", "completion"}, "xlam": {"query", "tools", "answers"}, "text": {"text"}}
    partly = {name: need - keys for name, need in needs.items() if need & keys}
    if not partly:
        return "No format has these keys; map them with --columns"
    name = min(partly, key=lambda name: len(partly[name]))
    missing = ", ".join(sorted(partly[name]))
    return f"Closest: {name} (missing {missing})" if missing else f"Closest: {name}, but its value is of another type"


def _refused_kind(record: JsonObject) -> Recognition | None:
    if "chosen" in record and "rejected" in record:
        return Recognition(None, refused="preference pairs (chosen, rejected) are not trained on yet")
    if "chosen_response" in record and "rejected_response" in record:
        return Recognition(None, refused="preference pairs (chosen_response, rejected_response) are not trained on yet")
    if isinstance(record.get("kto_tag"), bool) or (
        isinstance(record.get("label"), bool) and "completion" in record and "segments" not in record
    ):
        return Recognition(None, refused="KTO rows (an answer and a thumb) are not trained on yet")
    media = next((name for name in MEDIA if record.get(name)), None)
    if media is not None:
        return Recognition(None, refused=f'column "{media}" needs a vision or audio model')
    nested = isinstance(record.get("question"), list) and "function" in record
    unanswered = {"correct_answer", "answers", "target_tool"} <= record.keys()
    if nested or unanswered or ("ground_truth" in record and ("function" in record or "question" in record)):
        return Recognition(None, refused="this is a function-calling benchmark, held out: it is never trained on")
    return None


def _own_keys(record: JsonObject) -> Recognition | None:
    """Formats that are known by a key of their own."""
    if {"query", "answers", "tools"} <= record.keys():
        return Recognition(Layout("xlam"), "columns query, tools and answers")
    chat = record.get("chat")
    if isinstance(chat, str) and "USER:" in chat and "ASSISTANT:" in chat:
        return Recognition(Layout("glaive"), 'column chat with "USER:" and "ASSISTANT:" turns')
    if _first(record.get("contents"), "parts") is not None:
        return Recognition(Layout("gemini"), "column contents with parts")
    segment = _first(record.get("segments"), "label")
    if segment is not None and "text" in segment:
        return Recognition(Layout("segments"), "column segments with label and text")
    if isinstance(record.get("chain"), list) and len(record) == 1:
        return Recognition(Layout("h2o"), "table rows chained by parent_id")
    return None


def _response_items(record: JsonObject) -> Recognition | None:
    for column in ("input", "items", "output"):
        kinds = _types(record.get(column))
        if kinds & _RESPONSES or ("message" in kinds and column != "output"):
            return Recognition(Layout("responses"), f"column {column} with items of type {_shown(kinds)}")
    return None


def _messages(record: JsonObject) -> Recognition | None:
    """Formats that are a list of messages, under any of the usual names."""
    found = [found for column in MESSAGE_COLUMNS if (found := _message_column(record, column)) is not None]
    if len(found) < 2:
        return found[0] if found else None
    layouts = tuple(one.layout for one in found if one.layout is not None)
    return Recognition(layouts[0], " and ".join(one.evidence for one in found), layouts[1:])


def _message_column(record: JsonObject, column: str) -> Recognition | None:
    value = record.get(column)
    as_text = isinstance(value, str) and value.lstrip()[:1] == "["
    listed = parse_object_text(value) if isinstance(value, str) and as_text else value
    if not isinstance(listed, list) or not listed:
        return None
    where = f"column {column}" + (" (JSON text)" if as_text else "")
    if all(isinstance(item, str) for item in listed):
        return Recognition(Layout("turns", {"messages": column}), f"{where} is a list of texts")
    first = next((item for item in listed if isinstance(item, dict)), {})
    keys = next(
        (pair for pair in MESSAGE_KEYS if pair[0] in first and (pair[1] in first or "tool_calls" in first)), None
    )
    if keys is None:
        return None
    evidence = f"{where} with {keys[0]} and {keys[1]}"
    columns = {} if column == "messages" else {"messages": column}
    if keys == ("role", "content"):
        return _role_content(record, listed, columns, evidence)
    if keys == ("from", "value"):
        columns = {} if column == "conversations" else {"messages": column}
        return Recognition(Layout("sharegpt", columns), evidence)
    tags = {"role_tag": keys[0], "content_tag": keys[1]}
    return Recognition(Layout("openai", columns, tags), evidence)


def _role_content(record: JsonObject, listed: list[Any], columns: dict[str, str], evidence: str) -> Recognition:
    """OpenAI's shape, and the two that look like it until one reads the messages."""
    for message in listed:
        if not isinstance(message, dict):
            continue
        if "channel" in message or "recipient" in message:
            return Recognition(Layout("harmony", columns), f"{evidence}, and channels")
        blocks = _types(message.get("content"))
        if blocks & _ANTHROPIC:
            return Recognition(Layout("anthropic", columns), f"{evidence}, and blocks of type {_shown(blocks)}")
    if _first(record.get("tools"), "input_schema") is not None:
        return Recognition(Layout("anthropic", columns), f"{evidence}, and tools with input_schema")
    return Recognition(Layout("openai", columns), evidence)


def _pairs(record: JsonObject) -> Recognition | None:
    """A question and its answer in two columns."""
    if _given(record.get("prompt")) and _given(record.get("completion")):
        return Recognition(Layout("prompt_completion"), "columns prompt and completion")
    if "instruction" in record and "output" in record:
        return Recognition(Layout("alpaca"), "columns instruction and output")
    for prompt, response in PAIRS:
        if _is_pair(record, prompt, response):
            columns = {"prompt": prompt, "query": "", "response": response}
            if isinstance(record.get("system_prompt"), str):
                columns["system"] = "system_prompt"
            if prompt == "instruction" and isinstance(record.get("context"), str):
                columns["query"] = "context"
            return Recognition(Layout("alpaca", columns), f"columns {prompt} and {response}")
    return None


def _is_pair(record: JsonObject, prompt: str, response: str) -> bool:
    """Whether two columns hold words or numbers; one of them may be empty in this row."""
    if prompt not in record or response not in record:
        return False
    given = [value for value in (record[prompt], record[response]) if value is not None]
    return bool(given) and all(isinstance(value, str | int | float) for value in given)


def _text(record: JsonObject) -> Recognition | None:
    return Recognition(Layout("text"), "column text") if isinstance(record.get("text"), str) else None


_TESTS: tuple[_Test, ...] = (_refused_kind, _own_keys, _response_items, _messages, _pairs, _text)


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
