"""Jinja's sandbox with limits on time and memory, because anybody may have written the template.

The sandbox keeps a template away from Python; it does not keep it from looping or filling the memory. Here every loop,
call, filter and macro looks at the clock, and every operation that can make much out of little (`*`, `+`, `~`, `%`,
widths, `join`, `replace`, ranges, lists within lists) is measured before or as it is carried out. A render that
exceeds the limits ends with `LimitError`; nothing runs in another process, so an honest template pays microseconds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from types import BuiltinMethodType
from typing import Any

import jinja2.ext
from jinja2 import nodes
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from core.template.budget import MOST_CHARACTERS, Budget, LimitError, size_of
from core.template.shortcuts import OF_OBJECTS, Shortcuts

MOST_SOURCE = 1 << 17
MOST_WIDTH = 10_000
_SHORT_LOOP = 64
_EACH = "tuneboard_each"
_MADE = "tuneboard_made"
_WIDE = {"batch", "center", "expandtabs", "indent", "ljust", "rjust", "round", "slice", "tojson", "wordwrap", "zfill"}
# Filters that go through a text as fast as it can be copied; all others take it only up to a length.
_QUICK = {"capitalize", "count", "d", "default", "e", "escape", "first", "float", "format", "int", "last", "length",
          "lower", "replace", "safe", "string", "tojson", "trim", "truncate", "upper"}  # fmt: skip
# Filters that make nothing, and take no time.
_AT_ONCE = {"count", "d", "default", "length"}
MOST_WORKED = 1 << 20
_WIDE_FORMAT = re.compile(r"\d{5,}|%[^%a-zA-Z]*\*|\{[^{}]*\{")
# Methods that the sandbox allows as they are; `format` is not among them, it wraps that.
_OF_TEXTS = frozenset(name for name in dir(str) if not name.startswith(("_", "format")))
_PLACES = frozenset({"index", "index0", "first", "last"})
_NO_USE = ("lipsum", "cycler")
# What is rendered twice must be the same twice.
_BY_CHANCE = "random"


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which nothing takes long or much. Call `budget.start()` before each render."""

    code_generator_class = Shortcuts
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.budget = Budget()
        # How attributes of some types are read, without the sandbox's questions; NotImplemented: with them.
        self.readers: dict[type, Callable[[Any, str], Any]] = {Namespace: _of_namespace, LoopContext: _of_loop}
        # jinja2 looks it up on the instance, for macros and blocks as for the whole.
        self.concat = self._concat  # type: ignore[method-assign]
        self.globals["range"] = self._range
        for name in _NO_USE:
            del self.globals[name]
        del self.filters[_BY_CHANCE]
        for name, function in list(self.filters.items()):
            if name not in _AT_ONCE:
                self.bounded_filter(name, function)
        self.filters[_EACH] = self._each
        self.filters[_MADE] = self._made

    def bounded_filter(self, name: str, function: Callable[..., Any]) -> None:
        """Add a filter that looks at the clock and at what it makes."""

        first = 1 if hasattr(function, "jinja_pass_arg") else 0

        @functools.wraps(function)
        def bounded(*arguments: Any, **named: Any) -> Any:
            self.budget.tick()
            if name == "join" and not isinstance(arguments[first], Sized):
                arguments = (*arguments[:first], list(arguments[first]), *arguments[first + 1 :])
            self._check_filter(name, arguments[first:], named)
            value = function(*arguments, **named)
            if isinstance(value, str):
                self.budget.grow(len(value))
            elif isinstance(value, list):
                self.budget.hold(value)
            return value

        self.filters[name] = bounded

    def parsed(self, source: str) -> nodes.Template:
        """The template's tree, with the limits in it. Raises `TemplateSyntaxError`, `LimitError`, `RecursionError`."""
        if len(source) > MOST_SOURCE:
            raise LimitError(f"the template is longer than {MOST_SOURCE} characters")
        self.budget.start()
        return _Limits().visit(self.parse(source))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`message.content`: a key of an object, unless objects themselves have something of that name."""
        if type(obj) is dict and attribute not in OF_OBJECTS:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if type(obj) is str and attribute in _OF_TEXTS:
            return getattr(obj, attribute)
        reader = self.readers.get(type(obj))
        if reader is not None and (value := reader(obj, attribute)) is not NotImplemented:
            return value
        return super().getattr(obj, attribute)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  jinja2's names
        """A call written in the template."""
        __self.budget.tick()
        if type(__obj) is Macro:
            # What jinja2 does of itself, without asking what kind of thing is called.
            _without_scopes(kwargs)
            value = __obj(__context.eval_ctx, *args, **kwargs)
        elif type(__obj) is BuiltinMethodType and type(__obj.__self__) is str and __obj.__name__ in _OF_TEXTS:
            _without_scopes(kwargs)
            __self._check_method(__obj.__self__, __obj.__name__, args, kwargs)
            value = __obj(*args, **kwargs)
        else:
            value = __self._called(__context, __obj, args, kwargs)
        if isinstance(value, str) and len(value) > MOST_WIDTH:
            __self.budget.grow(len(value))
        elif isinstance(value, dict | list):
            __self.budget.hold(value)
        return value

    def _called(self, context: Context, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # The sandbox wraps str.format; what it wraps knows its string.
        owner = getattr(getattr(function, "__wrapped__", function), "__self__", None)
        if isinstance(owner, str):
            self._check_method(owner, function.__name__, args, kwargs)
        return super().call(context, function, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`+`, `*`, `**` or `%`."""
        if operator == "+" and type(left) is str and type(right) is str:
            if len(left) + len(right) > MOST_WIDTH:
                self.budget.grow(len(left) + len(right))
            return left + right
        if operator == "+":
            if isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
                self.budget.grow(len(left) + len(right))
                if not isinstance(right, str):
                    self.budget.hold(right)
        elif operator == "%":
            if isinstance(left, str):
                self._check_format(left, right)
        else:
            self._check_product(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def added(self, context: Context, *parts: Any) -> Any:
        """`a + b + c`: texts at once, anything else from left to right."""
        for part in parts:
            if type(part) is not str:
                return functools.reduce(functools.partial(self.call_binop, context, "+"), parts)
        text = "".join(parts)
        if len(text) > MOST_WIDTH:
            self.budget.grow(len(text))
        return text

    def _check_product(self, operator: str, left: Any, right: Any) -> None:
        for many, times in ((left, right), (right, left)):
            if isinstance(many, Sized) and isinstance(times, int):
                self.budget.grow(len(many) * max(times, 0))
                if not isinstance(many, str):
                    self.budget.hold(many, max(times, 0))
        if isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
            if bits > MOST_WIDTH:
                raise LimitError("the template computes with numbers that are too large")

    def _check_method(self, owner: str, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if name in _WIDE:
            self._check_width(name, arguments, named)
        elif name in ("format", "format_map"):
            self._check_format(owner, [arguments, named])
        elif name in ("translate", "maketrans"):
            raise LimitError(f"{name} is not for templates")
        elif name == "join" and arguments and isinstance(arguments[0], (list, tuple)):
            self.budget.grow(sum(len(part) for part in arguments[0] if isinstance(part, str)))
            self.budget.grow(len(owner) * len(arguments[0]))
        elif name == "replace" and len(arguments) > 1 and isinstance(arguments[1], str):
            self.budget.grow(len(owner) + (owner.count(arguments[0]) * len(arguments[1])))

    def _check_filter(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        value, given = arguments[:1], arguments[1:]
        if name not in _QUICK and value and isinstance(value[0], str) and len(value[0]) > MOST_WORKED:
            raise LimitError(f"{name} is given a text of more than {MOST_WORKED} characters")
        if name == "sum" and any(isinstance(start, Sized) for start in (*given[1:], *named.values())):
            raise LimitError("sum is for numbers; lists and texts are put together with +")
        if name in _WIDE:
            if given or named:
                self._check_width(name, given, named)
        elif name == "format" and isinstance(value[0], str):
            self._check_format(value[0], [given, named])
        elif name == "join" and isinstance(value[0], Sized):
            between = next((part for part in (*given[:1], named.get("d")) if isinstance(part, str)), "")
            self.budget.grow(len(between) * len(value[0]))
            if isinstance(value[0], (list, tuple)):
                self.budget.grow(sum(len(part) for part in value[0] if isinstance(part, str)))
        elif name == "replace" and len(given) > 1:
            text, old, new = (str(part) for part in (*value, *given[:2]))
            self.budget.grow(len(text) + text.count(old) * len(new))

    def _check_width(self, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        for value in (*given, *named.values()):
            if isinstance(value, int) and value > MOST_WIDTH:
                raise LimitError(f"{name} is asked for a width above {MOST_WIDTH}")
            if isinstance(value, str) and len(value) > MOST_WIDTH:
                raise LimitError(f"{name} is given a text that is too long")

    def _check_format(self, pattern: str, given: Any) -> None:
        places = pattern.count("%") + pattern.count("{")
        if places:
            found = _WIDE_FORMAT.search(pattern)
            if found is not None:
                raise LimitError(f"a format asks for a width of {found.group()[:20]}")
            nodes, characters = size_of(given, {})
            self.budget.grow(places * (nodes + characters))

    def _concat(self, parts: Iterable[str]) -> str:
        return "".join(self.bounded(parts))

    def bounded(self, parts: Iterable[str]) -> list[str]:
        """What a template or a macro writes, piece by piece."""
        texts: list[str] = []
        length = 0
        source = iter(parts)
        while length <= MOST_CHARACTERS and (some := list(islice(source, _SHORT_LOOP))):
            texts += some
            length += sum(map(len, some))
        self.budget.grow(length)
        return texts

    def _range(self, *bounds: int) -> range:
        numbers = range(*bounds)
        if len(numbers) > MOST_WIDTH * 10:
            raise LimitError("the template asks for a range that is too long")
        self.budget.tick()
        return numbers

    def _made(self, value: Any) -> Any:
        self.budget.hold(value)
        return value

    def _each(self, items: Any) -> Any:
        """What a loop runs over: short things as they are, long ones under the clock."""
        self.budget.tick()
        if (type(items) is list and len(items) <= _SHORT_LOOP) or isinstance(items, Undefined):
            return items
        if isinstance(items, Sized) and len(items) <= _SHORT_LOOP:
            return items
        return _Timed(items, self.budget) if isinstance(items, Sized) else _timed(items, self.budget)


class _Timed:
    """A long collection whose iteration looks at the clock."""

    def __init__(self, items: Any, budget: Budget) -> None:
        self.items, self.budget = items, budget

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return _timed(self.items, self.budget)


def _timed(items: Iterable[Any], budget: Budget) -> Iterator[Any]:
    for item in items:
        budget.tick()
        yield item


def _without_scopes(named: dict[str, Any]) -> None:
    """The arguments of a call without what jinja2 adds inside loops and blocks for functions that want a context."""
    named.pop("_loop_vars", None)
    named.pop("_block_vars", None)


def _of_namespace(space: Namespace, name: str) -> Any:
    attributes = object.__getattribute__(space, "_Namespace__attrs")
    return attributes[name] if name in attributes and not name.startswith("_") else NotImplemented


def _of_loop(loop: LoopContext, name: str) -> Any:
    return getattr(loop, name) if name in _PLACES else NotImplemented


class _Limits(NodeTransformer):
    """Loops run under the clock, lists and objects are measured, and `~` becomes the `join` that is measured."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  jinja2's name
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _EACH, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802  jinja2's name
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Expr:  # noqa: N802  jinja2's name
        return self._measured(node, node.items)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Expr:  # noqa: N802  jinja2's name
        return self._measured(node, [pair.value for pair in node.items])

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802  jinja2's name
        return self._measured(node, node.items) if node.ctx == "load" else node

    def _measured(self, node: nodes.Expr, items: list[nodes.Expr]) -> nodes.Expr:
        constant = all(isinstance(item, nodes.Const) for item in items)
        self.generic_visit(node)
        return node if constant else nodes.Filter(node, _MADE, [], [], None, None, lineno=node.lineno)


REFUSALS = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    MemoryError,
)
