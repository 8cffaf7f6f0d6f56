"""Tests of a template that can be asked again without running it, because they look only at what is handed to them.

`loop.last or messages[loop.index0 + 1].role != 'tool'` is one: what counts is its answer, not that another message
follows. Such a test becomes a function of the iteration's place and of the outer names.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from jinja2 import nodes
from jinja2.runtime import Undefined
from jinja2.utils import Namespace

from core.template.limits import BoundedEnvironment

Names = Mapping[str, Any]
PLACES = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0", "previtem", "nextitem"})
# These follow from where an iteration stands alone; the others depend on what comes before or after it.
FIXED_PLACES = frozenset({"index", "index0", "first"})
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda a, b: a in b,
    "notin": lambda a, b: a not in b,
}
_TESTS = frozenset(
    {"defined", "undefined", "none", "string", "mapping", "sequence", "iterable", "boolean", "true", "false"}
)


class Place:
    """Where an iteration stands among `items`: what a template may ask of `loop`."""

    __slots__ = ("first", "index", "index0", "item", "items")

    def __init__(self, items: Sequence[Any], index0: int) -> None:
        self.items, self.index0, self.index, self.first = items, index0, index0 + 1, index0 == 0
        self.item = items[index0]

    @property
    def length(self) -> int:
        """How many items there are."""
        return len(self.items)

    @property
    def last(self) -> bool:
        """Whether no item follows."""
        return self.index == len(self.items)

    @property
    def revindex(self) -> int:
        """From the end, the last is 1."""
        return len(self.items) - self.index0

    @property
    def revindex0(self) -> int:
        """From the end, the last is 0."""
        return len(self.items) - self.index

    @property
    def previtem(self) -> Any:
        """The item before."""
        return Undefined("there is no previous item") if self.first else self.items[self.index0 - 1]

    @property
    def nextitem(self) -> Any:
        """The item behind."""
        return Undefined("there is no next item") if self.last else self.items[self.index]


Look = Callable[[Place, Names], Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a loop's body can see: its target, names that are lists to index, namespaces, and other outer names.

    Of the outer names, `fresh` are those that may differ for another part of the conversation.
    """

    env: BoundedEnvironment
    target: str
    watched: frozenset[str]
    spaces: frozenset[str]
    outer: frozenset[str]
    fresh: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Test:
    """A test, as a function; it reads these `attributes` of namespaces, and, if `ahead`, looks at other messages.

    Unless only its `truth` counts, what it gives is used as it is.
    """

    look: Look
    attributes: frozenset[tuple[str, str]]
    ahead: bool
    truth: bool = True

    def answer(self, place: Place, names: Names) -> Any:
        """What it gives for an iteration."""
        value = self.look(place, names)
        return bool(value) if self.truth else value


def pure_test(node: nodes.Node, scope: Scope) -> Test | None:
    """The test as a function; None where it looks at more than it is handed, or at nothing that may change."""
    parts = [node, *node.find_all(nodes.Node)]
    attributes = frozenset(
        (part.node.name, part.attr)
        for part in parts
        if isinstance(part, nodes.Getattr) and isinstance(part.node, nodes.Name) and part.node.name in scope.spaces
    )
    ahead = any(_looks_ahead(part, scope) for part in parts)
    look = _look(node, scope) if attributes or ahead else None
    return None if look is None else Test(look, attributes, ahead)


def any_behind(items: str, start: nodes.Node, target: str, node: nodes.Node, scope: Scope) -> Test | None:
    """Whether a test of `target` holds for one of the items from `start` on; None where it looks at anything else."""
    begins = _look(start, scope)
    look = _look(node, Scope(scope.env, target, frozenset(), frozenset(), scope.outer))
    if begins is None or look is None or any(name.name == "loop" for name in node.find_all(nodes.Name)):
        return None

    def found(place: Place, names: Names) -> bool:
        listed = names[items]
        return any(look(Place(listed, index), names) for index in range(begins(place, names), len(listed)))

    return Test(found, frozenset(), True)


def attribute(space: Any, name: str) -> Any:
    """An attribute of a namespace; undefined where there is none."""
    attributes = object.__getattribute__(space, "_Namespace__attrs") if isinstance(space, Namespace) else {}
    return attributes[name] if name in attributes else Undefined(obj=space, name=name)


def _looks_ahead(node: nodes.Node, scope: Scope) -> bool:
    if isinstance(node, nodes.Name):
        return node.name in scope.watched | scope.fresh
    is_place = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop"
    return is_place and node.attr not in FIXED_PLACES  # type: ignore[attr-defined]


def _look(node: nodes.Node, scope: Scope) -> Look | None:
    for kind, build in _BUILDERS.items():
        if isinstance(node, kind):
            return build(node, scope)
    return None


def _const(node: nodes.Const, scope: Scope) -> Look:
    value = node.value
    return lambda place, names: value


def _constants(node: nodes.List | nodes.Tuple, scope: Scope) -> Look | None:
    if not all(isinstance(item, nodes.Const) for item in node.items):
        return None
    values = [item.value for item in node.items if isinstance(item, nodes.Const)]
    return lambda place, names: values


def _name(node: nodes.Name, scope: Scope) -> Look | None:
    name = node.name
    if name == scope.target:
        return lambda place, names: place.item
    return (lambda place, names: names[name]) if name in scope.outer or name in scope.watched else None


def _getattr(node: nodes.Getattr, scope: Scope) -> Look | None:
    name, env = node.attr, scope.env
    if isinstance(node.node, nodes.Name) and node.node.name == "loop":
        return (lambda place, names: getattr(place, name)) if name in PLACES else None
    if isinstance(node.node, nodes.Name) and node.node.name in scope.spaces:
        space = node.node.name
        return lambda place, names: attribute(names[space], name)
    inner = _look(node.node, scope)
    return None if inner is None else lambda place, names: env.getattr(inner(place, names), name)


def _getitem(node: nodes.Getitem, scope: Scope) -> Look | None:
    inner, key, env = _look(node.node, scope), _look(node.arg, scope), scope.env
    if inner is None or key is None:
        return None
    return lambda place, names: env.getitem(inner(place, names), key(place, names))


def _length(node: nodes.Filter, scope: Scope) -> Look | None:
    inner = _look(node.node, scope) if node.node is not None and node.name in ("length", "count") else None
    return None if inner is None or node.args else lambda place, names: len(inner(place, names))


def _both(node: nodes.BinExpr, scope: Scope) -> Look | None:
    left, right = _look(node.left, scope), _look(node.right, scope)
    if left is None or right is None:
        return None
    if isinstance(node, nodes.And):
        return lambda place, names: left(place, names) and right(place, names)
    if isinstance(node, nodes.Or):
        return lambda place, names: left(place, names) or right(place, names)
    do = operator.add if isinstance(node, nodes.Add) else operator.sub
    return lambda place, names: do(left(place, names), right(place, names))


def _one(node: nodes.UnaryExpr, scope: Scope) -> Look | None:
    inner, do = _look(node.node, scope), operator.not_ if isinstance(node, nodes.Not) else operator.neg
    return None if inner is None else lambda place, names: do(inner(place, names))


def _compare(node: nodes.Compare, scope: Scope) -> Look | None:
    left = _look(node.expr, scope)
    right = _look(node.ops[0].expr, scope) if len(node.ops) == 1 else None
    if left is None or right is None:
        return None
    do = _COMPARE[node.ops[0].op]
    return lambda place, names: do(left(place, names), right(place, names))


def _is(node: nodes.Test, scope: Scope) -> Look | None:
    inner = _look(node.node, scope)
    if inner is None or node.name not in _TESTS or node.args:
        return None
    do = cast(Callable[[Any], bool], scope.env.tests[node.name])
    return lambda place, names: do(inner(place, names))


_BUILDERS: dict[type | tuple[type, ...], Callable[[Any, Scope], Look | None]] = {
    nodes.Const: _const,
    (nodes.List, nodes.Tuple): _constants,
    nodes.Name: _name,
    nodes.Getattr: _getattr,
    nodes.Getitem: _getitem,
    nodes.Filter: _length,
    (nodes.And, nodes.Or, nodes.Add, nodes.Sub): _both,
    (nodes.Not, nodes.Neg): _one,
    nodes.Compare: _compare,
    nodes.Test: _is,
}
