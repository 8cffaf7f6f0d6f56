"""The forms of a template that steps need: in one, a mark stands where each iteration of its loop over messages begins.

What an iteration writes may depend on what follows only through tests that can be asked again (`core.template.pure`).
They are asked by number while it runs, so that it is known for which other parts of a conversation it writes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jinja2
from jinja2 import nodes

from core.template.ahead import BACKWARD, Reach, is_plain, stored, tests_of
from core.template.cuts import ASK, Cut, Walk, cut_of, looks_at_fixed, written, written_attributes
from core.template.harmless import is_harmless
from core.template.limits import BoundedEnvironment
from core.template.loops import TEST, asks_only, free, seen_by_macros
from core.template.pure import Test
from core.template.sandbox import compiled, compiled_tree, parsed
from core.template.scans import AT, BEHIND
from core.template.silent import Brief, silent

# A private character; what content holds is refused before anything is rendered (`core.template.protect`).
MARK = "\U000f1000"
PARTS = "tuneboard_parts"
_BEGIN, _STEP, _STATE = "tuneboard_begin", "tuneboard_step", "tuneboard_state"


@dataclass(frozen=True, slots=True)
class Marked:
    """`whole` writes marks, `again` only what iterations write, `closing` what stands behind the loop.

    `state` finds out what is fresh for each of the lists of messages in `PARTS`: the names `found`; without it, nothing
    is; if `harmless`, it refuses no conversation. `tests` read the outer `names`, and so far. `sets` is what iterations
    set and others see; `closing` is given it by the names `told`. If `fixed`, what `closing` writes is the same for all
    conversations: `closings`, by whether an answer is asked for. It alone sees anything of the variables `late`.
    `whole` is `faithful` if it is the template with nothing but marks put in, and so writes what that does.
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
    sets: tuple[tuple[str, str], ...]
    harmless: bool
    fixed: bool
    late: frozenset[str]
    faithful: bool
    closings: Mapping[bool, str] = field(default_factory=dict)


def marked(source: str) -> Marked | None:
    """The forms of a template; None where an iteration looks at what follows it in another way than by such tests.

    They share the plain template's budget, and so what that has written of the tools.
    """
    env = _environment(source)
    tree = parsed(env, source)
    cut = cut_of(tree)
    loop = tree.body[cut.place] if cut is not None else None
    if cut is None or not isinstance(loop, nodes.For) or not is_plain(loop):
        return None
    macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
    by_macros = written([*macros.values()])
    asked = tests_of(loop, cut, env, by_macros)
    walk = Walk(macros, set(cut.lists), cut.shift, asked.least, set(cut.fresh), set(cut.attributes))
    if not looks_at_fixed(loop.body, walk) or ASK in free(loop.body, set()) or not asks_only(loop.body, BACKWARD):
        return None
    if cut.attributes & written_attributes([*loop.body, *macros.values()]) or uses_state(tree) or MARK in source:
        return None
    names = tuple(sorted(asked.names))
    attributes = cut.attributes & frozenset(one for test in asked.tests for one in test.attributes)
    spaces = cut.spaces
    cut = replace(cut, least=walk.least, fresh=cut.fresh & asked.names, attributes=attributes)
    made = stored(one for one in tree.body[: cut.place] if not isinstance(one, nodes.Macro)) - stored(loop.body)
    sets = [one for one in sorted(written_attributes([*loop.body, *macros.values()])) if one[0] in made]
    # Asked at the beginning of an iteration, with what is set: whether what it writes here is known.
    asks = bool(asked.tests) or asked.scans
    steps = asks or cut.sums_up
    spaces_set = [nodes.Name(name, "load") for name, _ in sets]
    known = nodes.Filter(_read("loop", "index0"), _STEP, [*spaces_set], [], None, None)
    skip = [nodes.If(known, [nodes.Continue()], [], [])] if steps else []
    loop.body[:0] = [*skip, _text(MARK)]
    assert isinstance(loop.iter, nodes.Filter)
    assert loop.iter.node is not None
    begins = _output(loop.iter.node, _BEGIN, [nodes.Name(name, "load") for name in names])
    ends = [_output(nodes.Const(-1), _STEP, spaces_set)] if steps else []
    found = tuple(sorted(cut.fresh | cut.spaces))
    before, behind = tree.body[: cut.place], tree.body[cut.place + 1 :]
    # Of what is only found out for tests, `state` tells; what is set stays.
    asides = {place for place, one in enumerate(before) if _is_aside(one, cut)}
    finding = {place for place, one in enumerate(before) if _finds(one, cut, spaces)}
    harmless = all(is_harmless(one, cut.lists) for one in cut.finds)
    fixed = not cut.sums_up and _is_fixed(tree, behind, macros)
    # Without what is fresh, all parts begin alike.
    finds = found or cut.opens or not harmless
    middle = [begins, loop, *ends, _text(MARK)]
    tree.body = [*_without(before, asides), *middle, *behind]
    return Marked(
        compiled_tree(env, tree),
        compiled_tree(env, _again(env, source, asides, cut.place, middle)),
        compiled_tree(env, _closing(env, source, cut, fixed, sets)),
        compiled_tree(env, _state(env, source, finding, cut, found, spaces)) if finds else None,
        cut,
        tuple(asked.tests),
        names,
        asked.reach,
        found,
        tuple(sets),
        harmless,
        fixed,
        _late(before, free([loop], set()) | set(names), behind, macros),
        not asks and not asides,
    )


def _is_aside(statement: nodes.Node, cut: Cut) -> bool:
    return not isinstance(statement, nodes.Assign) and any(statement is one for one in cut.finds)


def _finds(statement: nodes.Node, cut: Cut, spaces: Collection[str]) -> bool:
    """Whether a statement has something to do with what is found out."""
    parts = [statement, *statement.find_all(nodes.Node)]
    named = {part.name for part in parts if isinstance(part, (nodes.Name, nodes.NSRef))}
    own = named & set(spaces) or stored([statement]) & cut.lists
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
    return not seen & (stored(tree.body) | {"messages", "tools"})


def _late(
    before: Sequence[nodes.Node], seen: set[str], behind: list[nodes.Node], macros: dict[str, nodes.Macro]
) -> frozenset[str]:
    """The names read behind the loop of which nothing is `seen` in it, nor in macros or in what stands before it."""
    sets = [one for one in before if _only_sets(one)]
    others = [one for one in before if not _only_sets(one) and not isinstance(one, nodes.Macro)]
    seen = seen | free(others, set()) | free([*macros.values()], set())
    late = set()
    for name in free([*sets, *behind], set()):
        reached = {name}
        for one in sets:
            reached |= stored([one]) if free([one], set()) & reached else set()
        if not reached & seen:
            late.add(name)
    return frozenset(late)


def _only_sets(statement: nodes.Node) -> bool:
    """Whether a statement does nothing but set names."""
    if isinstance(statement, nodes.If):
        return all(map(_only_sets, [*statement.body, *statement.elif_, *statement.else_]))
    return isinstance(statement, nodes.Assign) and isinstance(statement.target, nodes.Name)


def _environment(source: str) -> BoundedEnvironment:
    """The plain template's, with the filters that tell what runs."""
    plain = compiled(source).environment
    assert isinstance(plain, BoundedEnvironment)
    env: BoundedEnvironment = plain.overlay()
    budget = plain.budget

    def told(name: str) -> Callable[..., Any]:
        return lambda *given: getattr(budget.recorder, name)(*given)

    names = {_BEGIN: "begin", _STEP: "step", _STATE: "state", TEST: "test", BEHIND: "behind", AT: "at"}
    env.filters = {**plain.filters, **{name: told(method) for name, method in names.items()}}
    return env


def uses_state(tree: nodes.Template) -> bool:
    """Whether a template makes something that remembers how often it was asked."""
    return any(name.name == "joiner" for name in tree.find_all(nodes.Name))


def told(number: int) -> str:
    """The name by which a closing is given what iterations have set."""
    return f"{_STEP}_{number}"


def _closing(
    env: BoundedEnvironment, source: str, cut: Cut, fixed: bool, sets: Sequence[tuple[str, str]]
) -> nodes.Template:
    """What the template does before its loop, without a word and if it matters, and what it writes behind it."""
    tree = parsed(env, source)
    before, behind = tree.body[: cut.place], tree.body[cut.place + 1 :]
    before = [statement for statement in before if not fixed or isinstance(statement, nodes.Macro)]
    named = [nodes.Assign(nodes.NSRef(*one), nodes.Name(told(n), "load")) for n, one in enumerate(sets)]
    behind = [*named, *behind] if cut.sums_up else behind
    tree.body = [*silent(before, behind), *behind]
    return tree


def _state(
    env: BoundedEnvironment,
    source: str,
    finding: Collection[int],
    cut: Cut,
    found: Sequence[str],
    spaces: Collection[str],
) -> nodes.Template:
    """What the template does before its loop; it tells what it finds out for each part of the conversation.

    And it writes how each begins, with a mark behind that, unless all begin alike.
    """
    tree = parsed(env, source)
    tells = _output(nodes.Const(0), _STATE, [nodes.Name(name, "load") for name in found])
    statements = tree.body[: cut.place]
    if cut.opens:
        body = [*statements, tells, _text(MARK)]
        tree.body = [nodes.For(nodes.Name("messages", "store"), nodes.Name(PARTS, "load"), body, [], None, False)]
        return tree
    finds = [statement for at, statement in enumerate(statements) if at in finding]
    body = [*silent(finds, [tells]), tells]
    each = nodes.For(nodes.Name("messages", "store"), nodes.Name(PARTS, "load"), body, [], None, False)
    tree.body = [*silent(_without(statements, finding), [each]), Brief(spaces).visit(each)]
    return tree


def _read(name: str, of: str) -> nodes.Expr:
    return nodes.Getattr(nodes.Name(name, "load"), of, "load")


def _text(text: str) -> nodes.Node:
    return nodes.Output([nodes.TemplateData(text)])


def _output(value: nodes.Expr, name: str, given: Sequence[nodes.Expr]) -> nodes.Node:
    return nodes.Output([nodes.Filter(value, name, list(given), [], None, None)])
