"""Reads out of the code what it may say: the texts of findings, of refusals and of the evidence for a format.

A text is what stands in the code, with `{}` for each value. It is followed through names, conditions, helpers of the
same module and functions of others; what a value may be, where that is words too, is a text of its own.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core import paths

CODE = Path(paths.__file__).parents[1]
# Who takes the text of a finding, and where among the arguments it stands; other words of theirs by their keywords.
TAKERS = {
    **dict.fromkeys(("repaired", "kept", "refuse", "stop", "Finding"), (2,)),
    "mend": (2, 3),
    "UnusableError": (1,),
    "Recognition": (1,),
    "ConstantError": (0,),
    "Error": (0,),
    "Row": (3,),
    "Layout": (),
    "replace": (),
}
# Whose words reach a finding through a list: functions that yield tuples with them at this place.
LISTERS = {"Iterator[Found]": 2, "Iterator[tuple[int, Any, str]]": 2}
# What cuts a value short gives no words of ours.
CUTTERS = {"snippet", "json_text"}
KEYWORDS = {"message", "remedy", "refused", "evidence", "reshaped", "unreadable", "found_by"}
Source = tuple["Module", ast.expr]
Function = ast.FunctionDef | ast.AsyncFunctionDef
# Alternatives that are written out within a text: as few, or as short.
FEW, ENDING = 2, 3


@dataclass
class Module:
    """A file of the code: its functions by name, the calls of each, and its constants."""

    place: str
    tree: ast.Module

    @cached_property
    def functions(self) -> dict[str, Function]:
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, Function)}

    @cached_property
    def calls(self) -> dict[str, list[ast.Call]]:
        found: dict[str, list[ast.Call]] = defaultdict(list)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                found[name_of(node)].append(node)
        return found

    @cached_property
    def owners(self) -> dict[ast.AST, Function | None]:
        """The function in which each expression stands."""
        owned: dict[ast.AST, Function | None] = {}

        def enter(node: ast.AST, owner: Function | None) -> None:
            for child in ast.iter_child_nodes(node):
                owned[child] = owner
                enter(child, child if isinstance(child, Function) else owner)

        enter(self.tree, None)
        return owned

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        found: dict[str, ast.expr] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    pairs: list[tuple[ast.expr, ast.expr]] = [(target, node.value)]
                    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                        pairs = list(zip(target.elts, node.value.elts, strict=True))
                    found |= {one.id: value for one, value in pairs if isinstance(one, ast.Name)}
        return found


def is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def is_counted(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and name_of(node) == "counted"


def name_of(call: ast.Call) -> str:
    """The last word of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


class Reader:
    """Follows texts through the modules of a package."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.rglob("*.py"))
        self.modules = [
            Module(path.relative_to(CODE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in files
        ]
        self.said: dict[str, str] = {}
        self.open: set[ast.AST] = set()
        self.asked: set[ast.AST] = set()
        for module in self.modules:
            for name, at in TAKERS.items():
                for call in module.calls[name]:
                    self._take(module, call, at)
            for function in module.functions.values():
                place = LISTERS.get(ast.unparse(function.returns) if function.returns else "")
                if place is not None:
                    for value in given_back(function):
                        self._say(module, part_of(value, (place,)))

    def _take(self, module: Module, call: ast.Call, at: tuple[int, ...]) -> None:
        found = [call.args[place] for place in at if place < len(call.args)]
        if call.args and isinstance(call.args[0], ast.Starred):
            found = [part for _, node in self._returned(call.args[0].value) for part in node.elts[at[0] :][: len(at)]]  # type: ignore[attr-defined]
        found += [word.value for word in call.keywords if word.arg in KEYWORDS]
        for node in found:
            self._say(module, node)

    def _say(self, module: Module, node: ast.expr | None) -> None:
        for text in self.texts(module, node) if node is not None else ():
            self._note(module, text)

    def _note(self, module: Module, text: str) -> None:
        if re.search(r"[a-z]{2}", text.replace("{}", "")):
            self.said.setdefault(re.sub("^; |; $", "", text), module.place)

    def texts(self, module: Module, node: ast.expr) -> list[str]:
        """What an expression may be; `{}` where that is not known to be words."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else ["{}"]
        if isinstance(node, ast.JoinedStr):
            parts: list[list[str]] = []
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    quoted = bool(parts) and parts[-1][-1].endswith('"')
                    parts.append(["{}"] if quoted else self._value(module, part.value))
                else:
                    parts.append(self.texts(module, part))
            return ["".join(chosen) for chosen in itertools.product(*parts)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and not is_number(node.right):
            pairs = itertools.product(self._value(module, node.left), self._value(module, node.right))
            return ["".join(pair) for pair in pairs]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and isinstance(node.left, ast.Constant):
            return ["", str(node.left.value)]
        if node in self.open:
            return []
        self.open.add(node)
        found = [text for one in self._sources(module, node) for text in self.texts(*one)]
        self.open.discard(node)
        return list(dict.fromkeys(found)) or ["{}"]

    def _value(self, module: Module, node: ast.expr) -> list[str]:
        """A part of a text: written out where it is one of few endings, else `{}`; its words are texts of their own."""
        found = self.texts(module, node) or ["{}"]
        literal = isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.IfExp) or is_counted(node)
        if len(found) <= FEW and (literal or max(map(len, found)) <= ENDING):
            return ["{}"] if "{}" in found else found
        for text in found:
            if " " in text.strip() and re.search("[a-z]{3}", text):
                self._note(module, text)
        return ["{}"]

    def _sources(self, module: Module, node: ast.expr) -> list[Source]:
        """The expressions that say what a name, a condition, a choice or a call is."""
        if isinstance(node, ast.Name | ast.Call | ast.Subscript):
            return self._looked_up(module, node)
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            return [(module, node.elt)]
        several: list[ast.expr] = []
        if isinstance(node, ast.IfExp):
            several = [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            several = node.values
        elif isinstance(node, ast.List):
            several = node.elts
        return [(module, value) for value in several]

    def _looked_up(self, module: Module, node: ast.Name | ast.Call | ast.Subscript) -> list[Source]:
        """What a name stands for, what a call gives, or what stands at a place; nothing where it leads in a circle."""
        if node in self.asked:
            return []
        self.asked.add(node)
        if isinstance(node, ast.Name):
            found = list(self._named(module, node))
        elif isinstance(node, ast.Call):
            found = list(self._called(module, node))
        else:
            found = list(self._indexed(module, node))
        self.asked.discard(node)
        return found

    def _indexed(self, module: Module, node: ast.Subscript) -> Iterator[Source]:
        """A value of a constant object, or one of the values that a function gives back together."""
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            for where, value in self._sources(module, node.value):
                yield from self._parts(where, value, (node.slice.value,))
        elif isinstance(node.value, ast.Name):
            given = module.constants.get(node.value.id)
            yield from ((module, value) for value in given.values) if isinstance(given, ast.Dict) else ()

    def _named(self, module: Module, node: ast.Name) -> Iterator[Source]:
        owner = module.owners.get(node)
        bound = list(bindings(owner, node.id)) if owner else []
        for value, path, each in bound:
            for where, one in self._each(module, value) if each else [(module, value)]:
                yield from self._parts(where, one, path)
        if owner and (place := parameter(owner, node.id)) is not None:
            for where in self.modules if owner.name[0] != "_" else [module]:
                for call in where.calls[owner.name]:
                    given = [word.value for word in call.keywords if word.arg == node.id]
                    yield from ((where, value) for value in given or call.args[place : place + 1])
        elif not bound and node.id in module.constants:
            yield module, module.constants[node.id]

    def _parts(self, module: Module, value: ast.expr, path: tuple[int, ...]) -> Iterator[Source]:
        """What stands at a place of a value that is several."""
        if not path or isinstance(value, ast.Tuple | ast.List):
            if (part := part_of(value, path)) is not None:
                yield module, part
        elif value not in self.open:
            self.open.add(value)
            for where, one in self._sources(module, value):
                yield from self._parts(where, one, path)
            self.open.discard(value)

    def _each(self, module: Module, value: ast.expr) -> Iterator[Source]:
        """What a loop over a value goes through."""
        if isinstance(value, ast.Call) and name_of(value) == "items" and isinstance(value.func, ast.Attribute):
            for where, one in self._sources(module, value.func.value):
                if isinstance(one, ast.Dict):
                    pairs = zip(one.keys, one.values, strict=True)
                    yield from ((where, ast.Tuple([key, each], ast.Load())) for key, each in pairs if key is not None)
        elif isinstance(value, ast.Tuple | ast.List):
            for one in value.elts:
                yield from self._each(module, one.value) if isinstance(one, ast.Starred) else [(module, one)]
        elif isinstance(value, ast.Name):
            for where, one in self._sources(module, value):
                if not isinstance(one, ast.Name):
                    yield from self._each(where, one)
        else:
            yield from self._sources(module, value)

    def _called(self, module: Module, call: ast.Call) -> Iterator[Source]:
        """What a function of ours gives back; of what is joined, or looked through, each."""
        if name_of(call) in ("next", "join", "filter", "sorted") and call.args:
            yield from ((module, value) for value in call.args)
        elif name_of(call) == "counted":
            words = [text for word in call.args[1:] for text in self.texts(module, word)]
            several = words if len(call.args) > 2 else [*words, *(f"{text}s" for text in words)]
            yield from ((module, ast.Constant(f"{{}} {text}")) for text in several)
        elif name_of(call) == "str" and call.args:
            yield module, call.args[0]
        elif name_of(call) == "format" and isinstance(call.func, ast.Attribute):
            yield module, call.func.value
        elif isinstance(call.func, ast.Name) or ast.unparse(call.func).startswith("self."):
            yield from self._returned(call)

    def _returned(self, call: ast.expr) -> list[Source]:
        """What a function of ours gives back."""
        name = name_of(call) if isinstance(call, ast.Call) else ""
        made = [(module, module.functions[name]) for module in self.modules if name in module.functions]
        return [(where, value) for where, function in made for value in given_back(function) if name not in CUTTERS]


def given_back(function: Function) -> Iterator[ast.expr]:
    """What a function returns or yields."""
    for node in ast.walk(function):
        if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) and node.value is not None:
            yield node.value


def part_of(value: ast.expr, path: tuple[int, ...]) -> ast.expr | None:
    """What stands at a place of a tuple of tuples."""
    for place in path:
        if not isinstance(value, ast.Tuple | ast.List) or place >= len(value.elts):
            return None
        value = value.elts[place]
    return value


def bindings(owner: Function, name: str) -> Iterator[tuple[ast.expr, tuple[int, ...], bool]]:
    """What a name is set to in a function: the value, where in it, and whether it is each of the value's."""
    for node in ast.walk(owner):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((node.value, path, False) for target in targets for path in places_of(target, name))
        elif isinstance(node, ast.For | ast.comprehension):
            yield from ((node.iter, path, True) for path in places_of(node.target, name))


def places_of(target: ast.expr, name: str) -> Iterator[tuple[int, ...]]:
    """Where a name stands in what is assigned to."""
    if isinstance(target, ast.Name) and target.id == name:
        yield ()
    elif isinstance(target, ast.Tuple):
        for place, one in enumerate(target.elts):
            yield from ((place, *path) for path in places_of(one, name))


def parameter(owner: Function, name: str) -> int | None:
    """At which place of a call a parameter stands; None for what is none."""
    names = [word.arg for word in owner.args.posonlyargs + owner.args.args]
    if name in names:
        return names.index(name) - (names[0] == "self")
    return len(names) + 99 if name in [word.arg for word in owner.args.kwonlyargs] else None
