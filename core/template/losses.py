"""What of calls a template loses: sentinel calls are rendered, read back and compared.

Some templates write texts without quotes, leave nulls out, or write words beside a call where reasoning stands: the
model learns to write it so, and nobody can read it back as it was meant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from core.conversation import Conversation, Finding, JsonObject, Message, RowRefusedError, ToolCall
from core.template.reader import Answer, read_answer
from core.template.sandbox import Template
from core.template.spans import Rendered, render
from core.template.style import ANSWER, QUESTION, RESULT, TOOL

_ARGUMENTS: dict[str, JsonObject] = {
    "no arguments": {},
    "quotation marks": {"a": 'say "hi"', "b": "it's", "c": "back\\slash"},
    "line breaks": {"a": "one\ntwo", "b": "one\u2028two"},
    "punctuation": {"a": "x=1, y=2)", "b": "z]", "c": "<b>&amp;</b>"},
    "white space": {"a": "  two  ", "b": ""},
    "numbers": {"a": 0, "b": -7, "c": 1.5},
    "true and false": {"a": True, "b": False},
    "null": {"a": None, "b": "x"},
    "lists and objects": {"a": {"k": "v", "n": {"deep": [True, {"x": 1}]}}, "b": [1, "a"]},
    "empty lists and objects": {"a": {}, "b": []},
    "texts that look like another argument": {"a": "x, b=y", "b": "z"},
    "texts that look like other values": {"a": "true", "b": "12", "c": "null"},
}
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_OR_NULL = ["string", "null"]


def lost_in_calls(template: Template) -> tuple[str, ...]:
    """What of calls is not read back as it was, in words; tried out once per template."""
    special, variables = tuple(sorted(template.special_tokens.items())), tuple(sorted(template.variables.items()))
    return _lost(template.source, special, variables, template.stop, template.control_tokens, template.name)


@lru_cache(maxsize=64)
def _lost(source: str, special: Any, variables: Any, stop: Any, control: Any, name: str) -> tuple[str, ...]:
    template = Template(source, dict(special), stop, control, name, dict(variables))
    turns = {what: _calling(given) for what, given in _ARGUMENTS.items()}
    turns["several calls"] = _calling({"a": "x"}, {"a": "y"})
    turns["words beside a call"] = _calling({"a": "x"}, words=ANSWER)
    return tuple(what for what, turn in turns.items() if _is_lost(turn, template))


def lost_calls(conversation: Conversation, samples: Sequence[Rendered], template: Template) -> list[Finding]:
    """A finding for each trained turn whose calls do not read back; looked for only where some are lost."""
    turns = [index for index, message in enumerate(conversation.messages) if message.tool_calls]
    if not turns or not lost_in_calls(template):
        return []
    findings = []
    for index in turns:
        answer = _read_back(index, samples, template, conversation.tools)
        if answer is not None and not _same(answer.message, conversation.messages[index], samples):
            reason = "this template loses something of these calls: " + ", ".join(lost_in_calls(template))
            where = (conversation.file, conversation.line, f"messages[{index}]")
            findings.append(Finding("TC523", "kept", reason, *where))
    return findings


def _calling(*given: JsonObject, words: str = "") -> Conversation:
    values = {key: value for one in given for key, value in one.items()}
    # Some templates want a description of every parameter.
    types = {key: {"type": _TYPES.get(type(value), _OR_NULL), "description": key} for key, value in values.items()}
    parameters = {"type": "object", "properties": types, "required": list(types)}
    tool = {"type": "function", "function": {"name": TOOL, "description": "a tool", "parameters": parameters}}
    calls = tuple(ToolCall(TOOL, arguments, f"abcdefgh{number}") for number, arguments in enumerate(given))
    results = tuple(Message("tool", RESULT, tool_call_id=call.id, name=TOOL) for call in calls)
    messages = (Message("user", QUESTION), Message("assistant", words, tool_calls=calls), *results)
    return Conversation((*messages, Message("assistant", ANSWER)), (tool,))


def _is_lost(conversation: Conversation, template: Template) -> bool:
    """Whether the calls of message 1 read back differently; what the template refuses or swallows is said elsewhere."""
    try:
        samples = render(conversation, template)
    except RowRefusedError:
        return False
    answer = _read_back(1, samples, template, conversation.tools)
    return answer is not None and not _same(answer.message, conversation.messages[1], samples)


def _read_back(
    index: int, samples: Sequence[Rendered], template: Template, tools: Sequence[JsonObject]
) -> Answer | None:
    for sample in samples:
        spans = [span for span in sample.spans if span.message == index]
        if spans:
            return read_answer(sample.text[spans[0].start : spans[-1].end], template, tools)
    return None


def _same(read: Message, meant: Message, samples: Sequence[Rendered]) -> bool:
    swallowed = any(note.code == "TC517" for sample in samples for note in sample.notes)
    calls = [[(call.name, _written(call.arguments)) for call in message.tool_calls] for message in (read, meant)]
    return calls[0] == calls[1] and (swallowed or read.content.strip() == meant.content.strip())


def _written(arguments: JsonObject) -> str:
    return json.dumps(arguments, sort_keys=True)
