"""core-cli: everything from a terminal, over the same core as the board. The commands are in `core/commands/`.

Only light modules are imported at the top, so that Ctrl-C ends the command without a traceback from its first moment.
"""

from __future__ import annotations

import argparse
import inspect
import io
import sys
from collections.abc import Sequence
from typing import Any

from core.disk import disk_trouble
from core.errors import UserError
from core.quiet import quiet_libraries
from core.threads import share_cores

GROUPS = {
    "data": "Look at datasets before training on them.",
    "runs": "See and steer what is running and what has run.",
    "template": "See the chat templates that there are.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 failed, 2 unusable input, 75 stopped and resumable."""
    try:
        share_cores()
        quiet_libraries()
        _print_anything()
        arguments = parser().parse_args([_dashed(word) for word in (sys.argv[1:] if argv is None else argv)])
        return arguments.command(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        trouble = disk_trouble(error)
        if trouble is None:
            raise
        print(f"error: {trouble}", file=sys.stderr)
        return trouble.exit_code


def _print_anything() -> None:
    """What a terminal or a pipe cannot take (lone surrogates, its encoding's gaps) is printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def parser() -> argparse.ArgumentParser:
    """The parser with all commands; a command "data show" is `show` below `data`."""
    from importlib.metadata import version

    from core.commands import COMMANDS

    top = argparse.ArgumentParser(
        prog="core-cli", description="Fine-tune chat models on multi-turn and tool-calling conversations."
    )
    top.add_argument("--version", action="version", version=f"tuneboard {version('tuneboard')}")
    groups: dict[str, Any] = {"": top.add_subparsers(title="commands", metavar="COMMAND", required=True)}
    for name, (function, declare) in COMMANDS.items():
        group, _, leaf = name.rpartition(" ")
        if group not in groups:
            below = groups[""].add_parser(group, help=GROUPS[group], description=GROUPS[group])
            groups[group] = below.add_subparsers(title="commands", metavar="COMMAND", required=True)
        text = inspect.getdoc(function) or ""
        command = groups[group].add_parser(
            leaf, help=text.split("\n")[0], description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        declare(command)
        command.usage = f"core-cli {name} {_positionals(command)}[options]"
        command.set_defaults(command=function)
    return top


def _dashed(word: str) -> str:
    """`--learning_rate` is `--learning-rate`: people know both."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value


def _positionals(command: argparse.ArgumentParser) -> str:
    names = [action.metavar or action.dest for action in command._actions if not action.option_strings]
    return "".join(f"{name} " for name in names)


if __name__ == "__main__":
    sys.exit(main())
