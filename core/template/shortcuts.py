"""The Python code that jinja2 makes of a template, with short ways for what chat templates do all the time.

They read keys of objects (`message.role`, `message['content']`) and put texts together (`a + b + c`). jinja2 asks the
environment for each; here the code does itself what that would answer for plain objects and texts, and asks for the
rest.
"""

from __future__ import annotations

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame

# Attributes that objects have themselves: `message.items` is not a key.
OF_OBJECTS = frozenset(dir(dict))


class Shortcuts(CodeGenerator):
    """Writes them; the environment has `added` for sums."""

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802  jinja2's name
        """`message.role`."""
        key = _key_of(node.node, node.attr, frame) if node.attr not in OF_OBJECTS else ""
        self.write(key)
        super().visit_Getattr(node, frame)
        self.write(")" if key else "")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802  jinja2's name
        """`message['role']`."""
        of_text = isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str)
        key = _key_of(node.node, node.arg.value, frame) if of_text else ""  # type: ignore[attr-defined]
        self.write(key)
        super().visit_Getitem(node, frame)
        self.write(")" if key else "")

    def visit_Add(self, node: nodes.BinExpr, frame: Frame) -> None:  # noqa: N802  jinja2's name
        """`a + b + c`, of three and more."""
        parts = _parts(node)
        if len(parts) < 3:
            super().visit_Add(node, frame)
            return
        self.write("environment.added(context")
        for part in parts:
            self.write(", ")
            self.visit(part, frame)
        self.write(")")


def _key_of(of: nodes.Node, key: str, frame: Frame) -> str:
    """The beginning of an expression for the key of a name's value, if that is an object that has it."""
    if not isinstance(of, nodes.Name) or of.ctx != "load":
        return ""
    name = frame.symbols.find_ref(of.name)
    return f"({name}[{key!r}] if {name}.__class__ is dict and {key!r} in {name} else " if name else ""


def _parts(node: nodes.Expr) -> list[nodes.Expr]:
    """The parts of a sum, in order."""
    return [*_parts(node.left), node.right] if isinstance(node, nodes.Add) else [node]
