"""How a template writes an answer, derived by inversion: sentinels are rendered, and what surrounds them is the syntax.

Covered are JSON in tags, JSON lists, a name with JSON apart from it, XML parameters, and calls as literals (Python's
way, or with a template's own quotes); reasoning in tags, in channels, or opened by the generation prompt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from core.conversation import Conversation, Message, RowRefusedError, ToolCall
from core.template.sandbox import Template
from core.template.spans import prompt, render
from core.template.style import ANSWER, KEY, QUESTION, TOOL, VALUE, sentinel_tool
from core.template.values import decode_json

_THOUGHT, _SECOND, _LAST_KEY = "sentinelthought", "sentinelsecond", "sentinel_last"
_NASTY = "q\"w\\e'r"


@dataclass(frozen=True, slots=True)
class CallSyntax:
    """How one call is written, and what stands around it.

    A turn's calls are `before`, then calls, each between `open` and `close`, with `separator` where those are empty,
    then `after`. `lead` stands before the call's name where that is also written ahead of the call (`to=name`).
    """

    kind: Literal["json", "apart", "xml", "literal"]
    before: str = ""
    open: str = ""
    close: str = ""
    after: str = ""
    separator: str = ""
    lead: str = ""
    name_path: tuple[str, ...] = ()
    arguments_path: tuple[str, ...] = ()
    behind_name: str = ""
    key_open: str = ""
    assign: str = ""
    value_close: str = ""
    end: str = ""
    quote: str = ""
    raw_texts: bool = False

    @property
    def marker(self) -> str:
        """What opens a call; empty where nothing does and the call is the whole answer."""
        return self.open or self.before


@dataclass(frozen=True, slots=True)
class AnswerSyntax:
    """How an answer is written: reasoning (`thinks_at_once`: the prompt has opened it), then words, then calls."""

    reasoning_open: str = ""
    reasoning_close: str = ""
    thinks_at_once: bool = False
    answer_open: str = ""
    answer_close: str = ""
    call: CallSyntax | None = None


def answer_syntax(template: Template) -> AnswerSyntax:
    """How this template writes answers; derived once per template."""
    special, variables = tuple(sorted(template.special_tokens.items())), tuple(sorted(template.variables.items()))
    return _answer_syntax(template.source, special, variables, template.stop, template.control_tokens, template.name)


@lru_cache(maxsize=64)
def _answer_syntax(source: str, special: Any, variables: Any, stop: Any, control: Any, name: str) -> AnswerSyntax:
    template = Template(source, dict(special), stop, control, name, dict(variables))
    question = Message("user", QUESTION)
    plain = _turn(template, question, Message("assistant", ANSWER)) or ANSWER
    opened, _, closed = plain.partition(ANSWER)
    syntax = AnswerSyntax(answer_open=opened, answer_close=closed.strip())
    thought = _turn(template, question, Message("assistant", ANSWER, _THOUGHT)) or ""
    if _THOUGHT in thought:
        start, _, rest = thought.partition(_THOUGHT)
        close = rest.partition(ANSWER)[0]
        if start.strip() in opened and close.strip() in opened:
            # An answer without reasoning has an empty one.
            opened = ""
        elif close.endswith(opened):
            close = close[: len(close) - len(opened)]
        syntax = replace(syntax, reasoning_open=start.strip(), reasoning_close=close.strip(), answer_open=opened)
    else:
        syntax = _reasoning_before_calls(template, syntax)
    syntax = replace(syntax, thinks_at_once=_prompt_opens(template, syntax))
    return replace(syntax, answer_open=syntax.answer_open.strip(), call=_call_syntax(template, syntax))


def split_reasoning(text: str, syntax: AnswerSyntax) -> tuple[str | None, str]:
    """(reasoning, the rest); the reasoning is None where there is none, the rest None-safe where it never closes."""
    body = text.lstrip()
    opened = bool(syntax.reasoning_open) and body.startswith(syntax.reasoning_open)
    if not syntax.reasoning_close or not (opened or syntax.thinks_at_once):
        return None, text
    inner = body[len(syntax.reasoning_open) :] if opened else text
    before, close, rest = inner.partition(syntax.reasoning_close)
    if not close:
        return None, text
    return before, rest


def _reasoning_before_calls(template: Template, syntax: AnswerSyntax) -> AnswerSyntax:
    """Some templates write reasoning only where calls follow."""
    question = Message("user", QUESTION)
    call = Message("assistant", tool_calls=(ToolCall(TOOL, {KEY: VALUE}, "abcdefghi"),))
    plain = _turn(template, question, call) or ""
    start, thought, rest = (_turn(template, question, replace(call, reasoning=_THOUGHT)) or "").partition(_THOUGHT)
    if not thought or not plain or not rest.endswith(plain):
        return syntax
    return replace(syntax, reasoning_open=start.strip(), reasoning_close=rest[: len(rest) - len(plain)].strip())


def _prompt_opens(template: Template, syntax: AnswerSyntax) -> bool:
    """Whether the generation prompt itself opens the reasoning, and leaves it open."""
    if not syntax.reasoning_close:
        return False
    if not syntax.reasoning_open:
        return True
    try:
        asked = prompt(Conversation((Message("user", QUESTION),)), template).text.rpartition(QUESTION)[2]
    except RowRefusedError:
        return False
    return asked.rfind(syntax.reasoning_open) > asked.rfind(syntax.reasoning_close)


def _turn(template: Template, *messages: Message) -> str | None:
    """What the model writes as the last message, without its stop token; None when the template refuses."""
    tools = (sentinel_tool(),) if any(message.tool_calls for message in messages) else ()
    conversation = Conversation(messages, tools)
    try:
        sample = max(render(conversation, template, "last_turn"), key=lambda sample: sample.spans[-1].message)
    except RowRefusedError:
        return None
    spans = [span for span in sample.spans if span.kind != "stop"]
    return sample.text[spans[0].start : spans[-1].end] if spans else ""


def _call_syntax(template: Template, syntax: AnswerSyntax) -> CallSyntax | None:
    def calls(*given: dict[str, Any]) -> str:
        made = tuple(ToolCall(TOOL, arguments, f"abcdefgh{i}") for i, arguments in enumerate(given))
        text = _turn(template, Message("user", QUESTION), Message("assistant", tool_calls=made)) or ""
        return split_reasoning(text, syntax)[1]

    one, two = calls({KEY: VALUE}), calls({KEY: VALUE}, {KEY: _SECOND})
    if TOOL not in one:
        return None
    for derive in (_json, _apart, _written_out):
        found = derive(one, two, calls)
        if found is not None:
            return found
    return None


_Calls = Callable[..., str]


def _json(one: str, two: str, calls: _Calls) -> CallSyntax | None:
    found = _first_json(one, TOOL)
    if found is None:
        return None
    start, end, value = found
    inner = value[0] if isinstance(value, list) and value else value
    name_path = _path_to(inner, lambda item: item == TOOL)
    arguments_path = _path_to(inner, lambda item: isinstance(item, dict) and item.get(KEY) == VALUE)
    if name_path is None or arguments_path is None:
        return None
    first, second = _first_json(two, VALUE), _first_json(two, _SECOND)
    between = two[first[1] : second[0]] if first and second and first[0] != second[0] else None
    around = _around(one[:start], between, one[end:])
    return replace(around, kind="json", name_path=name_path, arguments_path=arguments_path)


def _apart(one: str, two: str, calls: _Calls) -> CallSyntax | None:
    def unit(text: str, value: str) -> tuple[int, int, int] | None:
        """Where the name begins, and where the arguments begin and end."""
        found = _first_json(text, value)
        if found is None or not isinstance(found[2], dict) or found[2].get(KEY) != value:
            return None
        name = text.rfind(TOOL, 0, found[0])
        return (name, found[0], found[1]) if name >= 0 else None

    found = unit(one, VALUE)
    if found is None:
        return None
    name, start, end = found
    first, second = unit(two, VALUE), unit(two, _SECOND)
    between = two[first[2] : second[0]] if first and second else None
    around = _around(one[:name], between, one[end:])
    return replace(around, kind="apart", behind_name=one[name + len(TOOL) : start])


def _written_out(one: str, two: str, calls: _Calls) -> CallSyntax | None:
    """XML parameters, or a literal: told apart by what stands between two arguments."""
    pair = calls({KEY: VALUE, _LAST_KEY: _SECOND})
    places = [pair.find(word) for word in (KEY, VALUE, _LAST_KEY, _SECOND)]
    if sorted(places) != places or places[0] < 0:
        return None
    name = pair.rfind(TOOL, 0, places[0])
    behind_name = pair[name + len(TOOL) : places[0]]
    assign = pair[places[0] + len(KEY) : places[1]]
    middle = pair[places[1] + len(VALUE) : places[2]]
    tail = pair[places[3] + len(_SECOND) :]
    shared = _shared_end(behind_name, middle)
    value_close = middle[: len(middle) - len(shared)]
    if shared.strip() and value_close.strip() and tail.startswith(value_close.rstrip()):
        parts = CallSyntax(
            "xml", behind_name=behind_name[: len(behind_name) - len(shared)], key_open=shared.strip(), assign=assign
        )
        parts = replace(parts, value_close=value_close.strip())
    else:
        mark = assign.strip()[:1]
        quote = assign.strip()[1:].strip()
        end = tail[len(quote) :].lstrip()[:1] if tail.startswith(quote) else ""
        if behind_name.strip() not in ("(", "{") or end not in (")", "}") or mark not in "=:":
            return None
        raw = _NASTY in calls({KEY: _NASTY}) and quote in ("'", '"')
        parts = CallSyntax("literal", behind_name=behind_name.strip(), assign=mark, end=end, raw_texts=raw)
        parts = replace(parts, quote="" if quote in ("'", '"', "") else quote, value_close=quote + end)

    def unit_end(text: str, value: str) -> int:
        return text.find(parts.value_close, text.find(value)) + len(parts.value_close)

    between = None
    if VALUE in two and _SECOND in two:
        between = two[unit_end(two, VALUE) : two.rfind(TOOL, 0, two.find(_SECOND))]
    around = _around(one[: one.rfind(TOOL, 0, one.find(KEY))], between, one[unit_end(one, VALUE) :])
    return replace(
        parts,
        before=around.before,
        open=around.open,
        close=around.close,
        after=around.after,
        separator=around.separator,
        lead=around.lead,
    )


def _around(before: str, between: str | None, after: str) -> CallSyntax:
    """What stands around calls, from the texts before one, between two and after one."""
    lead = ""
    if TOOL in before:
        lead, _, before = before.rpartition(TOOL)
    before, after = before.strip(), after.strip()
    if between is None:
        return CallSyntax("json", open=before, close=after, lead=lead.strip())
    middle = between.rpartition(TOOL)[2] if TOOL in between else between
    if TOOL in between:
        # The name is also written ahead of the call: what stands before it is the turn's own business.
        between = between.strip().removeprefix(after).removesuffix(before).strip()
        return CallSyntax("json", open=before, close=after, lead=lead.strip(), separator=between)
    middle = middle.strip()
    for cut in range(len(middle), -1, -1):
        close, opened = middle[:cut].strip(), middle[cut:].strip()
        if opened and after.startswith(close) and before.endswith(opened):
            return CallSyntax(
                "json",
                before=before[: len(before) - len(opened)].strip(),
                open=opened,
                close=close,
                after=after[len(close) :].strip(),
            )
    return CallSyntax("json", before=before, after=after, separator=middle)


def _first_json(text: str, needle: str) -> tuple[int, int, Any] | None:
    """The first JSON object or list in the text that holds `needle`, as (start, end, value)."""
    for start, character in enumerate(text):
        if character in "{[":
            parsed = decode_json(text, start)
            if parsed is not None and needle in text[start : parsed[1]]:
                return start, parsed[1], parsed[0]
    return None


def _path_to(value: Any, wanted: Callable[[Any], bool]) -> tuple[str, ...] | None:
    if not isinstance(value, dict):
        return None
    for key, item in value.items():
        if wanted(item) or (isinstance(item, str) and (parsed := decode_json(item, 0)) and wanted(parsed[0])):
            return (key,)
        deeper = _path_to(item, wanted)
        if deeper is not None:
            return (key, *deeper)
    return None


def _shared_end(a: str, b: str) -> str:
    length = 0
    while length < min(len(a), len(b)) and a[-length - 1] == b[-length - 1]:
        length += 1
    return a[len(a) - length :]
