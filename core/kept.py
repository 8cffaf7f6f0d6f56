"""What was made of values that recur, kept within a size: the newest, and as much of what came before them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar

MadeT = TypeVar("MadeT")


def kept(most: int, size_of: Callable[..., int]) -> Callable[[Callable[..., MadeT]], Callable[..., MadeT]]:
    """A function whose results are kept by its arguments (by position), until `most` are; then the older half goes.

    `size_of` tells how much a result counts, from it and the arguments; what counts more than `most` is not kept.
    Threads that meet here may make the same twice.
    """

    def keeping(make: Callable[..., MadeT]) -> Callable[..., MadeT]:
        newest: dict[Hashable, object] = {}
        before: dict[Hashable, object] = {}
        size, missing = 0, object()

        @wraps(make)
        def found(*arguments: Any) -> MadeT:
            nonlocal newest, before, size
            made = newest.get(arguments, missing)
            if made is not missing:
                return made  # type: ignore[return-value]
            made = before.pop(arguments, missing)
            result = make(*arguments) if made is missing else made
            weight = size_of(result, *arguments)
            if weight <= most:
                newest[arguments] = result
                size += weight
            if size > most:
                newest, before, size = {}, newest, 0
            return result  # type: ignore[return-value]

        return found

    return keeping
