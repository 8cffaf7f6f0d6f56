"""The commands of core-cli: a file for each group, a decorated function for each command.

Only light modules are imported at the top of these files; a command imports what it needs when it runs, so that
`--help` answers at once.
"""

from core.commands import chat, data, estimate, evaluate, export, foreign, presets, runs, samples, template, train
from core.commands.command import COMMANDS

__all__ = [
    "COMMANDS",
    "chat",
    "data",
    "estimate",
    "evaluate",
    "export",
    "foreign",
    "presets",
    "runs",
    "samples",
    "template",
    "train",
]
