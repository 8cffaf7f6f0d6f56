"""The forms of a template that steps need: one marks where each iteration of its loop over the messages begins.

What an iteration writes may depend on what follows only through tests that can be asked again (`core.template.pure`).
They are asked by number while it runs, so that it is known for which other parts of a conversation it writes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from core.template.cuts import ASK, Cut, Walk, cut_of, looks_at_fixed, prints_nothing, written
from core.template.limits import BoundedEnvironment
from core.template.loops import TEST, Asked, asks_only, bound_by, free
from core.template.pure import FIXED_PLACES, Scope, Test
from core.template.sandbox import compiled, compiled_tree, parsed

# A private character; what content holds is refused before anything is rendered (`core.template.protect`).
MARK = "\U000f1000"
PARTS = "tuneboard_parts"
_BEGIN, _STEP, _KNOWN, _STATE = "tuneboard_begin", "tuneboard_step", "tuneboard_known", "tuneboard_state"
_BACKWARD = FIXED_PLACES | {"previtem"}
_COUNTED = frozenset({"length", "revindex", "revindex0"})


@dataclass(frozen=True, slots=True)
class Reach:
    """How far tests look: `back` iterations at the start, and `ahead` at the end, see where the messages end.

    With `everywhere`, all of them may.
    """

    back: int = 0
    ahead: int = 0
    everywhere: bool = False

    def and_(self, other: Reach) -> Reach:
        """Both."""
        return Reach(max(self.back, other.back), max(self.ahead, other.ahead), self.everywhere or other.everywhere)


@dataclass(frozen=True, slots=True)
class Marked:
    """`whole` writes marks, `closing` what stands behind the loop.

    `state` finds out what is fresh for each of the lists of messages in `PARTS`: the names `found`. `tests` read the
    outer `names`, and so far.
    """

    whole: jinja2.Template
    closing: jinja2.Template
    state: jinja2.Template
    cut: Cut
    tests: tuple[Test, ...]
    names: tuple[str, ...]
    reach: Reach
    found: tuple[str, ...]


def marked(source: str) -> Marked | None:
    """The forms of a template; None where an iteration looks at what follows it in another way than by such tests.

    They share the plain template's budget, and so what that has written of the tools.
    """
    env = _environment(source)
    tree = parsed(env, source)
    cut = cut_of(tree)
    loop = tree.body[cut.place] if cut is not None else None
    if cut is None or not isinstance(loop, nodes.For) or not _is_plain(loop):
        return None
    macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
    by_macros = written([*macros.values()])
    asked = _asked(loop, cut, env, by_macros)
    walk = Walk(macros, set(cut.lists), cut.shift, asked.least, set(cut.fresh), set(cut.attributes))
    if not looks_at_fixed(loop.body, walk) or ASK in free(loop.body, set()) or not asks_only(loop.body, _BACKWARD):
        return None
    if cut.attributes & _attributes([*loop.body, *macros.values()]) or uses_state(tree) or MARK in source:
        return None
    names = tuple(sorted(asked.names))
    attributes = cut.attributes & frozenset(one for test in asked.tests for one in test.attributes)
    cut = Cut(cut.place, cut.lists, cut.shift, walk.least, cut.fresh & asked.names, attributes)
    inside = _stored(loop.body)
    sets = [(space, name) for space, name in sorted(_attributes([*loop.body, *macros.values()])) if space not in inside]
    known = nodes.Filter(_read("loop", "index0"), _KNOWN, [], [], None, None)
    skip = nodes.If(known, [nodes.Continue()], [], [])
    loop.body[:0] = [skip, _output(_read("loop", "index0"), _STEP, [_read(*one) for one in sets])]
    tree.body.insert(cut.place + 1, _output(nodes.Const(-1), _STEP, [_read(*one) for one in sets]))
    assert isinstance(loop.iter, nodes.Filter)
    assert loop.iter.node is not None
    tree.body.insert(cut.place, _output(loop.iter.node, _BEGIN, [nodes.Name(name, "load") for name in names]))
    found = tuple(sorted(cut.fresh | cut.spaces))
    return Marked(
        compiled_tree(env, tree),
        compiled_tree(env, _closing(env, source, cut)),
        compiled_tree(env, _state(env, source, cut, found)),
        cut,
        tuple(asked.tests),
        names,
        asked.reach,
        found,
    )


def _environment(source: str) -> BoundedEnvironment:
    """The plain template's, with the filters that tell what runs."""
    plain = compiled(source).environment
    assert isinstance(plain, BoundedEnvironment)
    env: BoundedEnvironment = plain.overlay()
    budget = plain.budget

    def told(name: str) -> Callable[..., Any]:
        return lambda *given: getattr(budget.recorder, name)(*given)

    names = {_BEGIN: "begin", _STEP: "step", _KNOWN: "known", _STATE: "state", TEST: "test"}
    env.filters = {**plain.filters, **{name: told(method) for name, method in names.items()}}
    return env


def uses_state(tree: nodes.Template) -> bool:
    """Whether a template makes something that remembers how often it was asked."""
    return any(name.name == "joiner" for name in tree.find_all(nodes.Name))


def _is_plain(loop: nodes.For) -> bool:
    return isinstance(loop.target, nodes.Name) and not (loop.recursive or loop.test or loop.else_)


def _stored(body: Iterable[nodes.Node]) -> set[str]:
    """The names that a body sets."""
    names = [name for statement in body for name in statement.find_all(nodes.Name)]
    return {name.name for name in names if name.ctx != "load"}


class _Tests(Asked):
    """Asks by number the tests that look ahead, or at what is fresh, and at nothing that the loop itself sets."""

    reach = Reach()
    least = 1
    cut: Cut
    names: set[str]
    unsafe: frozenset[tuple[str, str]]

    def found(self, node: nodes.Node) -> Test | None:
        """The test, if it is one of those."""
        test = super().found(node)
        parts = [node, *node.find_all(nodes.Node)]
        if test is None or test.attributes & self.unsafe:
            return None
        self.names |= {part.name for part in parts if isinstance(part, nodes.Name)} - {self.scope.target, "loop"}
        for part in parts:
            self.reach = self.reach.and_(self._reach(part))
        return test

    def _reach(self, part: nodes.Node) -> Reach:
        if isinstance(part, nodes.Getattr) and isinstance(part.node, nodes.Name) and part.node.name == "loop":
            return Reach(ahead=int(part.attr in ("last", "nextitem")), everywhere=part.attr in _COUNTED)
        if isinstance(part, nodes.Getitem) and _is_list(part.node, self.cut):
            return self._reach_of_index(part.arg)
        return Reach(everywhere=isinstance(part, nodes.Filter) and _is_list(part.node, self.cut))

    def _reach_of_index(self, index: nodes.Node) -> Reach:
        if isinstance(index, nodes.Const) and isinstance(index.value, int) and index.value >= 0:
            self.least = max(self.least, self.cut.shift + index.value + 1)
            return Reach()
        offset = _offset(index)
        if offset is None:
            return Reach(everywhere=True)
        return Reach(max(-offset, 0), max(offset + self.cut.shift, 0))


def _asked(loop: nodes.For, cut: Cut, env: BoundedEnvironment, by_macros: set[str]) -> _Tests:
    """Rewrites the body of the loop, so that its tests are asked by number."""
    assert isinstance(loop.target, nodes.Name)
    set_inside = _stored(loop.body)
    bound = {
        name
        for kind in (nodes.For, nodes.Macro, nodes.CallBlock, nodes.With)
        for scope in _all(loop.body, kind)
        for name in bound_by(scope)
    }
    inside = set_inside | bound
    set_spaces = written(loop.body) | by_macros
    outer = free(loop.body, bound_by(loop)) - inside - set_spaces - cut.spaces - cut.lists
    visitor = _Tests(
        Scope(
            env,
            "" if loop.target.name in inside else loop.target.name,
            cut.lists - inside,
            cut.spaces - inside,
            frozenset(outer),
            (cut.fresh | {ASK}) - inside,
        ),
        [],
    )
    visitor.cut, visitor.names = cut, set()
    visitor.least = cut.least
    visitor.unsafe = frozenset(_attributes(loop.body))
    loop.body = [visitor.visit(statement) for statement in loop.body]
    return visitor


def _all(body: Iterable[nodes.Node], kind: type[nodes.Node]) -> list[nodes.Node]:
    return [node for statement in body for node in [statement, *statement.find_all(kind)] if isinstance(node, kind)]


def _is_list(node: nodes.Node | None, cut: Cut) -> bool:
    return isinstance(node, nodes.Name) and node.name in cut.lists


def _offset(index: nodes.Node) -> int | None:
    """How far `loop.index0 + 1` and the like are from the iteration's own place."""
    if isinstance(index, nodes.Getattr) and isinstance(index.node, nodes.Name) and index.node.name == "loop":
        return {"index0": 0, "index": 1}.get(index.attr)
    if isinstance(index, (nodes.Add, nodes.Sub)) and isinstance(index.right, nodes.Const):
        inner, number = _offset(index.left), index.right.value
        if inner is not None and isinstance(number, int):
            return inner + number if isinstance(index, nodes.Add) else inner - number
    return None


def _closing(env: BoundedEnvironment, source: str, cut: Cut) -> nodes.Template:
    """What the template does before its loop, without a word, and what it writes behind it."""
    tree = parsed(env, source)
    tree.body = [*_silent(tree.body[: cut.place]), *tree.body[cut.place + 1 :]]
    return tree


def _state(env: BoundedEnvironment, source: str, cut: Cut, found: Sequence[str]) -> nodes.Template:
    """What the template does before its loop, for each part of the conversation; it tells what it found."""
    tree = parsed(env, source)
    tells = _output(nodes.Const(0), _STATE, [nodes.Name(name, "load") for name in found])
    body = [*_silent(tree.body[: cut.place]), tells]
    tree.body = [nodes.For(nodes.Name("messages", "store"), nodes.Name(PARTS, "load"), body, [], None, False)]
    return tree


def _silent(statements: list[nodes.Node]) -> list[nodes.Node]:
    """Statements that print nothing, and do the same otherwise."""
    template = nodes.Template(statements)
    _Silent().visit(template)
    left = template.body
    used = [{name.name for name in statement.find_all(nodes.Name)} for statement in left]

    def called(number: int, macro: nodes.Macro) -> bool:
        return any(macro.name in names for other, names in enumerate(used) if other != number)

    return [one for number, one in enumerate(left) if not isinstance(one, nodes.Macro) or called(number, one)]


class _Silent(NodeTransformer):
    """Takes out what is printed, and what does nothing then; refusals stay."""

    def visit_Output(self, node: nodes.Output) -> nodes.Node | None:  # noqa: N802  jinja2's name
        node.nodes = [part for part in node.nodes if not isinstance(part, nodes.TemplateData) and prints_nothing(part)]
        return node if node.nodes else None

    def visit_For(self, node: nodes.For) -> nodes.Node | None:  # noqa: N802  jinja2's name
        self.generic_visit(node)
        return node if node.body or node.else_ else None

    def visit_If(self, node: nodes.If) -> nodes.Node | None:  # noqa: N802  jinja2's name
        self.generic_visit(node)
        return node if node.body or node.elif_ or node.else_ else None

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802  jinja2's name
        return node

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:  # noqa: N802  jinja2's name
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> None:  # noqa: N802  jinja2's name
        return None

    def visit_FilterBlock(self, node: nodes.FilterBlock) -> None:  # noqa: N802  jinja2's name
        return None


def _attributes(parts: Sequence[nodes.Node]) -> set[tuple[str, str]]:
    """The attributes of namespaces that are set."""
    return {(ref.name, ref.attr) for part in parts for ref in part.find_all(nodes.NSRef)}


def _read(name: str, of: str) -> nodes.Expr:
    return nodes.Getattr(nodes.Name(name, "load"), of, "load")


def _output(value: nodes.Expr, name: str, given: Sequence[nodes.Expr]) -> nodes.Node:
    return nodes.Output([nodes.Filter(value, name, list(given), [], None, None)])
