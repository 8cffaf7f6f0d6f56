"""The template card: what a template expresses, swallows or refuses, found by rendering small conversations with it.

Nothing here knows a model's name. A sentinel either appears in the text (`yes`), does not (`swallowed`), or the
template raises (`refused`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from core.conversation import Conversation, JsonObject, Message, RowRefusedError
from core.template.losses import lost_in_calls
from core.template.parts import Span
from core.template.sandbox import Template, TemplateRefusedError
from core.template.spans import Rendered, render
from core.template.style import (
    AGAIN,
    ANSWER,
    QUESTION,
    RESULT,
    TOOL,
    VALUE,
    Style,
    sentinel_call,
    sentinel_tool,
    style_of,
    try_render,
)

Fate = Literal["yes", "swallowed", "refused"]
_SYSTEM, _THOUGHT, _BESIDE, _SECOND = "sentinelsystem", "sentinelthought", "sentinelbeside", "sentinelsecond"


@dataclass(frozen=True, slots=True)
class TemplateCard:
    """What a template does with each part of a conversation.

    `ends_with_call`: a conversation may end with a call that has no result. `arguments`: how calls take them.
    `calls_lost`: what of calls cannot be read back as it was.
    `call_ids`: which ids it accepts. `alternates`: user and assistant must take turns. `stops`: turns end with a stop
    token. `history`: `stable` when an earlier turn is shown as it was written. `example` has its trained text in ⟦ ⟧.
    """

    name: str
    system: Fate
    developer: Fate
    tools: Fate
    calls: Fate
    parallel_calls: Fate
    text_beside_calls: Fate
    results: Fate
    ends_with_call: Fate
    reasoning: Fate
    reasoning_in_history: Fate
    content_parts: Fate
    arguments: Literal["object", "text", "none"]
    calls_lost: tuple[str, ...]
    call_ids: Literal["any", "nine characters"]
    alternates: bool
    stop_tokens: tuple[str, ...]
    stops: bool
    history: Literal["stable", "changes"]
    generation_prompt: str
    example: str
    example_spans: tuple[Span, ...]

    def to_json(self) -> JsonObject:
        """The card for programs."""
        return asdict(self)

    @property
    def speaks_tools(self) -> bool:
        """Whether tools, calls and results all reach the text."""
        return self.tools == self.calls == self.results == "yes"


def card(template: Template) -> TemplateCard:
    """The card of a template. Raises `UserError` when it is not valid Jinja."""
    style = style_of(template)
    question, answer = Message("user", QUESTION), Message("assistant", ANSWER)
    again = Message("user", AGAIN)
    call = Message("assistant", tool_calls=(sentinel_call(),))
    result = Message("tool", RESULT, tool_call_id="abcdefghi", name=TOOL)
    tools = [sentinel_tool()]

    def fate(needles: str | tuple[str, ...], *messages: Message, given: Any = (), style: Style = style) -> Fate:
        return _fate(try_render(template, style, messages, given), needles)

    thought = _thought()
    beside = replace(call, content=_BESIDE)
    arguments = fate((TOOL, VALUE), question, call, given=tools)
    if arguments != "yes":
        arguments = fate((TOOL, VALUE), question, call, result, answer, given=tools)
    sample = example(template)
    return TemplateCard(
        name=template.name,
        system=fate(_SYSTEM, Message("system", _SYSTEM), question, answer),
        developer=_developer(template, style),
        tools=fate((TOOL, "sentineldescription"), question, answer, given=tools),
        calls=arguments,
        parallel_calls=_parallel(template, style) if arguments == "yes" else arguments,
        text_beside_calls=fate(_BESIDE, question, beside, result, answer, given=tools),
        results=fate(RESULT, question, call, result, answer, given=tools),
        ends_with_call=fate((TOOL, VALUE), question, call, given=tools),
        reasoning=_reasoning(template, style),
        reasoning_in_history=fate(_THOUGHT, question, thought, again, answer),
        content_parts=_parts(template, style),
        arguments="none" if arguments != "yes" else "text" if style.json_arguments else "object",
        calls_lost=lost_in_calls(template) if arguments == "yes" else (),
        call_ids="nine characters" if style.nine_ids else "any",
        alternates=fate(QUESTION, question, again, answer) == "refused",
        stop_tokens=template.stop,
        stops=any(span.kind == "stop" for span in sample.spans),
        history=_history(template),
        generation_prompt=_generation_prompt(template, style),
        example=sample.marked(),
        example_spans=sample.spans,
    )


def leaves_out(template: Template) -> frozenset[str]:
    """Which of `system`, `tools` and `results` the template swallows without a word; tried out once per template."""
    return _left_out(template.source, tuple(sorted(template.special_tokens.items())))


@lru_cache(maxsize=64)
def _left_out(source: str, special_tokens: tuple[tuple[str, str], ...]) -> frozenset[str]:
    template = Template(source, dict(special_tokens))
    question, answer = Message("user", QUESTION), Message("assistant", ANSWER)
    call = Message("assistant", tool_calls=(sentinel_call(),))
    result = Message("tool", RESULT, tool_call_id="abcdefghi", name=TOOL)
    tools = [sentinel_tool()]
    trials: dict[str, tuple[str | tuple[str, ...], tuple[Message, ...], Any]] = {
        "system": (_SYSTEM, (Message("system", _SYSTEM), question, answer), ()),
        "tools": ((TOOL, "sentineldescription"), (question, answer), tools),
        "results": (RESULT, (question, call, result, answer), tools),
    }
    style = style_of(template)
    return frozenset(
        part
        for part, (needles, messages, given) in trials.items()
        if _fate(try_render(template, style, messages, given), needles) == "swallowed"
    )


def _fate(text: str | None, needles: str | tuple[str, ...]) -> Fate:
    if text is None:
        return "refused"
    wanted = (needles,) if isinstance(needles, str) else needles
    return "yes" if all(needle in text for needle in wanted) else "swallowed"


def _thought() -> Message:
    return Message("assistant", ANSWER, _THOUGHT)


def _reasoning(template: Template, style: Style) -> Fate:
    """Of an answer's reasoning: some prompts open it, and only then it is written."""
    talk = (Message("user", QUESTION), _thought())
    try:
        written = any(_THOUGHT in sample.text for sample in render(Conversation(talk), template))
    except RowRefusedError:
        written = False
    return "yes" if written else _fate(try_render(template, style, talk), _THOUGHT)


def _developer(template: Template, style: Style) -> Fate:
    messages: list[JsonObject] = [{"role": "developer", "content": _SYSTEM}, {"role": "user", "content": QUESTION}]
    if style.parts:
        messages = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in messages]
    try:
        return _fate(template.render(messages), _SYSTEM)
    except TemplateRefusedError:
        return "refused"


def _parts(template: Template, style: Style) -> Fate:
    text = try_render(template, replace(style, parts=True), [Message("user", QUESTION), Message("assistant", ANSWER)])
    if text is not None and ("'type'" in text or '"type"' in text):
        return "swallowed"
    return _fate(text, (QUESTION, ANSWER))


def _parallel(template: Template, style: Style) -> Fate:
    calls = (sentinel_call(), sentinel_call(_SECOND, "bcdefghij"))
    both = Message("assistant", tool_calls=calls)
    results = [Message("tool", RESULT, tool_call_id=c.id, name=TOOL) for c in calls]
    messages = [Message("user", QUESTION), both, *results, Message("assistant", ANSWER)]
    return _fate(try_render(template, style, messages, [sentinel_tool()]), (VALUE, _SECOND))


def _history(template: Template) -> Literal["stable", "changes"]:
    """Whether a conversation of each kind is one sample."""
    question, again = Message("user", QUESTION), Message("user", AGAIN)
    call = Message("assistant", tool_calls=(sentinel_call(),))
    result = Message("tool", RESULT, tool_call_id="abcdefghi", name=TOOL)
    answer, thought = Message("assistant", ANSWER), _thought()
    for messages in (
        (question, answer, again, answer),
        (question, thought, again, thought),
        (question, call, result, answer, again, answer),
    ):
        try:
            if len(render(Conversation(messages, (sentinel_tool(),)), template)) > 1:
                return "changes"
        except RowRefusedError:
            continue
    return "stable"


def _generation_prompt(template: Template, style: Style) -> str:
    before = try_render(template, style, [Message("user", QUESTION)]) or ""
    asked = try_render(template, style, [Message("user", QUESTION)], ask=True) or ""
    return asked[len(before) :] if asked.startswith(before) else asked.partition(QUESTION)[2]


def example(template: Template) -> Rendered:
    """The richest small conversation that the template takes."""
    system = Message("system", "You help.")
    question, answer = Message("user", "What is the weather in Rome?"), Message("assistant", "It is sunny.")
    call = Message("assistant", tool_calls=(replace(sentinel_call("Rome"), name="get_weather"),))
    call = replace(call, tool_calls=(replace(call.tool_calls[0], arguments={"city": "Rome"}),))
    result = Message("tool", '{"sky": "sunny"}', tool_call_id="abcdefghi", name="get_weather")
    tool = sentinel_tool()
    function = {**tool["function"], "name": "get_weather", "description": "The weather now."}
    city = {"type": "string", "description": "where"}
    function["parameters"] = {"type": "object", "properties": {"city": city}, "required": ["city"]}
    tools = ({"type": "function", "function": function},)
    for messages, given in (
        ((system, question, call, result, answer), tools),
        ((question, call, result, answer), tools),
        ((system, question, answer), ()),
        ((question, answer), ()),
    ):
        try:
            return render(Conversation(messages, given), template)[-1]
        except RowRefusedError:
            continue
    return Rendered("", ())


def lines_of(of: TemplateCard) -> list[str]:
    """The card for people, one fact a line."""
    said: dict[Fate, str] = {"yes": "yes", "swallowed": "NO, swallowed without a word", "refused": "NO, refused"}
    facts: list[tuple[str, str]] = [
        ("system prompt", said[of.system]),
        ("developer role", said[of.developer]),
        ("tools", said[of.tools]),
        ("calls", said[of.calls]),
        ("several calls at once", said[of.parallel_calls]),
        ("text beside a call", said[of.text_beside_calls]),
        ("results", said[of.results]),
        ("may end with a call", said[of.ends_with_call]),
        ("reasoning", said[of.reasoning]),
        ("reasoning in history", said[of.reasoning_in_history]),
        ("content in parts", said[of.content_parts]),
        ("arguments", of.arguments),
        ("lost in calls", ", ".join(of.calls_lost) or ("nothing" if of.arguments != "none" else "all")),
        ("call ids", of.call_ids),
        ("strict alternation", "yes" if of.alternates else "no"),
        ("stop tokens", " ".join(of.stop_tokens) if of.stop_tokens else "NONE"),
        ("turns end with one", "yes" if of.stops else "NO: the model would not learn to stop"),
        ("earlier turns", "stay as written" if of.history == "stable" else "change: one sample per shown history"),
        ("generation prompt", repr(of.generation_prompt)),
    ]
    return [of.name, *(f"  {label:<22} {value}" for label, value in facts), "", of.example]
