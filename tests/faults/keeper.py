"""The real keeper with the quick trainer of `tests.faults.trainer`."""

from __future__ import annotations

import sys

import core.keeper
import core.run

core.run.KEEPER = ("-m", "tests.faults.keeper")
core.keeper.TRAINER = ("-m", "tests.faults.trainer")

if __name__ == "__main__":
    sys.exit(core.keeper.main())
