"""core-cli eval: measure a run or a model, and print the figures side by side."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from core.commands.command import command, message_lines, print_findings
from core.config import EvalConfig, add_arguments, config_from_arguments
from core.errors import UserError
from core.evaluations import figure_text, keep
from core.task import tell

if TYPE_CHECKING:
    from core.run import Run


# How the rows of a dataset are read.
_READING = ("dataset_dir", "profile", "formatting", "columns", "tags", "roles", "drop_duplicates")


def _declares_eval(command: argparse.ArgumentParser) -> None:
    command.add_argument("target", metavar="RUN|MODEL", help="a run (path or name) or a model")
    command.add_argument("--json", action="store_true", help="print the figures as JSON")
    add_arguments(command, EvalConfig)


@command("eval", _declares_eval)
def evaluate(arguments: argparse.Namespace) -> int:
    """Measure a run or a model on held-out conversations.

    Every assistant turn is written anew behind the reference history. Without --dataset, the run's own eval_dataset,
    read as the run read it where no flag says otherwise.
    With --base, the model below the adapter is measured too. Results are kept in the run's folder, in evals/.
    """
    from core.datasets import find_source, load_conversations
    from core.evaluate import evaluate as measure
    from core.model import chat_vocabulary, load_for_chat
    from core.run import find_run

    config = config_from_arguments(EvalConfig, arguments)
    run = find_run(arguments.target)
    if not config.dataset and run is not None:
        config = _on_own_rows(config, run)
    if not config.dataset:
        raise UserError("no dataset to evaluate on", remedy="give --dataset")
    for name in config.dataset:
        find_source(name, config.dataset_dir)
    _, template = chat_vocabulary(arguments.target if run is None else run, config)
    loaded_rows = load_conversations(config, formatted=template.adds_nothing)
    print_findings(loaded_rows.findings)
    targets = {"tuned" if run else arguments.target: arguments.target}
    if config.base and run is not None:
        targets = {"base": run.config.model_name_or_path, **targets}
    results = {}
    for label, target in targets.items():
        tell(label, 0, 0)
        results[label] = measure(load_for_chat(target, config), loaded_rows.conversations, config, _progress(label))
        if run is not None:
            keep(run, label, results[label], loaded_rows.conversations, config, target)
    if arguments.json:
        print(json.dumps({label: result.metrics for label, result in results.items()}, indent=1))
    else:
        print(table({label: result.metrics for label, result in results.items()}))
        _print_examples(loaded_rows.conversations, list(results.values())[-1], config.examples)
    return 0


def _on_own_rows(config: EvalConfig, run: Run) -> EvalConfig:
    """With the run's held-out sets, and how the run read them where nothing else was asked for."""
    kept = {name: getattr(run.config, name) for name in _READING if name not in config.model_fields_set}
    return config.model_copy(update={**kept, "dataset": run.config.eval_dataset})


def _progress(label: str) -> Callable[[int, int], None]:
    def show(done: int, of: int) -> None:
        tell(label, done, of)
        if sys.stderr.isatty() or done == of:
            print(f"\r{label}: {done}/{of} turns", end="\n" if done == of else "", file=sys.stderr, flush=True)

    return show


ROWS = {
    "tool_call_exact": "calls exactly right (name and all arguments)",
    "argument_exact": "arguments exactly right",
    "tool_call_name": "calls of the right tool",
    "call_decision": "called or stayed silent as it should",
    "called_when_needed": "called when it should",
    "silent_when_not_needed": "silent when it should be",
    "loss_tool_call": "loss on calls (nats/token)",
    "loss_text": "loss on text (nats/token)",
    "loss": "loss (nats/token)",
    "reference_calls": "calls in the reference",
    "turns": "assistant turns",
}


def table(results: dict[str, dict[str, float]]) -> str:
    """The figures side by side."""
    width = max(map(len, ROWS.values()))
    lines = [" " * width + "".join(f"{label[:14]:>16}" for label in results)]
    for key, title in ROWS.items():
        if any(key in metrics for metrics in results.values()):
            lines.append(f"{title:<{width}}" + "".join(f"{figure_text(key, m.get(key)):>16}" for m in results.values()))
    return "\n".join(lines)


def _print_examples(conversations: Sequence[Any], result: Any, count: int) -> None:
    """Whole conversations with what the model wrote in place of the reference; those with most calls come first."""
    written = {(turn.conversation, turn.message): turn for turn in result.turns}
    calls = [sum(len(message.tool_calls) for message in conversation.messages) for conversation in conversations]
    order = sorted(range(len(conversations)), key=lambda index: -calls[index])
    for index in order[:count]:
        print(f"\n── {conversations[index].file}:{conversations[index].line} ──")
        for number, message in enumerate(conversations[index].messages):
            turn = written.get((index, number))
            right = "" if turn is None or not turn.reference.tool_calls else "  ✓" if turn.exact_calls else "  ✗"
            for line in message_lines(turn.written if turn else message):
                print(line + right)
                right = ""
