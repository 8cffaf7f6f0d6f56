"""A conversation rendered up to any of its messages, without writing any message twice.

Spans need the text before and after every turn. Each loop of the template that prints hands its iterations to a
recorder, which keeps what an iteration wrote together with all that it looked at: its place in the loop, neighbours,
namespaces, outer names. Where all of that is the same in another rendering, the text is taken as it was; else the
iteration runs. A template is replayed only if it gives the plain text, byte for byte, for every part of some probes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

from core.conversation import JsonObject, Message
from core.errors import UserError
from core.template.cuts import Cut
from core.template.pure import Names, Place
from core.template.record import Compiled, Loop, Recorder, Written, compiled_driven, same
from core.template.sandbox import Template, TemplateRefusedError
from core.template.steps import Steps
from core.template.style import AGAIN, ANSWER, QUESTION, RESULT, sentinel_call, sentinel_tool, style_of, written_in

# Up to so many messages plain rendering costs less than noting what is looked at; a third where parts can be cut.
_SHORT = 24
# … and up to so many, less than one rendering in steps.
_SHORTEST = 3


class Replay:
    """The renderings of one conversation; for one thread."""

    def __init__(self, template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> None:
        self._template, self._messages, self._tools = template, messages, tools
        compiled = driven_template(template) if len(messages) > _SHORTEST else None
        self._steps = _steps_of(compiled, template, messages, tools)
        pays = compiled is not None and len(messages) > (_SHORT if compiled.cut is None else _SHORT // 3)
        self._recorder = Recorder(compiled) if compiled and pays and not self._steps else None
        self._wholes: dict[bool, _Whole | None] = {}

    @property
    def plain(self) -> bool:
        """Whether everything is rendered plainly."""
        return self._recorder is None and self._steps is None

    def text(self, count: int, *, ask: bool = False, **variables: Any) -> str:
        """The first `count` messages; with `ask`, and the generation prompt. Raises `TemplateRefusedError`."""
        stepped = self._steps.text(count, ask=ask) if self._steps and not variables else None
        if stepped is not None:
            return stepped
        if self._recorder is None:
            part = self._messages[:count]
            return self._template.render(part, self._tools, add_generation_prompt=ask, **variables)
        cut = None if variables else self._cut(self._recorder, count, ask)
        return "".join(self._pieces(self._recorder, count, ask, variables)) if cut is None else cut

    def distrust(self) -> None:
        """Render plainly from now on."""
        self._recorder = self._steps = None

    def _pieces(self, recorder: Recorder, count: int, ask: bool, variables: Mapping[str, Any]) -> list[str]:
        return recorder.pieces(self._template, self._messages[:count], self._tools, ask, variables)

    def _cut(self, recorder: Recorder, count: int, ask: bool) -> str | None:
        """The text as it follows from the whole; None where it does not."""
        cut = recorder.compiled.cut
        if cut is None or count < cut.least:
            return None
        for asked in (False, ask):
            if asked not in self._wholes:
                self._wholes[asked] = self._whole(recorder, asked, cut)
        whole, closing = self._wholes[False], self._wholes[ask]
        body = whole.up_to(count) if whole and closing else None
        return None if body is None or whole is None or closing is None else whole.before + body + closing.behind

    def _whole(self, recorder: Recorder, ask: bool, cut: Cut) -> _Whole | None:
        """All messages; None where the template refuses them, which says nothing about a part."""
        try:
            pieces = self._pieces(recorder, len(self._messages), ask, {})
        except TemplateRefusedError:
            return None
        return _whole(recorder, cut, pieces, len(self._messages))


def _steps_of(
    compiled: Compiled | None, template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject]
) -> Steps | None:
    marked = compiled.marked if compiled else None
    return Steps(marked, compiled.cut, template, messages, tools) if compiled and compiled.cut and marked else None


def driven_template(template: Template) -> Compiled | None:
    """The template with its loops driven; None where it cannot be trusted. Tried out once per template."""
    special, variables = sorted(template.special_tokens.items()), sorted(template.variables.items())
    return _trusted(template.source, tuple(special), tuple(variables))


@dataclass(frozen=True, slots=True)
class _Whole:
    """A rendering of all `count` messages, before and behind the loop over them."""

    before: str
    behind: str
    loop: Loop
    count: int
    compiled: Compiled
    cut: Cut

    def up_to(self, count: int) -> str | None:
        """What the loop writes for the first `count` messages; None where an iteration would write something else."""
        less = self.count - count
        kept = len(self.loop.items) - less
        if kept < 0:
            return None
        items, names = self.loop.items[:kept], self.loop.names
        if less:
            names = {k: v[: len(v) - less] if k in self.cut.lists else v for k, v in names.items()}
        for index, written in enumerate(self.loop.written[:kept]):
            if written.lost or (written.seen and not self._holds(written, Place(items, index), names)):
                return None
        return "".join([written.text for written in self.loop.written[:kept]])

    def _holds(self, written: Written, place: Place, names: Names) -> bool:
        """Whether an iteration sees the same. Namespaces it does: all before it went as before."""
        for key, value in written.seen.items():
            if key[0] == "space":
                continue
            if key[0] == "test" and (test := self.compiled.tests[key[1]]).attributes:
                if test.ahead:
                    return False
                continue
            if not same(value, self.compiled.look(key, place, names)):
                return False
        return True


def _whole(recorder: Recorder, cut: Cut, pieces: list[str], count: int) -> _Whole | None:
    """What was rendered last, around its loop over the messages."""
    loop = recorder.loop(cut.number)
    at = next((n for n, piece in enumerate(pieces) if loop and piece is loop.output), -1)
    if loop is None or at < 0:
        return None
    return _Whole("".join(pieces[:at]), "".join(pieces[at + 1 :]), loop, count, recorder.compiled, cut)


@lru_cache(maxsize=64)
def _trusted(source: str, special_tokens: Any, variables: Any) -> Compiled | None:
    """The template with its loops driven; None where it differs from the plain one in any part of the probes."""
    template = Template(source, dict(special_tokens), variables=dict(variables))
    try:
        compiled = compiled_driven(source)
    except UserError:
        return None
    style = style_of(template)
    thought, call = Message("assistant", ANSWER, "hm"), Message("assistant", tool_calls=(sentinel_call(),))
    result = Message("tool", RESULT, tool_call_id="abcdefghi", name=sentinel_call().name)
    talk = [Message("user", QUESTION), thought, Message("user", AGAIN), call, result, thought]
    for head, tools, body in product(
        ([], [Message("system", "s")]), ([], [sentinel_tool()]), ([*talk, *talk[:2]], [*talk[:3], *talk[1:3], thought])
    ):
        messages = written_in(style, [*head, *body])
        recorder, steps = Recorder(compiled), _steps_of(compiled, template, messages, tools)
        for count, ask in product(range(1, len(messages) + 1), (True, False)):
            part = messages[:count]
            plain = _outcome(None, template, part, tools, ask)
            if _outcome(recorder, template, part, tools, ask) != plain:
                return None
            if steps is not None and steps.text(count, ask=ask) not in (None, plain):
                compiled, steps = replace(compiled, marked=None), None
    return compiled


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
