"""Loops over the messages before or behind an iteration: `for k in range(loop.index0 + 1, messages | length)`.

What such a loop sees behind its iteration is noted as it goes, message by message, up to where it has no more to do;
what stands before is the same in every part of a conversation.
"""

from __future__ import annotations

from collections.abc import Collection

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from core.template.cuts import LENGTHS
from core.template.loops import bound_by

# The filters through which such loops run: the places behind that have a message, and the message at a place.
BEHIND, AT = "tuneboard_behind", "tuneboard_at"


def scanned(loop: nodes.For, lists: Collection[str]) -> str | None:
    """The list of messages whose part before or behind an iteration the loop runs over; it is rewritten then.

    `lists` are the names that hold the messages.
    """
    called = loop.iter.node if isinstance(loop.iter, nodes.Filter) else None
    if not _is_range(called) or not isinstance(loop.target, nodes.Name) or loop.recursive or loop.test or loop.else_:
        return None
    assert isinstance(loop.iter, nodes.Filter)
    assert isinstance(called, nodes.Call)
    name = _list_behind(called, lists) or (_list_inside(loop, lists) if _goes_back(called) else None)
    if name is None or _is_bound(loop, loop.target.name) or _is_bound(loop, name):
        return None
    if not _goes_back(called):
        loop.iter.node = nodes.Filter(called.args[0], BEHIND, [nodes.Const(name)], [], None, None)
        _end_early(loop)
    indexed = _Indexed(loop.target.name, name)
    loop.body = [indexed.visit(statement) for statement in loop.body]
    return name


def offset(index: nodes.Node) -> int | None:
    """How far `loop.index0 + 1` and the like are from the iteration's own place."""
    if isinstance(index, nodes.Getattr) and isinstance(index.node, nodes.Name) and index.node.name == "loop":
        return {"index0": 0, "index": 1}.get(index.attr)
    if isinstance(index, (nodes.Add, nodes.Sub)) and isinstance(index.right, nodes.Const):
        inner, number = offset(index.left), index.right.value
        if inner is not None and isinstance(number, int):
            return inner + number if isinstance(index, nodes.Add) else inner - number
    return None


def _is_range(called: nodes.Node | None) -> bool:
    named = isinstance(called, nodes.Call) and isinstance(called.node, nodes.Name) and called.node.name == "range"
    return named and not (called.kwargs or called.dyn_args or called.dyn_kwargs)  # type: ignore[union-attr]


def _goes_back(called: nodes.Call) -> bool:
    """Whether it is `range(loop.index0 - 1, …, -1)`."""
    if len(called.args) != 3:
        return False
    start, stop, step = offset(called.args[0]), _number(called.args[1]), _number(called.args[2])
    return start is not None and start < 0 and stop is not None and stop >= -1 and step is not None and step < 0


def _number(node: nodes.Node) -> int | None:
    sign, node = (-1, node.node) if isinstance(node, nodes.Neg) else (1, node)
    return sign * node.value if isinstance(node, nodes.Const) and isinstance(node.value, int) else None


def _list_behind(called: nodes.Call, lists: Collection[str]) -> str | None:
    """The list of `range(loop.index0 + 1, messages | length)`."""
    if len(called.args) != 2 or (offset(called.args[0]) or 0) < 1:
        return None
    end = called.args[1]
    measured = end.node if isinstance(end, nodes.Filter) and end.name in LENGTHS and not end.args else None
    return measured.name if isinstance(measured, nodes.Name) and measured.name in lists else None


def _list_inside(loop: nodes.For, lists: Collection[str]) -> str | None:
    """The one list that the body looks at."""
    named = {name.name for statement in loop.body for name in statement.find_all(nodes.Name)} & set(lists)
    return named.pop() if len(named) == 1 else None


def _is_bound(loop: nodes.For, name: str) -> bool:
    """Whether the body gives a name another value."""
    scopes = [scope for kind in (nodes.For, nodes.Macro, nodes.CallBlock, nodes.With) for scope in loop.find_all(kind)]
    stored = {one.name for statement in loop.body for one in statement.find_all(nodes.Name) if one.ctx != "load"}
    return name in stored or any(name in bound_by(scope) for scope in scopes)


def _end_early(loop: nodes.For) -> None:
    """Ends the loop once its iterations do nothing any more.

    Because of `{% if ns.done %}{% elif … %}` or `{% if not ns.done %}`, with nothing else.
    """
    only = [one for one in loop.body if not _is_nothing(one)]
    first = only[0] if len(only) == 1 else None
    if not isinstance(first, nodes.If):
        return
    done = first.test if all(map(_is_nothing, first.body)) else None
    if isinstance(first.test, nodes.Not) and not first.elif_ and all(map(_is_nothing, first.else_)):
        done = first.test.node
    if isinstance(done, nodes.Getattr) and isinstance(done.node, nodes.Name):
        # In front for what is done before, and behind, so that the next message is not looked at in vain.
        tests = [nodes.Getattr(nodes.Name(done.node.name, "load"), done.attr, "load") for _ in range(2)]
        front, behind = [nodes.If(test, [nodes.Break()], [], []) for test in tests]
        loop.body = [front, *loop.body, behind]


def _is_nothing(statement: nodes.Node) -> bool:
    return isinstance(statement, nodes.Output) and all(
        isinstance(part, nodes.TemplateData) and not part.data for part in statement.nodes
    )


class _Indexed(NodeTransformer):
    """`messages[k]` goes through a filter."""

    def __init__(self, index: str, name: str) -> None:
        self.index, self.name = index, name

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802  jinja2's name
        """An item at the loop's place."""
        of_list = isinstance(node.node, nodes.Name) and node.node.name == self.name
        if of_list and isinstance(node.arg, nodes.Name) and node.arg.name == self.index:
            return nodes.Filter(node.arg, AT, [nodes.Const(self.name)], [], None, None)
        return self.generic_visit(node)
