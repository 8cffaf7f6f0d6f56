"""How a template wants its messages: arguments as an object or as text, content as text or as parts, null or empty,
and where it looks for reasoning.

Templates agree on the names of the fields and on little else. What a template accepts is tried out once, on a few
small conversations, and the first way in which everything that can appear does appear is the one that is used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from time import thread_time
from typing import Any

from core.conversation import JsonObject, Message, ToolCall, template_messages
from core.errors import UserError
from core.template.sandbox import Template, TemplateLimitError, TemplateRefusedError, compiled

QUESTION, ANSWER, AGAIN = "sentinelquestion", "sentinelanswer", "sentinelagain"
TOOL, KEY, VALUE, RESULT = "sentinel_tool", "sentinel_key", "sentinelvalue", "sentinelresult"
# An honest template takes a hundredth of that; there are hundreds of trials.
_LONGEST_TRIAL = 0.5
_NINE = re.compile(r"[a-zA-Z0-9]{9}")
_THOUGHT = "sentinelthought"
# Where templates look for reasoning beside the two names that transformers gives it.
_REASONING_FIELDS = ("reasoning", "thought", "tool_plan")
_THINKING_PART = "thinking part"


@dataclass(frozen=True, slots=True)
class Style:
    """How messages are written for one template.

    `parts`: content is a list of text parts. `json_arguments`: arguments are JSON text. `null_content`: a message with
    calls and no text has null content. `nine_ids`: call ids are nine letters or digits. `reasoning`: the name of one
    more field with the reasoning, or that it is a part of the content.
    """

    parts: bool = False
    json_arguments: bool = False
    null_content: bool = False
    nine_ids: bool = False
    reasoning: str = ""


def styled_messages(template: Template, messages: Sequence[Message]) -> list[JsonObject]:
    """The messages as this template takes them."""
    return written_in(style_of(template), messages)


def style_of(template: Template) -> Style:
    """The style that this template takes; tried out once per template."""
    return _style(template.source, tuple(sorted(template.special_tokens.items())))


def written_in(style: Style, messages: Sequence[Message]) -> list[JsonObject]:
    """The messages in a style, with the reasoning under both names that templates read, as transformers gives it."""
    written = template_messages(messages)
    for message in written:
        thought = message.get("reasoning_content")
        if thought:
            message["thinking"] = thought
        calls = message.get("tool_calls")
        if calls and style.null_content and not message["content"]:
            message["content"] = None
        elif style.parts:
            message["content"] = [{"type": "text", "text": message["content"]}]
        if thought and style.reasoning:
            _write_reasoning(message, thought, style)
        if style.nine_ids and message.get("tool_call_id"):
            message["tool_call_id"] = _nine(message["tool_call_id"])
        for call in calls or ():
            _write_call(call, style)
    return written


def sentinel_tool() -> JsonObject:
    """A tool whose name and parameter cannot be anything else in a text."""
    parameters = {
        "type": "object",
        "properties": {KEY: {"type": "string", "description": "sentineldescription"}},
        "required": [KEY],
    }
    function = {"name": TOOL, "description": "sentinel purpose", "parameters": parameters}
    return {"type": "function", "function": function}


def sentinel_call(value: Any = VALUE, call_id: str = "abcdefghi") -> ToolCall:
    """A call to that tool."""
    return ToolCall(TOOL, {KEY: value}, call_id)


def try_render(
    template: Template,
    style: Style,
    messages: Sequence[Message],
    tools: Sequence[JsonObject] = (),
    *,
    ask: bool = False,
    **variables: Any,
) -> str | None:
    """The text, or None when the template refuses.

    Raises `UserError` when so little makes it slow or exceed the limits: each of the many trials would take as long.
    """
    compiled(template.source)
    # A collection of garbage may fall into one trial; a template that is slow itself is slow again.
    for _ in range(2):
        begun, text = thread_time(), None
        try:
            text = template.render(written_in(style, messages), tools, add_generation_prompt=ask, **variables)
        except TemplateLimitError as error:
            raise UserError(f"not a usable chat template: {error}") from None
        except TemplateRefusedError:
            pass
        if thread_time() - begun <= _LONGEST_TRIAL:
            return text
    raise UserError(f"not a usable chat template: it takes longer than {_LONGEST_TRIAL:g} s for a few messages")


@lru_cache(maxsize=64)
def _style(source: str, special_tokens: tuple[tuple[str, str], ...]) -> Style:
    template = Template(source, dict(special_tokens))
    best, most = Style(), -1
    for parts, json_arguments, null_content in product((False, True), repeat=3):
        style = Style(parts, json_arguments, null_content)
        score = _score(template, style)
        if score > most:
            best, most = style, score
    best = replace(best, reasoning=_reasoning_field(template, best))
    return replace(best, nine_ids=_wants_nine(template, best))


def _score(template: Template, style: Style) -> int:
    """How much of two small conversations this style brings to the text."""
    question, answer = Message("user", QUESTION), Message("assistant", ANSWER)
    text = try_render(template, style, [question, answer]) or ""
    score = 8 * (QUESTION in text) + 8 * (ANSWER in text)
    call = Message("assistant", tool_calls=(sentinel_call(),))
    result = Message("tool", RESULT, tool_call_id="abcdefghi", name=TOOL)
    text = try_render(template, style, [question, call, result, answer], [sentinel_tool()]) or ""
    turn = text.rpartition(QUESTION)[2]
    python_object = f"{{'{KEY}'" in turn
    double = f'\\"{KEY}' in turn
    text_parts = "'type': 'text'" in text or '"type": "text"' in text
    whole = TOOL in turn and VALUE in turn and not python_object
    return score + 2 * whole + 2 * (RESULT in turn) + (whole and not double) - 16 * text_parts


def _reasoning_field(template: Template, style: Style) -> str:
    """Where the template looks for reasoning, if it does not write it from where it stands anyway.

    Some write it only with thinking switched on, or only where calls follow.
    """
    question, answer = Message("user", QUESTION), Message("assistant", ANSWER, _THOUGHT)
    call = Message("assistant", reasoning=_THOUGHT, tool_calls=(sentinel_call(),))
    result = Message("tool", RESULT, tool_call_id="abcdefghi", name=TOOL)
    talks = ([question, answer], [question, call, result, replace(answer, reasoning="")])

    def writes(field: str) -> bool:
        trial = replace(style, reasoning=field)
        return any(
            _ends_once(try_render(template, trial, talk, [sentinel_tool()], enable_thinking=on, thinking=on) or "")
            for talk in talks
            for on in (False, True)
        )

    named = [field for field in _REASONING_FIELDS if field in template.source]
    parts = [_THINKING_PART] if re.search(r"""["']thinking["']""", template.source) else []
    if (not named and not parts) or writes(""):
        return ""
    return next(filter(writes, (*named, *parts)), "")


def _ends_once(text: str) -> bool:
    """Whether there is reasoning, and what ends the answer does not end the reasoning: a model would stop there."""
    _, thought, then = text.partition(_THOUGHT)
    between = then.partition(ANSWER)[0].partition(TOOL)[0]
    closing = text.rpartition(ANSWER)[2].strip()
    return bool(thought) and not (closing and closing in between)


def _wants_nine(template: Template, style: Style) -> bool:
    def accepts(call_id: str) -> bool:
        call = Message("assistant", tool_calls=(sentinel_call(call_id=call_id),))
        result = Message("tool", RESULT, tool_call_id=call_id, name=TOOL)
        return try_render(template, style, [Message("user", QUESTION), call, result], [sentinel_tool()]) is not None

    return not accepts("call_0123456789") and accepts("abcdefghi")


def _write_reasoning(message: JsonObject, thought: str, style: Style) -> None:
    if style.reasoning != _THINKING_PART:
        message[style.reasoning] = thought
        return
    content = message["content"]
    text = [{"type": "text", "text": content}] if isinstance(content, str) and content else content or []
    message["content"] = [{"type": "thinking", "thinking": thought}, *text]


def _write_call(call: JsonObject, style: Style) -> None:
    function = call["function"]
    if style.json_arguments:
        function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    if style.nine_ids:
        call["id"] = _nine(call["id"])


def _nine(call_id: str) -> str:
    """The id itself if it has the shape, else nine digits and letters that follow from it."""
    return call_id if _NINE.fullmatch(call_id) else hashlib.sha256(call_id.encode()).hexdigest()[:9]
