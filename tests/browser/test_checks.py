"""Checks beside the page: one that was overtaken says nothing more."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from core.config import TrainConfig
from webui.checks import Job


def test_a_check_that_was_overtaken_says_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = Event()

    def check(name: str, *_: Any, watch: Any, **others: Any) -> str:
        if name == "slow":
            watch(64)
            go_on.wait(30)
        return name

    monkeypatch.setattr("webui.checks.check_dataset", check)
    job = Job()
    slow = job.run("slow", TrainConfig())
    assert next(slow) == 64
    assert list(job.run("quick", TrainConfig())) == ["quick"]
    go_on.set()
    assert list(slow) == []
