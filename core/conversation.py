"""The one data type: a conversation, and what was found wrong with the row that it came from.

Every format is read into `Conversation`; rendering, training, evaluation and chat know nothing else. The shape is
OpenAI's with three differences: arguments are parsed objects, reasoning lies apart from the text, and each message may
say whether (`train`) and how strongly (`weight`) it is trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Action = Literal["repaired", "dropped", "kept", "stopped"]
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the assistant makes: `arguments` is the parsed object, `id` ties the result to it."""

    name: str
    arguments: JsonObject
    id: str = ""


def made_id(number: int) -> str:
    """The id of a row's call that came without one: nine letters and digits, which every template takes."""
    return f"call{number:05d}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `tool_call_id` and `name` belong to results (role `tool`).

    `train=None` leaves the choice to `train_on`; True and False override it. `weight` multiplies the loss of the
    message's tokens. `place` is the JSON path of where it stands in its row, if that is known.
    """

    role: Role
    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    train: bool | None = None
    weight: float = 1.0
    place: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole conversation with the tools it may call (OpenAI's shape: `{"type": "function", "function": {…}}`).

    `file` and `line` (from 1) say where the row came from; `line` is 0 when there is no file. `plain` rows hold text
    that is meant to be trained without a chat template: their messages are pieces of one text, in order, all from the
    assistant.
    """

    messages: tuple[Message, ...]
    tools: tuple[JsonObject, ...] = ()
    file: str = ""
    line: int = 0
    plain: bool = False

    def to_openai(self) -> JsonObject:
        """The canonical JSON: OpenAI's shape, arguments as JSON text."""
        row: JsonObject = {"messages": [_openai_message(message) for message in self.messages]}
        if self.tools:
            row["tools"] = list(self.tools)
        return row


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a row, and what was done about it.

    `code` is stable and listed in `core.rules.RULES`, `path` is a JSON path inside the row (where a message's
    place in it is not known, `messages[i]` of the conversation), `before` and `after` are short texts of the change.
    """

    code: str
    action: Action
    message: str
    file: str = ""
    line: int = 0
    path: str = ""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        where = (f"{self.file}:{self.line}: " if self.line else f"{self.file}: ") if self.file else ""
        at = f"{self.path}: " if self.path else ""
        return f"{where}{at}{self.message}{self.change} [{self.code}, {self.action}]"

    @property
    def change(self) -> str:
        """What was changed, in brackets: ` (before → after)`; empty when nothing is known of it."""
        if not (self.before or self.after):
            return ""
        return f" ({self.before} → {self.after})" if self.before and self.after else f" ({self.before or self.after})"


class RowRefusedError(Exception):
    """Raised while a row is read: the row cannot be kept, and `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


@dataclass(slots=True)
class Row:
    """A raw record on its way to a conversation; what is repaired on the way is noted in `findings`.

    `unreadable` is the reason when the line could not even be parsed, `unreadable_code` its rule and `text` the line;
    `data` is then None. In a `lenient` reading a row is repaired where it would be dropped, if there is a repair.
    `counted` are things that need no finding for each row, by their codes. A row that is `formatted` is meant for a
    model as it is. `surrogates` is False where its text cannot hold lone ones.
    """

    data: Any
    file: str = ""
    line: int = 0
    unreadable: str = ""
    findings: list[Finding] = field(default_factory=list)
    unreadable_code: str = "IO001"
    lenient: bool = False
    counted: dict[str, int] = field(default_factory=dict)
    formatted: bool = False
    text: str = ""
    surrogates: bool = True

    def count(self, code: str) -> None:
        """Count something that is only worth a sum over the dataset."""
        self.counted[code] = self.counted.get(code, 0) + 1

    def repaired(self, code: str, path: str, message: str, before: Any = "", after: Any = "") -> None:
        """Note a repair, with a short before and after."""
        change = (snippet(before), snippet(after)) if before != "" or after != "" else ("", "")
        self.findings.append(Finding(code, "repaired", _short(message), self.file, self.line, path, *change))

    def kept(self, code: str, path: str, message: str) -> None:
        """Note something odd that stays as it is."""
        self.findings.append(Finding(code, "kept", _short(message), self.file, self.line, path))

    def ignored(self, path: str, raw: JsonObject, known: AbstractSet[str]) -> None:
        """SH107: note the keys of an object that hold something and that nobody reads."""
        if raw.keys() <= known:
            return
        unknown = sorted(str(key) for key in raw.keys() - known if raw[key] not in (None, "", [], {}))
        if unknown:
            self.kept("SH107", path, f"ignored keys: {', '.join(unknown)}")

    def refuse(self, code: str, path: str, message: str) -> RowRefusedError:
        """The exception to raise when the row cannot be kept."""
        return RowRefusedError(Finding(code, "dropped", _short(message), self.file, self.line, path))

    def stop(self, code: str, path: str, message: str) -> RowRefusedError:
        """The exception to raise when the whole dataset must not be used as it is."""
        return RowRefusedError(Finding(code, "stopped", message, self.file, self.line, path))

    def mend(self, code: str, path: str, message: str, repair: str, before: Any = "") -> None:
        """Refuse the row with `message`; in a lenient reading note the `repair` that the caller then makes."""
        if not self.lenient:
            raise self.refuse(code, path, message)
        self.findings.append(
            Finding(
                code, "repaired", _short(f"{message}; {repair}"), self.file, self.line, path, snippet(before), repair
            )
        )


def _short(message: str) -> str:
    """A message, whatever the names in it: a row may have any as a key, a role or a tool."""
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"


_LONGEST_MESSAGE = 1000


def snippet(value: Any, length: int = 60) -> str:
    """A value as one short line, for messages."""
    text = value[: 4 * length] if isinstance(value, str) else json_text(value)[: 4 * length]
    text = " ".join(text.split()).translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= length else text[: length - 1] + "…"


def printable(text: str) -> str:
    """A text whose control characters, other than tabs and the ends of lines, are written out: terminals obey them."""
    return text if text.isprintable() else text.translate(_CONTROLS)


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


def json_text(value: Any) -> str:
    """A value as JSON; what JSON has no word for (dates, bytes) as its own text."""
    return _WRITER.encode(value)


# Made ready once: `json.dumps` with options makes one at each call.
_WRITER = json.JSONEncoder(ensure_ascii=False, default=str)


def template_messages(messages: Sequence[Message]) -> list[JsonObject]:
    """The messages as a chat template sees them: transformers' convention, arguments as objects."""
    return [_template_message(message) for message in messages]


def _template_message(message: Message) -> JsonObject:
    out: JsonObject = {"role": message.role, "content": message.content}
    if message.reasoning:
        out["reasoning_content"] = message.reasoning
    if message.tool_calls:
        out["tool_calls"] = [_call(call, call.arguments) for call in message.tool_calls]
    if message.role == "tool":
        out["tool_call_id"] = message.tool_call_id
        out["name"] = message.name
    return out


def _call(call: ToolCall, arguments: Mapping[str, Any] | str) -> JsonObject:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _openai_message(message: Message) -> JsonObject:
    out = _template_message(message)
    if message.tool_calls:
        out["tool_calls"] = [_call(c, json.dumps(c.arguments, ensure_ascii=False)) for c in message.tool_calls]
        out["content"] = message.content or None
    if message.role == "tool" and not message.name:
        del out["name"]
    if message.train is not None:
        out["train"] = message.train
    if message.weight != 1.0:
        out["weight"] = message.weight
    return out
