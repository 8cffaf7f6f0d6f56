"""The loops of a template, run by a recorder that knows what each iteration wrote and all that it looked at.

Where an iteration would look at the same again, what it wrote is taken as it was; else it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any

import jinja2
from jinja2.runtime import Macro, Undefined
from jinja2.utils import Namespace

from core.conversation import JsonObject
from core.template.limits import BoundedEnvironment
from core.template.loops import DRIVER, ITEM, LENGTH, TEST, driven
from core.template.pure import PLACES, Names, Place, Test, attribute
from core.template.sandbox import Template, compiled_tree, environment, parsed, render_pieces

_MOST_RUNS, _MOST_VARIANTS = 8, 4


def compiled_driven(source: str) -> Compiled:
    """A template with its loops driven. Raises `UserError` when it is not valid."""
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
    def test(context: Any, number: int) -> Any:
        return budget.recorder.test(number)

    env.filters |= {ITEM: item, LENGTH: length, TEST: test}
    env.globals["namespace"] = lambda *given, **named: _Space(env, *given, **named)
    env.readers |= {_Space: _read, Place: _of_place, _Watched: _of_place}
    found = driven(parsed(env, source), env)
    return Compiled(compiled_tree(env, found.tree), env, found.tests)


def _of_place(place: Place, name: str) -> Any:
    return getattr(place, name) if name in PLACES else NotImplemented


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template with its loops driven, and the tests that they ask by number."""

    template: jinja2.Template
    env: BoundedEnvironment
    tests: tuple[Test, ...]

    def look(self, key: tuple[Any, ...], place: Place, names: Names) -> Any:
        """What an iteration at `place` sees when it looks at `key`."""
        kind, name = key[:2]
        if kind == "place":
            return getattr(place, name)
        if kind == "test":
            return self.tests[name].answer(place, names)
        if kind == "space":
            return attribute(names[name], key[2])
        return len(names[name]) if kind == "length" else self.env.getitem(names[name], key[2])


@dataclass(slots=True)
class Written:
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
    iterations: dict[int, list[Written]] = field(default_factory=dict)


class Recorder:
    """Runs the loops of a template and remembers what their iterations wrote."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        # The iteration that is recorded, its place and outer names, and how deep in loops of macros it is.
        self.open: Written | None = None
        self.place: Place | None = None
        self.names: Names = {}
        self.depth = 0
        self._runs: dict[int, list[_Run]] = {}

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
        budget.recorder, self.open, self.depth = self, None, 0
        given = {**variables, DRIVER: self._loop}
        try:
            return render_pieces(self.compiled.template, template, messages, tools, add_generation_prompt=ask, **given)
        finally:
            budget.recorder = None

    def note(self, key: tuple[Any, ...], value: Any) -> None:
        """The iteration that is recorded has looked at `key`."""
        if self.open is not None and not self.depth:
            self.open.seen.setdefault(key, value)

    def test(self, number: int) -> Any:
        """The answer of a test at the present place."""
        test = self.compiled.tests[number]
        assert self.place is not None
        answer = test.answer(self.place, self.names)
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
        return "".join([one.text for one in written])

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
    ) -> Written:
        place = Place(items, index)
        variants = run.iterations.setdefault(index, [])
        for written in variants:
            if self._again(written, place, names):
                for (name, key), value in written.attributes.items():
                    names[name][key] = value
                return written
        self.compiled.env.budget.tick()
        written = Written(place.item, {id(value): name for name, value in names.items() if type(value) is _Space})
        self.open, self.place = written, _Watched(items, index, written)
        try:
            written.text = caller(place.item, self.place)
        finally:
            self.open = None
        variants.insert(0, written)
        del variants[_MOST_VARIANTS:]
        return written

    def _again(self, written: Written, place: Place, names: Names) -> bool:
        """Whether an iteration would write the same here."""
        if written.lost or not (written.item is place.item or same(written.item, place.item)):
            return False
        return all(same(value, self.compiled.look(key, place, names)) for key, value in written.seen.items())

    def _run(self, number: int, watched: Sequence[str], names: Names) -> _Run:
        runs = self._runs.setdefault(number, [])
        for run in runs:
            if all(same(value, names[name]) for name, value in run.outer):
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

    def __init__(self, items: Sequence[Any], index0: int, written: Written) -> None:
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


def same(old: Any, new: Any) -> bool:
    """Whether a template cannot tell two values apart; in doubt not."""
    if old is new:
        return True
    if type(old) is not type(new):
        return False
    if isinstance(old, (str, int, float, Undefined)):
        return isinstance(old, Undefined) or bool(old == new)
    if isinstance(old, (list, tuple)):
        return len(old) == len(new) and (all(map(is_, old, new)) or all(map(same, old, new)))
    if isinstance(old, dict):
        return list(old) == list(new) and all(map(same, old.values(), new.values()))
    # A macro is made anew in each rendering; what it sees outside is compared by itself.
    return isinstance(old, Macro) and old._func.__code__ is new._func.__code__
