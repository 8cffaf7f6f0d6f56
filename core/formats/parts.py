"""Content in typed parts: text, reasoning, calls and results, in the types that chat formats use.

A text model takes text: other parts are refused by name. Parts keep their order; where a result stands among the text,
the message is split there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.conversation import JsonObject, Row, ToolCall, json_text
from core.formats.calls import read_call
from core.formats.text import is_text_part, parse_text, part_text, text_of

_REASONING = ("reasoning", "thinking", "reasoning_text", "summary_text")
_CALLS = ("tool_call", "function_call", "tool_use")
_TEXT_KEYS = frozenset(
    {"type", "block_type", "part_kind", "text", "content", "value", "refusal", "document"}
    | {"cache_control", "train", "weight", "id", "index"}
)
_HIDDEN = ("redacted_thinking", "encrypted_reasoning")


@dataclass(slots=True)
class Parts:
    """A stretch of parts: its text, reasoning and calls, and the results that follow them."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: list[str] = field(default_factory=list)


def read_parts(row: Row, path: str, content: Any) -> list[Parts]:
    """Content as stretches; plain text is one stretch. There is always at least one."""
    if not isinstance(content, list) or not all(isinstance(part, dict | str) for part in content):
        return [Parts(text_of(row, path, content))]
    _refuse_partial_training(row, path, content)
    stretches = [Parts()]
    for index, part in enumerate(content):
        if stretches[-1].results and not (isinstance(part, dict) and part.get("type") == "python_output"):
            stretches.append(Parts())
        _add(row, f"{path}[{index}]", part, stretches[-1])
    return stretches


def _add(row: Row, path: str, part: JsonObject | str, to: Parts) -> None:
    kind = part.get("type") if isinstance(part, dict) else "text"
    if isinstance(part, str) or kind not in (*_REASONING, *_CALLS, *_HIDDEN, "python", "python_output"):
        to.text += part_text(row, path, part)
        if isinstance(part, dict):
            row.ignored(path, part, _TEXT_KEYS)
    elif kind in _HIDDEN:
        row.repaired("RS606", path, "redacted reasoning removed")
    elif kind in _REASONING:
        to.reasoning += _own_text(part, *_REASONING, "text", "value", "content")
    elif kind == "python":
        # nanochat's calculator: an expression for a tool that the row does not describe.
        to.calls = (*to.calls, ToolCall("python", {"code": _own_text(part, "text")}))
    elif kind == "python_output":
        to.results.append(_own_text(part, "text"))
    else:
        to.calls = (*to.calls, read_call(row, path, _call_in(part)))


def _call_in(part: JsonObject) -> Any:
    """The call of a part: its `value` (LLaMA-Factory v1, JSON text), or the part itself."""
    if "value" in part:
        value = part["value"]
        return parse_text(value)[0] if isinstance(value, str) else value
    return part


def _own_text(part: JsonObject, *keys: str) -> str:
    found = next((part[key] for key in keys if part.get(key) is not None), "")
    if isinstance(found, list) and found and all(is_text_part(part) for part in found):
        return "".join(_own_text(part, "text", "content") for part in found)
    return found if isinstance(found, str) else json_text(found)


def _refuse_partial_training(row: Row, path: str, content: list[Any]) -> None:
    """Parts of one message that are trained and others that are not cannot be told apart further on."""
    flags = {
        bool(part[key]) for part in content if isinstance(part, dict) for key in ("train", "weight") if key in part
    }
    if len(flags) > 1:
        row.mend("MK707", path, "only some parts of the message are to be trained", "the whole message is trained")
