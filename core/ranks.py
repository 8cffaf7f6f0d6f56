"""One process of several that train together: which one it is, and the few words that they exchange.

The words go over a group of their own (gloo, on the CPU), so that waiting for a file that the first process writes
neither occupies a GPU nor meets the time limit of the gradients' group. A process that dies is noticed by whoever
started the processes, not here.
"""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")
# How long one process may wait for another that is at work alone, encoding the data for example.
PATIENCE = timedelta(days=7)
# Linux, prctl(2).
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Rank:
    """This process among `count`; `number` 0 is the first, which alone writes into the run directory.

    `local` is the number among the processes of this machine, and of the GPU that is used.
    """

    number: int = 0
    count: int = 1
    local: int = 0
    words: Any = None

    @property
    def first(self) -> bool:
        """Whether this process speaks for all."""
        return self.number == 0

    def facts(self) -> dict[str, Any]:
        """How many processes there are and what carries the gradients between them; for the record."""
        return {"processes": self.count} | ({"backend": dist.get_backend()} if self.count > 1 else {})

    def wait_for_all(self) -> None:
        """Go on when all have come here."""
        if self.count > 1:
            dist.barrier(group=self.words)

    def from_first(self, value: T) -> T:
        """What the first process gives, in all of them."""
        if self.count == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self.words, device=torch.device("cpu"))
        return box[0]

    def anywhere(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        if self.count == 1:
            return flag
        said = torch.tensor([int(flag)])
        dist.all_reduce(said, op=dist.ReduceOp.MAX, group=self.words)
        return bool(said)

    def summed(self, numbers: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, shape of `numbers`, on the CPU."""
        total = numbers.detach().cpu().clone()
        if self.count > 1:
            dist.all_reduce(total, group=self.words)
        return total


ALONE = Rank()


def join(store: Path, timeout_s: float) -> Rank:
    """Meet the other processes of this machine, all of which were started with the same `store`, a file to be made.

    RANK, WORLD_SIZE and LOCAL_RANK say who this is. No port is opened but by the backends themselves, on loopback.
    """
    number, count, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(local)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpu else "gloo",
        init_method=f"file://{store.resolve()}",
        rank=number,
        world_size=count,
        timeout=timedelta(seconds=timeout_s),
    )
    return joined(local)


def joined(local: int) -> Rank:
    """This process in a group that exists already."""
    words = dist.new_group(backend="gloo", timeout=PATIENCE)
    return Rank(dist.get_rank(), dist.get_world_size(), local, words)


def end_with_parent() -> None:
    """Be killed when whoever started this process is: nobody would be left to say how the run ended."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
