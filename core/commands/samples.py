"""core-cli runs samples: what the model wrote on held-out turns while it was trained."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from core.commands.command import command
from core.errors import UserError
from core.run import require_run


def _declares_samples(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="path or name")
    command.add_argument("--step", type=int, help="of the evaluation at this step (the last one)")
    command.add_argument("--all", action="store_true", help="of every evaluation")
    command.add_argument("--json", action="store_true", help="print a JSON list")


@command("runs samples", _declares_samples)
def runs_samples(arguments: argparse.Namespace) -> int:
    """Show what the model wrote at an evaluation.

    At every evaluation the model writes on the same held-out turns (--eval-generate says how many).
    """
    run = require_run(arguments.run)
    samples = run.samples()
    steps = sorted({sample["step"] for sample in samples})
    if not steps:
        raise UserError(
            "the run has no samples yet", file=run.path, remedy="they come with evaluations on held-out conversations"
        )
    if arguments.step is not None and arguments.step not in steps:
        raise UserError(f"no evaluation at step {arguments.step}", remedy=f"there is: {', '.join(map(str, steps))}")
    step = steps[-1] if arguments.step is None else arguments.step
    shown = samples if arguments.all else [sample for sample in samples if sample["step"] == step]
    if arguments.json:
        print(json.dumps(shown, ensure_ascii=False, indent=1))
        return 0
    for sample in shown:
        print("\n".join(_lines(sample)))
    return 0


def _lines(sample: dict[str, Any]) -> Iterator[str]:
    """Where the turn stands, the end of what came before, the reference, and what was written."""
    calls = sample["reference"].get("tool_calls")
    mark = "" if not calls else "  ✓" if sample["exact_calls"] else "  ✗"
    yield f"\n── step {sample['step']} · {sample['file']}:{sample['line']}, message {sample['message']}{mark} ──"
    yield f"  … {sample['prompt_tail'][-300:].strip()}"
    yield f"reference: {_said(sample['reference'])}"
    yield f"  written: {_said(sample['written'])}"


def _said(message: dict[str, Any]) -> str:
    calls = [f"→ {call['function']['name']}({call['function']['arguments']})" for call in message.get("tool_calls", ())]
    return "  ".join([*([message["content"]] if message["content"] else []), *calls]) or "(nothing)"
