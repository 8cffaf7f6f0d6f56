"""The quickstart's training with TRL's own defaults and with ours: same rows, model, method, batch and number type.

`python -m tests.benchmarks.quickstart [--rows 160] [--rounds 2]` trains one epoch on the first rows of the quickstart's
datasets, each side in a process of its own, the sides taking turns, and prints wall time, rows per second and peak
memory side by side. TRL gets the text of the same conversations (rendered by the same template) and keeps all its
defaults: loss on every token, gradient checkpointing, random order. Only training is timed, not imports or tokenising.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from core.config import TrainConfig, load_config
from core.paths import data_dir

SIDES = ("trl", "ours")


def recipe(rows: int, runs_dir: str) -> TrainConfig:
    """The quickstart's recipe on `rows` rows, one epoch, nothing saved or evaluated on the way."""
    changes = {"dataset": ["tools"], "eval_dataset": [], "max_samples": rows, "num_train_epochs": 1, "save_steps": 1e6}
    return load_config(TrainConfig, data_dir() / "recipes" / "quickstart.yaml", {**changes, "runs_dir": runs_dir})


def train_ours(config: TrainConfig) -> float:
    """Seconds of training through `core.train`."""
    from core.run import Run
    from core.train import train_run

    run = Run.create(config)
    train_run(run)
    return next(line["train_runtime"] for line in run.metrics() if "train_runtime" in line)


def train_trl(config: TrainConfig) -> float:
    """Seconds of training through TRL's SFTTrainer as it comes."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from core.conversation import template_messages
    from core.datasets import load_conversations
    from core.method import load_trainable
    from core.model import load_template, load_tokenizer
    from core.sft import sft_config

    tokenizer = load_tokenizer(config.model_name_or_path)
    template = load_template(config, tokenizer)
    rows = load_conversations(config).conversations
    texts = [template.render(template_messages(row.messages), row.tools) for row in rows]
    ours = sft_config(config, Path(config.runs_dir), has_eval=False)
    same = (
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "num_train_epochs",
        "learning_rate",
        "use_cpu",
    )
    shared = {name: getattr(ours, name) for name in (*same, "bf16", "seed", "output_dir")}
    model, adapter = load_trainable(config)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**shared, save_strategy="no", report_to="none", disable_tqdm=True),
        train_dataset=Dataset.from_dict({"text": texts}),
        processing_class=tokenizer,
        peft_config=adapter,
    )
    return trainer.train().metrics["train_runtime"]


def child(side: str, rows: int) -> None:
    """One side, once: prints its figures as JSON on the last line."""
    with tempfile.TemporaryDirectory() as folder:
        config = recipe(rows, folder)
        seconds = train_ours(config) if side == "ours" else train_trl(config)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "rows_per_s": rows / seconds, "peak_mib": peak_mib}))


def main() -> None:
    """Let the sides take turns, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description="TRL's defaults against ours on the quickstart's rows.")
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        child(arguments.side, arguments.rows)
        return
    figures: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(arguments.rounds):
        for side in SIDES:
            words = [sys.executable, "-m", "tests.benchmarks.quickstart", "--side", side, "--rows", str(arguments.rows)]
            out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            figures[side].append(json.loads(out.strip().splitlines()[-1]))
    medians = {
        side: {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        for side, turns in figures.items()
    }
    print(f"{arguments.rows} rows, one epoch, {arguments.rounds} rounds (medians)")
    print(f"{'':<20}{'TRL defaults':>14}{'Tuneboard':>14}{'ratio':>10}")
    for key, title in (("seconds", "training, s"), ("rows_per_s", "rows/s"), ("peak_mib", "peak memory, MiB")):
        a, b = medians["trl"][key], medians["ours"][key]
        print(f"{title:<20}{a:>14.1f}{b:>14.1f}{b / a:>10.2f}")


if __name__ == "__main__":
    main()
