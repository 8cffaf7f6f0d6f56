"""Which templates write the first messages of a conversation the same whether or not others follow.

Such a template prepares, runs one loop over the messages, and closes. What it prepares, and how it closes, must not
depend on how many messages there are; what the loop depends on is noted as it runs. Then the text of a part of the
conversation follows from the text of the whole, and nothing need be rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jinja2 import nodes

from core.template.loops import DRIVER, free, seen_by_macros

_ASK = "add_generation_prompt"


@dataclass(frozen=True, slots=True)
class Cut:
    """How to cut: loop `number` runs over the messages, `lists` are the names that hold them (from some place on), and
    `least` messages must stay.

    The loop is statement `place` of the template; `alone`: what its body sees of the messages is one at a time.
    """

    number: int
    lists: frozenset[str]
    least: int
    place: int
    alone: bool


@dataclass(slots=True)
class _Walk:
    """What is known while the statements before the loop are looked at."""

    macros: dict[str, nodes.Macro]
    lists: set[str] = field(default_factory=lambda: {"messages"})
    least: int = 1


def cut_of(tree: nodes.Template) -> Cut | None:
    """How conversations of this template (its loops driven) may be cut; None where only rendering tells."""
    places = [number for number, node in enumerate(tree.body) if _driven_names(node) is not None]
    macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
    walk = _Walk(macros)
    for number in places:
        before, loop = tree.body[:number], tree.body[number]
        assert isinstance(loop, nodes.CallBlock)
        if not _is_of_messages(loop.call.args[2], {"messages"}) and not _names_a_list(loop.call.args[2], before):
            continue
        if not all(_prepares(statement, walk) for statement in before):
            return None
        return _closed(tree, number, walk)
    return None


def _closed(tree: nodes.Template, number: int, walk: _Walk) -> Cut | None:
    loop, behind = tree.body[number], tree.body[number + 1 :]
    assert isinstance(loop, nodes.CallBlock)
    names = _driven_names(loop) or set()
    watched = set(loop.call.args[1].value) if isinstance(loop.call.args[1], nodes.Const) else set()
    if not _is_of_messages(loop.call.args[2], walk.lists) or (names & walk.lists) - watched or _ASK in names:
        return None
    written = {ref.name for node in [loop, *walk.macros.values()] for ref in node.find_all(nodes.NSRef)}
    seen = free(behind, set())
    seen |= seen_by_macros(seen, walk.macros)
    if seen & (walk.lists | written) or _ASK in free(tree.body[:number], set()):
        return None
    alone = not names & walk.lists
    return Cut(loop.call.args[0].value, frozenset(walk.lists), walk.least, number, alone)  # type: ignore[attr-defined]


def _prepares(statement: nodes.Node, walk: _Walk) -> bool:
    """Whether a statement before the loop does the same however many messages follow."""
    if isinstance(statement, nodes.Macro):
        return True
    if isinstance(statement, nodes.Assign) and isinstance(statement.target, nodes.Name):
        if _is_of_messages(statement.node, walk.lists):
            walk.lists.add(statement.target.name)
            return True
        return statement.target.name not in walk.lists and _looks_at_fixed([statement.node], walk)
    if isinstance(statement, nodes.If):
        bodies = [*statement.body, *statement.elif_, *statement.else_]
        return _looks_at_fixed([statement.test], walk) and all(_prepares(inner, walk) for inner in bodies)
    stored = {name.name for name in statement.find_all(nodes.Name) if name.ctx != "load"}
    return not stored & walk.lists and _looks_at_fixed([statement], walk)


def _looks_at_fixed(parts: Sequence[nodes.Node], walk: _Walk) -> bool:
    """Whether `parts` look at the messages only by a fixed number from the start, as `messages[0]`."""
    dirty = {name for name in walk.macros if seen_by_macros({name}, walk.macros) & walk.lists}
    uses = [name for part in parts for name in _names(part) if name.name in walk.lists | dirty and name.ctx == "load"]
    fixed = [item for part in parts for item in _items(part, walk.lists)]
    walk.least = max([walk.least, *(number + 1 for number in fixed)])
    # `messages and …`: there are some, however many stay.
    asked = [name for part in parts for name in _operands(part) if name == "messages"]
    return len(uses) == len(fixed) + len(asked)


def _names(part: nodes.Node) -> list[nodes.Name]:
    return [node for node in [part, *part.find_all(nodes.Name)] if isinstance(node, nodes.Name)]


def _operands(part: nodes.Node) -> list[str]:
    """The names that stand alone in a condition."""
    conditions = [
        node for node in [part, *part.find_all((nodes.And, nodes.Or))] if isinstance(node, (nodes.And, nodes.Or))
    ]
    sides = [side for node in conditions for side in (node.left, node.right)]
    return [side.name for side in sides if isinstance(side, nodes.Name)]


def _items(part: nodes.Node, lists: set[str]) -> list[int]:
    """The numbers in `messages[0]` and the like."""
    found = []
    for item in [part, *part.find_all(nodes.Getitem)]:
        named = isinstance(item, nodes.Getitem) and isinstance(item.node, nodes.Name) and item.node.name in lists
        if named and isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, int) and item.arg.value >= 0:  # type: ignore[attr-defined]
            found.append(item.arg.value)  # type: ignore[attr-defined]
    return found


def _is_of_messages(node: nodes.Node, lists: set[str]) -> bool:
    """Whether an expression is `messages`, `messages[1:]`, or another name of one."""
    if isinstance(node, nodes.Filter) and node.name == "tuneboard_each" and node.node is not None:
        return _is_of_messages(node.node, lists)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        start, stop, step = node.arg.start, node.arg.stop, node.arg.step
        simple = (
            stop is None and step is None and (start is None or (isinstance(start, nodes.Const) and start.value >= 0))
        )
        return simple and _is_of_messages(node.node, lists)
    return isinstance(node, nodes.Name) and node.name in lists


def _names_a_list(node: nodes.Node, before: Sequence[nodes.Node]) -> bool:
    """Whether a loop runs over a name that the statements before it make of the messages."""
    inner = node.node if isinstance(node, nodes.Filter) else node
    if not isinstance(inner, nodes.Name):
        return False
    assigned = [
        a for statement in before for a in [statement, *statement.find_all(nodes.Assign)] if isinstance(a, nodes.Assign)
    ]
    return any(
        isinstance(a.target, nodes.Name) and a.target.name == inner.name and _is_of_messages(a.node, {"messages"})
        for a in assigned
    )


def _driven_names(node: nodes.Node) -> set[str] | None:
    """The outer names that a driven loop is handed; None for another statement."""
    if isinstance(node, nodes.CallBlock) and isinstance(node.call.node, nodes.Name) and node.call.node.name == DRIVER:
        return {keyword.key for keyword in node.call.kwargs}
    return None
