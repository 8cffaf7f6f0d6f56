"""A conversation rendered up to any of its messages, without writing any message twice.

Spans need the text before and after every turn. Each loop of the template that prints hands its iterations to a
recorder, which keeps what an iteration wrote together with all that it looked at: its place in the loop, neighbours,
namespaces, outer names. Where all of that is the same in another rendering, the text is taken as it was; else the
iteration runs. A template is replayed only if it gives the plain text, byte for byte, for every part of some probes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from operator import is_
from typing import Any

import jinja2
from jinja2.runtime import Macro, Undefined
from jinja2.utils import Namespace

from core.conversation import JsonObject, Message
from core.errors import UserError
from core.template.cuts import Cut, cut_of
from core.template.limits import BoundedEnvironment
from core.template.loops import DRIVER, ITEM, LENGTH, TEST, driven
from core.template.pure import PLACES, Names, Place, Test, attribute
from core.template.sandbox import Template, TemplateRefusedError, compiled_tree, environment, parsed, render_pieces
from core.template.style import AGAIN, ANSWER, QUESTION, RESULT, sentinel_call, sentinel_tool, style_of, written_in

_MOST_RUNS, _MOST_VARIANTS = 8, 4
# Up to so many messages plain rendering costs less than noting what is looked at; a third where parts can be cut.
_SHORT = 24


class Replay:
    """The renderings of one conversation; for one thread."""

    def __init__(self, template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> None:
        self._template, self._messages, self._tools = template, messages, tools
        compiled = driven_template(template)
        pays = compiled is not None and len(messages) > (_SHORT if compiled.cut is None else _SHORT // 3)
        self._recorder = _Recorder(compiled) if compiled and pays else None
        self._wholes: dict[bool, _Whole | None] = {}

    def text(self, count: int, *, ask: bool = False, **variables: Any) -> str:
        """The first `count` messages; with `ask`, and the generation prompt. Raises `TemplateRefusedError`."""
        if self._recorder is None:
            part = self._messages[:count]
            return self._template.render(part, self._tools, add_generation_prompt=ask, **variables)
        cut = None if variables else self._cut(self._recorder, count, ask)
        return "".join(self._pieces(self._recorder, count, ask, variables)) if cut is None else cut

    def distrust(self) -> None:
        """Render plainly from now on."""
        self._recorder = None

    def _pieces(self, recorder: _Recorder, count: int, ask: bool, variables: Mapping[str, Any]) -> list[str]:
        return recorder.pieces(self._template, self._messages[:count], self._tools, ask, variables)

    def _cut(self, recorder: _Recorder, count: int, ask: bool) -> str | None:
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

    def _whole(self, recorder: _Recorder, ask: bool, cut: Cut) -> _Whole | None:
        """All messages; None where the template refuses them, which says nothing about a part."""
        try:
            pieces = self._pieces(recorder, len(self._messages), ask, {})
        except TemplateRefusedError:
            return None
        return recorder.whole(cut, pieces, len(self._messages))


def driven_template(template: Template) -> _Compiled | None:
    """The template with its loops driven; None where it cannot be trusted. Tried out once per template."""
    special, variables = sorted(template.special_tokens.items()), sorted(template.variables.items())
    return _trusted(template.source, tuple(special), tuple(variables))


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A template with its loops driven; `cut` if parts follow from the whole."""

    template: jinja2.Template
    env: BoundedEnvironment
    tests: tuple[Test, ...]
    cut: Cut | None

    def look(self, key: tuple[Any, ...], place: Place, names: Names) -> Any:
        """What an iteration at `place` sees when it looks at `key`."""
        kind, name = key[:2]
        if kind == "place":
            return getattr(place, name)
        if kind == "test":
            return bool(self.tests[name].look(place, names))
        if kind == "space":
            return attribute(names[name], key[2])
        return len(names[name]) if kind == "length" else self.env.getitem(names[name], key[2])


@dataclass(slots=True)
class _Written:
    """What an iteration wrote: `text`, and `attributes` of namespaces; `seen` is what it looked at besides its item.

    `spaces` names the namespaces by identity while it is recorded; `lost`: not all that it looked at is known.
    """

    item: Any
    spaces: dict[int, str]
    text: str = ""
    lost: bool = False
    seen: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    attributes: dict[tuple[str, str], Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """A loop with what its body sees outside: what its iterations wrote, by their index."""

    outer: list[tuple[str, Any]]
    iterations: dict[int, list[_Written]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Whole:
    """A rendering of all `count` messages, before and behind the loop over them."""

    before: str
    behind: str
    loop: _Loop
    count: int
    compiled: _Compiled
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

    def _holds(self, written: _Written, place: Place, names: Names) -> bool:
        """Whether an iteration sees the same. Namespaces it does: all before it went as before."""
        for key, value in written.seen.items():
            if key[0] == "space":
                continue
            if key[0] == "test" and (test := self.compiled.tests[key[1]]).attributes:
                if test.ahead:
                    return False
                continue
            if not _same(value, self.compiled.look(key, place, names)):
                return False
        return True


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop that was run: over what, with which outer names, and what came of it."""

    items: list[Any]
    names: dict[str, Any]
    written: list[_Written]
    output: _Output


class _Output(str):
    """The text of a loop, told from equal ones by its identity."""

    __slots__ = ()


class _Recorder:
    """Runs the loops of a template and remembers what their iterations wrote."""

    def __init__(self, compiled: _Compiled) -> None:
        self.compiled = compiled
        # The iteration that is recorded, its place and outer names, and how deep in loops of macros it is.
        self.open: _Written | None = None
        self.place: Place | None = None
        self.names: Names = {}
        self.depth = 0
        self._runs: dict[int, list[_Run]] = {}
        self._loops: dict[int, _Loop] = {}

    def pieces(
        self,
        template: Template,
        messages: Sequence[JsonObject],
        tools: Sequence[JsonObject],
        ask: bool,
        variables: Mapping[str, Any],
    ) -> list[str]:
        """What the template writes. Raises `TemplateRefusedError`."""
        budget = self.compiled.env.budget
        budget.recorder, self.open, self.depth, self._loops = self, None, 0, {}
        given = {**variables, DRIVER: self._loop}
        try:
            return render_pieces(self.compiled.template, template, messages, tools, add_generation_prompt=ask, **given)
        finally:
            budget.recorder = None

    def whole(self, cut: Cut, pieces: list[str], count: int) -> _Whole | None:
        """What was rendered last, around its loop over the messages."""
        loop = self._loops.get(cut.number)
        at = next((n for n, piece in enumerate(pieces) if loop and piece is loop.output), -1)
        if loop is None or at < 0:
            return None
        return _Whole("".join(pieces[:at]), "".join(pieces[at + 1 :]), loop, count, self.compiled, cut)

    def note(self, key: tuple[Any, ...], value: Any) -> None:
        """The iteration that is recorded has looked at `key`."""
        if self.open is not None and not self.depth:
            self.open.seen.setdefault(key, value)

    def test(self, number: int) -> bool:
        """The answer of a test at the present place."""
        test = self.compiled.tests[number]
        assert self.place is not None
        answer = bool(test.look(self.place, self.names))
        if self.open is not None and not self.depth:
            if self.open.attributes and not test.attributes.isdisjoint(self.open.attributes):
                self.open.lost = True
            self.open.seen["test", number] = answer
        return answer

    def _loop(
        self, number: int, watched: Sequence[str], items: Any, /, caller: Callable[..., str], **names: Any
    ) -> str:
        """Run loop `number` over `items`; `names` are the outer ones that its body sees, `watched` those it indexes."""
        listed = list(items)
        if self.open is not None:
            return self._inner(listed, caller, names)
        run = self._run(number, watched, names)
        self.names = names
        written = [self._iteration(run, listed, index, caller, names) for index in range(len(listed))]
        output = _Output("".join([one.text for one in written]))
        self._loops[number] = _Loop(listed, names, written, output)
        return output

    def _inner(self, items: list[Any], caller: Callable[..., str], names: Names) -> str:
        """A loop inside an iteration that is recorded: what it looks at follows from what that one sees."""
        before = self.place, self.names
        self.depth += 1
        texts = []
        try:
            for index in range(len(items)):
                self.place, self.names = Place(items, index), names
                texts.append(caller(items[index], self.place))
        finally:
            self.depth -= 1
            self.place, self.names = before
        return "".join(texts)

    def _iteration(
        self, run: _Run, items: list[Any], index: int, caller: Callable[..., str], names: dict[str, Any]
    ) -> _Written:
        place = Place(items, index)
        variants = run.iterations.setdefault(index, [])
        for written in variants:
            if self._again(written, place, names):
                for (name, key), value in written.attributes.items():
                    names[name][key] = value
                return written
        self.compiled.env.budget.tick()
        written = _Written(place.item, {id(value): name for name, value in names.items() if type(value) is _Space})
        self.open, self.place = written, _Watched(items, index, written)
        try:
            written.text = caller(place.item, self.place)
        finally:
            self.open = None
        variants.insert(0, written)
        del variants[_MOST_VARIANTS:]
        return written

    def _again(self, written: _Written, place: Place, names: Names) -> bool:
        """Whether an iteration would write the same here."""
        if written.lost or not (written.item is place.item or _same(written.item, place.item)):
            return False
        return all(_same(value, self.compiled.look(key, place, names)) for key, value in written.seen.items())

    def _run(self, number: int, watched: Sequence[str], names: Names) -> _Run:
        runs = self._runs.setdefault(number, [])
        for run in runs:
            if all(_same(value, names[name]) for name, value in run.outer):
                return run
        outer = [(name, value) for name, value in names.items() if name not in watched and type(value) is not _Space]
        runs.insert(0, _Run(outer))
        del runs[_MOST_RUNS:]
        return runs[0]


def _noted(name: str) -> Any:
    def get(place: _Watched) -> Any:
        value = getattr(Place, name).fget(place)
        place.written.seen["place", name] = value
        return value

    return property(get)


class _Watched(Place):
    """A place whose answers are noted, but those that only depend on the place itself."""

    __slots__ = ("written",)

    def __init__(self, items: Sequence[Any], index0: int, written: _Written) -> None:
        super().__init__(items, index0)
        self.written = written

    last, length, revindex, revindex0 = _noted("last"), _noted("length"), _noted("revindex"), _noted("revindex0")
    previtem, nextitem = _noted("previtem"), _noted("nextitem")


class _Space(Namespace):
    """A namespace of which it is noted what is read and written while an iteration is recorded."""

    def __init__(self, env: BoundedEnvironment, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        object.__setattr__(self, "_env", env)

    def __getattribute__(self, name: str) -> Any:
        if name in ("_Namespace__attrs", "__class__", "_env"):
            return object.__getattribute__(self, name)
        value = _read(self, name)
        if isinstance(value, Undefined):
            raise AttributeError(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        recorder = self._env.budget.recorder
        if recorder is not None and recorder.open is not None and id(self) in recorder.open.spaces:
            recorder.open.attributes[recorder.open.spaces[id(self)], name] = value


def _read(space: _Space, name: str) -> Any:
    value = attribute(space, name)
    recorder = space._env.budget.recorder
    if recorder is not None and recorder.open is not None and id(space) in recorder.open.spaces:
        key = (recorder.open.spaces[id(space)], name)
        if key not in recorder.open.attributes:
            recorder.open.seen.setdefault(("space", *key), value)
    return value


def _same(old: Any, new: Any) -> bool:
    """Whether a template cannot tell two values apart; in doubt not."""
    if old is new:
        return True
    if type(old) is not type(new):
        return False
    if isinstance(old, (str, int, float, Undefined)):
        return isinstance(old, Undefined) or bool(old == new)
    if isinstance(old, (list, tuple)):
        return len(old) == len(new) and (all(map(is_, old, new)) or all(map(_same, old, new)))
    if isinstance(old, dict):
        return list(old) == list(new) and all(map(_same, old.values(), new.values()))
    # A macro is made anew in each rendering; what it sees outside is compared by itself.
    return isinstance(old, Macro) and old._func.__code__ is new._func.__code__


@lru_cache(maxsize=64)
def _trusted(source: str, special_tokens: Any, variables: Any) -> _Compiled | None:
    """The template with its loops driven; None where it differs from the plain one in any part of the probes."""
    template = Template(source, dict(special_tokens), variables=dict(variables))
    try:
        compiled = _compiled(source)
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
        recorder = _Recorder(compiled)
        for count, ask in product(range(1, len(messages) + 1), (True, False)):
            part = messages[:count]
            if _outcome(recorder, template, part, tools, ask) != _outcome(None, template, part, tools, ask):
                return None
    return compiled


def _outcome(
    recorder: _Recorder | None, template: Template, messages: list[JsonObject], tools: list[JsonObject], ask: bool
) -> str | None:
    """The text, driven or plain; None when the template refuses."""
    try:
        if recorder is None:
            return template.render(messages, tools, add_generation_prompt=ask)
        return "".join(recorder.pieces(template, messages, tools, ask, {}))
    except TemplateRefusedError:
        return None


def _compiled(source: str) -> _Compiled:
    env = environment()
    budget = env.budget

    def item(value: Any, name: str, key: Any) -> Any:
        found = env.getitem(value, key)
        budget.recorder.note(("item", name, key), found)
        return found

    def length(value: Any, name: str) -> int:
        budget.recorder.note(("length", name), len(value))
        return len(value)

    @jinja2.pass_context
    def test(context: Any, number: int) -> bool:
        return bool(budget.recorder.test(number))

    env.filters |= {ITEM: item, LENGTH: length, TEST: test}
    env.globals["namespace"] = lambda *given, **named: _Space(env, *given, **named)
    env.readers |= {_Space: _read, Place: _of_place, _Watched: _of_place}
    found = driven(parsed(env, source), env)
    return _Compiled(compiled_tree(env, found.tree), env, found.tests, cut_of(found.tree))


def _of_place(place: Place, name: str) -> Any:
    return getattr(place, name) if name in PLACES else NotImplemented
