"""The Chat tab without a model: a call waits for its result, a stopped answer is kept, a failure changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.chat import Chat
from core.conversation import Message, ToolCall
from core.errors import UserError
from webui.tabs.chat import ChatTab, Talk, halt, sample, simulated
from webui.talk import chat_html
from webui.texts import Texts
from webui.uploads import code_files, dataset_name, uploaded

CALL = ToolCall("get_weather", {"city": "Oslo"}, "call00000")


class Scripted(Chat):
    """A chat whose model says what it is told to."""

    def __init__(self, messages: list[Message], script: list[Any]) -> None:
        self.messages, self.script, self.tools, self.forgotten = list(messages), script, (), 0
        self.functions, self.toolbox = {}, None

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
    values |= {tab.python.offer: None, tab.python.allowed: []}
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


SOURCE = """
from pathlib import Path
Path("ran").write_text("")

def get_weather(city: str) -> str:
    \"\"\"The weather.\"\"\"
    return f"cold in {city}"

def other() -> str:
    \"\"\"Other.\"\"\"
    return "x"
"""


@pytest.fixture
def code(tmp_path: Path, tab: Any) -> Path:
    """A file of tools where the board may read."""
    tab.board.roots.uploads.mkdir(parents=True)
    path = tab.board.roots.uploads / "my tools.py"
    path.write_text(SOURCE)
    return path


def test_nothing_of_a_file_runs_before_a_function_is_ticked(tab: Any, code: Path) -> None:
    offer, ticks, problem = tab.python.looked_at(str(code))
    assert not problem
    assert ticks["choices"] == [("get_weather: The weather.", "get_weather"), ("other: Other.", "other")]
    assert ticks["value"] == []
    values = values_of(tab, Talk()) | {tab.python.offer: offer}
    assert tab.python.toolbox(values) is None
    assert not (code.parent / "ran").exists()
    with tab.python.toolbox(values | {tab.python.allowed: ["other"]}) as toolbox:
        assert [tool["function"]["name"] for tool in toolbox.tools] == ["other"]
        assert "may not be called" in toolbox.call("get_weather", {"city": "Oslo"})
    # A browser may send any name, and a file may change behind the page's back.
    with pytest.raises(UserError, match="no function"):
        tab.python.toolbox(values | {tab.python.allowed: ["_hidden"]})
    code.write_text(SOURCE + "# changed")
    with pytest.raises(UserError, match="has changed"):
        tab.python.toolbox(values | {tab.python.allowed: ["other"]})


def test_a_file_outside_or_none_of_tools_is_one_line(tab: Any, code: Path, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("outside") / "tools.py"
    outside.write_text(SOURCE)
    (code.parent / "bad.py").write_text("def f(:")
    for name, said in ((str(outside), "outside"), (str(code.parent / "bad.py"), "no valid Python")):
        offer, ticks, problem = tab.python.looked_at(name)
        assert offer is None
        assert ticks["visible"] is False
        assert said in problem
    assert tab.python.looked_at("")[0] is None


def test_an_uploaded_file_is_kept_apart_from_data(tab: Any, code: Path, tmp_path: Path) -> None:
    for name, source, said in (
        ("t.py", SOURCE, ""),
        ("t.txt", SOURCE, "not a Python file"),
        ("u.py", "x=1", "no public"),
    ):
        sent = tmp_path / name
        sent.write_text(source)
        kept, problem = tab.python.uploaded(str(sent))
        assert said in problem
        assert not sent.exists()
        assert bool(said) or Path(kept["value"]).name == "t.py"
    assert uploaded(tab.board.roots) == [dataset_name(code)]
    assert [Path(name).name for name in code_files(tab.board.roots)] == ["t.py"]


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_what_may_run_is_called_in_one_process_for_the_whole_conversation(
    tab: Any, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def round_of(*_: Any) -> Any:
        return Scripted([], [Message("assistant", "", tool_calls=(CALL,)), Message("assistant", "It is cold.")])

    monkeypatch.setattr(tab.board.models, "get", lambda *_: None, raising=False)
    monkeypatch.setattr("webui.tabs.chat.Chat", round_of)
    talk = Talk()
    tab.opened(talk, SimpleNamespace(session_hash="page"))
    offer = tab.python.looked_at(str(code))[0]
    values = values_of(tab, talk, "How is Oslo?") | {tab.python.offer: offer, tab.python.allowed: ["get_weather"]}
    shown = list(tab.say(values))
    assert any("Running get_weather" in page[1] for page in shown)
    assert [message.role for message in talk.messages] == ["user", "assistant", "tool", "assistant"]
    assert talk.messages[2].content == "cold in Oslo"
    assert talk.waiting == []
    first = talk.toolbox.process.pid
    list(tab.say(values))
    assert talk.toolbox.process.pid == first
    assert len(talk.messages) == 8
    # Other functions are another process, and so is a new conversation; a page that is closed leaves none behind.
    list(tab.say(values | {tab.python.allowed: ["get_weather", "other"]}))
    second = talk.toolbox.process.pid
    assert not alive(first)
    tab.cleared(talk)
    assert not alive(second)
    list(tab.say(values))
    third = talk.toolbox.process.pid
    tab.left(SimpleNamespace(session_hash="page"))
    assert not alive(third)
    assert not tab.talks


def test_a_conversation_that_is_cleared_while_a_tool_runs_stays_empty(tab: Any) -> None:
    talk = Talk()
    chat = Scripted([], [Message("assistant", "", tool_calls=(CALL,)), Message("assistant", "never said")])
    chat.functions = {"get_weather": lambda arguments: str(tab.cleared(talk))}
    tab.chat = lambda values: chat
    list(tab.say(values_of(tab, talk, "How is Oslo?")))
    assert (talk.messages, talk.waiting, talk.busy) == ([], [], False)
    assert len(chat.script) == 1
