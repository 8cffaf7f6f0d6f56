"""The window in a form: a number that a person gives is meant, so that the data is not asked for one."""

from __future__ import annotations

from webui.board import LIGHT, QUIET
from webui.form import Form


def listen_to_numbers(form: Form) -> None:
    """Untick `auto_length` when somebody types a `max_length`."""
    form.components["max_length"].input(
        lambda: False, None, form.components["auto_length"], concurrency_limit=LIGHT, **QUIET
    )
