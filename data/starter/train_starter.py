"""Train the starter checkpoint from scratch on a CPU.

It builds a byte-level BPE tokenizer, trains a small Qwen3-shaped model on the
dialogues of `corpus.py` and saves both as an ordinary transformers checkpoint:

    python data/starter/train_starter.py --minutes 30 --output data/starter
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from corpus import Corpus
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from vocabulary import COMMON_WORDS, ZH_CHARS

HERE = Path(__file__).resolve().parent
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# One Chinese character, one digit, one run of letters, a line break, or a run of anything else: a name or a
# number is then always cut the same way, whatever stands before it, so that copying it is copying tokens.
SPLIT = r"\p{Han}|\p{N}|(?:(?!\p{Han})\p{L})+|\n|[^\p{L}\p{N}\n]+"
MAX_LENGTH = 2048
# Share of the tokens of other speakers that count in the loss: most of them are random values, which is noise
OTHERS = 0.03


def build_tokenizer(seed: int, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train the tokenizer on freshly generated dialogues and the word lists."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    corpus = Corpus(random.Random(seed))
    texts = [f"{turn['role']}\n{turn['content']}" for _ in range(12000) for turn in corpus.dialogue()]
    chat_words = (
        '<tool_call>\n{"name": "x", "arguments": {"x": 1}}\n</tool_call>\nTo call a tool, write tools\n</tools>'
    )
    texts += [
        " ".join(COMMON_WORDS),
        ZH_CHARS,
        chat_words,
    ] * 500 + [chat_words] * 1000
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIALS,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=SPECIALS[2],
        pad_token=SPECIALS[0],
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
        chat_template=(HERE / "chat_template.jinja").read_text(encoding="utf-8"),
    )


def build_model(tokenizer: PreTrainedTokenizerFast, layers: int) -> Qwen3ForCausalLM:
    """A small randomly initialised model."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=layers,
        num_attention_heads=3,
        num_key_value_heads=3,
        head_dim=64,
        tie_word_embeddings=True,
        max_position_embeddings=MAX_LENGTH,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def letter_pieces(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """The vocabulary entries that are plain letters, in lower case or with a capital in front."""
    plain = (token for token in tokenizer.get_vocab() if token.isascii() and token.isalpha())
    return sorted(token for token in plain if token.islower() or token.istitle())


class Packer:
    """Endless batches of dialogues packed into rows of equal length."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, corpus: Corpus, rng: np.random.Generator) -> None:
        self.tokenizer, self.corpus, self.rng = tokenizer, corpus, rng
        self.start, self.end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
        self.pad = tokenizer.pad_token_id

    def encode(self, stage: int) -> tuple[list[int], list[bool]]:
        """Token ids of one dialogue and which of them the assistant wrote."""
        ids: list[int] = []
        mask: list[bool] = []
        for turn in self.corpus.dialogue(stage):
            head = self.tokenizer.encode(f"<|im_start|>{turn['role']}\n")
            body = self.tokenizer.encode(turn["content"] + "<|im_end|>")
            tail = self.tokenizer.encode("\n")
            own = turn["role"] == "assistant"
            ids += head + body + tail
            mask += [False] * len(head) + [own] * len(body) + [False] * len(tail)
        return ids, mask

    def rows(self, stage: int, length: int) -> Iterator[tuple[list[int], list[bool]]]:
        """Rows filled with whole dialogues, each time with the longest that fits, and padded at the end."""
        waiting: list[tuple[list[int], list[bool]]] = []
        while True:
            ids: list[int] = []
            mask: list[bool] = []
            while True:
                while len(waiting) < 24:
                    made = self.encode(stage)
                    if len(made[0]) <= length:
                        waiting.append(made)
                fitting = [n for n, (more, _) in enumerate(waiting) if len(ids) + len(more) <= length]
                if not fitting:
                    break
                more, own = waiting.pop(max(fitting, key=lambda n: len(waiting[n][0])) if ids else fitting[0])
                ids += more
                mask += own
            gap = length - len(ids)
            yield ids + [self.pad] * gap, mask + [False] * gap

    def batch(
        self, rows: Iterator[tuple[list[int], list[bool]]], count: int, others: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and loss positions; `others` is the share of non-assistant tokens that count too."""
        picked = [next(rows) for _ in range(count)]
        ids = np.array([row for row, _ in picked])
        mask = np.array([own for _, own in picked]) | ((self.rng.random(ids.shape) < others) & (ids != self.pad))
        return torch.from_numpy(ids), torch.from_numpy(mask)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised (Newton-Schulz), for the weight matrices."""

    def __init__(
        self, params: list[torch.nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.05
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One update of every matrix; matrices of one shape go through together."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for param in group["params"]:
                shapes.setdefault(param.shape, []).append(param)
            for shape, params in shapes.items():
                moves = []
                for param in params:
                    memory = self.state[param].setdefault("momentum", torch.zeros_like(param))
                    memory.lerp_(param.grad, 1 - group["momentum"])
                    moves.append(param.grad.lerp(memory, group["momentum"]))
                steps = orthogonal(torch.stack(moves)) * max(1.0, shape[0] / shape[1]) ** 0.5
                for param, move in zip(params, steps, strict=True):
                    param.mul_(1 - group["lr"] * group["decay"]).add_(move, alpha=-group["lr"])


def orthogonal(batch: torch.Tensor) -> torch.Tensor:
    """The nearest semi-orthogonal matrices, by five Newton-Schulz rounds."""
    flip = batch.shape[1] > batch.shape[2]
    work = batch.transpose(1, 2) if flip else batch
    work = work / (work.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = work @ work.transpose(1, 2)
        work = 3.4445 * work + (-4.7750 * gram + 2.0315 * gram @ gram) @ work
    return work.transpose(1, 2) if flip else work


def train(model: Qwen3ForCausalLM, packer: Packer, args: argparse.Namespace) -> None:
    """Short copying rows first, then the full mix; the rate decays to zero at the end."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = [Muon(matrices, lr=args.lr), torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.95), weight_decay=0.01)]
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    early, late = packer.rows(0, 128), packer.rows(1, args.length)
    body = torch.compile(model.model, dynamic=False) if args.compile else model.model
    began, step, progress, tokens, kept, recent = time.time(), 0, 0.0, 0, 0, 0.0
    while progress < 1:
        spent = time.time() - began
        progress = step / args.steps if args.steps else spent / (60 * args.minutes)
        first = progress < args.short_share
        rows, count = (early, 4 * args.rows) if first else (late, args.rows)
        ids, mask = packer.batch(rows, count, OTHERS)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            hidden = body(input_ids=ids[:, :-1]).last_hidden_state
            logits = model.lm_head(hidden[mask[:, 1:]])
        loss = functional.cross_entropy(logits.float(), ids[:, 1:][mask[:, 1:]])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scale = min(1.0, (step + 1) / 40) * min(1.0, max(0.0, 1 - progress) / 0.6)
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * scale
            optimizer.step()
            optimizer.zero_grad()
        tokens += ids.numel()
        step += 1
        recent += loss.item() / 50
        if step % 50 == 0:
            speed = tokens / (time.time() - began)
            print(
                f"step {step} progress {progress:.3f} loss {recent:.3f} tokens {tokens} tokens/s {speed:.0f}",
                flush=True,
            )
            recent = 0.0
        if progress * args.keep >= kept + 1:
            kept += 1
            save(model, packer.tokenizer, args.output / f"part-{kept:02d}")


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, output: Path) -> None:
    """Write the checkpoint with bf16 weights."""
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=256,
    )
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(output)
    tokenizer.save_pretrained(output)


def main() -> None:
    """Parse the arguments, train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="training time; the schedule follows the clock")
    parser.add_argument("--steps", type=int, default=0, help="train this many steps instead (repeatable)")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of the checkpoint")
    parser.add_argument("--keep", type=int, default=0, help="write this many checkpoints along the way")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--compile", action="store_true", help="use torch.compile (needs a C++ compiler; faster)")
    parser.add_argument(
        "--bf16", action="store_true", help="compute in bfloat16 (faster where the CPU has matrix units)"
    )
    parser.add_argument("--resume", type=Path, help="go on from this checkpoint instead of from scratch")
    parser.add_argument("--vocab", type=int, default=3584)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--length", type=int, default=512, help="tokens in a row after the short rows")
    parser.add_argument("--rows", type=int, default=4, help="rows in a batch")
    parser.add_argument("--lr", type=float, default=0.02, help="rate of the weight matrices")
    parser.add_argument("--short-share", type=float, default=0.08, help="share of the run spent on short rows")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    if args.resume:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(args.resume)
        model = Qwen3ForCausalLM.from_pretrained(args.resume, dtype=torch.float32).train()
    else:
        tokenizer = build_tokenizer(args.seed, args.vocab)
        model = build_model(tokenizer, args.layers)
    print(f"{model.num_parameters()} parameters, {len(tokenizer)} tokens in the vocabulary", flush=True)
    corpus = Corpus(random.Random(args.seed + 1), letter_pieces(tokenizer))
    train(model, Packer(tokenizer, corpus, np.random.default_rng(args.seed)), args)
    save(model, tokenizer, args.output)


if __name__ == "__main__":
    main()
