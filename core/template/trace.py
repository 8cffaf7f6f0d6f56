"""Where each message ends in the rendered text, found by tracing the template while it renders once.

Every `for` of the template is made to print a mark when an iteration over a message ends. The marks are then taken
out again; if what remains is not the plain rendering, byte for byte, the trace is not trusted and None is returned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

from core.conversation import JsonObject
from core.template.sandbox import Template, TemplateRefusedError, environment, render_compiled

# Private-use characters of plane 15: no tokenizer vocabulary and no honest text holds them.
_OPEN, _CLOSE = "\U000f1000", "\U000f1001"
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_CALLBACK = "tuneboard_end_of"


def trace_ends(
    template: Template, messages: Sequence[JsonObject], tools: Sequence[JsonObject], plain: str
) -> dict[int, int] | None:
    """For each message that the template loops over, the offset in `plain` at which its iteration ended.

    `plain` is the untraced rendering of the same messages. None when the trace does not reproduce it.
    """
    index_of = {id(message): index for index, message in enumerate(messages)}

    def end_of(item: Any) -> str:
        index = index_of.get(id(item))
        return "" if index is None else f"{_OPEN}{index}{_CLOSE}"

    try:
        marked = render_compiled(
            _traced(template.source), template, messages, tools, add_generation_prompt=False, **{_CALLBACK: end_of}
        )
    except TemplateRefusedError:
        return None
    ends: dict[int, int] = {}
    pieces: list[str] = []
    length = position = 0
    for mark in _MARK.finditer(marked):
        pieces.append(marked[position : mark.start()])
        length += len(pieces[-1])
        ends[int(mark.group(1))] = length
        position = mark.end()
    pieces.append(marked[position:])
    return ends if "".join(pieces) == plain else None


@lru_cache(maxsize=64)
def _traced(source: str) -> jinja2.Template:
    env = environment()
    tree = env.parse(source)
    for loop in list(tree.find_all(nodes.For)):
        if isinstance(loop.target, nodes.Name):
            loop.body.append(_mark_after(loop.target.name, loop.lineno))
    return jinja2.Template.from_code(env, env.compile(tree), env.make_globals(None))


def _mark_after(variable: str, line: int) -> nodes.Node:
    call = nodes.Call(nodes.Name(_CALLBACK, "load"), [nodes.Name(variable, "load")], [], None, None, lineno=line)
    return nodes.Output([call], lineno=line).set_lineno(line, override=True)
