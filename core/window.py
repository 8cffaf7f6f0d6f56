"""Conversations that are longer than the context window: which parts of them become samples.

A window begins with the system prompt (and the tools), goes on with whole exchanges, from a user's message to the last
word before the next one. So a call is never without its result, nor an answer cut. Only an exchange that is too long as
a whole is shown up to one of its turns.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from core.conversation import Conversation

T = TypeVar("T")
# Says of a turn whether the conversation up to it, from its very beginning, is too long, without trying; None where
# that is not known.
TooLong = Callable[[int], bool | None]


def _unknown(turn: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Window(Generic[T]):
    """What was made of a part of a conversation; it trains `turns` and leaves out the `dropped` oldest exchanges."""

    made: T
    turns: tuple[int, ...]
    dropped: int


def windows(
    conversation: Conversation,
    turns: Sequence[int],
    attempt: Callable[[Conversation], T | None],
    too_long: TooLong = _unknown,
    history: Callable[[Conversation], T | None] | None = None,
) -> tuple[list[Window[T]], list[int]]:
    """Windows in which each of `turns` is trained once, and the turns that never fit.

    `attempt` makes something of a part of the conversation, or returns None when the part is too long; so does
    `history` when it is too long to be shown again before new turns. Without it, as much is shown as fits.
    """
    found: list[Window[T]] = []
    hopeless: list[int] = []
    parts = _Parts(conversation, attempt, too_long)
    again = _Parts(conversation, history or attempt, _unknown)
    left = _by_exchange(conversation, turns)
    while left:
        count = 0 if found else _known_to_fit(left, too_long)
        first = parts.cut(0, _turns(left[:count])) if count else None
        if first is None:
            like = found[-1] if found else None
            least = again.first_before(left[0][0], like) if history is not None else 0
            count, first = 1, parts.longest(left[0], like, least)
        if first is None:
            if len(left[0]) == 1:
                hopeless += left.pop(0)
            else:
                # The exchange as a whole is too long: its turns one by one, each behind what came before it.
                left = [*([turn] for turn in left[0]), *left[1:]]
            continue
        step, grows = 1, True
        while step and count < len(left):
            reach = min(count + step, len(left))
            more = parts.cut(first.dropped, _turns(left[:reach]))
            grows = grows and more is not None
            step = 2 * step if grows else step // 2
            if more is not None:
                first, count = more, reach
        found.append(first)
        left = left[count:]
    return found, hopeless


def _known_to_fit(left: Sequence[Sequence[int]], too_long: TooLong) -> int:
    """How many exchanges a window from the very beginning is known to hold, so that shorter ones need not be tried."""
    return sum(1 for _ in itertools.takewhile(lambda group: too_long(group[-1]) is False, left))


def _turns(groups: Sequence[Sequence[int]]) -> list[int]:
    return [turn for group in groups for turn in group]


def _by_exchange(conversation: Conversation, turns: Sequence[int]) -> list[list[int]]:
    bounds = [*exchanges(conversation), len(conversation.messages)]
    groups = [[turn for turn in turns if a <= turn < b] for a, b in itertools.pairwise(bounds)]
    return [group for group in groups if group]


def last_window(
    conversation: Conversation,
    turns: Sequence[int],
    attempt: Callable[[Conversation], T | None],
    too_long: TooLong = _unknown,
) -> Window[T] | None:
    """The window that ends with the last turn and has as much history as fits; it trains the turns that are in it."""
    return _Parts(conversation, attempt, too_long).longest(turns)


def exchanges(conversation: Conversation) -> list[int]:
    """Where the exchanges begin: at every user's message (the first also where it is not the user's)."""
    start = system_messages(conversation)
    messages = conversation.messages
    starts = [index for index in range(start, len(messages)) if messages[index].role == "user"]
    return starts if starts[:1] == [start] or start == len(messages) else [start, *starts]


def system_messages(conversation: Conversation) -> int:
    """How many messages at the start are the system's."""
    return next((i for i, m in enumerate(conversation.messages) if m.role != "system"), len(conversation.messages))


def without_oldest(conversation: Conversation, dropped: int) -> Conversation:
    """The conversation without its oldest exchanges; system and tools stay."""
    head = conversation.messages[: system_messages(conversation)]
    return replace(conversation, messages=head + conversation.messages[exchanges(conversation)[dropped] :])


class _Parts(Generic[T]):
    """Parts of a conversation that begin with one of its exchanges."""

    def __init__(
        self, conversation: Conversation, attempt: Callable[[Conversation], T | None], too_long: TooLong
    ) -> None:
        self.conversation, self.attempt, self.too_long = conversation, attempt, too_long
        self.starts = exchanges(conversation)
        self.head = conversation.messages[: system_messages(conversation)]

    def first_before(self, turn: int, like: Window[T] | None) -> int:
        """The first exchange that is shown before the one of `turn`: the fewest are dropped that can be."""
        own = self._exchange_of(turn)
        before = range(self.starts[own] - 1, -1, -1)
        answer = next((index for index in before if self.conversation.messages[index].role == "assistant"), None)
        window = None if answer is None else self.longest([answer], like)
        return own if window is None else window.dropped

    def longest(self, turns: Sequence[int], like: Window[T] | None = None, least: int = 0) -> Window[T] | None:
        """The window with the fewest exchanges dropped, and at least so many, that ends with the last of `turns`.

        It is looked for from its end, beginning with as many exchanges as are in the window `like` it: to try what is
        far too long costs more than all that fits.
        """
        last = self._exchange_of(turns[-1])
        most, best = last, None
        size = self._exchange_of(like.turns[-1]) + 1 - like.dropped if like is not None else 1
        while least <= most:
            dropped = max(least, last + 1 - size) if size else (least + most) // 2
            tried = self.cut(dropped, [turn for turn in turns if turn >= self.starts[dropped]])
            if tried is None:
                least, size = dropped + 1, 0
            else:
                best, most, size = tried, dropped - 1, 2 * size
        return best

    def cut(self, dropped: int, turns: Sequence[int]) -> Window[T] | None:
        """The window from exchange `dropped` to the last of `turns`, which alone are trained."""
        if not dropped and self.too_long(turns[-1]):
            return None
        begin, trained = self.starts[dropped], set(turns)
        shown = tuple(
            replace(message, train=index in trained) if message.role == "assistant" else message
            for index, message in enumerate(self.conversation.messages[begin : turns[-1] + 1], start=begin)
        )
        made = self.attempt(replace(self.conversation, messages=self.head + shown))
        return None if made is None else Window(made, tuple(turns), dropped)

    def _exchange_of(self, turn: int) -> int:
        return bisect_right(self.starts, turn) - 1
