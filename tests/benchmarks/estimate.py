"""The estimate of a training against what its worker then measures: memory and time, for some configurations.

    python -m tests.benchmarks.estimate [--only NAME] [--steps 12]

Prints a line each; it never passes or fails. Run it on an idle machine: the time is that of the moment. On a CPU the
process holds more than is in use: the C library keeps what was freed (with glibc's MALLOC_TRIM_THRESHOLD_ set, a
training with gradient checkpointing peaked at half of what it does without, and spent more time in the system), and
oneDNN keeps the kernels of the last 1,024 shapes, of which packed batches bring ever new ones. The quickstart's recipe
grew from 875 MiB at its 10th step to 1,556 at its 40th. With ONEDNN_PRIMITIVE_CACHE_CAPACITY=64 and malloc_trim every
ten steps it had 667 and 900, and 947 at its 100th; but 64 kernels cost a tenth more processor time than 1,024 (0.82
against 0.74 s a step, side by side on a busy machine, one thread), so nothing is set.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from core.config import TrainConfig
from core.estimate import Estimator
from core.model import load_tokenizer
from core.paths import starter_dir
from core.run import Run

SMALL: dict[str, Any] = {"model_name_or_path": "starter"}
RANDOM: dict[str, Any] = {"model_name_or_path": "random"}
CONFIGS: dict[str, dict[str, Any]] = {
    "starter-lora": SMALL,
    "starter-full-2x1": SMALL
    | {"finetuning_type": "full", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1},
    "27m-lora": RANDOM,
    "27m-lora-padded": RANDOM | {"packing": "off"},
    "27m-lora-checkpointing": RANDOM | {"gradient_checkpointing": True},
    "27m-full": RANDOM | {"finetuning_type": "full"},
}


def main() -> None:
    """Measure every configuration, or one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=list(CONFIGS))
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    print(f"{'':>24}{'estimated':>12}{'measured':>12}{'ratio':>7}{'s a step':>12}{'measured':>12}{'ratio':>7}")
    with tempfile.TemporaryDirectory() as folder:
        random_model(Path(folder) / "random")
        for name, options in CONFIGS.items():
            if arguments.only in (None, name):
                print(f"{name:>24}" + _line(options, Path(folder), arguments.steps), flush=True)


def random_model(place: Path) -> None:
    """A Qwen3 of 27M parameters with a vocabulary of 16k, random, with the starter's tokenizer."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=16384,
        hidden_size=448,
        num_hidden_layers=8,
        num_attention_heads=7,
        num_key_value_heads=7,
        head_dim=64,
        intermediate_size=1280,
        tie_word_embeddings=True,
        max_position_embeddings=4096,
    )
    Qwen3ForCausalLM(config).save_pretrained(place)
    tokenizer = load_tokenizer(str(starter_dir()))
    tokenizer.save_pretrained(place)


def _line(options: dict[str, Any], folder: Path, steps: int) -> str:
    if options["model_name_or_path"] == "random":
        options = options | {"model_name_or_path": str(folder / "random")}
    common = {"dataset": ["tools"], "max_steps": steps, "runs_dir": str(folder / "runs"), "save_steps": 1000}
    config = TrainConfig(**common, **options)
    needed = Estimator(config).estimate(config)
    run = Run.start(config)
    run.wait()
    cost = run.cost()
    memory = f"{needed.memory / 2**20:>12.0f}{cost['memory'] / 2**20:>12.0f}{needed.memory / cost['memory']:>7.2f}"
    return memory + f"{needed.step_s:>12.2f}{cost['step_s']:>12.2f}{needed.step_s / cost['step_s']:>7.2f}"


if __name__ == "__main__":
    main()
