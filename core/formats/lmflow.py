"""LMFlow's conversations, whose tools, calls and results may be JSON or words.

What is written in words is not lost: tools are told in the system prompt, as LMFlow itself tells them, and a call that
nothing can read stays what the assistant says. Its result is then said by the user, for there is no call that it could
belong to.
"""

from __future__ import annotations

from dataclasses import replace

from core.conversation import Conversation, Message, Row, snippet
from core.errors import counted
from core.formats.calls import calls_from_text
from core.formats.chat import conversation_of, read_message
from core.formats.layout import Layout, reads
from core.formats.roles import leading_system, message_list
from core.formats.text import parse_text, text_of
from core.formats.textcalls import find_calls


@reads("lmflow", "messages", "tools", "system", "conversation_id", "id")
def read_lmflow(row: Row, layout: Layout) -> Conversation:
    """An instance of an LMFlow `conversation` file: `{"system"?, "tools"?, "messages": [{"role", "content"}]}`.

    Its role `function` is a call (JSON, a call written as text, else words), its role `observation` a result.
    """
    columns = {"messages": "messages", "system": "system", "tools": "tools"} | dict(layout.columns)
    plain = Layout("openai", layout.columns, layout.tags, {"observation": "tool", **layout.roles})
    messages: list[Message] = []
    in_words = False
    for index, raw in enumerate(message_list(row, columns["messages"])):
        path = f"{columns['messages']}[{index}]"
        if raw.get("role") == "function" and isinstance(raw.get("content"), str):
            messages.append(_function(row, f"{path}.content", raw["content"], path))
            in_words = not messages[-1].tool_calls
            continue
        read = read_message(row, path, raw, plain)
        in_words = in_words and read[0].role == "tool"
        if in_words:
            row.repaired("TC520", path, "result of a call in words; read as said by the user")
            read = [Message("user", message.content, place=path) for message in read]
        messages += read
    _note_order(row, columns["messages"], messages)
    told = _tools_told(row, columns["tools"], columns["system"])
    return conversation_of(told, columns, leading_system(told, columns["system"], messages))


def _function(row: Row, path: str, text: str, place: str) -> Message:
    """A call; the words that it is given in, where nothing in them can be read as a call."""
    if text.lstrip().startswith(("{", "[")) and parse_text(text)[1]:
        return Message("assistant", tool_calls=calls_from_text(row, path, text), place=place)
    found = find_calls(text) or find_calls(f"[{text.strip()}]")
    if found is None or not found.calls:
        row.kept("TC520", path, f"could not read a call: {snippet(text)}; it stays as words of the assistant")
        return Message("assistant", text, place=place)
    said = f"found {counted(len(found.calls), 'call')} written as text ({found.style})"
    row.repaired("TC519", path, said, text, ", ".join(call.name for call in found.calls))
    return Message("assistant", found.text, tool_calls=found.calls, place=place)


def _tools_told(row: Row, column: str, system: str) -> Row:
    """The row with the tools that are described in words, and not as objects, told at the end of its system prompt."""
    listed = row.data.get(column)
    listed = listed if isinstance(listed, list) else []
    words = [item for item in listed if isinstance(item, str) and not isinstance(parse_text(item)[0], dict)]
    if not any(words):
        return row
    row.repaired("TL402", column, "tools are described in words; told in the system prompt", "", words[0])
    prompt = "\n\n".join(filter(None, [text_of(row, system, row.data.get(system)), "\n".join(words)]))
    return replace(row, data={**row.data, system: prompt, column: [item for item in listed if item not in words]})


def _note_order(row: Row, column: str, messages: list[Message]) -> None:
    """RO212: the first place where user and assistant do not take turns; calls and results belong to the answer."""
    answered = {index - 1 for index, message in enumerate(messages) if message.role == "tool"}
    said = [
        (index, message.role)
        for index, message in enumerate(messages)
        if message.role in ("user", "assistant") and not message.tool_calls and index not in answered
    ]
    for number, (index, role) in enumerate(said):
        if role != ("user", "assistant")[number % 2]:
            row.repaired("RO212", f"{column}[{index}]", "LMFlow rows alternate between user and assistant")
            return
