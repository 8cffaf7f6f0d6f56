"""What the iterations of a template see in each part of a conversation, of what depends on how long the part is.

Part of it a template finds out before its loop over the messages: which user spoke last. A form of the template that
does nothing else tells it for many parts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.conversation import JsonObject
from core.template.cuts import ASK
from core.template.limits import REFUSALS, BoundedEnvironment
from core.template.marked import MARK, PARTS, Marked
from core.template.pure import Place, attribute
from core.template.sandbox import Template, TemplateLimitError, TemplateRefusedError, render_compiled

# For so many parts at once it is found out what is fresh: together they must not take long.
_AT_ONCE = 32
# The values of what iterations set, or of what is fresh.
Snapshot = tuple[Any, ...]
# What an iteration asks: a test by number, or what stands at a place of a list of messages.
Asked = int | tuple[str, int]
MISSING = object()


@dataclass(frozen=True, slots=True)
class Forms:
    """A template's forms for one conversation."""

    marked: Marked
    template: Template
    messages: Sequence[JsonObject]
    tools: Sequence[JsonObject]

    def rendered(self, form: Any, told: Any, messages: Sequence[JsonObject], *, ask: bool, **given: Any) -> str:
        """A form of the template rendered; its filters tell `told`. Raises `TemplateRefusedError`."""
        env = form.environment
        assert isinstance(env, BoundedEnvironment)
        before, env.budget.recorder = env.budget.recorder, told
        try:
            return render_compiled(form, self.template, messages, self.tools, add_generation_prompt=ask, **given)
        finally:
            env.budget.recorder = before


class Finder:
    """What the template finds out before its loop over the first messages, or why it refuses them."""

    def __init__(self, forms: Forms) -> None:
        self._forms = forms
        self._found: dict[int, dict[str, Any] | TemplateRefusedError] = {}
        self._openings: dict[int, str] = {}

    def opening(self, count: int) -> str:
        """What is written before the loop over the first `count` messages. Raises `TemplateRefusedError`."""
        self.found(count)
        return self._openings[count]

    def found(self, count: int) -> dict[str, Any]:
        """What is found out of the first `count` messages. Raises `TemplateRefusedError`."""
        if count not in self._found:
            first = count - count % _AT_ONCE
            self._find_out(range(max(first, 1), min(first + _AT_ONCE, len(self._forms.messages) + 1)))
        found = self._found[count]
        if isinstance(found, TemplateRefusedError):
            raise type(found)(*found.args)
        return found

    def _find_out(self, counts: Sequence[int]) -> None:
        """Several parts at once; where one is refused, the others anew."""
        forms, told = self._forms, _Told()
        parts = [list(forms.messages[:count]) for count in counts]
        try:
            openings = forms.rendered(forms.marked.state, told, forms.messages, ask=False, **{PARTS: parts}).split(MARK)
        except TemplateRefusedError as error:
            good = len(told.values)
            # What was written before a refusal is lost; and alone a part may keep within the limits.
            if good and (forms.marked.cut.opens or isinstance(error, TemplateLimitError)):
                self._find_out(counts[:good])
                self._find_out(counts[good:])
                return
            self._found[counts[good]] = error.with_traceback(None)
            openings = []
            if counts[good + 1 :]:
                self._find_out(counts[good + 1 :])
        names = forms.marked.found
        self._found |= {n: dict(zip(names, one, strict=True)) for n, one in zip(counts, told.values, strict=False)}
        self._openings |= dict(zip(counts, openings, strict=False))


class _Told:
    """Takes what the template has found out, for each part of the conversation."""

    def __init__(self) -> None:
        self.values: list[tuple[Any, ...]] = []

    def state(self, _: int, *values: Any) -> str:
        """The template has found them."""
        self.values.append(values)
        return ""


class Begun:
    """What the template has made ready when its loop over all messages begins.

    `items` is what it loops over, `outer` the names that tests read but for what is fresh, and `lists` those of them
    that are lists of the messages.
    """

    def __init__(self, marked: Marked, items: Sequence[Any], given: Sequence[Any]) -> None:
        self.items = list(items)
        named = zip(marked.names, given, strict=True)
        self.outer = {name: value for name, value in named if name not in marked.found}
        self.lists = marked.cut.lists & self.outer.keys()


class Part:
    """What iterations see in the first `count` messages: `items`, outer names, and what is fresh, when asked."""

    def __init__(self, finder: Finder, marked: Marked, begun: Begun, total: int, kept: int, ask: bool) -> None:
        less = len(begun.items) - kept
        self._marked, self._finder = marked, finder
        self.ask, self.items, self.count = ask, begun.items[:kept], total - less
        self.names = _Names(finder, self.count, begun.outer)
        for name in begun.lists:
            self.names[name] = begun.outer[name][: len(begun.outer[name]) - less]
        if ASK in begun.outer:
            self.names[ASK] = ask
        self._state: Snapshot | None = None
        self._answers: dict[tuple[int, int], Any] = {}

    @property
    def state(self) -> Snapshot:
        """What is fresh here, of what tests read. Raises `TemplateRefusedError`."""
        if self._state is None:
            cut, names = self._marked.cut, self.names
            if self._marked.state is not None:
                names.update(self._finder.found(self.count))
            spaces = [attribute(names[space], name) for space, name in cut.attributes]
            self._state = (*[names[name] for name in cut.fresh], *spaces, names.get(ASK))
        return self._state

    def item(self, name: str, place: int) -> Any:
        """What a list of messages has at a place; `MISSING` where it ends before."""
        items = self.names[name]
        return items[place] if place < len(items) else MISSING

    def answer(self, number: Asked, index: int) -> Any:
        """How a test comes out in an iteration, or what stands at a place. Raises `TemplateRefusedError`."""
        if isinstance(number, tuple):
            return self.item(*number)
        if (number, index) not in self._answers:
            place = Place(self.items, index)
            try:
                self._answers[number, index] = self._marked.tests[number].answer(place, self.names)
            except REFUSALS as error:
                raise TemplateRefusedError(f"the template refuses this conversation: {error}") from None
        return self._answers[number, index]


class _Names(dict[str, Any]):
    """Names, of which some are found when one of them is asked for."""

    def __init__(self, finder: Finder, count: int, known: Mapping[str, Any]) -> None:
        super().__init__(known)
        self._find: Callable[[], dict[str, Any]] = lambda: finder.found(count)

    def __missing__(self, name: str) -> Any:
        self.update(self._find())
        return self[name]
