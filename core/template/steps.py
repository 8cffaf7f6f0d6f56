"""A conversation's text step by step, for templates that write a message the same unless tests say otherwise.

One rendering with a mark in front of each iteration tells what it wrote, which tests it asked, and how they came out.
For another part of the conversation the tests are asked again: where they come out the same, the text is the same.
Where not, iterations are run as if the conversation ended with them, which gives all of them as they look when new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.conversation import JsonObject
from core.template.cuts import ASK
from core.template.limits import BoundedEnvironment
from core.template.marked import MARK, PARTS, Marked
from core.template.pure import Place, attribute
from core.template.record import same
from core.template.sandbox import Template, TemplateRefusedError, render_compiled

# For so many parts at once it is found out what is fresh: together they must not take long.
_AT_ONCE = 32
# The values of what iterations set, that other iterations see.
Snapshot = tuple[Any, ...]


class Steps:
    """The text of one conversation and of its first messages; for one thread."""

    def __init__(
        self, marked: Marked, template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject]
    ) -> None:
        self.marked, self.messages = marked, messages
        self._template, self._tools = template, tools
        self._whole: _Run | None = None
        self._parts: dict[tuple[int, bool], _Part] = {}
        self._variants: list[list[_Written]] = []
        self._lines: list[_Line] = []
        self._closings: dict[bool, str | None] = {}
        self._found: dict[int, dict[str, Any]] = {}
        # What may be learnt by running all iterations as if so many messages, their own the first, were left.
        self._left = list({1, marked.reach.ahead + 1})

    def text(self, count: int, *, ask: bool) -> str | None:
        """The first `count` messages; with `ask`, and the generation prompt. None where the steps do not tell.

        Raises `TemplateRefusedError`.
        """
        whole = self._whole or self._begun()
        kept = len(whole.items) - (len(self.messages) - count)
        if kept < 0 or count < self.marked.cut.least or not whole.ended:
            return None
        texts, closing = self._texts(kept, ask), self._closing(ask)
        return None if texts is None or closing is None else "".join([whole.before, *texts, closing])

    @property
    def sets(self) -> bool:
        """Whether iterations set what others see."""
        assert self._whole is not None
        return any(written.before for written in self._whole.written.values())

    def part(self, kept: int, ask: bool) -> _Part:
        """What `kept` iterations see."""
        if (kept, ask) not in self._parts:
            assert self._whole is not None
            self._parts[kept, ask] = _Part(self, self._whole, kept, ask)
        return self._parts[kept, ask]

    def _begun(self) -> _Run:
        """All messages, rendered; the first run tells what there is."""
        self._whole = _Run(self, None, ask=False)
        self._run(self._whole, self.messages)
        self._variants = [[written] for written in self._whole.written.values()]
        self._closings[False] = self._whole.behind
        return self._whole

    def _texts(self, kept: int, ask: bool) -> list[str] | None:
        """What each of the first iterations writes."""
        if not self.marked.tests:
            # Nothing looks at what follows.
            return [variants[0].text for variants in self._variants[:kept]]
        reach, part = self.marked.reach, self.part(kept, ask)
        line = self._line(part)
        inner = 0 if reach.everywhere else max(kept - reach.ahead, 0)
        found = line[:inner]
        if not all(self._holds(written, part, index) for index, written in enumerate(found[: reach.back])):
            return None
        for index in range(len(found), kept):
            before = found[-1].after if found else None
            written = self.find(part, index, before) or self._learnt(part, index, before)
            if written is None:
                return None
            found.append(written)
        line += found[len(line) : inner]
        return [written.text for written in found]

    def _line(self, part: _Part) -> _Line:
        """The first iterations, as far as they are known, of parts where the same is fresh."""
        for line in reversed(self._lines):
            if same(line.state, part.state):
                return line
        self._lines.append(_Line(part.state))
        return self._lines[-1]

    def find(self, part: _Part, index: int, before: Snapshot | None) -> _Written | None:
        """What an iteration is known to write here."""
        for written in self._variants[index]:
            if (before is None or same(written.before, before)) and self._holds(written, part, index):
                return written
        return None

    def _holds(self, written: _Written, part: _Part, index: int) -> bool:
        """Whether its tests come out the same here."""
        place, tests = None, self.marked.tests
        for number, answer in written.asked:
            place = place or Place(part.items, index)
            if bool(tests[number].look(place, part.names)) != answer:
                return False
        return True

    def _learnt(self, part: _Part, index: int, before: Snapshot | None) -> _Written | None:
        """What an iteration writes here, found by running it: with all others as they look when new, or here."""
        while self._left:
            self._learn(_Run(self, self._left.pop(0), ask=False), self.messages)
            if found := self.find(part, index, before):
                return found
        run = _Run(self, None, ask=part.ask)
        self._learn(run, self.messages[: part.count])
        return self.find(part, index, before) if run.ended else None

    def _learn(self, run: _Run, messages: Sequence[JsonObject]) -> None:
        self._run(run, messages)
        if run.ended:
            for index, written in run.written.items():
                self._variants[index].append(written)

    def _run(self, run: _Run, messages: Sequence[JsonObject]) -> None:
        try:
            text = self.rendered(self.marked.whole, run, messages, ask=run.ask)
        except TemplateRefusedError:
            return
        run.end(text.split(MARK))

    def found(self, count: int) -> dict[str, Any]:
        """What the template finds out before its loop over the first `count` messages: several parts at once."""
        if count not in self._found:
            first = count - count % _AT_ONCE
            counts = range(max(first, 1), min(first + _AT_ONCE, len(self.messages) + 1))
            try:
                self._find_out(counts)
            except TemplateRefusedError:
                self._find_out([count])
        return self._found[count]

    def _find_out(self, counts: Sequence[int]) -> None:
        told, parts = _State(), [list(self.messages[:count]) for count in counts]
        self.rendered(self.marked.state, told, self.messages, ask=False, **{PARTS: parts})
        names = self.marked.found
        self._found |= {n: dict(zip(names, one, strict=True)) for n, one in zip(counts, told.values, strict=True)}

    def rendered(self, form: Any, told: Any, messages: Sequence[JsonObject], *, ask: bool, **given: Any) -> str:
        """A form of the template rendered; its filters tell `told`. Raises `TemplateRefusedError`."""
        env = form.environment
        assert isinstance(env, BoundedEnvironment)
        before, env.budget.recorder = env.budget.recorder, told
        try:
            return render_compiled(form, self._template, messages, self._tools, add_generation_prompt=ask, **given)
        finally:
            env.budget.recorder = before

    def _closing(self, ask: bool) -> str | None:
        """What is written behind the loop: it follows from the fewest messages as from all."""
        if ask not in self._closings:
            self._closings[ask] = None
            for messages in (self.messages[: self.marked.cut.least], self.messages):
                try:
                    self._closings[ask] = self.rendered(self.marked.closing, None, messages, ask=ask)
                except TemplateRefusedError:
                    continue
                break
        return self._closings[ask]


@dataclass(slots=True)
class _Written:
    """What an iteration wrote, the tests that it asked and how they came out, and what is set before and behind it."""

    before: Snapshot
    asked: list[tuple[int, bool]] = field(default_factory=list)
    after: Snapshot = ()
    text: str = ""


class _Line(list[_Written]):
    """Iterations from the first on, of parts in which `state` is fresh."""

    def __init__(self, state: Snapshot) -> None:
        super().__init__()
        self.state = state


class _Run:
    """A rendering while it goes on: as the conversation is, or as if it ended `left` messages from each iteration."""

    def __init__(self, steps: Steps, left: int | None, *, ask: bool) -> None:
        self._steps, self._left, self.ask = steps, left, ask
        self.items: list[Any] = []
        # The outer names that tests read, but those that are fresh; and those of them that are lists of the messages.
        self.outer: dict[str, Any] = {}
        self.lists: frozenset[str] = frozenset()
        self.written: dict[int, _Written] = {}
        self._open: _Written | None = None
        self._seen: tuple[Place, _Part] | None = None
        self.before = self.behind = ""
        self.ended = False

    def begin(self, items: Sequence[Any], *given: Any) -> str:
        """The loop begins."""
        marked = self._steps.marked
        self.items = list(items)
        self.outer = {name: value for name, value in zip(marked.names, given, strict=True) if name not in marked.found}
        self.lists = marked.cut.lists & self.outer.keys()
        return ""

    def known(self, index: int) -> bool:
        """Whether it is known what an iteration writes here, so that it need not run."""
        if self._left is None and not self._steps.marked.tests:
            return False
        kept = len(self.items) if self._left is None else min(index + self._left, len(self.items))
        part = self._steps.part(kept, self.ask)
        self._seen = Place(part.items, index), part
        # What iterations set, others see: then all of them run.
        return self._left is not None and not self._steps.sets and self._steps.find(part, index, None) is not None

    def step(self, index: int, *given: Any) -> str:
        """An iteration begins, or, below 0, the loop is done; `given` is what iterations set."""
        if self._open is not None:
            self._open.after = given
        if index >= 0:
            self._open = self.written[index] = _Written(given)
        return MARK

    def test(self, number: int) -> bool:
        """How a test comes out in the present iteration."""
        assert self._seen is not None
        assert self._open is not None
        place, part = self._seen
        answer = bool(self._steps.marked.tests[number].look(place, part.names))
        self._open.asked.append((number, answer))
        return answer

    def end(self, pieces: list[str]) -> None:
        """What was written, cut at the marks."""
        self.before, *each = pieces
        self.behind = each.pop() if each else ""
        self.ended = len(each) == len(self.written)
        for written, text in zip(self.written.values(), each, strict=False):
            written.text = text


class _Part:
    """What the iterations of a part of the conversation see: `items`, outer names, and what is fresh, when asked."""

    def __init__(self, steps: Steps, whole: _Run, kept: int, ask: bool) -> None:
        less = len(whole.items) - kept
        self._steps, self.ask = steps, ask
        self.items, self.count = whole.items[:kept], len(steps.messages) - less
        known = dict(whole.outer)
        for name in whole.lists:
            known[name] = known[name][: len(known[name]) - less]
        if ASK in known:
            known[ASK] = ask
        self.names = _Names(known, self._found)
        self._state: Snapshot | None = None

    @property
    def state(self) -> Snapshot:
        """What is fresh here, of what tests read. Raises `TemplateRefusedError`."""
        if self._state is None:
            cut, names = self._steps.marked.cut, self.names
            spaces = [attribute(names[space], name) for space, name in cut.attributes]
            self._state = (*[names[name] for name in cut.fresh], *spaces, names.get(ASK))
        return self._state

    def _found(self) -> dict[str, Any]:
        return self._steps.found(self.count)


class _Names(dict[str, Any]):
    """Names, of which some are found when one of them is asked for."""

    def __init__(self, known: dict[str, Any], find: Callable[[], dict[str, Any]]) -> None:
        super().__init__(known)
        self._find = find

    def __missing__(self, name: str) -> Any:
        self.update(self._find())
        return self[name]


class _State:
    """Takes what the template has found out, for each part of the conversation."""

    def __init__(self) -> None:
        self.values: list[tuple[Any, ...]] = []

    def state(self, _: int, *values: Any) -> str:
        """The template has found them."""
        self.values.append(values)
        return ""
