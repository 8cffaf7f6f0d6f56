"""Which templates write the first messages of a conversation the same whether or not others follow.

Such a template prepares, runs one loop over the messages, and closes. What it prints or finds out before the loop
(which user spoke last), and how it closes, may depend on how many messages there are: then it is done anew for each
part of the conversation. What the loop looks at is seen to in `core.template.marked`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jinja2 import nodes

from core.template.loops import free, seen_by_macros

ASK = "add_generation_prompt"
EACH = "tuneboard_each"
LENGTHS = ("length", "count")


@dataclass(frozen=True, slots=True)
class Cut:
    """How to cut: the loop over the messages is statement `place` of the template.

    `lists` are the names that hold the messages, without at most `shift` of the first; `least` messages must stay.
    `fresh` are the names, and `attributes` those of namespaces, that depend on how many messages there are; the
    statements `finds` do nothing but find them out, print, or refuse the conversation. What stands before the loop
    `opens` each part in another way, what stands behind it `ends` it so; or it `sums_up` what the loop has set.
    """

    place: int
    lists: frozenset[str]
    shift: int
    least: int
    fresh: frozenset[str]
    attributes: frozenset[tuple[str, str]]
    finds: tuple[nodes.Node, ...]
    opens: bool
    ends: bool
    sums_up: bool

    @property
    def spaces(self) -> frozenset[str]:
        """The namespaces of which an attribute is fresh."""
        return frozenset(space for space, _ in self.attributes)


@dataclass(slots=True)
class Walk:
    """What is known while the statements of a template are looked at, in order."""

    macros: dict[str, nodes.Macro]
    lists: set[str] = field(default_factory=lambda: {"messages"})
    shift: int = 0
    least: int = 1
    fresh: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    finds: list[nodes.Node] = field(default_factory=list)

    @property
    def changing(self) -> set[str]:
        """The names of which something depends on how many messages there are."""
        own = self.lists | self.fresh | {space for space, _ in self.attributes}
        return own | {name for name in self.macros if seen_by_macros({name}, self.macros) & own}


def cut_of(tree: nodes.Template) -> Cut | None:
    """How conversations of this template may be cut; None where only rendering tells."""
    walk = Walk({macro.name: macro for macro in tree.find_all(nodes.Macro)})
    main = _main_loop(tree)
    for place, statement in enumerate(tree.body):
        if place == main:
            of_messages = isinstance(statement, nodes.For) and is_of_messages(statement.iter, walk.lists)
            return _closed(tree, place, walk) if of_messages else None
        if not _prepares(statement, walk):
            return None
    return None


def _main_loop(tree: nodes.Template) -> int | None:
    """The place of the largest loop over the messages that prints."""
    lists = {"messages"}
    for assign in tree.find_all(nodes.Assign):
        if isinstance(assign.target, nodes.Name) and is_of_messages(assign.node, lists):
            lists.add(assign.target.name)
    loops = [
        (len(list(statement.find_all(nodes.Node))), -place)
        for place, statement in enumerate(tree.body)
        if isinstance(statement, nodes.For) and is_of_messages(statement.iter, lists) and prints(statement)
    ]
    return -max(loops)[1] if loops else None


def _closed(tree: nodes.Template, place: int, walk: Walk) -> Cut | None:
    loop, behind = tree.body[place], tree.body[place + 1 :]
    by_macros = written([*walk.macros.values()])
    seen = free(behind, set())
    seen |= seen_by_macros(seen, walk.macros)
    before = [one for one in tree.body[:place] if not isinstance(one, nodes.Macro) and not _is_default(one)]
    if seen & by_macros or free(before, set()) & (by_macros | {ASK}):
        return None
    ends = not looks_at_fixed(behind, walk)
    lists, fresh = frozenset(walk.lists), frozenset(walk.fresh)
    return Cut(
        place,
        lists,
        walk.shift,
        walk.least,
        fresh,
        frozenset(walk.attributes),
        tuple(walk.finds),
        any(map(prints, walk.finds)),
        ends,
        bool(seen & written([loop])),
    )


def _is_default(statement: nodes.Node) -> bool:
    """Whether a statement says what holds if it is not said whether an answer is asked for; it always is."""
    test = statement.test.node if isinstance(statement, nodes.If) and isinstance(statement.test, nodes.Not) else None
    undefined = isinstance(test, nodes.Test) and test.name == "defined" and isinstance(test.node, nodes.Name)
    return undefined and test.node.name == ASK  # type: ignore[union-attr]


def written(parts: Sequence[nodes.Node]) -> set[str]:
    """The namespaces of which attributes are set; of macros, those that are not their own."""
    return {name for name, _ in written_attributes(parts)}


def written_attributes(parts: Sequence[nodes.Node]) -> set[tuple[str, str]]:
    """The attributes of namespaces that are set; of macros, those of namespaces that are not their own."""
    found: set[tuple[str, str]] = set()
    for part in parts:
        found |= _of_others(part.body, set()) if isinstance(part, nodes.Macro) else _refs(part)
    return found


def _of_others(body: Sequence[nodes.Node], own: set[str]) -> set[tuple[str, str]]:
    """The attributes that statements set, but for those of `own` namespaces and of such as they make themselves."""
    own, found = set(own), set()
    for statement in body:
        if isinstance(statement, (nodes.If, nodes.For)):
            branches = statement.elif_ if isinstance(statement, nodes.If) else []
            for inner in (statement.body, branches, statement.else_):
                found |= _of_others(inner, own)
        else:
            own |= _stored([statement])
            found |= {ref for ref in _refs(statement) if ref[0] not in own}
    return found


def _refs(part: nodes.Node) -> set[tuple[str, str]]:
    return {(ref.name, ref.attr) for ref in part.find_all(nodes.NSRef)}


def _prepares(statement: nodes.Node, walk: Walk) -> bool:
    """Whether it is known what a statement before the loop may change."""
    if isinstance(statement, nodes.Macro):
        return True
    if isinstance(statement, nodes.Assign) and isinstance(statement.target, nodes.Name):
        name = statement.target.name
        if is_of_messages(statement.node, walk.lists):
            walk.lists.add(name)
            walk.shift += _start(statement.node)
            return name not in walk.fresh
        return name not in walk.lists and (looks_at_fixed([statement.node], walk) or _finds_out(statement, walk))
    if isinstance(statement, nodes.If) and looks_at_fixed([statement.test], walk):
        return all(_prepares(inner, walk) for inner in [*statement.body, *statement.elif_, *statement.else_])
    stored = {name.name for name in statement.find_all(nodes.Name) if name.ctx != "load"}
    return not stored & walk.lists and (looks_at_fixed([statement], walk) or _finds_out(statement, walk))


def _finds_out(statement: nodes.Node, walk: Walk) -> bool:
    """Whether a statement does nothing but print and set names; what it sets is fresh from then on."""
    if not isinstance(statement, (nodes.Assign, nodes.If, nodes.For, nodes.Output)):
        return False
    walk.finds.append(statement)
    walk.fresh |= _stored([statement])
    walk.attributes |= {(ref.name, ref.attr) for ref in statement.find_all(nodes.NSRef)}
    made = statement.node if isinstance(statement, nodes.Assign) else None
    if isinstance(statement, nodes.Assign) and isinstance(made, nodes.Call) and is_space(made):
        assert isinstance(statement.target, nodes.Name)
        walk.fresh -= {statement.target.name}
        fresh = [keyword.key for keyword in made.kwargs if not looks_at_fixed([keyword.value], walk)]
        walk.attributes |= {(statement.target.name, name) for name in fresh}
    return True


def is_space(call: nodes.Call) -> bool:
    """Whether a call makes a namespace of given attributes."""
    named = isinstance(call.node, nodes.Name) and call.node.name == "namespace"
    return named and not (call.args or call.dyn_args or call.dyn_kwargs)


def _stored(body: Sequence[nodes.Node]) -> set[str]:
    """The names that statements set and that are seen behind them; what a loop sets, only the loop sees."""
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, nodes.Assign):
            targets = [statement.target, *statement.target.find_all(nodes.Name)]
            found |= {target.name for target in targets if isinstance(target, nodes.Name)}
        elif isinstance(statement, nodes.If):
            found |= _stored([*statement.body, *statement.elif_, *statement.else_])
    return found


def prints(statement: nodes.Node) -> bool:
    """Whether a statement may print; a call that only refuses the conversation does not."""
    for part in [statement, *statement.find_all((nodes.Output, nodes.CallBlock, nodes.FilterBlock, nodes.Include))]:
        if isinstance(part, (nodes.CallBlock, nodes.FilterBlock, nodes.Include)):
            return True
        if isinstance(part, nodes.Output) and not all(map(prints_nothing, part.nodes)):
            return True
    return False


def prints_nothing(part: nodes.Node) -> bool:
    """Whether a part of an output is empty, or refuses the conversation."""
    if isinstance(part, nodes.TemplateData):
        return not part.data
    return isinstance(part, nodes.Call) and isinstance(part.node, nodes.Name) and part.node.name == "raise_exception"


def looks_at_fixed(parts: Sequence[nodes.Node], walk: Walk) -> bool:
    """Whether `parts` look at the messages only by a fixed number from the start, as `messages[0]`."""
    changing = walk.changing
    uses = [name for part in parts for name in _names(part) if name.name in changing and name.ctx == "load"]
    fixed = [item for part in parts for item in [*_items(part, walk.lists), *_lengths(part, walk.lists)]]
    walk.least = max([walk.least, *(walk.shift + number + 1 for number in fixed)])
    kept = [read for part in parts for read in _kept_attributes(part, walk.attributes)]
    # `messages and …`: there are some, however many stay.
    asked = [name for part in parts for name in _operands(part) if name == "messages"]
    walk.least = max(walk.least, walk.shift + 1 if asked else 1)
    return len(uses) == len(fixed) + len(kept) + len(asked)


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


def _kept_attributes(part: nodes.Node, attributes: set[tuple[str, str]]) -> list[nodes.Node]:
    """The reads of attributes that are not fresh, of namespaces that have fresh ones too."""
    spaces = {space for space, _ in attributes}
    return [
        node
        for node in [part, *part.find_all(nodes.Getattr)]
        if isinstance(node, nodes.Getattr)
        and isinstance(node.node, nodes.Name)
        and node.node.name in spaces
        and (node.node.name, node.attr) not in attributes
    ]


def _lengths(part: nodes.Node, lists: set[str]) -> list[int]:
    """The numbers in `messages | length > 0` and the like: of more messages than that, the answer is always one."""
    found = []
    for node in [part, *part.find_all(nodes.Compare)]:
        if not isinstance(node, nodes.Compare) or len(node.ops) != 1:
            continue
        measured, number = node.expr, node.ops[0].expr
        if not isinstance(measured, nodes.Filter) or measured.name not in LENGTHS or measured.args:
            continue
        of_list = isinstance(measured.node, nodes.Name) and measured.node.name in lists
        ordered = node.ops[0].op in ("eq", "ne", "lt", "lteq", "gt", "gteq")
        if of_list and ordered and isinstance(number, nodes.Const) and isinstance(number.value, int):
            found += [number.value] if number.value >= 0 else []
    return found


def is_of_messages(node: nodes.Node, lists: set[str]) -> bool:
    """Whether an expression is `messages`, `messages[1:]`, or another name of one."""
    if isinstance(node, nodes.Filter) and node.name == EACH and node.node is not None:
        return is_of_messages(node.node, lists)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        start, stop, step = node.arg.start, node.arg.stop, node.arg.step
        number = start is None or (isinstance(start, nodes.Const) and isinstance(start.value, int))
        return number and stop is None and step is None and _start(node) >= 0 and is_of_messages(node.node, lists)
    return isinstance(node, nodes.Name) and node.name in lists


def _start(node: nodes.Node) -> int:
    """How many messages an expression of messages leaves out."""
    if isinstance(node, nodes.Filter) and node.node is not None:
        return _start(node.node)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        start = node.arg.start.value if isinstance(node.arg.start, nodes.Const) else 0
        return start if start < 0 else start + max(_start(node.node), 0)
    return 0
