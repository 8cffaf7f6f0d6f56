"""Signs of progress from phases that cannot say how far they are."""

from __future__ import annotations

import time
from pathlib import Path

from core.pulse import Pulse, silence


def stalled(folder: Path) -> bool:
    heard = silence(folder)
    assert heard is not None
    assert heard.doing == "loading the model"
    return heard.stalled


def test_who_computes_does_not_look_stalled_and_who_waits_does(tmp_path: Path) -> None:
    with Pulse(tmp_path, timeout_s=2).busy("loading the model"):
        # On a busy machine this much processor time takes long.
        begun = time.process_time(), time.monotonic()
        while time.process_time() - begun[0] < 0.6 or time.monotonic() - begun[1] < 2.5:
            sum(range(1000))
        assert not stalled(tmp_path)
        time.sleep(2.8)
        assert stalled(tmp_path)
