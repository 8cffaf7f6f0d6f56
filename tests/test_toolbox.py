"""Functions of a Python file as tools: looked at without running, run in a process of their own, within limits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from core.chat import Chat
from core.cli import main
from core.config import ChatConfig
from core.errors import UserError
from core.model import LoadedModel, load_for_chat
from core.signature import as_tool
from core.toolbox import Toolbox, offered

SOURCE = '''
import os, sys, time
from pathlib import Path
Path("loaded").write_text(str(os.getpid()))
print("a word while loading")
COUNT = 0

def get_weather(city: str, unit: str = "c") -> dict:
    """The weather now."""
    global COUNT
    COUNT += 1
    print("a word")
    keys = [key for key in os.environ if "TOKEN" in key]
    return {"city": city, "unit": unit, "count": COUNT, "here": os.getpid(), "keys": keys}

def slow() -> str:
    """Slow."""
    time.sleep(60)

def dies() -> str:
    """Dies."""
    os._exit(3)

def leaves() -> str:
    """Leaves."""
    sys.exit("bye")

def large() -> str:
    """Large."""
    return "x" * 200_000

def greedy() -> int:
    """Takes memory."""
    return len(bytearray(1 << 40))

async def soon() -> str:
    """Soon."""
    return "now"

def _hidden():
    pass
'''
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my tools.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(scope="module")
def starter() -> LoadedModel:
    return load_for_chat("starter", ChatConfig())


def scripted(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    left = iter(answers)

    def stream(*_: Any) -> Iterator[str]:
        yield next(left)

    monkeypatch.setattr("core.chat.stream_text", stream)


def test_a_file_is_looked_at_without_running_it(file: Path) -> None:
    offer = offered(file)
    assert list(offer.functions) == ["get_weather", "slow", "dies", "leaves", "large", "greedy", "soon"]
    assert offer.functions["get_weather"] == "The weather now."
    assert not (file.parent / "loaded").exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1", "no public functions"),
        ("def f(:", "no valid Python"),
        ("a\0b", "no valid Python"),
        ("#" * (1 << 20) + "\n", "larger than 1 MiB"),
    ],
)
def test_what_is_no_file_of_tools_is_one_line(tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "t.py").write_text(source)
    with pytest.raises(UserError, match=said):
        offered(tmp_path / "t.py")
    with pytest.raises(UserError, match="cannot be read"):
        offered(tmp_path / "none.py")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(x): 'Says.'", "parameter x has no type"),
        ("def f(x: int): pass", "no docstring"),
        ("def f(*x: int): 'Says.'", "plain named parameters"),
        ("def f(x: Unknown): 'Says.'", "Unknown"),
        ("def f(x: memoryview): 'Says.'", "no JSON form"),
        ("import nowhere\ndef f(): 'Says.'", "ModuleNotFoundError"),
        ("raise SystemExit(3)\ndef f(): 'Says.'", "SystemExit"),
        ("import os\nos._exit(1)\ndef f(): 'Says.'", "process died"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "t.py").write_text(source)
    with pytest.raises(UserError, match=said) as caught:
        Toolbox(offered(tmp_path / "t.py"), ["f"])
    assert "\n" not in str(caught.value)


def test_calls_run_elsewhere_and_all_that_goes_wrong_is_a_result(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    offer = offered(file)
    with Toolbox(offer, list(offer.functions), call_s=20) as tools:
        first, second = (json.loads(tools.call("get_weather", {"city": "Rome"})) for _ in range(2))
        assert (first["count"], second["count"], second["unit"], second["keys"]) == (1, 2, "c", [])
        assert first["here"] == second["here"] != os.getpid()
        assert "Field required" in tools.call("get_weather", {"unit": "c"})
        assert "not permitted" in tools.call("get_weather", {"city": "Rome", "town": "x"})
        assert tools.call("soon", {}) == "now"
        assert tools.call("large", {}).endswith("(100000 characters more)")
        assert "MemoryError" in tools.call("greedy", {})
        assert "SystemExit: bye" in tools.call("leaves", {})
        assert "died" in tools.call("dies", {})
        assert "may not be called" in tools.call("_hidden", {})
        # It is started anew, and has forgotten.
        assert json.loads(tools.call("get_weather", {"city": "Rome"}))["count"] == 1
    assert tools.process is None


def test_a_call_that_does_not_end_is_ended(file: Path) -> None:
    with Toolbox(offered(file), ["slow"], call_s=1) as tools:
        assert tools.process is not None
        pid = tools.process.pid
        assert "within 1 s" in tools.call("slow", {})
        assert not Path(f"/proc/{pid}").exists()


def test_what_is_closed_runs_nothing_any_more(file: Path) -> None:
    toolbox = Toolbox(offered(file), ("get_weather",))
    toolbox.close()
    (file.parent / "loaded").unlink()
    assert "may not be called" in toolbox.call("get_weather", {"city": "Paris"})
    assert toolbox.process is None
    assert not (file.parent / "loaded").exists()


def test_a_file_that_has_changed_is_not_run(file: Path) -> None:
    offer = offered(file)
    file.write_text(SOURCE + "\n")
    with pytest.raises(UserError, match="has changed"):
        Toolbox(offer, ["soon"])
    assert not (file.parent / "loaded").exists()
    with pytest.raises(UserError, match='did you mean "soon"'):
        Toolbox(offered(file), ["son"])


def test_a_signature_becomes_a_schema() -> None:
    def book(schema: str, nights: int = 1, kind: Literal["a", "b"] = "a", days: list[int] | None = None) -> str:
        """Book a room.

        More about it.

        Args:
            schema: Which one,
                by its name.
            nights (int): How many.

        Returns:
            str: what happened
        """
        return f"{schema} {nights} {kind} {days}"

    tool = as_tool("book", book)
    function = tool.schema["function"]
    assert function["description"] == "Book a room.\n\nMore about it."
    assert function["parameters"]["required"] == ["schema"]
    properties = function["parameters"]["properties"]
    assert properties["schema"] == {"type": "string", "description": "Which one, by its name."}
    assert properties["nights"] == {"type": "integer", "description": "How many.", "default": 1}
    assert properties["kind"]["enum"] == ["a", "b"]
    assert tool.call({"schema": "x", "nights": "2"}) == "x 2 a None"
    with pytest.raises(ValueError, match="kind"):
        tool.call({"schema": "x", "kind": "c"})


def test_the_chat_calls_what_is_allowed_and_nothing_else(
    file: Path, starter: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, CALL, "It is fine.", CALL)
    chat = Chat(starter, ChatConfig(tools=str(file), allow_tools=["get_weather"]))
    assert "".join(chat.stream("How is Paris?")) == "It is fine."
    assert json.loads(chat.messages[2].content)["city"] == "Paris"
    chat.close()
    careful = Chat(starter, ChatConfig(tools=str(file)))
    list(careful.stream("How is Paris?"))
    assert [call.name for call in careful.waiting] == ["get_weather"]
    careful.close()
    with pytest.raises(UserError, match="no function"):
        Chat(starter, ChatConfig(tools=str(file), allow_tools=["nothing"]))


def test_the_terminal_asks_before_a_function_runs(
    file: Path, starter: LoadedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted(monkeypatch, CALL, "No.", CALL, "Yes.", CALL, "Yes again.")
    typed = iter(["first", "no", "second", "always", "third", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    monkeypatch.setattr("core.chat.load_for_chat", lambda *_: starter)
    assert main(["chat", "starter", "--tools", str(file)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("  ← ") == 2
    assert '"count": 2' in shown
