"""What libraries say to one another is not said to the user."""

from __future__ import annotations

import warnings


def quiet_libraries() -> None:
    """Leave out what will change in a later version of a library: it is news for us, and no one else can act on it."""
    warnings.filterwarnings("ignore", category=FutureWarning)
