"""The device of a training: what room there is on it, and how fast it is, measured for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.model import computes_in_bfloat16, pick_dtype

# What the worker takes up on a CPU beside the model and the step: all that it imports, and a thousand rows. Measured on
# Linux at the start of a training.
PROGRAM_BYTES = 610 * 2**20
SIZE, TRIES = 512, 5


@dataclass(frozen=True, slots=True)
class Rates:
    """Floating point operations and bytes a second, and the seconds that calling an operation costs."""

    flops: float
    moved: float
    call_s: float


def measure_rates(device: str, dtype: str) -> Rates:
    """The best of a few short tries each."""
    half = dtype != "float32" and computes_in_bfloat16(device)
    kind = torch.bfloat16 if half else pick_dtype(dtype, device)
    matrix = torch.ones(SIZE, SIZE, dtype=kind, device=device)
    block = torch.ones(2**23, dtype=torch.float32, device=device)
    one = torch.ones(1, device=device, requires_grad=True)
    target = torch.empty_like(block)
    return Rates(
        flops=2 * SIZE**3 / _fastest(lambda: matrix @ matrix, device),
        moved=2 * block.numel() * block.element_size() / _fastest(lambda: target.copy_(block), device),
        call_s=_fastest(lambda: [one * one for _ in range(100)], device) / 100,
    )


def available_bytes(device: str) -> int:
    """What is free on the device now; on a CPU no more than the control group allows."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    if device == "mps":
        return int(torch.mps.recommended_max_memory())
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if Path("/proc/meminfo").exists() else []
    facts = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return min(facts.get("MemAvailable", 2**62), _control_group_bytes())


def program_bytes(device: str) -> int:
    """What there is beside the model on the device: on a CPU the worker itself."""
    return PROGRAM_BYTES if device == "cpu" else 0


def _control_group_bytes() -> int:
    """The limit less what is in use, where there is a limit (version 2)."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 2**62
    return int(limit) - used if limit.isdigit() else 2**62


def _fastest(work: Callable[[], Any], device: str) -> float:
    times = []
    for _ in range(TRIES):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
