"""Training speed: ours, TRL's defaults and LLaMA-Factory on the same rows, one after the other, in turns.

`python -m tests.benchmarks.train [--rows 96] [--rounds 2] [--dtype float32|bfloat16] [--size 27m|0.6b] [--device cuda]`
makes a randomly initialised Qwen3 and a tokenizer of its own, and trains a LoRA adapter on the first rows of the sample
tool conversations for one epoch, none held out: same model, method, effective batch and number type on every side, each
in a process of its own. LLaMA-Factory is run by the python that `--peer-python` or $LLAMAFACTORY_PYTHON names, and
skipped without one.

What is timed is the training alone: on the clock, and in processor time, which a busy machine disturbs less. Every side
keeps its own defaults in all else; ours is what `core-cli train` does. Rates are of the rows and
tokens that a side really trains on: the peer has a template of its own, and leaves out conversations that it does not
read.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from core.config import TrainConfig

SIDES = ("ours", "trl", "llamafactory")
SIZES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 64, "num_hidden_layers": 1, "intermediate_size": 128, "vocab_size": 2048},
    "27m": {"hidden_size": 512, "num_hidden_layers": 6, "intermediate_size": 1536, "vocab_size": 16_384},
    "0.6b": {"hidden_size": 1024, "num_hidden_layers": 28, "intermediate_size": 3072, "vocab_size": 151_936},
}
BATCH = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}
LEARNED_TOKENS = 16_384
# Run by the peer's python; the clock is the one of `clocked`.
PEER = """
import json, resource, sys, time
from transformers import TrainerCallback
from llamafactory.train.tuner import run_exp
class Clock(TrainerCallback):
    def on_train_begin(self, *args, train_dataloader=None, **others):
        lengths = [len(row["input_ids"]) for row in train_dataloader.dataset]
        self.read = {"rows": len(lengths), "tokens": sum(lengths)}
        self.begun = time.perf_counter(), time.process_time()
    def on_train_end(self, *args, **others):
        self.took = time.perf_counter() - self.begun[0], time.process_time() - self.begun[1]
clock = Clock()
run_exp(json.loads(sys.argv[1]), callbacks=[clock])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
took = {"seconds": clock.took[0], "cpu_seconds": clock.took[1]}
print(json.dumps({**took, **clock.read, "peak_mib": peak}))
"""


def make_material(folder: Path, size: str, rows: int) -> dict[str, Any]:
    """Model, tokenizer and rows on the disk; returns the account of the rows by our encoding."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from core.datasets import load_conversations
    from core.encode import prepare
    from core.model import load_template, load_tokenizer
    from core.paths import data_dir

    taken = json.loads((data_dir() / "samples" / "tools.json").read_text(encoding="utf-8"))[:rows]
    (folder / "rows.json").write_text(json.dumps(taken, ensure_ascii=False), encoding="utf-8")
    entry = json.loads((data_dir() / "dataset_info.json").read_text(encoding="utf-8"))["tools"]
    entry["file_name"] = "rows.json"
    (folder / "dataset_info.json").write_text(json.dumps({"rows": entry}), encoding="utf-8")

    config = our_config(folder, "auto", "cpu")
    starter = load_tokenizer("starter")
    template = load_template(config, starter)
    texts = [path.read_text(encoding="utf-8") for path in sorted((data_dir() / "samples").glob("*.json"))]
    lines = [line for text in texts for line in text.splitlines()]
    tokenizer = starter.train_new_from_iterator(lines, min(LEARNED_TOKENS, SIZES[size]["vocab_size"]))
    tokenizer.chat_template = template.source
    tokenizer.save_pretrained(folder / "model")
    torch.manual_seed(0)
    shape = Qwen3Config(
        **SIZES[size],
        num_attention_heads=SIZES[size]["hidden_size"] // 64,
        num_key_value_heads=max(1, SIZES[size]["hidden_size"] // 128),
        head_dim=64,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = Qwen3ForCausalLM(shape)
    model.save_pretrained(folder / "model")
    prepared = prepare(load_conversations(config).conversations, template, tokenizer, config)
    embedding = model.get_input_embeddings().weight.numel()
    body = sum(parameter.numel() for parameter in model.parameters()) - embedding
    # Forward, and backward to the activations: an adapter needs no gradients of the weights themselves.
    work = 4 * (body * prepared.tokens + embedding * prepared.trained)
    return {"tokens": prepared.tokens, "trained": prepared.trained, "work": work, "parameters": body + embedding}


def our_config(folder: Path, dtype: str, device: str) -> TrainConfig:
    """What `core-cli train` would be told."""
    return TrainConfig(
        model_name_or_path=str(folder / "model"),
        dataset=["rows"],
        dataset_dir=str(folder),
        runs_dir=str(folder / "runs"),
        num_train_epochs=1,
        save_steps=1e6,
        val_size=0,
        dtype=dtype,
        device=device,
        **BATCH,
    )


def clocked(trainer_class: Any) -> dict[str, float]:
    """Make a trainer class take the time of its training; the figures are there when it has trained."""
    figures: dict[str, float] = {}
    train: Callable[..., Any] = trainer_class.train

    def timed(*arguments: Any, **options: Any) -> Any:
        lengths = [len(row["input_ids"]) for row in arguments[0].train_dataset]
        figures.update(rows=len(lengths), tokens=sum(lengths))
        begun = time.perf_counter(), time.process_time()
        result = train(*arguments, **options)
        figures.update(seconds=time.perf_counter() - begun[0], cpu_seconds=time.process_time() - begun[1])
        return result

    trainer_class.train = timed
    return figures


def train_ours(config: TrainConfig) -> dict[str, float]:
    """Through `core.train`, as a run's worker does."""
    from core.run import Run
    from core.train import train_run
    from core.trainer import Trainer

    figures = clocked(Trainer)
    train_run(Run.create(config))
    return figures


def train_trl(config: TrainConfig) -> dict[str, float]:
    """TRL's SFTTrainer as it comes, on the text of the same conversations."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from core.conversation import template_messages
    from core.datasets import load_conversations
    from core.model import load_template, load_tokenizer, load_weights
    from core.sft import sft_config

    tokenizer = load_tokenizer(config.model_name_or_path)
    template = load_template(config, tokenizer)
    rows = load_conversations(config).conversations
    texts = [template.render(template_messages(row.messages), row.tools) for row in rows]
    ours = sft_config(config, Path(config.runs_dir), has_eval=False)
    shared = {name: getattr(ours, name) for name in (*BATCH, "num_train_epochs", "learning_rate", "use_cpu", "bf16")}
    figures = clocked(SFTTrainer)
    SFTTrainer(
        model=load_weights(config.model_name_or_path, config),
        args=SFTConfig(**shared, output_dir=config.runs_dir, save_strategy="no", report_to="none", disable_tqdm=True),
        train_dataset=Dataset.from_dict({"text": texts}),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=config.lora_r, lora_alpha=config.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    ).train()
    return figures


def peer_options(folder: Path, config: TrainConfig) -> dict[str, Any]:
    """The same training in LLaMA-Factory's words."""
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": config.model_name_or_path,
        "finetuning_type": "lora",
        "lora_rank": config.lora_r,
        "lora_alpha": config.lora_alpha,
        "lora_target": "all",
        "dataset_dir": str(folder),
        "dataset": "rows",
        "template": "qwen",
        "cutoff_len": config.max_length,
        "output_dir": str(folder / "peer"),
        "overwrite_output_dir": True,
        "num_train_epochs": 1.0,
        "learning_rate": config.peak_learning_rate(),
        "bf16": config.dtype == "bfloat16",
        "use_cpu": config.device == "cpu",
        "report_to": "none",
        "flash_attn": "sdpa",
        "save_strategy": "no",
        "logging_steps": 1,
        **BATCH,
    }


def run_side(side: str, folder: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """One side, once, in a process of its own."""
    config = our_config(folder, arguments.dtype, arguments.device)
    if side == "llamafactory":
        command = [arguments.peer_python, "-c", PEER, json.dumps(peer_options(folder, config))]
    else:
        command = [sys.executable, "-m", "tests.benchmarks.train", "--child", side, str(folder)]
        command += ["--dtype", arguments.dtype, "--device", arguments.device]
    # The peer must not find our packages before its own.
    found = {name: value for name, value in os.environ.items() if side != "llamafactory" or name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=found)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def child(side: str, folder: Path, arguments: argparse.Namespace) -> None:
    """Train one side here and print its figures as the last line."""
    config = our_config(folder, arguments.dtype, arguments.device)
    figures = train_ours(config) if side == "ours" else train_trl(config)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if arguments.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps({**figures, "peak_mib": peak}))


def product_rate(device: str, dtype: str) -> float:
    """Floating-point operations a second in the best of ten large matrix products, by processor time on a CPU."""
    size = 8192 if device == "cuda" else 1024
    number_type = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=number_type) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        begun = time.perf_counter() if device == "cuda" else time.process_time()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() if device == "cuda" else time.process_time()) - begun)
    return 2 * size**3 / best


def show(figures: dict[str, list[dict[str, float]]], facts: dict[str, Any], rate: float, clock: str) -> None:
    """The medians side by side, and how many times the others' ours is."""
    medians = {
        side: {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        for side, turns in figures.items()
    }
    table = {
        "training, s": lambda m: m["seconds"],
        "processor time, s": lambda m: m["cpu_seconds"],
        "rows trained on": lambda m: m["rows"],
        "tokens read": lambda m: m["tokens"],
        "rows/s": lambda m: m["rows"] / m["seconds"],
        "rows/s of processor time": lambda m: m["rows"] / m["cpu_seconds"],
        "tokens/s of processor time": lambda m: m["tokens"] / m["cpu_seconds"],
        "share of the matrix rate, %": lambda m: 100 * facts["work"] * m["tokens"] / facts["tokens"] / m[clock] / rate,
        "peak memory, MiB": lambda m: m["peak_mib"],
    }
    others = [side for side in medians if side != "ours"]
    print(f"{'':<30}" + "".join(f"{side:>16}" for side in medians) + "".join(f"{'ours/' + o:>20}" for o in others))
    for title, figure in table.items():
        values = {side: figure(median) for side, median in medians.items()}
        ratios = [values["ours"] / values[other] for other in others]
        print(f"{title:<30}" + "".join(f"{v:>16.2f}" for v in values.values()) + "".join(f"{r:>20.2f}" for r in ratios))


def main() -> None:
    """Let the sides take turns and print what came of it."""
    parser = argparse.ArgumentParser(description="Training speed against TRL's defaults and LLaMA-Factory.")
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--size", choices=tuple(SIZES), default="27m")
    parser.add_argument("--peer-python", default=os.environ.get("LLAMAFACTORY_PYTHON", ""))
    parser.add_argument("--child", nargs=2, metavar=("SIDE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], Path(arguments.child[1]), arguments)
        return
    sides = [side for side in SIDES if side != "llamafactory" or arguments.peer_python]
    if "llamafactory" not in sides:
        print("LLaMA-Factory skipped: no --peer-python and no $LLAMAFACTORY_PYTHON")
    rate = product_rate(arguments.device, arguments.dtype)
    figures: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = make_material(folder, arguments.size, arguments.rows)
        for _ in range(arguments.rounds):
            for side in sides:
                figures[side].append(run_side(side, folder, arguments))
    print(
        f"{facts['parameters'] / 1e6:.1f} M parameters, {arguments.rows} rows, {facts['tokens']} tokens, "
        f"{facts['trained']} trained, {arguments.dtype} on {arguments.device}, {torch.get_num_threads()} threads, "
        f"{arguments.rounds} rounds (medians); matrix products {rate / 1e9:.0f} GFLOP/s"
    )
    show(figures, facts, rate, "seconds" if arguments.device == "cuda" else "cpu_seconds")


if __name__ == "__main__":
    main()
