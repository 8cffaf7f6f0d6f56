"""Tools that the rows of a dataset have in common: told by their identity, and written as JSON once for all."""

from __future__ import annotations

import json
from typing import Any

from core.conversation import JsonObject, json_text
from core.kept import kept

# What JSON has no word for is an error, as in templates.
_WRITER = json.JSONEncoder(ensure_ascii=False)
# Of tools that rows have in common, what is made of them is kept up to so many characters of their JSON, twice.
KEPT_TOOLS = 2_000_000


class Shared:
    """A value that many rows have in common (their tools), told by its identity: what is made of it can be kept."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shared) and self.value is other.value


def _characters(texts: tuple[str, ...], tools: Shared) -> int:
    return 100 + (sum(map(len, texts)) if all(texts) else len(json_text(tools.value)))


@kept(KEPT_TOOLS, _characters)
def function_texts(tools: Shared) -> tuple[str, ...]:
    """The function of each of some tools as JSON, made once for all who look at it; empty where JSON cannot hold it."""
    return tuple(_function_text(tool) for tool in tools.value)


def characters_of(_: Any, tools: Shared, *more: Any) -> int:
    """How much tools count among those of which something is kept."""
    return _characters(function_texts(tools), tools)


def _function_text(tool: JsonObject) -> str:
    try:
        usual = list(tool) == ["type", "function"] and tool["type"] == "function"
        return _WRITER.encode(tool["function"]) if usual else ""
    except (TypeError, ValueError, RecursionError):
        return ""
