"""A conversation's text step by step, for templates that write a message the same unless tests say otherwise.

One rendering with a mark in front of each iteration tells what it wrote, which tests it asked, and how they came out.
For another part of the conversation the tests are asked again: where they come out the same, the text is the same.
Where not, iterations are run as if the conversation ended with them, which gives all of them as they look when new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from itertools import count as counted
from typing import Any

from jinja2.utils import Namespace

from core.conversation import JsonObject
from core.template.fresh import MISSING, Asked, Begun, Finder, Forms, Part, Snapshot
from core.template.marked import MARK, Marked, told
from core.template.pure import attribute
from core.template.record import same
from core.template.sandbox import Template, TemplateRefusedError


class Steps:
    """The text of one conversation and of its first messages; for one thread."""

    def __init__(
        self, marked: Marked, template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject]
    ) -> None:
        self.marked = marked
        self._forms = Forms(marked, template, messages, tools)
        self._finder = Finder(self._forms)
        self._begun: Begun | None = None
        # What all messages wrote: before the loop, and the first iterations that ask nothing.
        self._before: str | None = None
        self._whole: str | None = None
        self._refusal: TemplateRefusedError | None = None
        self._sure: list[_Written] = []
        self._sure_text, self._sure_ends = "", [0]
        self._variants: list[list[_Written]] = []
        self._parts: dict[tuple[int, bool], Part] = {}
        self._lines: list[_Line] = []
        self._closings: list[tuple[Snapshot, str | None]] = []
        # What may be learnt by running all iterations as if so many messages, their own the first, were left.
        self._left = list({1, marked.reach.ahead + 1})

    def whole(self) -> str | None:
        """All messages as the template plainly renders them, if its form with marks is sure to give just that.

        Raises `TemplateRefusedError`.
        """
        if self._begun is None:
            self._begin()
        if self._refusal is not None:
            raise self._refusal
        return self._whole

    def text(self, count: int, *, ask: bool, **variables: Any) -> str | None:
        """The first `count` messages; with `ask`, and the generation prompt. None where the steps do not tell.

        `variables` are further ones for the template.

        Raises `TemplateRefusedError`.
        """
        if self._begun is None:
            self._begin()
        if self._before is None or self._begun is None or count < self.marked.cut.least:
            return None
        if not variables.keys() <= self.marked.late:
            return None
        kept = len(self._begun.items) - (len(self._forms.messages) - count)
        if kept < 0:
            return None
        if self.marked.state is not None and not self.marked.harmless:
            self._finder.found(count)
        sure = kept < len(self._sure_ends)
        written = self._sure[:kept] if sure else self._texts(kept, ask)
        closing = None if written is None else self._closing(count, ask, written, variables)
        if written is None or closing is None:
            return None
        before = self._finder.opening(count) if self.marked.cut.opens else self._before
        between = self._sure_text[: self._sure_ends[kept]] if sure else "".join([one.text for one in written])
        return f"{before}{between}{closing}"

    def begin(self, items: Sequence[Any], given: Sequence[Any]) -> None:
        """The loop begins; that over all messages comes first."""
        if self._begun is None:
            self._begun = Begun(self.marked, items, given)

    def part(self, kept: int, ask: bool) -> Part:
        """What `kept` iterations see."""
        if (kept, ask) not in self._parts:
            assert self._begun is not None
            total = len(self._forms.messages)
            self._parts[kept, ask] = Part(self._finder, self.marked, self._begun, total, kept, ask)
        return self._parts[kept, ask]

    def find(self, part: Part, index: int, before: Snapshot | None) -> _Written | None:
        """What an iteration is known to write here."""
        for written in self._variants[index]:
            if (before is None or same(written.before, before)) and _holds(written, part, index):
                return written
        return None

    def before(self, index: int) -> Snapshot:
        """What is set before an iteration over all messages."""
        return self._variants[index][0].before

    def _begin(self) -> None:
        """All messages, rendered."""
        run = _Run(self, None, ask=False, learns=False)
        try:
            pieces = self._forms.rendered(self.marked.whole, run, self._forms.messages, ask=False).split(MARK)
        except TemplateRefusedError as error:
            pieces = []
            self._refusal = error.with_traceback(None) if self.marked.faithful else None
        if self._begun is None:
            self._begun = Begun(self.marked, (), [None] * len(self.marked.names))
        if len(pieces) != len(self._begun.items) + 2:
            return
        self._before, *texts, _behind = pieces
        self._whole = "".join(pieces) if self.marked.faithful else None
        for index, text in enumerate(texts):
            written = run.written.get(index) or _Written(())
            written.text = text
            self._variants.append([written])
            if not written.asked and len(self._sure) == index:
                self._sure.append(written)
        self._sure_text = "".join(texts[: len(self._sure)])
        self._sure_ends += accumulate(map(len, texts[: len(self._sure)]))

    def _pieces(self, form: Any, run: _Run, messages: Sequence[JsonObject]) -> list[str] | None:
        """What a form writes before the loop, in each iteration, and behind; None where the template refuses."""
        try:
            return self._forms.rendered(form, run, messages, ask=run.ask).split(MARK)
        except TemplateRefusedError:
            return None

    def _texts(self, kept: int, ask: bool) -> list[_Written] | None:
        """What each of the first iterations writes."""
        reach, part = self.marked.reach, self.part(kept, ask)
        line = self._line(part)
        inner = 0 if reach.everywhere else max(kept - reach.ahead, 0)
        found = line[:inner]
        if not all(_holds(written, part, index) for index, written in enumerate(found[: reach.back])):
            return None
        for index in range(len(found), kept):
            before = found[-1].after if found else None
            written = self.find(part, index, before) or self._learnt(part, index, before)
            if written is None:
                return None
            found.append(written)
        line += found[len(line) : inner]
        return found

    def _line(self, part: Part) -> _Line:
        """The first iterations, as far as they are known, of parts where the same is fresh."""
        for line in reversed(self._lines):
            if same(line.state, part.state):
                return line
        self._lines.append(_Line(part.state))
        return self._lines[-1]

    def _learnt(self, part: Part, index: int, before: Snapshot | None) -> _Written | None:
        """What an iteration writes here, found by running it: with all others as they look when new, or here."""
        while self._left:
            self._learn(_Run(self, self._left.pop(0), ask=False), self._forms.messages)
            if found := self.find(part, index, before):
                return found
        learnt = self._learn(_Run(self, None, ask=part.ask), self._forms.messages[: part.count])
        return self.find(part, index, before) if learnt else None

    def _learn(self, run: _Run, messages: Sequence[JsonObject]) -> bool:
        pieces = self._pieces(self.marked.again, run, messages)
        if pieces is None or len(pieces) != len(run.written) + 2:
            return False
        for (index, written), text in zip(run.written.items(), pieces[1:], strict=False):
            written.text = text
            self._variants[index].append(written)
        return True

    def _closing(self, count: int, ask: bool, written: Sequence[_Written], variables: Mapping[str, Any]) -> str | None:
        """What is written behind the loop; unless it looks at them, it follows from the fewest messages as from all."""
        if ask in self.marked.closings and not variables:
            return self.marked.closings[ask]
        cut, messages = self.marked.cut, self._forms.messages
        if cut.sums_up and not written:
            return None
        sets = written[-1].after if cut.sums_up else ()
        key = (ask, cut.ends and count, sets, tuple(sorted(variables.items())))
        for known, closing in self._closings:
            if same(known, key):
                return closing
        given = {**variables, **{told(number): value for number, value in enumerate(sets)}}
        closing = None
        for part in (messages[:count],) if cut.ends else (messages[: cut.least], messages):
            try:
                closing = self._forms.rendered(self.marked.closing, None, part, ask=ask, **given)
            except TemplateRefusedError:
                continue
            break
        self._closings.append((key, closing))
        return closing


def with_closings(marked: Marked, template: Template) -> Marked:
    """A template's forms with what it writes behind its loop, if that is the same for all conversations."""
    forms, closings = Forms(marked, template, (), ()), {}
    for ask in (True, False) if marked.fixed else ():
        try:
            closings[ask] = forms.rendered(marked.closing, None, (), ask=ask)
        except TemplateRefusedError:
            continue
    return replace(marked, closings=closings)


@dataclass(slots=True)
class _Written:
    """What an iteration wrote, the tests that it asked and how they came out, and what is set before and behind it."""

    before: Snapshot
    asked: list[tuple[Asked, Any]] = field(default_factory=list)
    after: Snapshot = ()
    text: str = ""


class _Line(list[_Written]):
    """Iterations from the first on, of parts in which `state` is fresh."""

    def __init__(self, state: Snapshot) -> None:
        super().__init__()
        self.state = state


def _holds(written: _Written, part: Part, index: int) -> bool:
    """Whether its tests come out the same here."""
    return not written.asked or all(same(part.answer(number, index), answer) for number, answer in written.asked)


class _Run:
    """A rendering while it goes on: as the conversation is, or as if it ended `left` messages from each iteration."""

    def __init__(self, steps: Steps, left: int | None, *, ask: bool, learns: bool = True) -> None:
        self._steps, self._left, self._learns, self.ask = steps, left, learns, ask
        self.written: dict[int, _Written] = {}
        self._count = self._index = 0
        self._open: _Written | None = None
        self._seen: Part | None = None

    def begin(self, items: Sequence[Any], *given: Any) -> str:
        """The loop begins."""
        self._count = len(items)
        self._steps.begin(items, given)
        return ""

    def step(self, index: int, *spaces: Any) -> bool | str:
        """An iteration begins, with the namespaces that others have set. Whether it need not run; at -1 they end."""
        sets = self._steps.marked.sets
        given = tuple([attribute(space, name) for space, (_, name) in zip(spaces, sets, strict=True)]) if sets else ()
        if self._open is not None:
            self._open.after = given
        if index < 0:
            return ""
        self._index, self._seen = index, None if self._left is not None else self._seen
        if self._learns:
            # As it stands after those before it in all messages, whatever these were as the last.
            before = given if self._left is None else self._steps.before(index)
            known = self._known(before)
            after = before if known is None else known.after
            for space, (_, name), value, has in zip(spaces, sets, after, given, strict=True):
                if value is not has and isinstance(space, Namespace):
                    space[name] = value
            if known is not None:
                self._open = None
                return True
            given = before
        self._open = self.written[index] = _Written(given)
        return False

    def _known(self, before: Snapshot) -> _Written | None:
        """What the present iteration is known to write, or nothing at all where the template refuses such a part."""
        try:
            return self._steps.find(self._part(), self._index, before)
        except TemplateRefusedError:
            return _Written(before, after=before)

    def test(self, number: int) -> Any:
        """How a test comes out in the present iteration."""
        assert self._open is not None
        answer = self._part().answer(number, self._index)
        self._open.asked.append((number, answer))
        return answer

    def behind(self, start: int, name: str) -> Iterator[int]:
        """The places of a list of messages from `start` on, as far as they are looked at; that is noted."""
        assert self._open is not None
        for place in counted(start):
            item = self._part().item(name, place)
            self._open.asked.append(((name, place), item))
            if item is MISSING:
                return
            yield place

    def at(self, place: int, name: str) -> Any:
        """What a list of messages has at a place, which is known to be there."""
        return self._part().item(name, place)

    def _part(self) -> Part:
        """What the present iteration sees."""
        if self._seen is None:
            kept = self._count if self._left is None else min(self._index + self._left, self._count)
            self._seen = self._steps.part(kept, self.ask)
        return self._seen
