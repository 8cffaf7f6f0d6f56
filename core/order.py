"""Which rows each optimiser step sees, and which process computes which of them.

The rows of a step follow from the seed, the epoch and the effective batch alone. So the same steps are taken whether a
batch is computed at once, in several passes, or by several processes; and no row is seen twice to fill a last batch up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

# Rows of about the same length are looked for among the rows of this many steps.
STEPS_TO_GROUP = 50


class Order(Sampler[list[int]]):
    """The batches of one process: lists of row numbers, `accumulation` of them a step. A batch may be empty.

    `lengths` are those of the rows; with `grouped`, rows of similar length share a step. Without `shuffled` rows come
    as they are, or with `grouped` by length.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        batch_size: int,
        accumulation: int = 1,
        process: int = 0,
        processes: int = 1,
        seed: int = 0,
        shuffled: bool = True,
        grouped: bool = True,
        drop_last: bool = False,
    ) -> None:
        self.lengths = torch.as_tensor(lengths)
        self.batch_size, self.process, self.processes = batch_size, process, processes
        self.rows_a_step = batch_size * accumulation * processes
        self.seed, self.epoch = seed, 0
        self.shuffled, self.grouped, self.drop_last = shuffled, grouped, drop_last

    @property
    def batch_sampler(self) -> Order:
        """Itself: transformers sets the epoch on what lies below a batch sampler, where accelerate would put it."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Every epoch has an order of its own."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.lengths), self.rows_a_step)
        passes = self.rows_a_step // (self.batch_size * self.processes)
        return whole * passes + (0 if self.drop_last else self._passes(rest))

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps():
            count = self._passes(len(step)) * self.processes
            # Rows of like length together, for padding; else every batch is to have about as many tokens.
            parts = step.tensor_split(count) if self.grouped else [step[number::count] for number in range(count)]
            for number in range(self.process, count, self.processes):
                yield parts[number].tolist()

    def _passes(self, rows: int) -> int:
        return -(-rows // (self.batch_size * self.processes))

    def _steps(self) -> list[torch.Tensor]:
        """The rows of every step, longest first, so that rows of similar length are padded together."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        rows = torch.randperm(len(self.lengths), generator=generator) if self.shuffled else self._as_they_are()
        groups = rows.split(self.rows_a_step * STEPS_TO_GROUP) if self.grouped and self.shuffled else (rows,)
        if self.grouped:
            groups = tuple(group[self.lengths[group].argsort(descending=True, stable=True)] for group in groups)
        steps = [step for group in groups for step in group.split(self.rows_a_step)]
        last = steps.pop() if steps and len(steps[-1]) < self.rows_a_step else None
        if self.grouped and self.shuffled and steps:
            steps = [steps[int(number)] for number in torch.randperm(len(steps), generator=generator)]
            longest = max(range(len(steps)), key=lambda number: int(self.lengths[steps[number]].max()))
            # The step that needs the most memory comes first: what does not fit fails at once.
            steps[0], steps[longest] = steps[longest], steps[0]
        if last is not None and not self.drop_last:
            steps.append(last)
        return [step[self.lengths[step].argsort(descending=True, stable=True)] for step in steps]

    def _as_they_are(self) -> torch.Tensor:
        return torch.arange(len(self.lengths))
