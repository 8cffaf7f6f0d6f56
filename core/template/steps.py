"""A conversation's text step by step, for templates that write every message the same whatever follows it.

Such a template prepares, runs one loop over the messages that looks only back, and closes. One rendering with a mark in
front of each iteration then gives the text of the first messages, however many they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import jinja2
from jinja2 import nodes

from core.conversation import JsonObject
from core.template.cuts import Cut
from core.template.limits import BoundedEnvironment
from core.template.pure import FIXED_PLACES
from core.template.sandbox import Template, TemplateRefusedError, compiled, compiled_tree, parsed, render_compiled

# A private character; what content holds is refused before anything is rendered (`core.template.protect`).
_MARK = "\U000f1000"
_BACKWARD = FIXED_PLACES | {"previtem"}


def stepping(source: str, cut: Cut) -> jinja2.Template | None:
    """The template with marks around each iteration of its loop; None where an iteration looks at what follows it.

    It shares the plain template's environment, and so what that has written of the tools.
    """
    env = compiled(source).environment
    assert isinstance(env, BoundedEnvironment)
    tree = parsed(env, source)
    loop = tree.body[cut.place]
    assert isinstance(loop, nodes.For)
    if not cut.alone or not _looks_back(loop.body):
        return None
    loop.body.insert(0, _mark())
    tree.body.insert(cut.place + 1, _mark())
    return compiled_tree(env, tree)


def _looks_back(body: Iterable[nodes.Node]) -> bool:
    """Whether `loop` is asked for nothing that depends on what follows; inner loops have a `loop` of their own."""
    for node in body:
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop":
            if node.attr not in _BACKWARD:
                return False
        elif not _looks_back([node.iter] if isinstance(node, nodes.For) else node.iter_child_nodes()):
            return False
    return True


def _mark() -> nodes.Node:
    return nodes.Output([nodes.TemplateData(_MARK)])


class Steps:
    """The text of one conversation and of its first messages."""

    def __init__(
        self,
        marked: jinja2.Template,
        cut: Cut,
        template: Template,
        messages: Sequence[JsonObject],
        tools: Sequence[JsonObject],
    ) -> None:
        self._marked, self._cut, self._template = marked, cut, template
        self._messages, self._tools = messages, tools
        self._each: list[str] | None = None
        self._closings: dict[bool, str | None] = {}
        self._before = ""

    def text(self, count: int, *, ask: bool) -> str | None:
        """The first `count` messages; with `ask`, and the generation prompt. None where the steps do not tell."""
        if count < self._cut.least:
            return None
        each, closing = self._iterations(), self._closing(ask)
        kept = len(each) - (len(self._messages) - count)
        if closing is None or kept < 0:
            return None
        return self._before + "".join(each[:kept]) + closing

    def _iterations(self) -> list[str]:
        """What each iteration writes; none where the template refuses the whole, which says nothing about a part."""
        if self._each is None:
            self._before, self._each, self._closings[False] = self._parts(self._messages, ask=False) or ("", [], None)
        return self._each

    def _closing(self, ask: bool) -> str | None:
        """What is written behind the loop: with the prompt, that follows from the fewest messages as from all."""
        if ask not in self._closings:
            parts = self._parts(self._messages[: self._cut.least], ask=ask) or self._parts(self._messages, ask=ask)
            self._closings[ask] = parts[2] if parts and parts[0] == self._before else None
        return self._closings[ask]

    def _parts(self, messages: Sequence[JsonObject], *, ask: bool) -> tuple[str, list[str], str] | None:
        """What is written before the loop, in each iteration, and behind it."""
        try:
            text = render_compiled(self._marked, self._template, messages, self._tools, add_generation_prompt=ask)
        except TemplateRefusedError:
            return None
        before, *each = text.split(_MARK)
        closing = each.pop() if each else ""
        return (before, each, closing) if each else None
