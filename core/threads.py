"""How torch's threads wait for one another on a CPU that has other work too."""

from __future__ import annotations

import os

# libgomp's own default spins for milliseconds at the end of every parallel region. Beside three busy processes on two
# cores that made small layers 3 to 15 times slower than this count does; on idle cores the two took the same time.
SPINS = "10000"


def share_cores() -> None:
    """Let waiting threads sleep soon, unless the environment says how; to be called before torch is loaded."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
