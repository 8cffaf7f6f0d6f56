"""Rendering and encoding with everything checked, against plain `apply_chat_template` and tokenising, side by side.

`python -m tests.benchmarks.render [--rows 200] [--rounds 5]` prints conversations per second of all sides and two
ratios (1.0: as fast as the plain way, which checks nothing and gives no spans): CPU time, sides taking turns, best of
all rounds. `once` renders each conversation plainly once. Where a template hides history, that is less than what is
trained: `each` renders and tokenises plainly every part of it that is a sample. The templates are TRL's and the
starter's, the rows the samples that ship with Tuneboard.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from core.conversation import Conversation, RowRefusedError
from core.datasets import find_source, load_dataset
from core.label import encode_all
from core.model import load_tokenizer
from core.template.choose import choose_template
from core.template.spans import render
from core.template.style import styled_messages
from core.tokens import Pieces
from tests.material import trl_files

TEMPLATES = (
    "starter", "qwen2_5", "qwen3", "llama3_1", "qwen3_5_think", "glm4moe", "gptoss",
    "nemotron_3_nano", "deepseekv3", "gemma3", "gemma4",
)  # fmt: skip


def main() -> None:
    """Print one line per dataset and template."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for dataset in ("tools", "chat"):
        rows = load_dataset(find_source(dataset), arguments.rows).conversations
        for name in TEMPLATES:
            tokenizer = load_tokenizer("starter")
            if name != "starter":
                tokenizer.chat_template = trl_files()[name].read_text(encoding="utf-8")
            print(measured(f"{dataset:>6} {name:<14}", rows, tokenizer, arguments.rounds))


def measured(label: str, rows: list[Conversation], tokenizer: Any, rounds: int) -> str:
    """Both sides on the conversations that the template takes."""
    template = choose_template("auto", tokenizer)
    taken = [row for row in rows if _takes(row, template)]
    if not taken:
        return f"{label} takes none of the rows"
    once = [(styled_messages(template, row.messages), list(row.tools) or None) for row in taken]
    each = [part for row in taken for part in _parts(row, template)]

    def plainly(parts: list[tuple[Any, Any]]) -> None:
        for messages, tools in parts:
            text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
            tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)

    def ours() -> None:
        encode_all([sample for row in taken for sample in render(row, template)], Pieces(tokenizer))

    sides: dict[str, Callable[[], None]] = {"once": lambda: plainly(once), "each": lambda: plainly(each), "ours": ours}
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for side, run in sides.items():
            best[side] = min(best[side], _seconds(run))
    speed = ", ".join(f"{side} {len(taken) / seconds:.0f}/s" for side, seconds in best.items())
    ratios = f"ratio {best['once'] / best['ours']:.2f} to once, {best['each'] / best['ours']:.2f} to each"
    return f"{label} {len(taken)} rows, {len(each) / len(taken):.1f} samples a row: {speed}; {ratios}"


def _parts(row: Conversation, template: Any) -> list[tuple[Any, Any]]:
    """What the samples of a conversation show: all of it, and it up to the turns that are hidden later."""
    ends = [len(row.messages), *(sample.spans[-1].message + 1 for sample in render(row, template)[1:])]
    return [(styled_messages(template, row.messages[:end]), list(row.tools) or None) for end in ends]


def _takes(row: Conversation, template: Any) -> bool:
    try:
        render(row, template)
    except RowRefusedError:
        return False
    return True


def _seconds(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    main()
