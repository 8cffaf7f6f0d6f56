"""Chat: tools in, calls out, results back, with a model whose words are given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.chat import Chat, parse_tools, read_tools_file
from core.config import ChatConfig
from core.errors import UserError
from core.generate import _without_stop, prompt_ids, write_texts
from core.model import LoadedModel, load_for_chat

CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'


@pytest.fixture(scope="module")
def starter() -> LoadedModel:
    return load_for_chat("starter", ChatConfig())


def get_weather(city: str) -> str:
    """The weather.

    Args:
        city: The city.
    """
    return json.dumps({"city": city, "degrees": 21})


def scripted(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """The model writes these answers, a few characters at a time."""
    left = iter(answers)

    def stream(*_: Any) -> Iterator[str]:
        text = next(left)
        yield from (text[at : at + 3] for at in range(0, len(text), 3))

    monkeypatch.setattr("core.chat.stream_text", stream)


def test_a_python_tool_is_called_and_its_result_used(starter: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, "One moment." + "\n" + CALL, "It is 21 degrees in Paris.")
    chat = Chat(starter)
    shown = "".join(chat.stream("What is the weather in Paris?", tools=[get_weather]))
    assert "tool_call" not in shown
    assert "One moment." in shown
    assert shown.endswith("It is 21 degrees in Paris.")
    assert [message.role for message in chat.messages] == ["user", "assistant", "tool", "assistant"]
    assert chat.messages[1].tool_calls[0].arguments == {"city": "Paris"}
    assert json.loads(chat.messages[2].content)["degrees"] == 21
    assert chat.messages[2].tool_call_id == chat.messages[1].tool_calls[0].id


def test_a_json_tool_waits_for_its_result(starter: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, CALL + "\n" + CALL, "Done.")
    chat = Chat(starter)
    list(chat.stream("go", tools=[{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]))
    first, second = chat.waiting
    assert first.id != second.id
    chat.add_result(first, "1")
    assert chat.waiting == [second]
    chat.add_result(second, "2")
    assert chat.waiting == []
    assert "".join(chat.answer()) == "Done."


def test_a_failing_tool_is_a_result(starter: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def get_weather(city: str) -> str:
        """The weather.

        Args:
            city: The city.
        """
        raise RuntimeError("no signal")

    scripted(monkeypatch, CALL, "Sorry.")
    chat = Chat(starter)
    list(chat.stream("go", tools=[get_weather]))
    assert "no signal" in chat.messages[2].content


def test_the_real_model_streams_and_can_be_closed(starter: LoadedModel) -> None:
    chat = Chat(starter, ChatConfig(max_new_tokens=20))
    pieces = list(chat.stream("Hello!"))
    assert "".join(pieces).strip() == chat.messages[-1].content
    assert "<|im_end|>" not in chat.messages[-1].content
    stream = chat.stream("And again?")
    next(stream, None)
    stream.close()


def test_sampling_differs_and_greedy_does_not(starter: LoadedModel) -> None:
    def answer(**options: Any) -> str:
        return "".join(Chat(starter, ChatConfig(max_new_tokens=12, **options)).stream("Tell me a story."))

    assert answer() == answer()
    assert len({answer(temperature=3.0) for _ in range(4)}) > 1


def test_batched_writing_equals_one_by_one(starter: LoadedModel) -> None:
    config = ChatConfig(max_new_tokens=12)
    chats = []
    for text in ("Hi", "What is your name, and who made you?", "你好"):
        chat = Chat(starter, config)
        list(chat.stream(text))
        chats.append(chat)
    questions = [chat.conversation() for chat in chats]
    prompts = [prompt_ids(starter, type(q)(q.messages[:-1]), config) for q in questions]
    written = dict(write_texts(starter, prompts, config, batch_size=3))
    assert [written[i].strip() for i in range(3)] == [chat.messages[-1].content for chat in chats]


def test_a_conversation_that_does_not_fit_is_refused(starter: LoadedModel) -> None:
    chat = Chat(starter, ChatConfig(max_new_tokens=2000))
    with pytest.raises(UserError, match="context"):
        list(chat.stream("word " * 500))


def test_pieces_end_at_the_stop_text() -> None:
    assert "".join(_without_stop(iter(["ab", "c<|im_", "end|>", "more"]), ["c<|im_end|>"])) in ("ab", "abc<|im_")
    assert "".join(_without_stop(iter(["ab<|e|>", "c"]), ["<|e|>"])) == "ab"


def test_tools_from_text_and_file(tmp_path: Path) -> None:
    bare = '[{"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}]'
    assert parse_tools(bare)[0]["function"]["name"] == "f"
    assert parse_tools("  ") == ()
    for bad in ("[{", '[{"description": "no name"}]', "3"):
        with pytest.raises(UserError):
            parse_tools(bad)
    with pytest.raises(UserError, match="cannot be read"):
        read_tools_file(tmp_path / "none.json")
