"""Signs of progress from phases that cannot say how far they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from core.pulse import silence

ROOT = Path(__file__).parent.parent


def stalled(folder: Path) -> bool:
    heard = silence(folder)
    assert heard is not None
    assert heard.doing == "loading the model"
    return heard.stalled


def test_who_computes_does_not_look_stalled_and_who_waits_does(tmp_path: Path) -> None:
    # In a process of its own: here threads of other tests may be at work.
    code = """
import sys, time
from pathlib import Path
from core.pulse import Pulse
from tests.test_pulse import stalled

folder = Path(sys.argv[1])
with Pulse(folder, timeout_s=2).busy("loading the model"):
    # On a busy machine this much processor time takes long.
    begun = time.process_time(), time.monotonic()
    while time.process_time() - begun[0] < 0.6 or time.monotonic() - begun[1] < 2.5:
        sum(range(1000))
    assert not stalled(folder)
    time.sleep(2.8)
    assert stalled(folder)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)
