"""A conversation with a model that may call tools.

The chat keeps a list of messages; the model's text is read back by the reader that the template implies, so a call is a
call and not text. Python functions given as tools are run when they are called, those of a file in a process of their
own (`core.toolbox`); for tools given as JSON the caller adds the result and lets the model go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.config import ChatConfig
from core.conversation import Conversation, JsonObject, Message, Row, RowRefusedError, ToolCall, made_id
from core.errors import UserError, did_you_mean
from core.formats import read_tools
from core.generate import exchanges_to_drop, stream_text
from core.model import LoadedModel, load_for_chat
from core.run import Run
from core.template.reader import behind, call_syntax, read, visible
from core.template.spans import prompt
from core.toolbox import Toolbox, offered
from core.window import without_oldest

MOST_ROUNDS = 8


class Chat:
    """A running conversation: `messages`, the tools it may call, and the model behind it.

    `forgotten` is how many of the oldest exchanges the model was not shown for its last answer, because the whole
    conversation exceeds its context.
    """

    def __init__(self, target: Run | str | LoadedModel, config: ChatConfig | None = None) -> None:
        self.config = config or ChatConfig()
        self.loaded = target if isinstance(target, LoadedModel) else load_for_chat(target, self.config)
        self.syntax = call_syntax(self.loaded.template)
        self.tools: tuple[JsonObject, ...] = ()
        # Of the functions behind tools, those that run as soon as they are called.
        self.functions: dict[str, Callable[[JsonObject], str]] = {}
        self.toolbox: Toolbox | None = None
        if self.config.tools.endswith(".py"):
            offer = offered(Path(self.config.tools))
            self.use(Toolbox(offer, tuple(offer.functions)), self.config.allow_tools)
        elif self.config.tools:
            self.tools = read_tools_file(Path(self.config.tools))
        self.messages: list[Message] = []
        self.forgotten = 0
        if self.config.system:
            self.messages.append(Message("system", self.config.system))

    def use(self, toolbox: Toolbox, allowed: Sequence[str] = ("all",)) -> None:
        """Offer a file's functions to the model, instead of other tools of their names; those that are allowed run
        without asking. Raises `UserError`.
        """
        others = [tool for tool in self.tools if tool["function"]["name"] not in toolbox.allowed]
        self.toolbox, self.tools = toolbox, (*others, *toolbox.tools)
        for name in toolbox.allowed if "all" in allowed else allowed:
            self.allow(name)

    def allow(self, name: str) -> None:
        """From now on this function of the file runs as soon as it is called. Raises `UserError`."""
        known = self.toolbox.allowed if self.toolbox else ()
        if self.toolbox is None or name not in known:
            raise UserError(f'no function "{name}" to allow', remedy=did_you_mean(name, known))
        self.functions[name] = partial(self.toolbox.call, name)

    def close(self) -> None:
        """End the process of the tools, if there is one."""
        if self.toolbox is not None:
            self.toolbox.close()

    @property
    def waiting(self) -> list[ToolCall]:
        """The calls of the last assistant message that have no result yet."""
        answered: set[str] = set()
        for message in reversed(self.messages):
            if message.role != "tool":
                return [call for call in message.tool_calls if call.id not in answered]
            answered.add(message.tool_call_id)
        return []

    def stream(self, text: str, tools: Sequence[Callable[..., Any] | JsonObject] | None = None) -> Iterator[str]:
        """Say something; yields the answer's text. Calls to Python functions among `tools` are run on the way."""
        if tools is not None:
            self._take_tools(tools)
        self.messages.append(Message("user", text))
        for _ in range(MOST_ROUNDS):
            yield from self.answer()
            if not self.run_calls():
                return

    def answer(self) -> Iterator[str]:
        """Let the model write the next message; yields its text, and appends the message with its calls."""
        raw = ""
        shown = 0
        said = self.conversation()
        self.forgotten = exchanges_to_drop(self.loaded, said, self.config)
        shown_part = without_oldest(said, self.forgotten) if self.forgotten else said
        syntax = behind(prompt(shown_part, self.loaded.template).text, self.syntax)
        for piece in stream_text(self.loaded, shown_part, self.config):
            raw += piece
            text = visible(raw, syntax)
            if len(text) > shown:
                yield text[shown:]
                shown = len(text)
        message = read(raw, syntax, self.tools)
        self.messages.append(self._numbered(message))
        if len(message.content) > shown:
            yield message.content[shown:]

    def run_calls(self) -> bool:
        """Run the calls that wait, if all of them may run without asking; whether they did."""
        calls = self.waiting
        if not calls or not all(call.name in self.functions for call in calls):
            return False
        for call in calls:
            self.add_result(call, self.functions[call.name](call.arguments))
        return True

    def add_result(self, call: ToolCall, content: str) -> None:
        """The result of a call."""
        self.messages.append(Message("tool", content, tool_call_id=call.id, name=call.name))

    def conversation(self) -> Conversation:
        """What has been said so far."""
        return Conversation(tuple(self.messages), self.tools)

    def _numbered(self, message: Message) -> Message:
        """Give the calls ids that are new in this chat."""
        made = sum(len(earlier.tool_calls) for earlier in self.messages)
        calls = tuple(ToolCall(c.name, c.arguments, made_id(made + i)) for i, c in enumerate(message.tool_calls))
        return Message("assistant", message.content, message.reasoning, calls)

    def _take_tools(self, tools: Sequence[Callable[..., Any] | JsonObject]) -> None:
        from transformers.utils import get_json_schema

        self.functions = {tool.__name__: partial(_result_of, tool) for tool in tools if not isinstance(tool, dict)}
        self.tools = tuple(tool if isinstance(tool, dict) else get_json_schema(tool) for tool in tools)


def parse_tools(text: str, file: str = "tools") -> tuple[JsonObject, ...]:
    """Tool definitions from JSON text, in any of the shapes that datasets use. Raises `UserError`."""
    if not text.strip():
        return ()
    try:
        json.loads(text)
        return read_tools(Row({"tools": text}, file))
    except json.JSONDecodeError as error:
        raise UserError(f"not valid JSON: {error.msg}", file=file, line=error.lineno) from None
    except RowRefusedError as refused:
        raise UserError(refused.finding.message, file=file) from None


def read_tools_file(path: Path) -> tuple[JsonObject, ...]:
    """The tools in a JSON file. Raises `UserError`."""
    try:
        return parse_tools(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", file=path) from None


def _result_of(function: Callable[..., Any], arguments: JsonObject) -> str:
    """A function's result as text; what it raises is the result that the model sees."""
    try:
        value = function(**arguments)
    except Exception as error:  # noqa: BLE001  the tool is the user's code: its failure belongs to the model
        value = {"error": f"{type(error).__name__}: {error}"}
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
