"""The tests in the body of a loop over the messages that look ahead: asked by number, and how far they look.

What is looked up ahead and used as it is counts as a test whose answer is that value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import nodes

from core.template.cuts import ASK, Cut, written, written_attributes
from core.template.limits import BoundedEnvironment
from core.template.loops import Asked, bound_by, free
from core.template.pure import FIXED_PLACES, Scope, Test, any_behind, pure_test
from core.template.scans import offset, scanned

# What `loop` tells that only depends on what stands before.
BACKWARD = FIXED_PLACES | {"previtem"}
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


def stored(body: Iterable[nodes.Node]) -> set[str]:
    """The names that a body sets."""
    names = [name for statement in body for name in statement.find_all(nodes.Name)]
    return {name.name for name in names if name.ctx != "load"}


def is_plain(loop: nodes.For) -> bool:
    """Whether a loop is over a name, all of it, and nothing more."""
    return isinstance(loop.target, nodes.Name) and not (loop.recursive or loop.test or loop.else_)


def tests_of(loop: nodes.For, cut: Cut, env: BoundedEnvironment, by_macros: set[str]) -> Tests:
    """Rewrites the body of the loop, so that its tests are asked by number."""
    assert isinstance(loop.target, nodes.Name)
    set_inside = stored(loop.body)
    bound = {
        name
        for kind in (nodes.For, nodes.Macro, nodes.CallBlock, nodes.With)
        for scope in _all(loop.body, kind)
        for name in bound_by(scope)
    }
    inside = set_inside | bound
    set_spaces = written(loop.body) | by_macros
    outer = free(loop.body, bound_by(loop)) - inside - set_spaces - cut.spaces - cut.lists
    visitor = Tests(
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
    visitor.unsafe = frozenset(written_attributes(loop.body))
    loop.body = [visitor.visit(statement) for statement in loop.body]
    return visitor


class Tests(Asked):
    """Asks by number the tests that look ahead, or at what is fresh, and at nothing that the loop itself sets."""

    reach = Reach()
    scans = False
    least = 1
    cut: Cut
    names: set[str]
    unsafe: frozenset[tuple[str, str]]

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  jinja2's name
        """A loop that does nothing but find out whether there is a message of some kind behind is a test.

        Others over the messages before and behind are rewritten so that what they see is noted.
        """
        only = node.body[0]
        test = self._behind(node, only) if isinstance(only, nodes.If) and _only_notes(node) else None
        if test is None or not isinstance(only, nodes.If):
            if self.scope.target and (name := scanned(node, self.scope.watched)):
                self.names.add(name)
                self.scans = True
                self.reach = self.reach.and_(Reach(ahead=1, everywhere=True))
            return super().visit_For(node)
        return nodes.If(self.asked(test), only.body, [], [])

    def _behind(self, node: nodes.For, only: nodes.If) -> Test | None:
        rest = node.iter.node if isinstance(node.iter, nodes.Filter) else None
        part = rest.arg if isinstance(rest, nodes.Getitem) and _is_list(rest.node, self.cut) else None
        if not isinstance(part, nodes.Slice) or part.start is None or part.stop or part.step or not self.scope.target:
            return None
        assert isinstance(rest, nodes.Getitem)
        assert isinstance(rest.node, nodes.Name)
        assert isinstance(node.target, nodes.Name)
        test = any_behind(rest.node.name, part.start, node.target.name, only.test, self.scope)
        if test is None or offset(part.start) != 1:
            return None
        own = _names(name for one in (part.start, only.test) for name in [one, *one.find_all(nodes.Name)])
        self.names |= (own | {rest.node.name}) - {"loop", node.target.name, self.scope.target}
        self.reach = self.reach.and_(Reach(everywhere=True))
        return test

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802  jinja2's name
        """Its test; together with that of a branch which does the same."""
        while node.elif_ and node.elif_[0].body == node.body:
            node.test = nodes.Or(node.test, node.elif_.pop(0).test)
        return super().visit_If(node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802  jinja2's name
        """True or false, whatever becomes of it."""
        asked: nodes.Node = self._test(node)
        return asked if asked is not node else self.generic_visit(node)

    def visit_Not(self, node: nodes.Not) -> nodes.Node:  # noqa: N802  jinja2's name
        """As a comparison."""
        asked: nodes.Node = self._test(node)
        return self.generic_visit(asked)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802  jinja2's name
        """What is looked up in something that may change, and used as it is."""
        test = self.found(node) if self.scope.target else None
        return self.generic_visit(node) if test is None else self.asked(replace(test, truth=False))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802  jinja2's name
        """As an attribute."""
        test = self.found(node) if self.scope.target else None
        return self.generic_visit(node) if test is None else self.asked(replace(test, truth=False))

    def _test(self, node: Any) -> Any:
        if isinstance(node, nodes.Or) and isinstance(node.right, nodes.And):
            # `a or (not a and b)` is `a or b`.
            other, rest = node.right.left, node.right.right
            if isinstance(other, nodes.Not) and other.node == node.left and pure_test(node.left, self.scope):
                node = nodes.Or(node.left, rest)
        return super()._test(node)

    def found(self, node: nodes.Node) -> Test | None:
        """The test, if it is one of those."""
        test = super().found(node)
        parts = [node, *node.find_all(nodes.Node)]
        if test is None or test.attributes & self.unsafe or not (test.attributes or any(map(self._may_change, parts))):
            return None
        self.names |= _names(parts) - {self.scope.target, "loop"}
        for part in parts:
            self.reach = self.reach.and_(self._reach(part))
        return test

    def _may_change(self, part: nodes.Node) -> bool:
        """Whether this part of a test looks at more than what stands before the iteration."""
        if isinstance(part, nodes.Name):
            return part.name in self.scope.watched | self.scope.fresh
        of_loop = isinstance(part, nodes.Getattr) and isinstance(part.node, nodes.Name) and part.node.name == "loop"
        return of_loop and part.attr not in BACKWARD  # type: ignore[attr-defined]

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
        far = offset(index)
        if far is None:
            return Reach(everywhere=True)
        return Reach(max(-far, 0), max(far + self.cut.shift, 0))


def _all(body: Iterable[nodes.Node], kind: type[nodes.Node]) -> list[nodes.Node]:
    return [node for statement in body for node in [statement, *statement.find_all(kind)] if isinstance(node, kind)]


def _names(parts: Iterable[nodes.Node]) -> set[str]:
    return {part.name for part in parts if isinstance(part, nodes.Name)}


def _only_notes(loop: nodes.For) -> bool:
    """Whether a loop does nothing but set constants under one condition."""
    only = loop.body[0] if len(loop.body) == 1 and is_plain(loop) else None
    return isinstance(only, nodes.If) and not (only.elif_ or only.else_) and all(map(_sets_constant, only.body))


def _sets_constant(statement: nodes.Node) -> bool:
    of_space = isinstance(statement, nodes.Assign) and isinstance(statement.target, nodes.NSRef)
    return of_space and isinstance(statement.node, nodes.Const)  # type: ignore[attr-defined]


def _is_list(node: nodes.Node | None, cut: Cut) -> bool:
    return isinstance(node, nodes.Name) and node.name in cut.lists
