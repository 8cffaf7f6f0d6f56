"""The order of rows: every row once an epoch, and the same steps however a step is cut up."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.order import Order

ROWS = st.lists(st.integers(1, 300), min_size=1, max_size=120)


def steps(lengths: list[int], batch_size: int, accumulation: int, processes: int, **options: Any) -> list[set[int]]:
    """The rows of every step, gathered from all processes, as the trainer counts steps."""
    orders = [
        Order(
            lengths,
            batch_size=batch_size,
            accumulation=accumulation,
            process=process,
            processes=processes,
            **options,
        )
        for process in range(processes)
    ]
    batches = [list(order) for order in orders]
    assert {len(mine) for mine in batches} == {len(order) for order in orders}
    assert all(len(batch) <= batch_size for mine in batches for batch in mine)
    found: list[list[int]] = []
    for number in range(0, len(batches[0]), accumulation):
        found.append([row for mine in batches for batch in mine[number : number + accumulation] for row in batch])
    assert all(len(rows) == len(set(rows)) for rows in found)
    return [set(rows) for rows in found]


@settings(max_examples=60)
@given(ROWS, st.booleans(), st.booleans())
def test_the_same_steps_however_they_are_cut(lengths: list[int], shuffled: bool, grouped: bool) -> None:
    options = {"seed": 3, "shuffled": shuffled, "grouped": grouped}
    whole = steps(lengths, 12, 1, 1, **options)
    assert sorted(row for rows in whole for row in rows) == list(range(len(lengths)))
    for batch_size, accumulation, processes in ((1, 12, 1), (6, 1, 2), (3, 2, 2), (1, 3, 4), (4, 1, 3)):
        assert steps(lengths, batch_size, accumulation, processes, **options) == whole


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    lengths = list(range(1, 101))
    order = Order(lengths, batch_size=4, seed=1)
    first = list(order)
    assert first == list(order)
    order.set_epoch(1)
    assert first != list(order)
    assert first != list(Order(lengths, batch_size=4, seed=3))


def test_rows_of_similar_length_share_a_step_and_the_longest_comes_first() -> None:
    lengths = torch.randint(1, 1000, (800,), generator=torch.Generator().manual_seed(0))
    batches = list(Order(lengths.tolist(), batch_size=8, seed=5))
    assert max(lengths[batches[0]]) == max(lengths)
    padding = sum(int(lengths[batch].max()) * len(batch) for batch in batches) / int(lengths.sum())
    loose = list(Order(lengths.tolist(), batch_size=8, seed=5, grouped=False))
    assert padding < 1.05 < sum(int(lengths[batch].max()) * len(batch) for batch in loose) / int(lengths.sum())
    # Short and long steps are mixed, so that the loss does not rise and fall with the length.
    means = torch.tensor([float(lengths[batch].float().mean()) for batch in batches])
    assert abs(float(torch.corrcoef(torch.stack((means[1:], torch.arange(99.0))))[0, 1])) < 0.3


def test_the_incomplete_step_can_be_left_out() -> None:
    assert len(list(Order([1] * 10, batch_size=4, drop_last=True))) == 2
    assert len(Order([1] * 10, batch_size=4, drop_last=True)) == 2
    assert [len(batch) for batch in Order([1] * 10, batch_size=4, processes=2)] == [4, 1]
