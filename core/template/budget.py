"""What the present render of a template has left: time, text, lists; and what was written of its tools before."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import jinja2

from core.kept import kept
from core.shared import KEPT_TOOLS, Shared, characters_of, function_texts

# An honest template renders thousands of messages in this time; the promise to people is three seconds. What counts is
# the thread's own time: whether a row is kept must not depend on what else the machine does.
MOST_SECONDS = 2.0
MOST_CHARACTERS = 1 << 25
MOST_WRITTEN = 1 << 28
MOST_NODES = 1 << 21


class LimitError(jinja2.TemplateError):
    """The template took too long, or made too much text."""


class Budget(threading.local):
    """What a thread's present render has left."""

    # When to look how much time the thread has spent (s, monotonic), and how much it may have spent then (s).
    deadline = last = float("inf")
    written = 0
    nodes = 0

    def __init__(self) -> None:
        # Who runs the loops of the present render (`core.template.replay`), if anybody.
        self.recorder: Any = None
        self.tools: Sequence[Any] = ()
        # The identities of what is written once, and that.
        self.shared: set[int] = set()
        self.texts: dict[Any, str] = {}

    def start(self, tools: Sequence[Any] = ()) -> None:
        """Begin a render. What is written of `tools` is kept for the next renders that are given the same ones."""
        self.deadline = time.monotonic() + MOST_SECONDS
        self.last = time.thread_time() + MOST_SECONDS
        self.written = self.nodes = 0
        if tools is not self.tools:
            self.tools = tools
            self.shared, self.texts = _shared(Shared(tools)) if isinstance(tools, tuple) else (_ids_of(tools), {})

    def tick(self) -> None:
        """Raises `LimitError` when the time is over."""
        if time.monotonic() > self.deadline:
            left = self.last - time.thread_time()
            if left <= 0:
                raise LimitError(f"the template takes longer than {MOST_SECONDS:g} s")
            self.deadline = time.monotonic() + left

    def grow(self, characters: int) -> None:
        """So much text was made. Raises `LimitError` when it is too much."""
        self.written += characters
        if characters > MOST_CHARACTERS or self.written > MOST_WRITTEN:
            raise LimitError("the template makes too much text")

    def hold(self, value: Any, times: int = 1) -> None:
        """A list or an object that the template has made: what it holds counts as often as it is held.

        Raises `LimitError` when it is too large.
        """
        nodes, characters = size_of(value, {})
        self.nodes += nodes * times
        if self.nodes > MOST_NODES or characters * times > MOST_CHARACTERS:
            raise LimitError("the template makes too large a list")


def _ids_of(tools: Sequence[Any]) -> set[int]:
    return {id(part) for tool in tools for part in (tool, tool.get("function"))}


@kept(KEPT_TOOLS, characters_of)
def _shared(tools: Shared) -> tuple[set[int], dict[Any, str]]:
    """The identities of tools that conversations have in common, and what was written of them.

    That begins with what JSON they are, without options.
    """
    texts: dict[Any, str] = {}
    for tool, text in zip(tools.value, function_texts(tools), strict=True):
        if text:
            texts[id(tool["function"]), (), ()] = text
            texts[id(tool), (), ()] = f'{{"type": "function", "function": {text}}}'
    return _ids_of(tools.value), texts


def size_of(value: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values a value holds, and how many characters they have; one that is held twice is counted twice.

    `known` keeps this from taking as long.
    """
    if isinstance(value, str):
        return 1, len(value)
    if not isinstance(value, (dict, list, tuple)):
        return 1, 0
    if id(value) not in known:
        parts = value.values() if isinstance(value, dict) else value
        nodes, characters = 1, 0
        for part in parts:
            more, longer = size_of(part, known)
            nodes, characters = nodes + more, characters + longer
        known[id(value)] = nodes, characters
    return known[id(value)]
