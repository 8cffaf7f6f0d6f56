"""What the model writes while it is trained: at every evaluation, on the same few held-out turns.

The turns are chosen once, half of them with calls where the data has them, and kept in the run's folder in
`held_turns.jsonl`, so that a resumed run goes on with the same ones. What was written goes to `samples.jsonl`, a line a
turn: step, where the turn stands, the end of its prompt, the reference, what was written, and whether the calls are
right.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from core.config import GenerationOptions, TrainConfig
from core.conversation import Conversation, JsonObject, Message, RowRefusedError, ToolCall
from core.disk import write_atomic
from core.evaluate import Asked, Turn, call_metrics, write_turns
from core.generate import context_tokens
from core.model import LoadedModel
from core.run import Run
from core.template.ends import asked as asked_for
from core.template.reader import describe
from core.template.sandbox import Template
from core.template.spans import trained_turns
from core.tokens import tokenise

HELD_TURNS = "held_turns.jsonl"
# What is shown of a prompt: its end. The rest is in the data.
TAIL_TOKENS = 200
COUNTS = ("turns", "reference_calls")


@dataclass(frozen=True, slots=True)
class HeldTurn:
    """A held-out turn, complete in itself: nothing of the data is needed to ask for it again."""

    file: str
    line: int
    message: int
    prompt: list[int]
    tools: tuple[JsonObject, ...]
    reference: Message


def choose_turns(
    conversations: Sequence[Conversation], template: Template, tokenizer: Any, config: TrainConfig
) -> list[HeldTurn]:
    """`config.eval_generate` turns, the same for the same data and seed; too long prompts are passed over."""
    places = [
        (conversation, turn)
        for conversation in conversations
        if not conversation.plain
        for turn in trained_turns(conversation)
    ]
    random.Random(config.seed).shuffle(places)  # noqa: S311  nothing secret: it only chooses rows
    calling = [place for place in places if place[0].messages[place[1]].tool_calls]
    silent = [place for place in places if not place[0].messages[place[1]].tool_calls]
    found = (_turns(part, template, tokenizer, config.max_length) for part in (calling, silent))
    alternating = (turn for pair in itertools.zip_longest(*found) for turn in pair if turn is not None)
    return list(itertools.islice(alternating, config.eval_generate))


def _turns(
    places: Sequence[tuple[Conversation, int]], template: Template, tokenizer: Any, window: int
) -> Iterator[HeldTurn]:
    for conversation, turn in places:
        before = Conversation(conversation.messages[:turn], conversation.tools)
        try:
            ids, _ = tokenise(asked_for(before, template), tokenizer)
        except RowRefusedError:
            continue
        if len(ids) <= window:
            reference = conversation.messages[turn]
            yield HeldTurn(conversation.file, conversation.line, turn, ids, conversation.tools, reference)


def keep_turns(run: Run, turns: Sequence[HeldTurn]) -> None:
    """Put the turns into the run's folder."""
    lines = [
        json.dumps(
            {
                "file": turn.file,
                "line": turn.line,
                "message": turn.message,
                "prompt": turn.prompt,
                "tools": turn.tools,
                "reference": describe(turn.reference),
            },
            ensure_ascii=False,
        )
        for turn in turns
    ]
    write_atomic(run.path / HELD_TURNS, "".join(line + "\n" for line in lines))


def kept_turns(run: Run) -> list[HeldTurn]:
    """The turns that the run was started with; none when it has no such file."""
    try:
        lines = (run.path / HELD_TURNS).read_text(encoding="utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return []
    rows = map(json.loads, lines)
    return [
        HeldTurn(
            row["file"], row["line"], row["message"], row["prompt"], tuple(row["tools"]), _message(row["reference"])
        )
        for row in rows
    ]


def write_samples(
    loaded: LoadedModel, turns: Sequence[HeldTurn], config: TrainConfig, run: Run, step: int, *, in_parts: bool = False
) -> dict[str, float]:
    """Let the model write the turns; the run gets the samples, the caller the figures.

    Several processes share the turns, and each of them gets the figures of all; `in_parts`: each holds only a part of
    the model. Random states stay as they are.
    """
    options = GenerationOptions(max_new_tokens=config.eval_max_new_tokens)
    room = context_tokens(loaded) - options.max_new_tokens
    asked = [
        Asked(number, turn.message, turn.prompt, turn.tools, turn.reference)
        for number, turn in enumerate(turns)
        if len(turn.prompt) <= room
    ]
    processes = PartialState()
    devices = [loaded.model.device] if loaded.model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        mine = asked[processes.process_index :: processes.num_processes]
        size = config.per_device_eval_batch_size
        in_step = -(-len(asked) // (size * processes.num_processes)) if in_parts else None
        written = list(write_turns(loaded, mine, options, size, in_step=in_step))
    written = sorted(gather_object(written), key=lambda turn: turn.conversation)
    if processes.is_main_process:
        run.write_samples([_sample(loaded, turns[turn.conversation], turn, step) for turn in written])
    return {key: value for key, value in call_metrics(written).items() if key not in COUNTS}


def _sample(loaded: LoadedModel, asked: HeldTurn, turn: Turn, step: int) -> dict[str, Any]:
    return {
        "step": step,
        "file": asked.file,
        "line": asked.line,
        "message": asked.message,
        "prompt_tail": loaded.tokenizer.decode(asked.prompt[-TAIL_TOKENS:]),
        "reference": describe(turn.reference),
        "written": describe(turn.written),
        "raw": turn.raw,
        "exact_calls": turn.exact_calls,
    }


def _message(row: JsonObject) -> Message:
    """What `describe` made of an assistant's message, back."""
    calls = tuple(
        ToolCall(call["function"]["name"], json.loads(call["function"]["arguments"]), call["id"])
        for call in row.get("tool_calls", ())
    )
    return Message("assistant", row["content"] or "", row.get("reasoning_content", ""), calls)
