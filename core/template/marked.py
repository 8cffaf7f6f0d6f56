"""The forms of a template that steps need: in one, a mark stands where each iteration of its loop over messages begins.

What an iteration writes may depend on what follows only through tests that can be asked again (`core.template.pure`).
They are asked by number while it runs, so that it is known for which other parts of a conversation it writes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jinja2
from jinja2 import nodes

from core.template.cuts import ASK, Cut, Walk, cut_of, looks_at_fixed, written
from core.template.harmless import is_harmless
from core.template.limits import BoundedEnvironment
from core.template.loops import TEST, Asked, asks_only, bound_by, free, seen_by_macros
from core.template.pure import FIXED_PLACES, Scope, Test
from core.template.sandbox import compiled, compiled_tree, parsed
from core.template.silent import Brief, silent

# A private character; what content holds is refused before anything is rendered (`core.template.protect`).
MARK = "\U000f1000"
PARTS = "tuneboard_parts"
_BEGIN, _STEP, _STATE = "tuneboard_begin", "tuneboard_step", "tuneboard_state"
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
    """`whole` writes marks, `again` only what iterations write, `closing` what stands behind the loop.

    `state` finds out what is fresh for each of the lists of messages in `PARTS`: the names `found`; without it, nothing
    is; if `harmless`, it refuses no conversation. `tests` read the outer `names`, and so far. `sets`: iterations set
    what others see. If `fixed`, what `closing` writes is the same for all conversations: `closings`, by whether an
    answer is asked for.
    """

    whole: jinja2.Template
    again: jinja2.Template
    closing: jinja2.Template
    state: jinja2.Template | None
    cut: Cut
    tests: tuple[Test, ...]
    names: tuple[str, ...]
    reach: Reach
    found: tuple[str, ...]
    sets: bool
    harmless: bool
    fixed: bool
    closings: Mapping[bool, str] = field(default_factory=dict)


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
    spaces = cut.spaces
    cut = replace(cut, least=walk.least, fresh=cut.fresh & asked.names, attributes=attributes)
    inside = _stored(loop.body)
    sets = [(space, name) for space, name in sorted(_attributes([*loop.body, *macros.values()])) if space not in inside]
    # Asked at the beginning of an iteration, with what is set: whether what it writes here is known.
    known = nodes.Filter(_read("loop", "index0"), _STEP, [_read(*one) for one in sets], [], None, None)
    skip = [nodes.If(known, [nodes.Continue()], [], [])] if asked.tests else []
    loop.body[:0] = [*skip, _text(MARK)]
    assert isinstance(loop.iter, nodes.Filter)
    assert loop.iter.node is not None
    begins = _output(loop.iter.node, _BEGIN, [nodes.Name(name, "load") for name in names])
    ends = [_output(nodes.Const(-1), _STEP, [_read(*one) for one in sets])] if asked.tests else []
    found = tuple(sorted(cut.fresh | cut.spaces))
    before, behind = tree.body[: cut.place], tree.body[cut.place + 1 :]
    # Of what is only found out for tests, `state` tells; what is set stays.
    asides = {place for place, one in enumerate(before) if _is_aside(one, cut)}
    finding = {place for place, one in enumerate(before) if _finds(one, cut, spaces)}
    harmless = all(is_harmless(one, cut.lists) for one in cut.finds)
    fixed = _is_fixed(tree, behind, macros)
    middle = [begins, loop, *ends, _text(MARK)]
    tree.body = [*_without(before, asides), *middle, *behind]
    return Marked(
        compiled_tree(env, tree),
        compiled_tree(env, _again(env, source, asides, cut.place, middle)),
        compiled_tree(env, _closing(env, source, cut, fixed)),
        compiled_tree(env, _state(env, source, finding, cut.place, found, spaces)) if found or not harmless else None,
        cut,
        tuple(asked.tests),
        names,
        asked.reach,
        found,
        bool(sets),
        harmless,
        fixed,
    )


def _is_aside(statement: nodes.Node, cut: Cut) -> bool:
    return isinstance(statement, (nodes.For, nodes.If)) and any(statement is one for one in cut.finds)


def _finds(statement: nodes.Node, cut: Cut, spaces: Collection[str]) -> bool:
    """Whether a statement has something to do with what is found out."""
    parts = [statement, *statement.find_all(nodes.Node)]
    named = {part.name for part in parts if isinstance(part, (nodes.Name, nodes.NSRef))}
    own = named & set(spaces) or _stored([statement]) & cut.lists
    return bool(own) or any(part is one for one in cut.finds for part in parts)


def _without(statements: Sequence[nodes.Node], places: Collection[int]) -> list[nodes.Node]:
    return [statement for place, statement in enumerate(statements) if place not in places]


def _again(
    env: BoundedEnvironment, source: str, asides: Collection[int], place: int, loop: Sequence[nodes.Node]
) -> nodes.Template:
    """What the loop writes, and nothing else."""
    tree = parsed(env, source)
    tree.body = [*silent(_without(tree.body[:place], asides), loop), *loop]
    return tree


def _is_fixed(tree: nodes.Template, behind: list[nodes.Node], macros: dict[str, nodes.Macro]) -> bool:
    """Whether what stands behind the loop looks at nothing that differs between conversations."""
    seen = free(behind, set())
    seen |= seen_by_macros(seen, macros)
    return not seen & (_stored(tree.body) | {"messages", "tools"})


def _environment(source: str) -> BoundedEnvironment:
    """The plain template's, with the filters that tell what runs."""
    plain = compiled(source).environment
    assert isinstance(plain, BoundedEnvironment)
    env: BoundedEnvironment = plain.overlay()
    budget = plain.budget

    def told(name: str) -> Callable[..., Any]:
        return lambda *given: getattr(budget.recorder, name)(*given)

    names = {_BEGIN: "begin", _STEP: "step", _STATE: "state", TEST: "test"}
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

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802  jinja2's name
        """True or false, whatever becomes of it."""
        asked: nodes.Node = self._test(node)
        return asked if asked is not node else self.generic_visit(node)

    def visit_Not(self, node: nodes.Not) -> nodes.Node:  # noqa: N802  jinja2's name
        """As a comparison."""
        asked: nodes.Node = self._test(node)
        return self.generic_visit(asked)

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


def _closing(env: BoundedEnvironment, source: str, cut: Cut, fixed: bool) -> nodes.Template:
    """What the template does before its loop, without a word and if it matters, and what it writes behind it."""
    tree = parsed(env, source)
    before, behind = tree.body[: cut.place], tree.body[cut.place + 1 :]
    before = [statement for statement in before if not fixed or isinstance(statement, nodes.Macro)]
    tree.body = [*silent(before, behind), *behind]
    return tree


def _state(
    env: BoundedEnvironment,
    source: str,
    finding: Collection[int],
    place: int,
    found: Sequence[str],
    spaces: Collection[str],
) -> nodes.Template:
    """What the template does before its loop; it tells what it finds out for each part of the conversation."""
    tree = parsed(env, source)
    tells = _output(nodes.Const(0), _STATE, [nodes.Name(name, "load") for name in found])
    statements = tree.body[:place]
    finds = [statement for at, statement in enumerate(statements) if at in finding]
    body = [*silent(finds, [tells]), tells]
    each = nodes.For(nodes.Name("messages", "store"), nodes.Name(PARTS, "load"), body, [], None, False)
    tree.body = [*silent(_without(statements, finding), [each]), Brief(spaces).visit(each)]
    return tree


def _attributes(parts: Sequence[nodes.Node]) -> set[tuple[str, str]]:
    """The attributes of namespaces that are set."""
    return {(ref.name, ref.attr) for part in parts for ref in part.find_all(nodes.NSRef)}


def _read(name: str, of: str) -> nodes.Expr:
    return nodes.Getattr(nodes.Name(name, "load"), of, "load")


def _text(text: str) -> nodes.Node:
    return nodes.Output([nodes.TemplateData(text)])


def _output(value: nodes.Expr, name: str, given: Sequence[nodes.Expr]) -> nodes.Node:
    return nodes.Output([nodes.Filter(value, name, list(given), [], None, None)])
