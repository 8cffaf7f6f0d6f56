"""Rules about tools and calls: results belong to calls, calls to tools, and arguments to a tool's parameters."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from dataclasses import replace
from operator import is_
from typing import Any

from core.conversation import (
    Conversation,
    JsonObject,
    Message,
    Row,
    RowRefusedError,
    ToolCall,
    json_text,
    made_id,
    snippet,
)
from core.errors import counted
from core.formats.pythoncalls import closing
from core.formats.text import parse_text
from core.formats.tools import concatenated_objects, tools_of
from core.rules.order import no_two_assistants_in_a_row, no_two_users_in_a_row
from core.rules.schema import problems

# What LLaMA-Factory writes between the results of calls that were made at once.
_BETWEEN = re.compile(r"\s*</tool_response>\s*<tool_response>\s*")
_TOOLS_BLOCK = re.compile(r"<tools>\s*(.*?)\s*</tools>", re.DOTALL)

# What Kimi's template writes around tools, and sets made with it have in their rows.
_KIMIS_MARKS = re.compile(r"<\|im_system\|>tool_declare<\|im_middle\|>\s*<\|im_end\|>")


def tools_out_of_the_system_prompt(row: Row, conversation: Conversation) -> Conversation:
    """TL401, TL408: tools pasted into the system prompt are read there, or removed when the row has them anyway."""
    first = conversation.messages[0] if conversation.messages else None
    if first is None or first.role != "system" or '"name"' not in first.content.replace("'", '"'):
        return conversation
    place, value = _pasted(first.content)
    if not value:
        return conversation
    has_calls = any(message.tool_calls for message in conversation.messages)
    scratch = Row(None)
    try:
        pasted = tools_of(scratch, "messages[0].content", value)
    except RowRefusedError:
        return conversation
    if conversation.tools and _names(pasted) != _names(conversation.tools):
        row.kept("TL408", "messages[0].content", "other tools than the row's own are pasted into the system prompt")
        return conversation
    if not conversation.tools and not has_calls:
        return conversation
    text = _KIMIS_MARKS.sub("", first.content[: place[0]] + first.content[place[1] :]).strip()
    if conversation.tools:
        said = "tools appear twice in the prompt; the pasted copy is removed"
        row.repaired("TL408", "messages[0].content", said, first.content[place[0] : place[1]])
    else:
        row.repaired("TL401", "messages[0].content", "tools read from the system text and taken out of it")
        row.findings += [replace(f, file=row.file, line=row.line) for f in scratch.findings]
    messages = (replace(first, content=text), *conversation.messages[1:])
    return replace(conversation, messages=messages, tools=conversation.tools or pasted)


def _pasted(text: str) -> tuple[tuple[int, int], list[Any]]:
    """Where tools are pasted in a text, and the parsed definitions: a `<tools>` block, or a JSON list of objects."""
    block = next((m for m in _TOOLS_BLOCK.finditer(text) if "{" in m.group(1)), None)
    if block is not None:
        value, _ = parse_text(block.group(1))
        listed = value if isinstance(value, list) else concatenated_objects(block.group(1))
        return block.span(), listed
    start = text.find("[{")
    while start >= 0:
        value, end = _value_at(text, start)
        if value and all(map(_describes_a_tool, value)):
            return (start, end), value
        start = text.find("[{", start + 1)
    return (0, 0), []


def _describes_a_tool(value: Any) -> bool:
    """Whether a value describes a tool; an example of a call has arguments, and nothing that describes it."""
    inner = (value.get("function") or value) if isinstance(value, dict) else {}
    call = "arguments" in inner and {"description", "parameters"}.isdisjoint(inner) if isinstance(inner, dict) else True
    return not call and "name" in inner


def _value_at(text: str, start: int) -> tuple[list[Any], int]:
    """The list that begins at a place of a text, in JSON or as a Python literal, and where it ends."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        end = closing(text, start) + 1
        value = parse_text(text[start:end])[0] if end else None
    return (value, end) if isinstance(value, list) else ([], start)


def _names(tools: tuple[JsonObject, ...]) -> list[str]:
    return sorted(tool["function"]["name"] for tool in tools)


def results_belong_to_calls(row: Row, conversation: Conversation) -> Conversation:
    """TC509 to TC514: calls have ids of their own, and every result is tied to one by id, by name, or by order."""
    if not any(message.tool_calls or message.role == "tool" for message in conversation.messages):
        return conversation
    given = [call.id for message in conversation.messages for call in message.tool_calls]
    if any(given) and not all(given):
        row.repaired("TC509", "messages", "call ids generated")
    ids = _Ids(set(filter(None, given)))
    messages: list[Message] = []
    waiting: list[tuple[str, ToolCall]] = []
    for index, message in enumerate(conversation.messages):
        if message.role == "tool":
            more = index + 1 < len(conversation.messages) and conversation.messages[index + 1].role == "tool"
            if not more and (shared := _shared(row, index, message, waiting)):
                messages += shared
                waiting = []
                continue
            answered = _answered(row, index, message, waiting)
            if answered is not None:
                waiting.remove(answered)
                messages.append(
                    Message("tool", message.content, "", (), answered[1].id, answered[1].name, place=message.place)
                )
            continue
        if waiting:
            row.kept("TC513", f"messages[{index}]", f"call {waiting[0][1].name} has no result")
        waiting = []
        if message.tool_calls:
            waiting = [(call.id, ids.own(row, index, call)) for call in message.tool_calls]
            message = _with_calls(message, tuple([call for _, call in waiting]))
        messages.append(message)
    ordered = replace(conversation, messages=_in_order(row, messages))
    # Without a result between them, two messages of the assistant or of the user may follow each other.
    if len(messages) >= len(conversation.messages):
        return ordered
    return no_two_assistants_in_a_row(row, no_two_users_in_a_row(row, ordered))


def _with_calls(message: Message, calls: tuple[ToolCall, ...]) -> Message:
    if all(map(is_, message.tool_calls, calls)):
        return message
    # What `replace` does, in a third of the time: this is every call of a file that gives none an id.
    m = message
    return Message(m.role, m.content, m.reasoning, calls, m.tool_call_id, m.name, m.train, m.weight, m.place)


def _in_order(row: Row, messages: list[Message]) -> tuple[Message, ...]:
    """The messages with results in the order of their calls: many templates write no ids, so the order has to tell."""
    if all(len(message.tool_calls) < 2 for message in messages):
        return tuple(messages)
    ordered: list[Message] = []
    places: dict[str, int] = {}
    first = 0
    for message in messages:
        if message.role != "tool":
            places, first = {call.id: number for number, call in enumerate(message.tool_calls)}, len(ordered) + 1
        ordered.append(message)
        if len(ordered) - 1 > first and places[message.tool_call_id] < places[ordered[-2].tool_call_id]:
            row.repaired("TC512", f"messages[{len(ordered) - 1}]", "results put into the order of their calls")
            ordered[first:] = sorted(ordered[first:], key=lambda result: places[result.tool_call_id])
    return tuple(ordered)


def _shared(row: Row, index: int, result: Message, waiting: list[tuple[str, ToolCall]]) -> list[Message]:
    """A result each for all waiting calls, where one message holds them together; empty when it does not."""
    if len(waiting) < 2 or result.tool_call_id or result.name:
        return []
    found = _joined_results(result.content)
    if len(found) != len(waiting):
        return []
    calls, names = [call for _, call in waiting], [name for name, _ in found]
    by_name = sorted(names) == sorted(call.name for call in calls)
    if not by_name and any(names):
        return []
    said = f"one message holds the results of {len(calls)} calls; divided by {'name' if by_name else 'order'}"
    row.repaired("TC512", f"messages[{index}]", said, result.content, [call.name for call in calls])
    answers: list[Message] = []
    for call in calls:
        place = next(i for i, (name, _) in enumerate(found) if name == call.name) if by_name else 0
        answers.append(Message("tool", found.pop(place)[1], "", (), call.id, call.name))
    return answers


def _joined_results(text: str) -> list[tuple[str, str]]:
    """Name (or nothing) and text of each of the results in one text: a JSON list, or texts between tags."""
    if "<tool_response>" in text:
        return [("", piece.strip()) for piece in _BETWEEN.split(text)]
    value = parse_text(text)[0] if text.lstrip().startswith("[") else None
    if not isinstance(value, list):
        return []
    names = [item.get("name") if isinstance(item, dict) else None for item in value]
    return [
        (name if isinstance(name, str) else "", item if isinstance(item, str) else json_text(item))
        for name, item in zip(names, value, strict=True)
    ]


class _Ids:
    """Hands out call ids that no other call of the row has."""

    def __init__(self, given: set[str]) -> None:
        self.given, self.used, self.made = given, set[str](), 0

    def own(self, row: Row, index: int, call: ToolCall) -> ToolCall:
        """The call with an id of its own."""
        if call.id and call.id not in self.used:
            self.used.add(call.id)
            return call
        while (new := made_id(self.made)) in self.given:
            self.made += 1
        self.made += 1
        if call.id:
            said = f'call id "{snippet(call.id)}" used twice; rewritten'
            row.repaired("TC510", f"messages[{index}].tool_calls", said, call.id, new)
        return ToolCall(call.name, call.arguments, new)


def _answered(
    row: Row, index: int, result: Message, waiting: list[tuple[str, ToolCall]]
) -> tuple[str, ToolCall] | None:
    """The waiting call that a result answers; None when the result is left out."""
    path = f"messages[{index}]"
    if not waiting:
        row.mend("TC511", path, "tool result with no call", "the result is removed", result.content)
        return None
    if not (result.tool_call_id or result.name):
        return waiting[0]
    by_id = next((item for item in waiting if result.tool_call_id and item[0] == result.tool_call_id), None)
    by_name = [item for item in waiting if item[1].name == result.name]
    found = by_id or (by_name[0] if by_name else waiting[0])
    if result.tool_call_id and by_id is None:
        if len(by_name) == 1 or len(waiting) == 1:
            said = f"result matched to call {found[1].name} by {'name' if by_name else 'order'}"
            row.repaired("TC512", path, said, result.tool_call_id, found[1].id)
        else:
            said = f'result for "{snippet(result.tool_call_id)}", which no waiting call has as its id'
            row.mend("TC512", path, said, f"matched to call {found[1].name} by order")
    if result.name and result.name != found[1].name:
        row.repaired("TC514", path, "tool name taken from the call", result.name, found[1].name)
    return found


def no_null_filled_arguments(row: Row, conversation: Conversation) -> Conversation:
    """TC521: nulls under keys that the called tool does not have were put there by a table format."""
    if not any(None in call.arguments.values() for message in conversation.messages for call in message.tool_calls):
        return conversation
    known = _properties(conversation)
    removed = 0
    messages = []
    for message in conversation.messages:
        calls = []
        for call in message.tool_calls:
            mine = known.get(call.name)
            kept = call.arguments
            if mine is not None and None in kept.values():
                kept = {key: value for key, value in kept.items() if value is not None or key in mine}
            removed += len(call.arguments) - len(kept)
            calls.append(call if len(kept) == len(call.arguments) else replace(call, arguments=kept))
        messages.append(replace(message, tool_calls=tuple(calls)) if calls else message)
    if not removed:
        return conversation
    row.repaired(
        "TC521", "messages", f"arguments look null-filled by a table format; {counted(removed, 'null')} removed"
    )
    return replace(conversation, messages=tuple(messages))


def _properties(conversation: Conversation) -> dict[str, JsonObject]:
    functions = [tool["function"] for tool in conversation.tools]
    return {function["name"]: function["parameters"].get("properties") or {} for function in functions}


def calls_are_described(row: Row, conversation: Conversation) -> Conversation:
    """TC507, TL410: calls name a tool that the row describes."""
    known = [tool["function"]["name"] for tool in conversation.tools]
    unknown: Counter[str] = Counter()
    for index, message in enumerate(conversation.messages):
        for number, call in enumerate(message.tool_calls):
            if call.name in known:
                continue
            unknown[call.name] += 1
            if unknown[call.name] > 1:
                continue
            path = f"messages[{index}].tool_calls[{number}]"
            if not known:
                row.kept("TL410", path, f"calls {call.name} but no tool is described")
            else:
                near = difflib.get_close_matches(call.name, known, n=1)
                hint = f'; did you mean "{near[0]}"?' if near else ""
                row.kept("TC507", path, f'unknown tool "{call.name}"{hint}')
    return conversation


def arguments_fit_the_schema(row: Row, conversation: Conversation) -> Conversation:
    """TC508: arguments are those that the tool's parameters allow."""
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in conversation.tools}
    for index, message in enumerate(conversation.messages):
        for number, call in enumerate(message.tool_calls):
            schema = schemas.get(call.name)
            if schema is None:
                continue
            for where, problem in problems(call.arguments, schema):
                path = f"messages[{index}].tool_calls[{number}].arguments{where}"
                row.kept("TC508", path, f"{call.name}: {problem}")
    return conversation
