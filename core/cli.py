"""core-cli: everything from a terminal. One function per command; flags come from the config models.

Only light modules are imported here; a command imports what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.config import ChatConfig, EvalConfig, TrainConfig, add_arguments, config_from_arguments
from core.conversation import Finding
from core.errors import UserError
from core.paths import resolve_file
from core.run import EXIT_STOPPED, Run, State, list_runs, require_run

Command = Callable[[argparse.Namespace], int]
COMMANDS: dict[str, tuple[Command, Callable[[argparse.ArgumentParser], None]]] = {}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 failed, 2 unusable input, 75 stopped and resumable."""
    arguments = parser().parse_args([_dashed(word) for word in (sys.argv[1:] if argv is None else argv)])
    try:
        return arguments.command(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def parser() -> argparse.ArgumentParser:
    """The parser with all commands; a command "data show" is `show` below `data`."""
    top = argparse.ArgumentParser(
        prog="core-cli", description="Fine-tune chat models on multi-turn and tool-calling conversations."
    )
    groups: dict[str, Any] = {"": top.add_subparsers(title="commands", metavar="COMMAND", required=True)}
    for name, (function, declare) in COMMANDS.items():
        group, _, leaf = name.rpartition(" ")
        if group not in groups:
            below = groups[""].add_parser(group, help=f"{group}: see core-cli {group} --help")
            groups[group] = below.add_subparsers(title="commands", metavar="COMMAND", required=True)
        text = (function.__doc__ or "").strip()
        command = groups[group].add_parser(
            leaf, help=text.split("\n")[0], description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        declare(command)
        command.usage = f"core-cli {name} {_positionals(command)}[options]"
        command.set_defaults(command=function)
    return top


def _command(name: str, declare: Callable[[argparse.ArgumentParser], None]) -> Callable[[Command], Command]:
    def register(function: Command) -> Command:
        COMMANDS[name] = (function, declare)
        return function

    return register


def _declares_train(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="options as YAML; flags override it")
    command.add_argument("--resume", metavar="RUN", help="go on with a stopped or killed run, from its last checkpoint")
    command.add_argument("--detach", action="store_true", help="return at once; the run goes on by itself")
    command.add_argument("--json", action="store_true", help="print the run as JSON at the end")
    add_arguments(command, TrainConfig)


@_command("train", _declares_train)
def train(arguments: argparse.Namespace) -> int:
    """Fine-tune a model.

    The run is a detached process with a folder of its own; this command starts it and shows its progress. Ctrl-C asks
    it to save and stop, a second Ctrl-C leaves it alone.
    """
    if arguments.resume:
        run = require_run(arguments.resume, getattr(arguments, "runs_dir", ""))
        run.launch(resume=True)
    else:
        path = resolve_file(arguments.config) if arguments.config else None
        config = config_from_arguments(TrainConfig, arguments, path)
        _check_inputs(config)
        run = Run.start(config)
    print(f"run {run.path}", file=sys.stderr)
    state = run.state() if arguments.detach else _follow(run)
    if arguments.json:
        print(json.dumps(run.summary()))
    return _exit_code(run, state)


def _check_inputs(config: TrainConfig) -> None:
    """What can be seen to be wrong before a worker starts."""
    from core.datasets import find_source

    if not config.dataset:
        raise UserError("no dataset", remedy="give --dataset with a name from dataset_info.json or a file")
    for name in [*config.dataset, *config.eval_dataset]:
        find_source(name, config.dataset_dir)


def _follow(run: Run) -> State:
    """Print metrics as they come, until the run ends."""
    shown = 0
    last_s = 0.0
    asked = False
    while True:
        try:
            state = run.state()
            lines = run.metrics()
            due = time.monotonic() - last_s > 2 or not state.alive
            if len(lines) > shown and due:
                shown, last_s = len(lines), time.monotonic()
                print(_progress_line(state, lines), file=sys.stderr)
            if not state.alive:
                return state
            time.sleep(0.2)
        except KeyboardInterrupt:
            if asked:
                raise
            asked = True
            run.request_stop()
            print("stopping after this step; Ctrl-C again to leave it", file=sys.stderr)


def _progress_line(state: State, lines: list[dict[str, Any]]) -> str:
    latest: dict[str, Any] = {}
    for line in lines[-20:]:
        latest |= line
    shown = [f"step {state.step}/{state.max_steps}"]
    for key, label in (("loss", "loss"), ("loss_text", "text"), ("loss_tool_call", "calls"), ("eval_loss", "held out")):
        if key in latest:
            shown.append(f"{label} {latest[key]:.3f}")
    return "  ".join([*shown, f"{latest.get('elapsed_s', 0):.0f} s"])


def _exit_code(run: Run, state: State) -> int:
    if state.state == "finished":
        print(f"finished: {run.model_dir}", file=sys.stderr)
        return 0
    if state.alive:
        return 0
    if state.state == "stopped":
        print(f"stopped at step {state.step}; go on with: core-cli train --resume {run.path}", file=sys.stderr)
        return EXIT_STOPPED
    raise UserError(f"the run {state.state}: {state.message}", file=run.path / "log.txt", exit_code=1)


def _declares_eval(command: argparse.ArgumentParser) -> None:
    command.add_argument("target", metavar="RUN|MODEL", help="a run (path or name) or a model")
    command.add_argument("--json", action="store_true", help="print the figures as JSON")
    add_arguments(command, EvalConfig)


@_command("eval", _declares_eval)
def evaluate(arguments: argparse.Namespace) -> int:
    """Measure a run or a model on held-out conversations.

    Every assistant turn is written anew behind the reference history. Without --dataset, the run's own eval_dataset.
    With --base, the model below the adapter is measured too. Results are kept in the run's folder, in evals/.
    """
    from core.datasets import load_conversations
    from core.evaluate import evaluate as measure
    from core.evaluate import save
    from core.model import load_for_chat
    from core.run import find_run

    config = config_from_arguments(EvalConfig, arguments)
    run = find_run(arguments.target)
    if not config.dataset and run is not None:
        config = config.model_copy(update={"dataset": run.config.eval_dataset, "dataset_dir": run.config.dataset_dir})
    if not config.dataset:
        raise UserError("no dataset to evaluate on", remedy="give --dataset")
    loaded_rows = load_conversations(config)
    _print_findings(loaded_rows.findings)
    targets = {"tuned" if run else arguments.target: arguments.target}
    if config.base and run is not None:
        targets = {"base": run.config.model_name_or_path, **targets}
    results = {}
    for label, target in targets.items():
        results[label] = measure(load_for_chat(target, config), loaded_rows.conversations, config, _progress(label))
        if run is not None:
            facts = {"target": target, "dataset": config.dataset, "config": config.model_dump(mode="json")}
            save(
                results[label],
                run.path / "evals" / f"{'-'.join(Path(d).stem for d in config.dataset)}-{label}.json",
                facts,
            )
    if arguments.json:
        print(json.dumps({label: result.metrics for label, result in results.items()}, indent=1))
    else:
        print(table({label: result.metrics for label, result in results.items()}))
        _print_examples(loaded_rows.conversations, list(results.values())[-1], config.examples)
    return 0


def _progress(label: str) -> Callable[[int, int], None]:
    def show(done: int, of: int) -> None:
        if sys.stderr.isatty() or done == of:
            print(f"\r{label}: {done}/{of} turns", end="\n" if done == of else "", file=sys.stderr, flush=True)

    return show


ROWS = {
    "call_exact": "calls exactly right (name and all arguments)",
    "argument_exact": "arguments exactly right",
    "call_name": "calls of the right tool",
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
            lines.append(f"{title:<{width}}" + "".join(f"{_figure(key, m.get(key)):>16}" for m in results.values()))
    return "\n".join(lines)


def _figure(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key in ("turns", "reference_calls"):
        return str(int(value))
    return f"{value:.3f}" if key.startswith("loss") else f"{100 * value:.1f} %"


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


def message_lines(message: Any) -> Iterator[str]:
    """A message for the terminal: who, what, and each call on a line of its own."""
    if message.content or not message.tool_calls:
        yield f"{message.role:>9}: {message.content}"
    for call in message.tool_calls:
        yield f"{message.role:>9}: → {call.name}({json.dumps(call.arguments, ensure_ascii=False)})"


def _declares_chat(command: argparse.ArgumentParser) -> None:
    command.add_argument("target", metavar="RUN|MODEL", help="a run (path or name) or a model")
    command.add_argument("--message", metavar="TEXT", help="say this, print the answer and end")
    command.add_argument("--json", action="store_true", help="with --message: print the whole conversation as JSON")
    add_arguments(command, ChatConfig)


@_command("chat", _declares_chat)
def chat(arguments: argparse.Namespace) -> int:
    """Talk to a run or a model.

    With --tools FILE the model may call; a call is shown, you type its result, and the model goes on.
    """
    config = config_from_arguments(ChatConfig, arguments)
    from core.chat import Chat

    talk = Chat(arguments.target, config)
    if arguments.message is not None:
        for piece in talk.stream(arguments.message):
            if not arguments.json:
                print(piece, end="", flush=True)
        print(json.dumps(talk.conversation().to_openai(), ensure_ascii=False) if arguments.json else "")
        if not arguments.json:
            print("\n".join(_call_lines(talk)), end="\n" if talk.waiting else "")
        return 0
    print("Write a message; an empty line or Ctrl-D ends the chat.", file=sys.stderr)
    while text := _ask("you> "):
        _answer(talk, talk.stream(text))
        while calls := talk.waiting:
            for call in calls:
                talk.add_result(call, _ask(f"result of {call.name}> "))
            _answer(talk, talk.answer())
    return 0


def _answer(talk: Any, pieces: Iterable[str]) -> None:
    print("model> ", end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
    print("".join(line + "\n" for line in _call_lines(talk)), end="")


def _call_lines(talk: Any) -> list[str]:
    return [f"  → {call.name}({json.dumps(call.arguments, ensure_ascii=False)})" for call in talk.waiting]


def _ask(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        return ""


def _declares_show(command: argparse.ArgumentParser) -> None:
    shown = ("model_name_or_path", "template", "dataset_dir", "max_length", "train_on")
    command.add_argument("dataset", metavar="DATASET", help="a name from dataset_info.json, or a file")
    command.add_argument("--row", type=int, default=1, metavar="N", help="which row, from 1 [1]")
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    add_arguments(command, TrainConfig, skip=tuple(name for name in TrainConfig.model_fields if name not in shown))


@_command("data show", _declares_show)
def data_show(arguments: argparse.Namespace) -> int:
    """Show what a row becomes: the raw row, the conversation, and the text with what is trained in ⟦ ⟧."""
    from core.preview import preview

    name = arguments.dataset
    arguments.dataset = [name]
    shown = preview(name, arguments.row, config_from_arguments(TrainConfig, arguments))
    if arguments.json:
        print(json.dumps(shown.to_json(), ensure_ascii=False))
        return 0
    print(f"── {shown.source.file}, row {arguments.row} (line {shown.row.line}) ──")
    print(json.dumps(shown.row.data, ensure_ascii=False, indent=1))
    _print_findings(shown.findings, file=sys.stdout)
    if shown.conversation is not None:
        print("\n── conversation ──")
        for message in shown.conversation.messages:
            print("\n".join(message_lines(message)))
    for number, (sample, example) in enumerate(zip(shown.samples, shown.examples, strict=True), start=1):
        counts = f"{len(example.input_ids)} tokens, {example.trained} trained"
        print(f"\n── sample {number} of {len(shown.samples)}: {counts} ──")
        print(sample.marked())
    return 0


@_command("data list", lambda command: _declares_list(command, "dataset_dir"))
def data_list(arguments: argparse.Namespace) -> int:
    """List the registered datasets."""
    from core.datasets import registry

    sources = registry(getattr(arguments, "dataset_dir", ""))
    if arguments.json:
        rows = [
            {"name": s.name, "file": str(s.file), "format": s.layout.formatting if s.layout else None}
            for s in sources.values()
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for source in sources.values():
        print(f"{source.name:<20} {source.layout.formatting if source.layout else '':<10} {source.description}")
    return 0


def _declares_list(command: argparse.ArgumentParser, option: str) -> None:
    command.add_argument("--json", action="store_true", help="print a JSON list")
    add_arguments(command, TrainConfig, skip=tuple(name for name in TrainConfig.model_fields if name != option))


@_command("runs list", lambda command: _declares_list(command, "runs_dir"))
def runs_list(arguments: argparse.Namespace) -> int:
    """List the runs, newest first."""
    summaries = [run.summary() for run in list_runs(getattr(arguments, "runs_dir", ""))]
    if arguments.json:
        print(json.dumps(summaries))
        return 0
    for run in summaries:
        print(f"{run['state']:<9} {run['step']:>6}/{run['max_steps']:<6} {run['created']:<26} {run['path']}")
    if not summaries:
        print("no runs yet: core-cli train data/recipes/quickstart.yaml", file=sys.stderr)
    return 0


def _declares_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="path or name")


@_command("runs stop", _declares_run)
def runs_stop(arguments: argparse.Namespace) -> int:
    """Ask a run to finish its step, save and stop."""
    run = require_run(arguments.run)
    if not run.state().alive:
        raise UserError(f"the run is {run.state().state}, there is nothing to stop", file=run.path, exit_code=1)
    run.request_stop()
    print(f"asked {run.path} to stop", file=sys.stderr)
    return 0


@_command("template list", lambda command: None)
def template_list(arguments: argparse.Namespace) -> int:
    """List the chat templates that ship with Tuneboard."""
    from core.template.choose import library_names

    print("\n".join(["auto", *library_names()]))
    return 0


def _print_findings(findings: Sequence[Finding], most: int = 10, file: Any = None) -> None:
    for finding in findings[:most]:
        print(finding, file=file or sys.stderr)
    if len(findings) > most:
        print(f"… and {len(findings) - most} more findings", file=file or sys.stderr)


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
