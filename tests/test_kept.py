"""What is made of values that recur is made once, and what is kept of it has an end."""

from __future__ import annotations

import pytest

from core.kept import kept


def test_results_are_kept_up_to_a_size_and_then_the_older_half_goes() -> None:
    made: list[str] = []

    @kept(10, lambda result, word: len(word))
    def doubled(word: str) -> str:
        made.append(word)
        return word * 2

    for word in ("aaaa", "bbbb", "aaaa", "bbbb"):
        assert doubled(word) == word * 2
    assert made == ["aaaa", "bbbb"]
    doubled("cccc")  # Twelve are more than ten: what there is becomes the older half.
    assert doubled("aaaa") == "aaaaaaaa"
    assert made == ["aaaa", "bbbb", "cccc"]
    doubled("dddd")
    doubled("eeee")  # The older half goes, but for what was asked again.
    made.clear()
    for word in ("aaaa", "dddd", "eeee"):
        doubled(word)
    assert made == []
    doubled("bbbb")
    assert made == ["bbbb"]


def test_what_is_too_large_or_failed_is_not_kept() -> None:
    asked = 0

    @kept(10, lambda result, word, times: result.count(word) * times)
    def many(word: str, times: int) -> str:
        nonlocal asked
        asked += 1
        if not times:
            raise ValueError("none")
        return word * times

    for _ in range(2):
        assert many("a", 4) == "aaaa"
        with pytest.raises(ValueError, match="none"):
            many("a", 0)
    assert asked == 4


def test_nothing_is_a_result_too() -> None:
    asked: list[int] = []

    @kept(10, lambda *given: 1)
    def nothing(number: int) -> None:
        asked.append(number)

    for _ in range(3):
        nothing(1)
    assert asked == [1]
