"""A dialect of calls from the check to the chat: what a run was trained with is what everything behind it reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.chat import Chat
from core.checked import check_dataset
from core.config import ChatConfig, EvalConfig
from core.conversation import Conversation, Message, ToolCall
from core.datasets import load_conversations
from core.evaluate import evaluate
from core.run import Run
from core.template.dialect import dialect_names
from core.template.reader import read
from core.template.spans import render
from core.train import train_run
from tests.bases import base_model
from tests.conftest import small
from tests.material import tool

TOOLS = (tool("get_weather", {"city": {"type": "string"}, "days": {"type": "integer"}}),)
CALLS = (ToolCall("get_weather", {"city": 'Ro"me', "days": 2}, "call00001"),)
TALK = Conversation(
    (
        Message("user", "weather?"),
        Message("assistant", tool_calls=CALLS),
        Message("tool", "sunny", tool_call_id="call00001", name="get_weather"),
        Message("assistant", "It is sunny."),
    ),
    TOOLS,
)


@pytest.mark.parametrize("dialect", dialect_names())
def test_the_same_dialect_is_used_from_the_check_to_the_chat(tmp_path: Path, runs: Path, dialect: str) -> None:
    base = base_model(tmp_path / "base", max_position_embeddings=4096)
    data = tmp_path / "talk.jsonl"
    data.write_text((json.dumps(TALK.to_openai()) + "\n") * 2)
    config = small(
        model_name_or_path=base, dataset=[str(data)], template="vicuna", tool_dialect=dialect,
        max_length=4096, max_steps=1, max_samples=None, eval_generate=0,
    )  # fmt: skip
    report = check_dataset(str(data), config, with_model=True)
    assert report.rows["dropped"] == 0
    assert f"({dialect})" in "".join(finding.message for finding in report.findings if finding.code == "TL409")
    run = Run.create(config)
    assert train_run(run) == "finished"

    chat = Chat(run, ChatConfig(dtype="float32", max_new_tokens=2))
    kept = (run.path / "template.jinja").read_text(encoding="utf-8")
    assert chat.loaded.template.source == chat.loaded.tokenizer.chat_template == kept
    (sample,) = render(TALK, chat.loaded.template)
    turn = "".join(sample.text[s.start : s.end] for s in sample.spans if s.message == 1 and s.kind != "stop")
    message = read(turn, chat.syntax, TOOLS)
    assert [(call.name, call.arguments) for call in message.tool_calls] == [(c.name, c.arguments) for c in CALLS]

    asks = EvalConfig(dataset=[str(data)], max_samples=1, max_new_tokens=2, max_length=4096, dtype="float32")
    found = evaluate(chat.loaded, load_conversations(asks).conversations, asks)
    assert found.metrics["reference_calls"] == 1
    assert found.metrics["loss_tool_call"] > 0
