"""Calls that are written out as text inside an answer, in the ways that datasets and models write them.

Nothing here evaluates text: arguments are JSON or Python literals. What looks like a call and does not parse is left
as text, and reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.conversation import Row, RowRefusedError, ToolCall
from core.formats.calls import read_call
from core.formats.pythoncalls import python_calls, read_python
from core.formats.text import parse_text
from core.formats.vendors import glaive_call


@dataclass(frozen=True, slots=True)
class Found:
    """Calls found in a text: the style, the text without them, and the calls; `failed` is text that did not parse."""

    style: str
    text: str
    calls: tuple[ToolCall, ...]
    failed: str = ""


# Before what ends a call no pattern asks for white space, and none can divide a text in two ways: a text of a megabyte
# that only opens calls is read in a moment.
_TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_KEYS = re.compile(
    r"<tool_call>\s*([\w.-]+)\s*((?:<arg_key>(?:(?!</arg_value>|<tool_call>).)*</arg_value>\s*)*)</tool_call>",
    re.DOTALL,
)
_KEY_VALUE = re.compile(r"<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_TOOLCALL = re.compile(r"<TOOLCALL>(.*?)(?:</TOOLCALL>|\Z)", re.DOTALL)
_GLAIVE = re.compile(r"<functioncall>(.*?)(?=<functioncall>|\Z)", re.DOTALL)
_FUNCTION = re.compile(r"<function=([^<>\s]+)>(.*?)</function>", re.DOTALL)
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*(\[.*\])\s*\Z", re.DOTALL)
_MISTRAL_ARGS = re.compile(
    r"\[TOOL_CALLS\]\s*([\w.-]+)\s*(?:\[CALL_ID\]\S*?)?\[ARGS\]\s*(\{(?:(?!\[TOOL_CALLS\]).)*\})\s*(?=\[TOOL_CALLS\]|\Z)",
    re.DOTALL,
)
_REACT = re.compile(r"^Action:\s*(\S[^\n]*)\n\s*Action Input:(.*?)(?=^Action:|^Observation:|\Z)", re.DOTALL | re.M)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_INVOKE = re.compile(
    r'(?:<function_calls>\s*)?<invoke name="([^"]+)">(.*?)</invoke>(?:\s*</function_calls>)?', re.DOTALL
)
_INVOKE_PARAMETER = re.compile(r'<parameter name="([^"]+)"[^>]*>(.*?)</parameter>', re.DOTALL)
_DEEPSEEK = re.compile(
    r"(?:<｜tool▁calls▁begin｜>\s*)?<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?([^<]+?)\s*(?:<｜tool▁sep｜>|```json)"
    r"(.*?)(?:```\s*)?<｜tool▁call▁end｜>(?:\s*<｜tool▁calls▁end｜>)?",
    re.DOTALL,
)
_KIMI = re.compile(
    r"(?:<\|tool_calls_section_begin\|>\s*)?<\|tool_call_begin\|>\s*(?:functions\.)?([\w.-]+?)(?::\d+)?\s*"
    r"<\|tool_call_argument_begin\|>(.*?)<\|tool_call_end\|>(?:\s*<\|tool_calls_section_end\|>)?",
    re.DOTALL,
)
_PHI = re.compile(r"<\|tool_call\|>(.*?)<\|/tool_call\|>", re.DOTALL)
_LFM = re.compile(
    r"<\|tool_call_start\|>\s*\[((?:(?!<\|tool_call_(?:start|end)\|>).)*)\]\s*<\|tool_call_end\|>", re.DOTALL
)
_INTERNLM = re.compile(r"<\|action_start\|>\s*<\|plugin\|>(.*?)(?:<\|action_end\|>|\Z)", re.DOTALL)
_LLAMA = re.compile(r"<\|python_tag\|>\s*(\{.*?\})\s*(?:<\|eom_id\|>|<\|eot_id\|>|\Z)", re.DOTALL)
_FUNCTION_CALL = re.compile(r"<(?:function_calls?|tool_calls)>(.*?)</(?:function_calls?|tool_calls)>", re.DOTALL)
_FUNCTOOLS = re.compile(r"functools\s*(\[.*\])\s*\Z", re.DOTALL)
_TOOL_CODE = re.compile(r"```tool_code\s*\n(.*?)\s*```", re.DOTALL)
_CALL = re.compile(r"\A\s*Call:\s*([A-Za-z_][\w.]*\(.*\))\s*(?:<bot_end>.*)?\Z", re.DOTALL)
# One look at the text decides whether any of the patterns can match at all.
_MARKS = (
    *("<tool_call", "<TOOLCALL>", "<function", "<invoke ", "<|tool_call", "<|python_tag|>", "<｜tool▁call"),
    *("<|action_start|>", "[TOOL_CALLS]", "Action:", "functools", "```tool_code", "Call:"),
)
# Patterns that find nothing behind the last of these.
_CLOSING = {
    _KEYS: ("</tool_call>",),
    _FUNCTION: ("</function>",),
    _PARAMETER: ("</parameter>",),
    _INVOKE: ("</invoke>", "</function_calls>"),
    _INVOKE_PARAMETER: ("</parameter>",),
    _DEEPSEEK: ("<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
    _KIMI: ("<|tool_call_end|>", "<|tool_calls_section_end|>"),
    _PHI: ("<|/tool_call|>",),
    _LFM: ("<|tool_call_end|>",),
    _FUNCTION_CALL: ("</function_call>", "</function_calls>", "</tool_calls>"),
}
_FENCED = re.compile(r"```(?:json|python)?\s*\n(.*?)\s*```", re.DOTALL)
_PYTHON = re.compile(r"[A-Za-z_][\w.]*\(")


def find_calls(text: str, known: frozenset[str] | None = frozenset()) -> Found | None:
    """The calls in a text, or None when it holds nothing that looks like one.

    A text that is a call without any mark is one where all its names are `known`; None: any name will do.
    """
    if any(map(text.__contains__, _MARKS)):
        for style, pattern, read in _STYLES:
            found = list(pattern.finditer(text, 0, _end(pattern, text)))
            if found:
                return _read_all(style, text, found, read)
    return _bracketed(text) or _bare(text, known)


def _end(pattern: re.Pattern[str], text: str) -> int:
    """Where the last thing ends that a pattern can find: behind the last of its closing tags."""
    closing = _CLOSING.get(pattern)
    return len(text) if closing is None else max(text.rfind(tag) + len(tag) if tag in text else 0 for tag in closing)


def _read_all(
    style: str, text: str, found: list[re.Match[str]], read: Callable[[Row, re.Match[str]], list[ToolCall]]
) -> Found:
    calls: list[ToolCall] = []
    for match in found:
        try:
            calls += read(Row(None), match)
        except RowRefusedError:
            return Found(style, text, (), match.group())
    rest, position = [], 0
    for match in found:
        rest.append(text[position : match.start()])
        position = match.end()
    return Found(style, "".join([*rest, text[position:]]).strip(), tuple(calls))


def _json_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    body = match.group(1)
    inner = _FUNCTION.search(body, 0, _end(_FUNCTION, body))
    if inner is not None:
        return _function_calls(row, inner)
    value = parse_text(body)[0]
    return [read_call(row, "$", call) for call in (value if isinstance(value, list) else [value])]


def _glaive_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    return [glaive_call(row, "$", match.group(1))]


def _function_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    """`<function=name>{…}</function>`, or with a `<parameter=key>` for each argument."""
    name, body = match.group(1), match.group(2).strip()
    parameters = _PARAMETER.findall(body, 0, _end(_PARAMETER, body))
    arguments: Any = dict(parameters) if parameters else body
    return [read_call(row, "$", {"name": name, "arguments": arguments})]


def _named_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    """A name, and the arguments as JSON."""
    return [read_call(row, "$", {"name": match.group(1).strip(), "arguments": match.group(2).strip()})]


def _key_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    pairs = {key: _value(text) for key, text in _KEY_VALUE.findall(match.group(2))}
    return [read_call(row, "$", {"name": match.group(1), "arguments": pairs})]


def _value(text: str) -> Any:
    """A value that is JSON where it is no text."""
    value, written = parse_text(text)
    return value if written == "json" and not isinstance(value, str) else text


def _invoke_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    body = match.group(2)
    arguments = {key: _value(text) for key, text in _INVOKE_PARAMETER.findall(body, 0, _end(_INVOKE_PARAMETER, body))}
    return [read_call(row, "$", {"name": match.group(1), "arguments": arguments})]


def _objects_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    """One call in JSON, or several between semicolons."""
    whole = parse_text(match.group(1))[0]
    listed = [whole] if whole is not None else re.split(r"(?<=\})\s*;\s*(?=\{)", match.group(1))
    return [read_call(row, "$", call) for call in listed]


def _python_style_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    calls = read_python(match.group(1))
    if not calls:
        raise row.refuse("TC504", "$", "no call with keyword arguments")
    return calls


def _react_calls(row: Row, match: re.Match[str]) -> list[ToolCall]:
    return [read_call(row, "$", {"name": match.group(1).strip(), "arguments": match.group(2).strip()})]


_STYLES: tuple[tuple[str, re.Pattern[str], Callable[[Row, re.Match[str]], list[ToolCall]]], ...] = (
    ("<arg_key>", _KEYS, _key_calls),
    ("<tool_call>", _TAGGED, _json_calls),
    ("<TOOLCALL>", _TOOLCALL, _json_calls),
    ("<functioncall>", _GLAIVE, _glaive_calls),
    ("<function=…>", _FUNCTION, _function_calls),
    ("<invoke>", _INVOKE, _invoke_calls),
    ("<function_call>", _FUNCTION_CALL, _json_calls),
    ("[TOOL_CALLS]", _MISTRAL, _json_calls),
    ("[ARGS]", _MISTRAL_ARGS, _named_calls),
    ("<｜tool▁call▁begin｜>", _DEEPSEEK, _named_calls),
    ("<|tool_call_begin|>", _KIMI, _named_calls),
    ("<|tool_call|>", _PHI, _json_calls),
    ("<|tool_call_start|>", _LFM, _python_style_calls),
    ("<|action_start|>", _INTERNLM, _json_calls),
    ("<|python_tag|>", _LLAMA, _objects_calls),
    ("functools", _FUNCTOOLS, _json_calls),
    ("tool_code", _TOOL_CODE, _python_style_calls),
    ("Call:", _CALL, _python_style_calls),
    ("Action:", _REACT, _react_calls),
)


def _bracketed(text: str) -> Found | None:
    """ToolACE's `[Name with spaces(a=1), other(b="x")]`, where it is the whole text; API-Bank puts a word before it."""
    body = text.strip().removeprefix("API-Request:").lstrip()
    if not (body.startswith("[") and body.endswith(")]")):
        return None
    calls = read_python(body[1:-1])
    if calls:
        return Found("[f(x=1)]", "", tuple(calls))
    return Found("[f(x=1)]", text, (), body) if next(python_calls(body[1:-1]), None) else None


def _bare(text: str, known: frozenset[str] | None) -> Found | None:
    """A text that is nothing but calls, in JSON or as Python, of tools that are known."""
    body = text.strip()
    if known == frozenset() or body[-1:] not in ("}", "]", ")", "`"):
        return None
    fenced = _FENCED.fullmatch(body)
    body = fenced.group(1).strip() if fenced else body
    if _PYTHON.match(body) and body.endswith(")"):
        style, calls = "f(x=1)", read_python(body)
    else:
        style, calls = "JSON", _read_json(body)
    fits = bool(calls) and (known is None or all(call.name in known for call in calls))
    return Found(style, "", tuple(calls)) if fits else None


def _read_json(text: str) -> list[ToolCall]:
    """The calls in a text that is JSON of calls; none when it is of something else."""
    value = parse_text(text)[0] if text[:1] in ("{", "[") else None
    inner = value.get("tool_calls", value) if isinstance(value, dict) else value
    listed = inner if isinstance(inner, list) else [inner]
    try:
        return [read_call(Row(None), "$", call) for call in listed] if all(map(_is_call, listed)) else []
    except RowRefusedError:
        return []


def _is_call(value: Any) -> bool:
    inner = value.get("function", value) if isinstance(value, dict) else None
    return isinstance(inner, dict) and "name" in inner and bool({"arguments", "parameters"} & inner.keys())
