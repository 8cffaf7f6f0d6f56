"""core-cli template: the chat templates that there are."""

from __future__ import annotations

import argparse

from core.commands.command import command


@command("template list", lambda command: None)
def template_list(arguments: argparse.Namespace) -> int:
    """List the chat templates that ship with Tuneboard."""
    from core.template.choose import library_names

    print("\n".join(["auto", *library_names()]))
    return 0
