"""A conversation rendered up to any of its messages, without writing any message twice.

Spans need the text before and after every turn. Each loop of the template that prints hands its iterations to a
recorder, which keeps what an iteration wrote together with all that it looked at: its place in the loop, neighbours,
namespaces, outer names. Where all of that is the same in another rendering, the text is taken as it was; else the
iteration runs. A template is replayed only if it gives the plain text, byte for byte, for every part of some probes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from core.conversation import JsonObject, Message
from core.errors import UserError
from core.template.marked import Marked, marked
from core.template.record import Compiled, Recorder, compiled_driven
from core.template.sandbox import Template, TemplateRefusedError
from core.template.steps import Steps, with_closings
from core.template.style import (
    AGAIN,
    ANSWER,
    QUESTION,
    RESULT,
    Style,
    sentinel_call,
    sentinel_tool,
    style_of,
    written_in,
)

# Up to so many messages plain rendering costs less than noting what is looked at.
_SHORT = 24
# … and up to so many, less than one rendering in steps that has to be compared with it.
_SHORTEST = 3
# … or so many, where each part begins or ends in another way.
_SHORT_ANEW = 8


class Replay:
    """The renderings of one conversation; for one thread."""

    def __init__(self, template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> None:
        self._template, self._messages, self._tools = template, messages, tools
        marked = stepped_template(template)
        if marked and len(messages) <= _SHORTEST and not marked.faithful:
            marked = None
        if marked and (marked.cut.opens or marked.cut.ends) and len(messages) <= _SHORT_ANEW:
            marked = None
        self._steps = Steps(marked, template, messages, tools) if marked else None
        compiled = driven_template(template) if len(messages) > _SHORT and not marked else None
        self._recorder = Recorder(compiled) if compiled else None

    @property
    def plain(self) -> bool:
        """Whether everything is rendered plainly."""
        return self._recorder is None and self._steps is None

    def whole(self) -> str:
        """All messages, as the template plainly renders them. Raises `TemplateRefusedError`."""
        known = self._steps.whole() if self._steps else None
        return self._template.render(self._messages, self._tools) if known is None else known

    def text(self, count: int, *, ask: bool = False, **variables: Any) -> str:
        """The first `count` messages; with `ask`, and the generation prompt. Raises `TemplateRefusedError`."""
        stepped = self._steps.text(count, ask=ask, **variables) if self._steps else None
        if stepped is not None:
            return stepped
        if self._recorder is None:
            part = self._messages[:count]
            return self._template.render(part, self._tools, add_generation_prompt=ask, **variables)
        return "".join(self._recorder.pieces(self._template, self._messages[:count], self._tools, ask, variables))

    def distrust(self) -> None:
        """Render plainly from now on."""
        self._recorder = self._steps = None


def driven_template(template: Template) -> Compiled | None:
    """The template with its loops driven; None where it cannot be trusted. Tried out once per template."""
    return _trusted(*_key(template))[0]


def stepped_template(template: Template) -> Marked | None:
    """The template's forms for steps; None where they cannot be had or trusted. Tried out once per template."""
    return _trusted(*_key(template))[1]


def _key(template: Template) -> tuple[str, Any, Any]:
    special, variables = sorted(template.special_tokens.items()), sorted(template.variables.items())
    return template.source, tuple(special), tuple(variables)


@lru_cache(maxsize=64)
def _trusted(source: str, special_tokens: Any, variables: Any) -> tuple[Compiled | None, Marked | None]:
    """The template's forms, each None where it differs from the plain one in any part of the probes."""
    template = Template(source, dict(special_tokens), variables=dict(variables))
    try:
        compiled: Compiled | None = compiled_driven(source)
        stepped = marked(source)
    except UserError:
        return None, None
    for messages, tools in _probes(style_of(template)):
        recorder = Recorder(compiled) if compiled else None
        steps = Steps(stepped, template, messages, tools) if stepped else None
        for count, ask in product(range(1, len(messages) + 1), (True, False)):
            plain = _outcome(None, template, messages[:count], tools, ask)
            if recorder and _outcome(recorder, template, messages[:count], tools, ask) != plain:
                compiled = recorder = None
            if steps and _stepped(steps, count, ask) not in (None, plain):
                stepped = steps = None
    return compiled, stepped and with_closings(stepped, template)


def _probes(style: Style) -> Iterator[tuple[list[JsonObject], list[JsonObject]]]:
    """Small conversations and their tools."""
    thought, call = Message("assistant", ANSWER, "hm"), Message("assistant", tool_calls=(sentinel_call(),))
    result = Message("tool", RESULT, tool_call_id="abcdefghi", name=sentinel_call().name)
    talk = [Message("user", QUESTION), thought, Message("user", AGAIN), call, result, thought]
    for head, tools, body in product(
        ([], [Message("system", "s")]), ([], [sentinel_tool()]), ([*talk, *talk[:2]], [*talk[:3], *talk[1:3], thought])
    ):
        yield written_in(style, [*head, *body]), tools


def _stepped(steps: Steps, count: int, ask: bool) -> str | None:
    try:
        return steps.text(count, ask=ask)
    except TemplateRefusedError:
        return None


def _outcome(
    recorder: Recorder | None, template: Template, messages: list[JsonObject], tools: list[JsonObject], ask: bool
) -> str | None:
    """The text, driven or plain; None when the template refuses."""
    try:
        if recorder is None:
            return template.render(messages, tools, add_generation_prompt=ask)
        return "".join(recorder.pieces(template, messages, tools, ask, {}))
    except TemplateRefusedError:
        return None
