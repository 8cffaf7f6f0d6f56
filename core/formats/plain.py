"""Formats without tools of their own: instruction and answer, two columns, plain text, tables of chained turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.conversation import Conversation, Message, Row, RowRefusedError, json_text
from core.formats.chat import read_message, read_messages
from core.formats.layout import Layout, reads
from core.formats.roles import leading_system, message_list, messages_in_text, require
from core.formats.text import parse_object_text, text_of, type_name
from core.formats.tools import OTHER_COLUMNS, read_tools, tools_elsewhere


@reads("alpaca", "instruction", "input", "output", "system", "history", "tools", "id")
def read_alpaca(row: Row, layout: Layout) -> Conversation:
    """`{"instruction", "input"?, "output", "system"?, "history"?: [[user, assistant], …]}`, or any two columns."""
    own = {"prompt": "instruction", "query": "input", "response": "output", "system": "system", "history": "history"}
    columns = own | dict(layout.columns)
    if "prompt" in layout.columns and "response" not in layout.columns and "output" not in row.data:
        # LLaMA-Factory's way to declare text for pre-training: one column, and no answer.
        return read_text(row, Layout("text", {"text": columns["prompt"]}))
    messages = _history(row, columns["history"])
    for column in (columns["prompt"], columns["response"]):
        if row.data.get(column) in (None, "", []):
            raise _empty(row, column)
    _one_answer(row, columns["response"])
    prompt = text_of(row, columns["prompt"], row.data[columns["prompt"]])
    query = row.data.get(columns["query"]) if columns["query"] else None
    if query not in (None, ""):
        prompt += "\n" + text_of(row, columns["query"], query)
    messages.append(Message("user", prompt, place=columns["prompt"]))
    reasoning = text_of(row, columns["reasoning"], row.data.get(columns["reasoning"])) if "reasoning" in columns else ""
    answer = text_of(row, columns["response"], row.data[columns["response"]])
    messages.append(Message("assistant", answer, reasoning, place=columns["response"]))
    messages = leading_system(row, columns["system"], messages)
    tools = read_tools(row, columns.get("tools", "tools"), has_calls=False)
    return Conversation(tuple(messages), tools, row.file, row.line)


def _empty(row: Row, column: str) -> RowRefusedError:
    """SH111: a column that must say something says nothing, or is not there."""
    if column in row.data:
        return row.refuse("SH111", column, f'column "{column}" is empty')
    keys = ", ".join(sorted(map(str, row.data))[:12])
    return row.refuse("SH111", column, f'there is no column "{column}" in the row; it has: {keys}')


def _one_answer(row: Row, column: str) -> None:
    """That a column does not hold several answers, of which one may be the worse."""
    value = row.data[column]
    if isinstance(value, list) and len(value) > 1 and all(isinstance(text, str) for text in value):
        said = "several answers to one question; write one row for each answer that is to be learned"
        raise row.refuse("IO006", column, said)


_OPENAI = Layout("openai")


def _history(row: Row, column: str) -> list[Message]:
    messages: list[Message] = []
    history = row.data.get(column) or []
    if isinstance(history, str):
        history = parse_object_text(history)
    if not isinstance(history, list):
        raise row.refuse("SH105", column, "history must be a list of [user, assistant] pairs")
    if history and all(isinstance(turn, dict) and "role" in turn for turn in history):
        return [
            message for i, turn in enumerate(history) for message in read_message(row, f"{column}[{i}]", turn, _OPENAI)
        ]
    for index, turn in enumerate(history):
        path = f"{column}[{index}]"
        if not isinstance(turn, list | tuple) or len(turn) != 2:
            raise row.refuse("SH105", path, "a turn of the history must be a [user, assistant] pair")
        messages.append(Message("user", text_of(row, f"{path}[0]", turn[0]), place=f"{path}[0]"))
        messages.append(Message("assistant", text_of(row, f"{path}[1]", turn[1]), place=f"{path}[1]"))
    return messages


@reads("lmflow_text2text", "input", "output", "conversation_id")
def read_text2text(row: Row, layout: Layout) -> Conversation:
    """An instance of an LMFlow `text2text` file: `{"input", "output"}`."""
    return read_alpaca(
        row, Layout("alpaca", {"prompt": "input", "query": "", "response": "output"} | dict(layout.columns))
    )


@reads("text", "text", "id")
def read_text(row: Row, layout: Layout) -> Conversation:
    """`{"text"}`: plain text, all of it trained, no chat template."""
    column = layout.columns.get("prompt", layout.columns.get("text", "text"))
    value = row.data.get(column)
    if value in (None, ""):
        raise _empty(row, column)
    message = Message("assistant", text_of(row, column, value), place=column)
    return Conversation((message,), (), row.file, row.line, plain=True)


_SEGMENT_KEYS = frozenset({"label", "text"})


@reads("segments", "segments")
def read_segments(row: Row, layout: Layout) -> Conversation:
    """`{"segments": [{"label": bool, "text"}]}`: pieces of one text; those with `label` are trained."""
    column = layout.columns.get("messages", "segments")
    messages = []
    for index, segment in enumerate(message_list(row, column)):
        path = f"{column}[{index}]"
        if not isinstance(segment.get("label"), bool):
            raise row.refuse("SH106", f"{path}.label", "label must be true or false")
        if not isinstance(segment.get("text"), str):
            raise row.refuse("SH106", f"{path}.text", f"text is {type_name(segment.get('text'))}, expected text")
        row.ignored(path, segment, _SEGMENT_KEYS)
        messages.append(Message("assistant", segment["text"], train=segment["label"], place=path))
    return Conversation(tuple(messages), (), row.file, row.line, plain=True)


@reads("turns", "conversations", "messages", "turns", "dialog", "dialogue", "id")
def read_turns(row: Row, layout: Layout) -> Conversation:
    """A list of texts, user and assistant in turn: `{"conversations": ["…", "…"]}`."""
    column = layout.columns.get("messages", "conversations")
    value = row.data.get(column)
    if not isinstance(value, list) or not value:
        raise row.refuse("SH102", column, f'no "{column}" list of texts')
    messages = []
    for index, text in enumerate(value):
        if not isinstance(text, str):
            raise row.refuse("SH105", f"{column}[{index}]", f"turn is {type_name(text)}, expected text")
        messages.append(Message("assistant" if index % 2 else "user", text, place=f"{column}[{index}]"))
    return Conversation(tuple(messages), (), row.file, row.line)


@reads("turn_pairs", "conversation", "messages", "conversations", "system", "id", "conversation_id")
def read_turn_pairs(row: Row, layout: Layout) -> Conversation:
    """A list of turns with a question and its answer each: `{"conversation": [{"input", "output"}]}`."""
    column = layout.columns.get("messages", "conversation")
    user, assistant = layout.tags.get("user_tag", "input"), layout.tags.get("assistant_tag", "output")
    messages: list[Message] = []
    for index, turn in enumerate(message_list(row, column)):
        path = f"{column}[{index}]"
        row.ignored(path, turn, {"system", user, assistant})
        if turn.get("system"):
            messages.append(Message("system", text_of(row, f"{path}.system", turn["system"]), place=f"{path}.system"))
        for key, role in ((user, "user"), (assistant, "assistant")):
            text = text_of(row, f"{path}.{key}", require(row, path, turn, key))
            messages.append(Message(role, text, place=f"{path}.{key}"))  # type: ignore[arg-type]
    messages = leading_system(row, layout.columns.get("system", "system"), messages)
    return Conversation(tuple(messages), (), row.file, row.line)


@reads("prompt_completion", "prompt", "completion", "tools", "system", *OTHER_COLUMNS)
def read_prompt_completion(row: Row, layout: Layout) -> Conversation:
    """TRL's `{"prompt", "completion"}`, each a text or a list of messages; only the completion is trained."""
    prompt = _side(row, layout.columns.get("prompt", "prompt"), "user", layout)
    completion = _side(row, layout.columns.get("response", "completion"), "assistant", layout)
    thought = row.data.get(layout.columns.get("reasoning", ""))
    if isinstance(thought, str) and thought and not completion[-1].reasoning:
        completion[-1] = replace(completion[-1], reasoning=thought)
    shown = [
        Message(m.role, m.content, m.reasoning, m.tool_calls, m.tool_call_id, m.name, False, place=m.place)
        for m in prompt
    ]
    messages = [m if m.role == "assistant" else given for m, given in zip(shown, prompt, strict=True)]
    has_calls = any(message.tool_calls for message in (*prompt, *completion))
    tools = read_tools(row, layout.columns.get("tools", "tools"), has_calls=has_calls)
    tools = tools or tools_elsewhere(row, "", has_calls=has_calls)
    messages = leading_system(row, layout.columns.get("system", "system"), [*messages, *completion])
    return Conversation(tuple(messages), tools, row.file, row.line)


def _side(row: Row, column: str, role: Any, layout: Layout) -> list[Message]:
    value = row.data.get(column)
    if value in (None, "", []):
        raise _empty(row, column)
    if role == "assistant":
        _one_answer(row, column)
    if listed := messages_in_text(value):
        row.repaired("SH103", column, f"{column} was a JSON string; parsed")
        return [one for i, raw in enumerate(listed) for one in read_message(row, f"{column}[{i}]", raw, layout)]
    if isinstance(value, list) and all(isinstance(item, dict) and "role" in item for item in value):
        return read_messages(row, column, layout)
    if isinstance(value, dict) and "role" in value:
        return read_message(row, column, value, layout)
    return [Message(role, text_of(row, column, value), place=column)]


@reads("h2o", "chain")
def read_chain(row: Row, layout: Layout) -> Conversation:
    """A chain of table rows from the first turn to the last, as `core.datasets.chains` joins them by `parent_id`."""
    own = {"prompt": "instruction", "response": "output", "system": "system"}
    columns = own | {k: v for k, v in layout.columns.items() if v}
    chain = row.data.get("chain")
    if not isinstance(chain, list) or not chain or not all(isinstance(turn, dict) for turn in chain):
        raise row.refuse("SH102", "chain", "no chain of table rows")
    messages: list[Message] = []
    for index, turn in enumerate(chain):
        for key, role in (("prompt", "user"), ("response", "assistant")):
            value = turn.get(columns[key])
            if value in (None, ""):
                raise row.refuse("SH111", f"chain[{index}].{columns[key]}", f'column "{columns[key]}" is empty')
            messages.append(Message(role, value if isinstance(value, str) else json_text(value)))  # type: ignore[arg-type]
    system = chain[0].get(columns["system"])
    first = [Message("system", str(system))] if system not in (None, "") else []
    return Conversation((*first, *messages), (), row.file, row.line)
