"""How torch's threads wait is ours to set, unless the environment already says it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from core import threads


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, threads.SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)],
)
def test_the_environment_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: str | None
) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    threads.share_cores()
    assert os.environ.get("GOMP_SPINCOUNT") == expected


@pytest.mark.parametrize("module", ["core.cli", "core.commands", "core.keeper", "webui.app"])
def test_it_is_set_before_torch_is_loaded(module: str) -> None:
    look = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
