"""Whether the Hugging Face Hub answers, asked before anything is loaded from it.

Its library tries again for a minute, for each file, where there is no network. Here it is asked once; where it does not
answer, what was loaded before is used at once, as with HF_HUB_OFFLINE=1.
"""

from __future__ import annotations

import os
import sys
import threading
import time

# Seconds for an answer, and for which what was found holds.
_PATIENCE, _HOLDS = 10.0, 60.0
_ASKING = threading.Lock()
_found: tuple[float, str] | None = None


def asked_for(name: str) -> str:
    """The name of a model, adapter or dataset, for the library that loads it: the Hub is asked where it is not here."""
    if not os.path.exists(name):
        hub_fault()
    return name


def hub_fault() -> str:
    """Why nothing can be loaded from the Hub, in words; empty when it can be."""
    from huggingface_hub import constants

    global _found
    with _ASKING:
        if constants.HF_HUB_OFFLINE and not (_found and _found[1]):
            return "HF_HUB_OFFLINE is set"
        if _found is None or time.monotonic() - _found[0] > _HOLDS:
            reason = _asked(constants.ENDPOINT)
            _found = (time.monotonic(), reason)
            _switch(offline=bool(reason))
        return _found[1]


def http_error() -> type[Exception]:
    """What the Hub's library raises for connections; it has changed the library that it uses for them."""
    from huggingface_hub import errors

    return next(kind for kind in errors.HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError")


def _asked(endpoint: str) -> str:
    from huggingface_hub import get_session

    _switch(offline=False)
    try:
        get_session().head(endpoint, timeout=_PATIENCE)
    except (http_error(), OSError) as error:
        return f"{endpoint} does not answer ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
    return ""


def _switch(*, offline: bool) -> None:
    """Each library looks at a place of its own, filled from the environment when it was imported."""
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = offline
    if "datasets" in sys.modules:
        sys.modules["datasets"].config.HF_HUB_OFFLINE = offline
