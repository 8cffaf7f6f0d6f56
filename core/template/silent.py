"""Statements of a template that print nothing, and loops that end early: for forms that only find something out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from core.template.cuts import prints_nothing
from core.template.harmless import is_number
from core.template.loops import bound_by


def silent(statements: list[nodes.Node], behind: Sequence[nodes.Node]) -> list[nodes.Node]:
    """Statements that print nothing, and do the same otherwise for those behind."""
    template = nodes.Template(statements)
    _Silent().visit(template)
    left = template.body
    used = [{name.name for name in statement.find_all(nodes.Name)} for statement in [*left, *behind]]

    def called(number: int, macro: nodes.Macro) -> bool:
        return any(macro.name in names for other, names in enumerate(used) if other != number)

    return [one for number, one in enumerate(left) if not isinstance(one, nodes.Macro) or called(number, one)]


class _Silent(NodeTransformer):
    """Takes out what is printed, and what does nothing then; refusals stay."""

    def visit_Output(self, node: nodes.Output) -> nodes.Node | None:  # noqa: N802  jinja2's name
        node.nodes = [part for part in node.nodes if not isinstance(part, nodes.TemplateData) and prints_nothing(part)]
        return node if node.nodes else None

    def visit_For(self, node: nodes.For) -> nodes.Node | None:  # noqa: N802  jinja2's name
        self.generic_visit(node)
        return node if node.body or node.else_ else None

    def visit_If(self, node: nodes.If) -> nodes.Node | None:  # noqa: N802  jinja2's name
        self.generic_visit(node)
        return node if node.body or node.elif_ or node.else_ else None

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802  jinja2's name
        return node

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:  # noqa: N802  jinja2's name
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> None:  # noqa: N802  jinja2's name
        return None

    def visit_FilterBlock(self, node: nodes.FilterBlock) -> None:  # noqa: N802  jinja2's name
        return None


class Brief(NodeTransformer):
    """Loops end where their iterations do nothing any more: because of `ns.open` in `if ns.open and …`."""

    def __init__(self, spaces: Collection[str]) -> None:
        self.spaces = spaces

    def visit_For(self, loop: nodes.For) -> nodes.Node:  # noqa: N802  jinja2's name
        """A loop, with what ends it in front."""
        self.generic_visit(loop)
        *before, last = loop.body
        first = last.test if isinstance(last, nodes.If) and not (last.elif_ or last.else_) else None
        while isinstance(first, nodes.And):
            first = first.left
        if not isinstance(first, nodes.Getattr) or not isinstance(first.node, nodes.Name):
            return loop
        if first.node.name in self.spaces and first.node.name not in bound_by(loop) and all(map(_sets_number, before)):
            loop.body.insert(0, nodes.If(nodes.Not(first), [nodes.Break()], [], []))
        return loop


def _sets_number(statement: nodes.Node) -> bool:
    if not isinstance(statement, nodes.Assign) or not isinstance(statement.target, nodes.Name):
        return False
    return is_number(statement.node, {"messages"})
