"""Which part of the rendered text each message made, found by tracing the template while it renders once.

Every `for` of the template is made to print a mark where an iteration over a message begins and where it ends. The
marks are then taken out again; if what remains is not the plain rendering, byte for byte, the trace is not trusted and
nothing is returned. Loops over positions (`for i in range(messages | length)`) are followed through `messages[i]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

from core.conversation import JsonObject
from core.template.sandbox import (
    Template,
    TemplateRefusedError,
    compiled_tree,
    environment,
    parsed,
    render_compiled,
)

# Private-use characters of plane 15: no tokenizer vocabulary and no honest text holds them.
_OPEN, _CLOSE = "\U000f1000", "\U000f1001"
_MARK = re.compile(f"{_OPEN}([0-9]+)([+-]){_CLOSE}")
_CALLBACK = "tuneboard_at"

Regions = dict[int, tuple[int, int]]


def trace_regions(
    template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject], plain: str
) -> Regions | None:
    """For each message that the template loops over, where its text begins and ends in `plain`.

    `plain` is the untraced rendering of the same messages. None when the trace does not reproduce it. A message that
    is looped over more than once has the region with the most text.
    """
    index_of = {id(message): index for index, message in enumerate(messages)}

    def at(sign: str, *items: Any) -> str:
        for item in items:
            index = index_of.get(id(item))
            if index is not None:
                return f"{_OPEN}{index}{sign}{_CLOSE}"
        return ""

    try:
        marked = render_compiled(
            _traced(template.source), template, messages, tools, add_generation_prompt=False, **{_CALLBACK: at}
        )
    except TemplateRefusedError:
        return None
    return _regions(marked, plain)


def trace_ends(
    template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject], plain: str
) -> dict[int, int] | None:
    """Where the text of each message ends: `trace_regions` without the beginnings."""
    regions = trace_regions(template, messages, tools, plain)
    return None if regions is None else {index: end for index, (_, end) in regions.items()}


def _regions(marked: str, plain: str) -> Regions | None:
    begun: dict[int, int] = {}
    regions: Regions = {}
    pieces: list[str] = []
    length = position = 0
    for mark in _MARK.finditer(marked):
        pieces.append(marked[position : mark.start()])
        length += len(pieces[-1])
        position = mark.end()
        index = int(mark.group(1))
        if mark.group(2) == "+":
            begun[index] = length
            continue
        start, end = regions.get(index, (0, -1))
        if length - begun[index] > end - start:
            regions[index] = (begun[index], length)
    pieces.append(marked[position:])
    return regions if "".join(pieces) == plain else None


@lru_cache(maxsize=64)
def _traced(source: str) -> jinja2.Template:
    env = environment()
    tree = parsed(env, source)
    for loop in list(tree.find_all(nodes.For)):
        if isinstance(loop.target, nodes.Name):
            items = [loop.target.name, *_indexed(loop)]
            loop.body = [_mark("+", items, loop.lineno), *_before_continue(loop.body, items), _mark("-", items, 0)]
    return compiled_tree(env, tree)


def _indexed(loop: nodes.For) -> list[nodes.Expr]:
    """`messages[i]` in the body of a loop over `i`."""
    assert isinstance(loop.target, nodes.Name)
    found: list[nodes.Expr] = []
    for statement in loop.body:
        for item in statement.find_all(nodes.Getitem):
            by_target = isinstance(item.arg, nodes.Name) and item.arg.name == loop.target.name
            if by_target and isinstance(item.node, nodes.Name):
                found.append(nodes.Getitem(nodes.Name(item.node.name, "load"), item.arg, "load", lineno=item.lineno))
    return found[:1]


def _before_continue(body: list[nodes.Node], items: list[Any]) -> list[nodes.Node]:
    """The body with an end mark before each `continue` and `break`, which would jump over the one at the end."""
    out: list[nodes.Node] = []
    for statement in body:
        if isinstance(statement, (nodes.Continue, nodes.Break)):
            out.append(_mark("-", items, statement.lineno))
        elif isinstance(statement, nodes.If):
            statement.body = _before_continue(statement.body, items)
            statement.else_ = _before_continue(statement.else_, items)
            for branch in statement.elif_:
                branch.body = _before_continue(branch.body, items)
        out.append(statement)
    return out


def _mark(sign: str, items: list[Any], line: int) -> nodes.Node:
    values = [nodes.Name(item, "load") if isinstance(item, str) else item for item in items]
    call = nodes.Call(nodes.Name(_CALLBACK, "load"), [nodes.Const(sign), *values], [], None, None)
    return nodes.Output([call]).set_lineno(line, override=True)
