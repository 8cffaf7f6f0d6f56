"""The Chat tab without a model: a call waits for its result, a stopped answer is kept, a failure changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.chat import Chat
from core.conversation import Message, ToolCall
from core.errors import UserError
from webui.tabs.chat import ChatTab, Talk, halt, sample, simulated
from webui.talk import chat_html
from webui.texts import Texts

CALL = ToolCall("get_weather", {"city": "Oslo"}, "call00000")


class Scripted(Chat):
    """A chat whose model says what it is told to."""

    def __init__(self, messages: list[Message], script: list[Any]) -> None:
        self.messages, self.script, self.tools, self.forgotten = list(messages), script, (), 0

    def answer(self) -> Iterator[str]:
        said = self.script.pop(0)
        if isinstance(said, UserError):
            raise said
        for piece in said.content.split(" "):
            yield piece + " "
        self.messages.append(said)


@pytest.fixture
def tab(board: Any) -> ChatTab:
    made = ChatTab(board)
    made.put_talk()
    made.put_settings()
    made.listen()
    return made


def values_of(tab: Any, talk: Talk, text: str = "", results: tuple[str, ...] = ()) -> dict[Any, Any]:
    values = {tab.text: text, tab.talk: talk, tab.tools: "", tab.board.chat_target: "starter"}
    values |= {part: part.value for part in tab.form.components.values()}
    return values | {box: results[i] if i < len(results) else "" for i, box in enumerate(tab.boxes)}


def scripted(tab: Any, *script: Any) -> None:
    said = list(script)
    tab.chat = lambda values: Scripted(values[tab.talk].messages, said)


def test_a_call_waits_for_its_result_and_the_model_goes_on(tab: Any) -> None:
    scripted(tab, Message("assistant", "", tool_calls=(CALL,)), Message("assistant", "It is cold in Oslo."))
    talk = Talk()
    last = list(tab.say(values_of(tab, talk, "What is the weather?")))[-1]
    assert talk.waiting == [CALL]
    view, _, _, results, first_box = last[:5]
    assert "get_weather" in view
    assert results["visible"] is True
    assert "get_weather(city='Oslo')" in first_box["label"]
    # While a result is missing nothing else can be said.
    assert "results first" in next(tab.say(values_of(tab, talk, "hello")))[1]
    assert simulated(talk)[0] == '{"status": "ok", "city": "Oslo"}'
    list(tab.send_results(values_of(tab, talk, results=('{"degrees": -3}',))))
    assert [message.role for message in talk.messages] == ["user", "assistant", "tool", "assistant"]
    assert talk.messages[2].tool_call_id == CALL.id
    assert talk.waiting == []


def test_more_calls_than_boxes_are_answered_in_turns(tab: Any) -> None:
    calls = tuple(ToolCall("f", {"n": n}, f"call{n:05d}") for n in range(8))
    scripted(tab, Message("assistant", "", tool_calls=calls), Message("assistant", "done"))
    talk = Talk()
    list(tab.say(values_of(tab, talk, "go")))
    list(tab.send_results(values_of(tab, talk, results=("1",) * 6)))
    assert [call.id for call in talk.waiting] == ["call00006", "call00007"]
    list(tab.send_results(values_of(tab, talk, results=("2", "2"))))
    assert [message.tool_call_id for message in talk.messages if message.role == "tool"] == [call.id for call in calls]
    assert talk.messages[-1].content == "done"


def test_a_stopped_answer_is_kept_as_far_as_it_came(tab: Any) -> None:
    scripted(tab, Message("assistant", "one two three four"))
    talk = Talk()
    events = tab.say(values_of(tab, talk, "count"))
    next(events)
    next(events)
    halt(talk)
    list(events)
    assert talk.messages[-1].role == "assistant"
    assert talk.messages[-1].content.split() == ["one", "two"]


def test_a_failure_gives_the_message_back(tab: Any) -> None:
    scripted(tab, UserError("the conversation is too long"))
    talk = Talk()
    last = list(tab.say(values_of(tab, talk, "hello")))[-1]
    assert talk.messages == []
    assert "too long" in last[1]
    assert last[2] == "hello"
    assert not talk.busy


def test_only_the_starter_and_own_runs_can_be_talked_to(tab: Any) -> None:
    for name in ("/tmp", "../..", "some/model", None):
        with pytest.raises(UserError, match="no run"):
            tab.target(name)


def test_sample_tools_come_with_a_question_in_the_language_of_the_page() -> None:
    for language, ascii_only in (("en", True), ("zh", False)):
        tools, question = sample(language)
        assert '"function"' in tools
        assert question.isascii() is ascii_only


def test_what_a_model_writes_is_text() -> None:
    hostile = "<script>alert(1)</script> ${x} {{y}} ![](http://example.invalid/z)"
    html = chat_html([Message("assistant", hostile, tool_calls=(ToolCall(hostile, {hostile: hostile}),))], Texts())
    for sign in ("<script", "${", "{{", "<img"):
        assert sign not in html
