"""Which statements of a template can be carried out whatever the messages are, so that they refuse no conversation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from jinja2 import nodes

from core.template.cuts import EACH, LENGTHS, is_of_messages, is_space


def is_harmless(node: nodes.Node, lists: Collection[str]) -> bool:
    """Whether a statement or an expression refuses nothing; `lists` hold the messages. In doubt not."""
    for kind, check in _CHECKS.items():
        if isinstance(node, kind):
            return check(node, lists)
    return isinstance(node, _WHOLE) and all(is_harmless(part, lists) for part in node.iter_child_nodes())


def _assign(node: nodes.Assign, lists: Collection[str]) -> bool:
    """Names hold nothing out of messages: so attributes can be read of all that is not set here."""
    if isinstance(node.target, nodes.NSRef):
        return is_harmless(node.node, lists)
    made = isinstance(node.node, nodes.Call) and is_harmless(node.node, lists)
    return made or is_of_messages(node.node, set(lists)) or is_number(node.node, lists)


def _output(node: nodes.Output, lists: Collection[str]) -> bool:
    return all(isinstance(part, nodes.TemplateData) for part in node.nodes)


def _filter(node: nodes.Filter, lists: Collection[str]) -> bool:
    if node.name in LENGTHS:
        return isinstance(node.node, nodes.Name) and node.node.name in lists
    return node.name == EACH and is_of_messages(node, set(lists))


def _call(node: nodes.Call, lists: Collection[str]) -> bool:
    return is_space(node) and all(is_harmless(keyword.value, lists) for keyword in node.kwargs)


def _numbers(node: nodes.BinExpr, lists: Collection[str]) -> bool:
    return is_number(node.left, lists) and is_number(node.right, lists)


def is_number(node: nodes.Node, lists: Collection[str]) -> bool:
    """Whether an expression is how many messages there are, the place of an iteration, or some more or less."""
    if isinstance(node, nodes.Getattr):
        return isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in ("index", "index0")
    if isinstance(node, nodes.Const):
        return isinstance(node.value, int)
    return isinstance(node, (nodes.Filter, nodes.Add, nodes.Sub)) and is_harmless(node, lists)


def _compare(node: nodes.Compare, lists: Collection[str]) -> bool:
    equal = all(operand.op in ("eq", "ne") for operand in node.ops)
    return equal and all(is_harmless(part, lists) for part in (node.expr, *(operand.expr for operand in node.ops)))


def _key(node: nodes.Getattr | nodes.Getitem, lists: Collection[str]) -> bool:
    """What stands in a message, or nothing."""
    named = isinstance(node.node, nodes.Name) and node.node.name not in lists
    return named and (isinstance(node, nodes.Getattr) or isinstance(node.arg, nodes.Const))


_WHOLE = (nodes.For, nodes.If, nodes.And, nodes.Or, nodes.Not, nodes.Name, nodes.NSRef, nodes.Const)
_CHECKS: dict[type | tuple[type, ...], Callable[[Any, Collection[str]], bool]] = {
    nodes.Assign: _assign,
    nodes.Output: _output,
    nodes.Filter: _filter,
    nodes.Call: _call,
    (nodes.Add, nodes.Sub): _numbers,
    nodes.Compare: _compare,
    (nodes.Getattr, nodes.Getitem): _key,
}
