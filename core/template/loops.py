"""A template's loops, rewritten so that a callback runs them: `{% call(message, loop) tuneboard_loop(…) %}`.

Rewritten is each outermost loop that prints and whose body can be told apart from the rest: it asks `loop` only for its
place, and the names that it sees outside are handed to the callback, so that it can tell whether they are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from core.template.limits import BoundedEnvironment
from core.template.pure import PLACES, Scope, Test, pure_test

# The callback, and the filters through which a body indexes lists, measures them and tests.
DRIVER, ITEM, LENGTH, TEST = "tuneboard_loop", "tuneboard_item", "tuneboard_length", "tuneboard_test"
NodeT = TypeVar("NodeT", bound=nodes.Node)
_NOT_OURS = frozenset({"caller", "varargs", "kwargs", "self", "super"})
_SCOPES = (nodes.For, nodes.Macro, nodes.CallBlock, nodes.With)


@dataclass(frozen=True, slots=True)
class Driven:
    """A tree whose loops are driven, and the tests that its bodies ask by number."""

    tree: nodes.Template
    tests: tuple[Test, ...]


def driven(tree: nodes.Template, env: BoundedEnvironment) -> Driven:
    """The tree with its loops driven by the callback and the filters above, which the environment must have."""
    rewriter = _Driver(tree, env)
    found: nodes.Template = rewriter.visit(tree)
    return Driven(found, tuple(rewriter.tests))


class _Driver(NodeTransformer):
    def __init__(self, tree: nodes.Template, env: BoundedEnvironment) -> None:
        self.env = env
        self.macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
        self.spaces = frozenset(_namespaces(tree))
        self.hidden: set[str] = set()
        self.tests: list[Test] = []
        self.count = 0

    def visit_For(self, loop: nodes.For) -> nodes.Node:  # noqa: N802  jinja2's name
        names = self._seen_outside(loop)
        if names is None:
            return self._inside(loop)
        of_macros = seen_by_macros(names, self.macros)
        watched = {name for name in names - of_macros - self.macros.keys() if _only_indexed(loop.body, name)}
        stored = {name.name for name in _within(loop.body, nodes.Name) if name.ctx != "load"}
        bound = {name for scope in _within(loop.body, *_SCOPES) for name in bound_by(scope)}
        assert isinstance(loop.target, nodes.Name)
        scope = Scope(
            self.env,
            loop.target.name if loop.target.name not in stored | bound else "",
            frozenset(watched),
            frozenset((self.spaces & names) - stored - bound),
            frozenset(names - stored - bound - watched - self.spaces),
        )
        self.count += 1
        given = [nodes.Keyword(name, nodes.Name(name, "load")) for name in sorted(names)]
        arguments = [nodes.Const(self.count), nodes.Const(tuple(sorted(watched))), loop.iter]
        call = nodes.Call(nodes.Name(DRIVER, "load"), arguments, given, None, None)
        body = [_Noted(scope, self.tests).visit(statement) for statement in loop.body]
        parameters = [nodes.Name(loop.target.name, "param"), nodes.Name("loop", "param")]
        return nodes.CallBlock(call, parameters, [], body).set_lineno(loop.lineno)

    def visit_Macro(self, macro: nodes.Macro) -> nodes.Node:  # noqa: N802  jinja2's name
        return self._inside(macro)

    def visit_CallBlock(self, block: nodes.CallBlock) -> nodes.Node:  # noqa: N802  jinja2's name
        return self._inside(block)

    def visit_With(self, block: nodes.With) -> nodes.Node:  # noqa: N802  jinja2's name
        return self._inside(block)

    def _inside(self, scope: nodes.Node) -> nodes.Node:
        """Go on with the loops inside a scope, whose names may hide those that macros see."""
        before = set(self.hidden)
        self.hidden |= bound_by(scope) | {name.name for name in scope.find_all(nodes.Name) if name.ctx == "store"}
        node = self.generic_visit(scope)
        self.hidden = before
        return node

    def _seen_outside(self, loop: nodes.For) -> set[str] | None:
        """The outer names that the body sees, in macros too; None where the loop must stay as it is."""
        plain = isinstance(loop.target, nodes.Name) and not (loop.recursive or loop.test or loop.else_)
        if not plain or not _prints(loop.body) or any(_within(loop.body, nodes.Continue, nodes.Break)):
            return None
        if any(_within(loop.body, nodes.Block, nodes.Include, nodes.Import, nodes.FromImport)):
            return None
        names = free(loop.body, bound_by(loop))
        of_macros = seen_by_macros(names, self.macros)
        if names & _NOT_OURS or of_macros & (self.hidden | _NOT_OURS) or not asks_only(loop.body, PLACES):
            return None
        return names | of_macros


class Asked(NodeTransformer):
    """The pure tests in a loop's body are asked by number, but for those of inner loops."""

    def __init__(self, scope: Scope, tests: list[Test]) -> None:
        self.scope, self.tests = scope, tests

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802  jinja2's name
        """Its test."""
        node.test = self._test(node.test)
        return self.generic_visit(node)

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802  jinja2's name
        """Its test."""
        node.test = self._test(node.test)
        return self.generic_visit(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  jinja2's name
        """What an inner loop runs over is seen to as the rest is."""
        inner = type(self)(Scope(self.scope.env, "", self.scope.watched, frozenset(), frozenset()), self.tests)
        node.iter = self.visit(node.iter)
        node.test = inner.visit(node.test) if node.test else None
        node.body = [inner.visit(statement) for statement in node.body]
        node.else_ = [inner.visit(statement) for statement in node.else_]
        return node

    def _test(self, node: Any) -> Any:
        """A test, of which only the truth counts, with its pure parts asked by number."""
        if not self.scope.target:
            return node
        test = self.found(node)
        if test is not None:
            return self.asked(test)
        if isinstance(node, (nodes.And, nodes.Or)):
            left, right = self._test(node.left), self._test(node.right)
            # What costs nothing is looked at first: then less has to be asked.
            swap = left is not node.left and self._is_plain(right)
            node.left, node.right = (right, left) if swap else (left, right)
        elif isinstance(node, nodes.Not):
            node.node = self._test(node.node)
        return node

    def asked(self, test: Test) -> nodes.Expr:
        """A test, asked by number."""
        self.tests.append(test)
        return nodes.Filter(nodes.Const(len(self.tests) - 1), TEST, [], [], None, None)

    def found(self, node: nodes.Node) -> Test | None:
        """The test as a function of what it looks at, if it is one that is asked by number."""
        return pure_test(node, self.scope)

    def _is_plain(self, node: nodes.Node) -> bool:
        """Whether an expression is a name or a key of the item, which can be looked at whatever they hold."""
        of_item = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name)
        return isinstance(node, nodes.Name) or (of_item and node.node.name == self.scope.target)  # type: ignore[attr-defined]


class _Noted(Asked):
    """What a body looks at goes through filters that note it: `messages[i]`, `messages | length`, and pure tests."""

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802  jinja2's name
        self.generic_visit(node)
        if isinstance(node.node, nodes.Name) and node.node.name in self.scope.watched:
            return nodes.Filter(node.node, ITEM, [nodes.Const(node.node.name), node.arg], [], None, None)
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802  jinja2's name
        self.generic_visit(node)
        measured = isinstance(node.node, nodes.Name) and node.node.name in self.scope.watched
        if measured and node.name in ("length", "count"):
            assert isinstance(node.node, nodes.Name)
            return nodes.Filter(node.node, LENGTH, [nodes.Const(node.node.name)], [], None, None)
        return node


def free(body: Iterable[nodes.Node], bound: set[str]) -> set[str]:
    """The names that are read in `body`, or are namespaces written there, and may come from outside."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, (nodes.Name, nodes.NSRef)):
            found |= {node.name} - bound if isinstance(node, nodes.NSRef) or node.ctx == "load" else set()
        elif isinstance(node, nodes.For):
            inner = [*node.body, *node.else_, *([node.test] if node.test else [])]
            found |= free([node.iter], bound) | free(inner, bound | bound_by(node))
        elif isinstance(node, nodes.CallBlock):
            found |= free([node.call, *node.defaults], bound) | free(node.body, bound | bound_by(node))
        elif isinstance(node, nodes.Macro):
            found |= free(node.defaults, bound) | free(node.body, bound | bound_by(node))
        elif isinstance(node, nodes.With):
            found |= free(node.values, bound) | free(node.body, bound | bound_by(node))
        else:
            found |= free(node.iter_child_nodes(), bound)
    return found


def bound_by(scope: nodes.Node) -> set[str]:
    """The names that a loop, macro, call block or `with` gives to its body."""
    if isinstance(scope, nodes.For):
        targets = [scope.target, *scope.target.find_all(nodes.Name)]
        return {"loop", *(name.name for name in targets if isinstance(name, nodes.Name))}
    if isinstance(scope, (nodes.Macro, nodes.CallBlock)):
        return {argument.name for argument in scope.args}
    if isinstance(scope, nodes.With):
        return {target.name for target in scope.targets if isinstance(target, nodes.Name)}
    return set()


def seen_by_macros(names: set[str], macros: dict[str, nodes.Macro]) -> set[str]:
    """What the macros among `names`, and those that they call, see outside."""
    found: set[str] = set()
    left = [name for name in names if name in macros]
    done: set[str] = set()
    while left:
        macro = macros[left.pop()]
        done.add(macro.name)
        seen = free([*macro.body, *macro.defaults], bound_by(macro))
        found |= seen
        left += [name for name in seen if name in macros and name not in done]
    return found


def _namespaces(tree: nodes.Template) -> Iterator[str]:
    for assignment in tree.find_all(nodes.Assign):
        call = assignment.node
        made = isinstance(call, nodes.Call) and isinstance(call.node, nodes.Name) and call.node.name == "namespace"
        if made and isinstance(assignment.target, nodes.Name):
            yield assignment.target.name


def _within(body: Iterable[nodes.Node], *kinds: type[NodeT]) -> Iterator[NodeT]:
    for statement in body:
        if isinstance(statement, kinds):
            yield statement
        yield from statement.find_all(kinds)


def _prints(body: list[nodes.Node]) -> bool:
    for output in _within(body, nodes.Output):
        if any(not isinstance(part, nodes.TemplateData) or part.data.strip() for part in output.nodes):
            return True
    return False


def _only_indexed(body: list[nodes.Node], name: str) -> bool:
    """Whether `body` uses a name only as `name[i]` or `name | length`, and gives it no other value."""
    if any(name in bound_by(scope) for scope in _within(body, *_SCOPES)):
        return False
    uses = [node for node in _within(body, nodes.Name) if node.name == name]
    if any(use.ctx != "load" for use in uses) or any(ref.name == name for ref in _within(body, nodes.NSRef)):
        return False
    indexed = [node for node in _within(body, nodes.Getitem) if not isinstance(node.arg, nodes.Slice)]
    measured = [node for node in _within(body, nodes.Filter) if node.name in ("length", "count") and not node.args]
    owners = [*(node.node for node in indexed), *(node.node for node in measured)]
    return sum(isinstance(owner, nodes.Name) and owner.name == name for owner in owners) == len(uses)


def asks_only(body: Iterable[nodes.Node], places: frozenset[str]) -> bool:
    """Whether `loop` is asked for nothing but these; inner loops have a `loop` of their own."""
    for node in body:
        if isinstance(node, nodes.Name) and node.name == "loop":
            return False
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop":
            if node.attr not in places:
                return False
            continue
        inner = [node.iter] if isinstance(node, nodes.For) else node.iter_child_nodes()
        if not asks_only(inner, places):
            return False
    return True
