"""What the model writes while it is trained: the same turns each time, right figures, and the training unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from core.cli import main
from core.config import TrainConfig
from core.conversation import Conversation, Message, ToolCall
from core.datasets import load_conversations
from core.model import load_for_chat
from core.run import Run
from core.samples import HELD_TURNS, HeldTurn, choose_turns, keep_turns, kept_turns, write_samples
from core.template.sandbox import Template
from core.train import train_run
from tests.conftest import small


def held(count: int = 40) -> list[Conversation]:
    return load_conversations(TrainConfig(dataset=["tools_heldout"], max_samples=count)).conversations


def test_half_of_the_turns_call_and_they_are_always_the_same(template: Template, tokenizer: Any) -> None:
    config = TrainConfig(eval_generate=8)
    turns = choose_turns(held(), template, tokenizer, config)
    assert [bool(turn.reference.tool_calls) for turn in turns] == [True, False] * 4
    assert choose_turns(held(), template, tokenizer, config) == turns
    assert choose_turns(held(), template, tokenizer, TrainConfig(eval_generate=8, seed=1)) != turns
    assert choose_turns(held(), template, tokenizer, TrainConfig(eval_generate=0)) == []


def test_a_prompt_above_the_window_and_plain_text_are_passed_over(template: Template, tokenizer: Any) -> None:
    plain = Conversation((Message("assistant", "text"),), plain=True)
    config = TrainConfig(eval_generate=1000, max_length=200)
    turns = choose_turns([plain, *held()], template, tokenizer, config)
    assert turns
    assert max(len(turn.prompt) for turn in turns) <= 200


def test_kept_turns_come_back(runs: Any, template: Template, tokenizer: Any) -> None:
    run = Run.create(small())
    call = Message("assistant", "Let me see.", "hm\u2028", (ToolCall("f", {"a": [1, None, "é\u2028"]}, "call_1"),))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    turns = [*choose_turns(held(), template, tokenizer, TrainConfig()), HeldTurn("x", 3, 1, [1, 2], (tool,), call)]
    keep_turns(run, turns)
    assert kept_turns(run) == turns
    (run.path / HELD_TURNS).unlink()
    assert kept_turns(run) == []


def test_figures_are_those_of_the_evaluation_and_random_states_stay(runs: Any) -> None:
    run = Run.create(small())
    loaded = load_for_chat("starter", TrainConfig(dtype="float32"))
    config = TrainConfig(eval_generate=6, eval_max_new_tokens=8)
    turns = choose_turns(held(), loaded.template, loaded.tokenizer, config)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    figures = write_samples(loaded, turns, config, run, step=7)
    assert torch.equal(torch.get_rng_state(), before)
    samples = run.samples()
    assert [(sample["step"], sample["line"], sample["message"]) for sample in samples] == [
        (7, turn.line, turn.message) for turn in turns
    ]
    assert all(sample["reference"]["role"] == "assistant" for sample in samples)
    assert (
        figures["called_when_needed"]
        == sum(bool(s["written"].get("tool_calls")) for s in samples if s["reference"].get("tool_calls")) / 3
    )
    assert "tool_call_exact" in figures


@pytest.mark.parametrize("method", ["lora", "full"])
def test_training_with_it_is_training_without_it(runs: Any, method: str) -> None:
    """Same losses to the last bit, dropout included; and the figures are of the model as it is then."""
    options: dict[str, Any] = {
        "dataset": ["tools"],
        "eval_dataset": ["tools_heldout"],
        "max_samples": 4,
        "max_steps": 4,
        "finetuning_type": method,
        "lora_dropout": 0.1,
        "eval_max_new_tokens": 4,
    }
    with_it, without = Run.create(small(**options, eval_generate=4)), Run.create(small(**options, eval_generate=0))
    for run in (with_it, without):
        assert train_run(run) == "finished"
    assert _losses(with_it) == _losses(without)
    assert len(_losses(without)) > 4
    evaluated = [line for line in with_it.metrics() if "eval_called_when_needed" in line]
    assert [line["step"] for line in evaluated] == [2, 4]
    assert not any("eval_called_when_needed" in line for line in without.metrics())
    assert [sample["step"] for sample in with_it.samples()] == [2] * 4 + [4] * 4
    assert not without.samples()


def test_samples_are_shown_in_the_terminal(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.create(small())
    assert main(["runs", "samples", str(run.path)]) == 2
    assert "no samples yet" in capsys.readouterr().err
    said = {"role": "assistant", "content": "Hello"}
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    for step in (1, 2):
        run.write_samples(
            [
                {"step": step, "file": "a.json", "line": 5, "message": 1, "prompt_tail": "Hi", "raw": "Hello"}
                | {"reference": call, "written": said, "exact_calls": False}
            ]
        )
    assert main(["runs", "samples", str(run.path)]) == 0
    out = capsys.readouterr().out
    assert "step 2 · a.json:5, message 1  ✗" in out
    assert "reference: → f({})\n  written: Hello" in out
    assert "step 1" not in out
    assert main(["runs", "samples", str(run.path), "--step", "3"]) == 2
    assert "no evaluation at step 3 — there is: 1, 2" in capsys.readouterr().err
    assert main(["runs", "samples", str(run.path), "--all", "--json"]) == 0
    assert [sample["step"] for sample in json.loads(capsys.readouterr().out)] == [1, 2]


def _losses(run: Run) -> list[tuple[int, float]]:
    return [(line["step"], value) for line in run.metrics() for key, value in line.items() if key.endswith("loss")]
