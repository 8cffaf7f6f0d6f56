"""core-cli data: look at datasets before training on them."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.commands.command import command, message_lines, print_findings, train_options
from core.config import TrainConfig, config_from_arguments
from core.conversation import printable
from core.errors import UserError, counted, did_you_mean

if TYPE_CHECKING:
    from core.conversation import Conversation
    from core.datasets import Source

_READING = ("dataset_dir", "profile", "formatting", "columns", "tags", "roles", "max_samples")
# What the samples of a conversation depend on.
_RENDERING = (
    *("model_name_or_path", "template", "tool_dialect", "inline_reasoning", "max_length", "train_on"),
    *("overlong", "swallowed", "unstable_history"),
)
EXIT_OVER_LIMIT, EXIT_UNUSABLE = 1, 2


def _declares_check(command: argparse.ArgumentParser) -> None:
    command.add_argument("dataset", metavar="NAME_OR_PATH", help="a registered name, a file, a folder, or hf:org/name")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.add_argument(
        "--output", type=Path, metavar="DIR", help="write clean.jsonl, dropped.jsonl and the report here"
    )
    command.add_argument(
        "--fail-on",
        default="D",
        metavar="LIMITS",
        help="exit with 1 over these: codes or E, D, R, W (stops, drops, repairs, warns), each with >N or >N%% [D]",
    )
    command.add_argument("--secrets", action="store_true", help="count rows that hold keys, cards or mail addresses")
    command.add_argument(
        "--boilerplate", action="store_true", help="count answers with placeholders or boilerplate of refusals"
    )
    command.add_argument("--no-cache", action="store_true", help="read the file even if nothing has changed")
    train_options(command, *_RENDERING, "eval_dataset", "benchmarks", "dataset_num_proc", "drop_duplicates", *_READING)


@command("data check", _declares_check)
def data_check(arguments: argparse.Namespace) -> int:
    """Check a dataset: what becomes of each row, and why; with a model or template also lengths and what is trained.

    Exit codes: 0 clean, 1 findings over the limit of --fail-on, 2 unusable.
    """
    from core.checked import check_dataset
    from core.report import exceeds, terminal

    by_model = "model_name_or_path" in arguments or "template" in arguments
    config = config_from_arguments(TrainConfig, _without_dataset(arguments))
    report = check_dataset(
        arguments.dataset,
        config,
        with_model=by_model,
        scans=frozenset(name for name in ("secrets", "boilerplate") if getattr(arguments, name)),
        output=arguments.output,
        use_cache=not arguments.no_cache,
    )
    over = exceeds(report, arguments.fail_on)
    print(json.dumps(report.to_json()) if arguments.json else printable(terminal(report)))
    if report.stopped:
        return EXIT_UNUSABLE
    if over:
        print(f"over the limit {over}", file=sys.stderr)
    return EXIT_OVER_LIMIT if over else 0


def _declares_convert(command: argparse.ArgumentParser) -> None:
    command.add_argument("dataset", metavar="SRC", help="a registered name, a file, a folder, or hf:org/name")
    command.add_argument(
        "--to", required=True, metavar="FORMAT", help="openai, trl, mistral, sharegpt, lmflow or alpaca"
    )
    command.add_argument("--output", type=Path, metavar="FILE", help="where to write; - or nothing: standard output")
    train_options(command, "drop_duplicates", *_READING)


@command("data convert", _declares_convert)
def data_convert(arguments: argparse.Namespace) -> int:
    """Write a dataset in another format. What that format cannot hold is named and counted.

    A registered dataset's num_samples holds here too: so many conversations are drawn, or repeated, as for training.

    Exit codes: 0 every usable row was written, 1 some could not be expressed, 2 unusable.
    """
    from core.disk import written_whole
    from core.formats.write import file_text, writer

    write = writer(arguments.to)
    lost: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    count = Counter[str]()
    pieces = file_text(arguments.to, _written(arguments, write, lost, left_out, count))
    if arguments.output is None or str(arguments.output) == "-":
        sys.stdout.writelines(pieces)
    else:
        try:
            with written_whole(arguments.output) as file:
                file.writelines(pieces)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", file=arguments.output) from None
    print(
        f"{counted(count['in'], 'row')}: {count['written']} written, {count['dropped']} dropped by the rules,",
        end=" ",
        file=sys.stderr,
    )
    print(f"{sum(left_out.values())} that {arguments.to} cannot hold", file=sys.stderr)
    for said, rows in (("lost", lost), ("left out", left_out)):
        for what, number in rows.most_common():
            print(f"  {said}: {what} ({counted(number, 'row')})", file=sys.stderr)
    if count["dropped"]:
        print(f"  core-cli data check {arguments.dataset} says why rows are dropped", file=sys.stderr)
    if not count["written"]:
        return EXIT_UNUSABLE
    return 1 if left_out else 0


def _written(
    arguments: argparse.Namespace, write: Any, lost: Counter[str], left_out: Counter[str], count: Counter[str]
) -> Iterator[dict[str, Any]]:
    """The rows in the other format, with the losses counted."""
    from core.datasets import find_source, sampled, with_options

    config = config_from_arguments(TrainConfig, _without_dataset(arguments))
    source = with_options(find_source(arguments.dataset, config.dataset_dir), config)
    conversations: Iterable[Conversation] = _usable(source, config, count)
    if source.num_samples is not None:
        conversations, notes = sampled(list(conversations), source.num_samples, source.name)
        print_findings(notes)
    for conversation in conversations:
        row, losses = write(conversation)
        (lost if row is not None else left_out).update(losses)
        if row is not None:
            count["written"] += 1
            yield row


def _usable(source: Source, config: TrainConfig, count: Counter[str]) -> Iterator[Conversation]:
    """The conversations that the rules leave, as a stream, with the others counted."""
    from core.datasets import convert_rows, without_copies

    rows = convert_rows(source, [], config.profile, config.max_samples)
    for done in without_copies(rows) if config.drop_duplicates else rows:
        count["in"] += 1
        if done.conversation is None:
            count["dropped"] += 1
        else:
            yield done.conversation


def _declares_explain(command: argparse.ArgumentParser) -> None:
    command.add_argument("code", nargs="?", metavar="CODE", help="a rule's code; without: the whole table")
    command.add_argument("--json", action="store_true", help="print JSON")


@command("data explain", _declares_explain)
def data_explain(arguments: argparse.Namespace) -> int:
    """Explain a rule by its code: when it applies, what each profile does, and what to do about it."""
    from dataclasses import asdict

    from core.rules import RULES, explain

    if arguments.code is None:
        rows = [asdict(rule) for rule in RULES.values()]
        print(
            json.dumps(rows) if arguments.json else "\n".join(f"{r['code']} {r['action']:<6}{r['what']}" for r in rows)
        )
        return 0
    code = arguments.code.upper()
    if code not in RULES:
        raise UserError(f'there is no rule "{arguments.code}"', remedy=did_you_mean(code, RULES))
    print(json.dumps(asdict(RULES[code])) if arguments.json else explain(code))
    return 0


def _declares_show(command: argparse.ArgumentParser) -> None:
    command.add_argument("dataset", metavar="DATASET", help="a name from dataset_info.json, or a file")
    command.add_argument("--row", type=int, default=1, metavar="N", help="which row, from 1 [1]")
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    train_options(command, *_RENDERING, *_READING[:-1])


@command("data show", _declares_show)
def data_show(arguments: argparse.Namespace) -> int:
    """Show what a row becomes: the raw row, the conversation, and the text with what is trained in ⟦ ⟧."""
    from core.preview import preview

    config = config_from_arguments(TrainConfig, _without_dataset(arguments))
    shown = preview(arguments.dataset, arguments.row, config)
    if arguments.json:
        print(json.dumps(shown.to_json(), default=str))
        return 0
    print(f"── {shown.row.file or shown.source.file}, row {arguments.row} (line {shown.row.line}) ──")
    print(printable(shown.row.text or json.dumps(shown.row.data, ensure_ascii=False, indent=1, default=str)))
    print_findings(shown.findings, file=sys.stdout)
    if shown.conversation is not None:
        print("\n── conversation ──")
        for message in shown.conversation.messages:
            print("\n".join(message_lines(message)))
    for number, (sample, example) in enumerate(zip(shown.samples, shown.examples, strict=True), start=1):
        counts = f"{len(example.ids)} tokens, {example.trained} trained"
        print(f"\n── sample {number} of {len(shown.samples)}: {counts} ──")
        print(printable(sample.marked()))
    return 0


def _without_dataset(arguments: argparse.Namespace) -> argparse.Namespace:
    """The flags alone: `dataset` is a positional argument here and a list in the config."""
    return argparse.Namespace(**{name: value for name, value in vars(arguments).items() if name != "dataset"})


def _declares_list(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print a JSON list")
    train_options(command, "dataset_dir")


@command("data list", _declares_list)
def data_list(arguments: argparse.Namespace) -> int:
    """List the registered datasets."""
    from core.datasets import registry

    sources = registry(getattr(arguments, "dataset_dir", ""))
    if arguments.json:
        rows = [
            {
                "name": s.name,
                "file": str(s.file),
                "format": s.layout.formatting if s.layout else None,
                "refused": s.refused,
            }
            for s in sources.values()
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for source in sources.values():
        said = f"refused: {source.refused}" if source.refused else source.description
        print(f"{source.name:<20} {source.layout.formatting if source.layout else '':<10} {said}")
    return 0


def _declares_cache(command: argparse.ArgumentParser) -> None:
    command.add_argument("--clear", action="store_true", help="delete it; what is needed again is made again")
    command.add_argument("--json", action="store_true", help="print JSON")


@command("data cache", _declares_cache)
def data_cache(arguments: argparse.Namespace) -> int:
    """Show how large the cache of checked and encoded datasets is, or delete it.

    When it grows beyond its limit, what was not used for longest goes by itself. Runs keep their rows.
    """
    from core.cache import MOST_BYTES, cache_dir, clear, datasets, kept

    there = kept()
    count, size = clear() if arguments.clear else (datasets(there), sum(there.values()))
    if arguments.json:
        print(json.dumps({"folder": str(cache_dir()), "datasets": count, "bytes": size, "most_bytes": MOST_BYTES}))
    elif arguments.clear:
        print(f"{cache_dir()}: {count} datasets deleted, {size / 2**20:.1f} MiB")
    else:
        most = f"what was not used for longest goes above {MOST_BYTES / 2**30:.0f} GiB"
        print(f"{cache_dir()}: {count} datasets, {size / 2**20:.1f} MiB; {most}; --clear deletes it")
    return 0
