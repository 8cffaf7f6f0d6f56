"""A chat longer than the model's context: whole exchanges are forgotten, the oldest first, and it is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.chat import Chat
from core.config import ChatConfig
from core.conversation import Conversation, Message, ToolCall
from core.errors import UserError
from core.generate import context_tokens, exchanges_to_drop, prompt_ids
from core.model import LoadedModel, load_for_chat
from core.window import exchanges, without_oldest
from tests.material import tool

TOOLS = (tool("find", {"q": {"type": "string"}}),)
SYSTEM = Message("system", "szq be kind")


@pytest.fixture(scope="module")
def starter() -> LoadedModel:
    return load_for_chat("starter", ChatConfig())


def exchange(number: int, words: int = 20) -> list[Message]:
    """A question, two calls at once, their results, and an answer."""
    calls = tuple(ToolCall("find", {"q": f"czq{number}{side}"}, f"call{number:04d}{side}") for side in "ab")
    results = [Message("tool", f"tzq {call.id}", tool_call_id=call.id, name="find") for call in calls]
    question = Message("user", f"uzq{number} " + "word " * words)
    return [question, Message("assistant", tool_calls=calls), *results, Message("assistant", f"azq{number}")]


def with_room(loaded: LoadedModel, tokens: int) -> ChatConfig:
    """A config whose answer leaves so many tokens to the prompt."""
    return ChatConfig(max_new_tokens=context_tokens(loaded) - tokens)


def length(loaded: LoadedModel, conversation: Conversation) -> int:
    return len(prompt_ids(loaded, conversation, ChatConfig(max_new_tokens=1)))


def given(monkeypatch: pytest.MonkeyPatch) -> list[Conversation]:
    """What the model is shown for each answer, which is always the same."""
    shown: list[Conversation] = []

    def stream(_: LoadedModel, conversation: Conversation, *__: Any) -> Iterator[str]:
        shown.append(conversation)
        yield "fine"

    monkeypatch.setattr("core.chat.stream_text", stream)
    return shown


def test_whole_exchanges_are_forgotten_and_no_more_than_must_be(
    starter: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = [SYSTEM, *(message for number in range(6) for message in exchange(number))]
    whole = Conversation((*talk, Message("user", "and now?")), TOOLS)
    config = with_room(starter, length(starter, whole) * 2 // 3)
    chat = Chat(starter, config)
    chat.messages, chat.tools = list(talk), TOOLS
    shown = given(monkeypatch)
    assert "".join(chat.stream("and now?")) == "fine"
    (seen,) = shown
    assert 0 < chat.forgotten < 6
    assert seen == without_oldest(whole, chat.forgotten)
    assert seen.messages[0] == SYSTEM
    assert seen.tools == TOOLS
    assert seen.messages[1].content.startswith(f"uzq{chat.forgotten} ")
    called = [call.id for message in seen.messages for call in message.tool_calls]
    assert called == [message.tool_call_id for message in seen.messages if message.role == "tool"]
    assert prompt_ids(starter, seen, config)
    with pytest.raises(UserError, match="start a new chat"):
        prompt_ids(starter, without_oldest(whole, chat.forgotten - 1), config)
    # Nothing is lost of the chat itself.
    assert len(chat.messages) == len(talk) + 2


def test_results_of_the_present_exchange_stay_with_their_calls(
    starter: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = [SYSTEM, *exchange(0), *exchange(1)[:-1]]
    whole = Conversation(tuple(talk), TOOLS)
    chat = Chat(starter, with_room(starter, length(starter, whole) - 1))
    chat.messages, chat.tools = list(talk), TOOLS
    shown = given(monkeypatch)
    assert "".join(chat.answer()) == "fine"
    assert chat.forgotten == 1
    assert shown[0].messages == (SYSTEM, *exchange(1)[:-1])


def test_what_fits_is_shown_whole(starter: LoadedModel) -> None:
    whole = Conversation((SYSTEM, *exchange(0), *exchange(1), Message("user", "?")), TOOLS)
    assert exchanges_to_drop(starter, whole, with_room(starter, length(starter, whole))) == 0
    assert exchanges_to_drop(starter, Conversation((SYSTEM,)), ChatConfig(max_new_tokens=1)) == 0


def test_a_system_prompt_that_is_too_long_alone_is_named(starter: LoadedModel) -> None:
    whole = Conversation((Message("system", "word " * 400), *exchange(0), Message("user", "?")), TOOLS)
    config = with_room(starter, 300)
    dropped = exchanges_to_drop(starter, whole, config)
    assert dropped == len(exchanges(whole)) - 1
    with pytest.raises(UserError, match="system prompt and the tools alone"):
        prompt_ids(starter, without_oldest(whole, dropped), config)


def test_an_exchange_that_is_too_long_alone_is_named_and_the_chat_goes_on(
    starter: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = Chat(starter, with_room(starter, 400))
    chat.messages, chat.tools = [SYSTEM, *exchange(0)], TOOLS
    with pytest.raises(UserError, match="since the last question"):
        list(chat.stream("word " * 500))
    assert chat.forgotten == 1
    shown = given(monkeypatch)
    assert "".join(chat.stream("shorter")) == "fine"
    assert [message.content for message in shown[0].messages] == [SYSTEM.content, "shorter"]
    assert chat.forgotten == 2
