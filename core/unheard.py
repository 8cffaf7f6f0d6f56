"""The run and its pulse as every process but the first has them: what they would say is said by the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from core.pulse import Pulse
from core.run import Run
from core.state import StateName


def heard(run: Run, timeout_s: float) -> tuple[Run, Pulse]:
    """For the process that speaks."""
    return run, Pulse(run.path, timeout_s)


def unheard(run: Run) -> tuple[Run, Pulse]:
    """For the others. Requests to stop reach them as they do the first."""
    return _Unheard(run.path), _Unfelt(run.path, 0)


class _Unheard(Run):
    __slots__ = ()

    def write_state(self, state: StateName, step: int = 0, max_steps: int = 0, message: str = "") -> None: ...

    def write_metrics(self, metrics: dict[str, Any]) -> None: ...

    def write_samples(self, samples: Sequence[dict[str, Any]]) -> None: ...

    def rewind(self, step: int) -> None: ...


class _Unfelt(Pulse):
    def beat(self, doing: str = "") -> None: ...

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        yield
