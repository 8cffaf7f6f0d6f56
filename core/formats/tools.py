"""Tool definitions, in any of the shapes that datasets use, into OpenAI's.

Every tool ends as `{"type": "function", "function": {"name", "description", "parameters": JSON Schema}}`. The same
definitions stand in row after row, so what was read is kept and handed out again.
"""

from __future__ import annotations

import marshal
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from core.conversation import Finding, JsonObject, Row, RowRefusedError, snippet
from core.formats.schema import json_schema
from core.formats.text import STRICT_JSON, object_in, parse_text, type_name
from core.kept import kept
from core.shared import KEPT_TOOLS

MOST_TOOLS = 128
_LEGAL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WRAPPER_KEYS = {"type", "function"}
# The version of marshal in which equal values are equal bytes.
_WITHOUT_REFERENCES = 2
# Where rows have tools that have no column `tools`: other columns, and columns that hold an object with tools in it.
OTHER_COLUMNS = ("functions", "available_tools", "tool_definitions")
# Under which keys a tool has its parameters and its name.
_PARAMETERS = (
    *("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema"),
    *("parameter_definitions", "input_parameters", "args_schema", "arguments", "args"),
)
_NAMES = ("name", "api_name", "tool_name")
_HOLDERS = ("metadata", "extra", "extra_info")


def read_tools(row: Row, column: str = "tools", *, has_calls: bool = True) -> tuple[JsonObject, ...]:
    """The tool definitions of a row, in OpenAI's shape. Raises `RowRefusedError`.

    Definitions that cannot be read cost the row only when it has calls: without calls they are left out.
    """
    value = row.data.get(column)
    if not value:
        return ()
    try:
        given = value if isinstance(value, str) else _Value(value)
    except ValueError:
        # A table's dates and decimals, which definitions seldom hold.
        return tools_of(row, column, value)
    tools, findings, refusal = _kept(given, column, row.lenient)
    if refusal is not None and refusal.code == "TL402" and not has_calls:
        tools, findings, refusal = _kept(given, column, True)
    row.findings += [replace(finding, file=row.file, line=row.line) for finding in findings]
    if refusal is not None:
        raise RowRefusedError(replace(refusal, file=row.file, line=row.line))
    return tools


def tools_elsewhere(row: Row, messages: str, *, has_calls: bool) -> tuple[JsonObject, ...]:
    """The tools of a row whose column of tools is empty: in another column, or beside its system prompt."""
    for name in OTHER_COLUMNS:
        if row.data.get(name):
            row.repaired("TL403", name, f"tools read from the column {name}")
            return read_tools(row, name, has_calls=has_calls)
    for name in _HOLDERS:
        found = object_in(row.data.get(name)).get("tools") if row.data.get(name) else None
        if found:
            return _moved(row, f"{name}.tools", found, has_calls=has_calls)
    listed = row.data.get(messages)
    first = listed[0] if isinstance(listed, list) and listed else None
    beside = {key: first[key] for key in ("tools", "functions") if first.get(key)} if isinstance(first, dict) else {}
    key = next(iter(beside), "")
    return _moved(row, f"{messages}[0].{key}", beside[key], has_calls=has_calls) if key else ()


def _moved(row: Row, path: str, value: Any, *, has_calls: bool) -> tuple[JsonObject, ...]:
    """Tools that lie at a path inside a column."""
    row.repaired("TL403", path, "tools read from here")
    return read_tools(replace(row, data={path: value}), path, has_calls=has_calls)


class _Value:
    """A parsed value, told by all that is in it. Raises `ValueError` for what JSON has no word for."""

    __slots__ = ("value", "written")

    def __init__(self, value: Any) -> None:
        self.value, self.written = value, marshal.dumps(value, _WITHOUT_REFERENCES)

    def __hash__(self) -> int:
        return hash(self.written)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and self.written == other.written


def _characters(_: Any, given: str | _Value, *more: Any) -> int:
    return 100 + len(given if isinstance(given, str) else given.written)


@kept(KEPT_TOOLS, _characters)
def _kept(
    given: str | _Value, column: str, lenient: bool
) -> tuple[tuple[JsonObject, ...], tuple[Finding, ...], Finding | None]:
    """The tools in a text or a value, what was repaired, and why the row must be refused, if it must."""
    row = Row(None, lenient=lenient)
    try:
        tools = _parsed(row, column, given) if isinstance(given, str) else tools_of(row, column, given.value)
    except RowRefusedError as refused:
        return (), tuple(row.findings), refused.finding
    return tools, tuple(row.findings), None


def _parsed(row: Row, column: str, text: str) -> tuple[JsonObject, ...]:
    if not text.strip():
        return ()
    value, written = parse_text(text)
    if written == "json" and value is None:
        return ()
    if not isinstance(value, list | dict):
        value, written = concatenated_objects(text), "concatenated objects"
    if not value:
        if text.strip() not in ("[]", "{}"):
            row.mend("TL402", column, f"tools is not JSON: {snippet(text)}", "no tools", text)
        return ()
    if written != "json":
        row.repaired("TL401", column, f"tools read from {'Python literal' if written == 'literal' else written}")
    return tools_of(row, column, value)


def concatenated_objects(text: str) -> list[Any]:
    """The JSON objects that follow each other in a text, in any surrounding words (Glaive writes tools like this)."""
    found, position = list[Any](), 0
    while (start := text.find("{", position)) >= 0:
        try:
            value, position = STRICT_JSON.raw_decode(text, start)
        except RecursionError:
            # So deep is no definition, and what stands inside would be tried from each of its braces.
            break
        except ValueError:
            position = start + 1
            continue
        if isinstance(value, dict) and "name" in (value.get("function") or value):
            found.append(value)
    return found


def foreign_style(value: Any) -> str:
    """How tools are written that have not OpenAI's shape; empty when they have."""
    return _style_in_text(value) if isinstance(value, str) else _style_of(value)


@kept(KEPT_TOOLS, _characters)
def _style_in_text(text: str) -> str:
    return _style_of(parse_text(text)[0])


def _style_of(value: Any) -> str:
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict) or "function" in item:
            continue
        if "toolSpec" in item:
            return "Bedrock's toolSpec"
        if "functionDeclarations" in item or "function_declarations" in item:
            return "Gemini's functionDeclarations"
        if "input_schema" in item:
            return "Anthropic's input_schema"
        if not item.keys().isdisjoint(_NAMES):
            return "functions without their wrapper"
        if _by_name(item):
            return "an object with a key for each"
    return ""


def tools_of(row: Row, path: str, value: Any) -> tuple[JsonObject, ...]:
    """The tools in a parsed value: a list of definitions, or one."""
    listed = value if isinstance(value, list) else _by_name(value) or [value]
    if len(listed) > MOST_TOOLS:
        raise row.refuse("SH114", path, f"{len(listed)} tools are more than {MOST_TOOLS}")
    tools: list[JsonObject] = []
    for index, item in enumerate(listed):
        tools += _tools(row, f"{path}[{index}]", item)
    return _without_doubles(row, path, tools)


def _by_name(value: Any) -> list[JsonObject]:
    """The tools of an object that has them by their names: `{"get_tide": {"description", "parameters"}}`."""
    items = value.items() if isinstance(value, dict) else ()
    known = {"description", *_PARAMETERS}
    listed = [{"name": name, **tool} for name, tool in items if isinstance(tool, dict) and known & tool.keys()]
    return listed if len(listed) == len(items) else []


def _tools(row: Row, path: str, item: Any) -> Iterable[JsonObject]:
    """The tools in one item: usually one; Gemini's groups hold several."""
    parsed = parse_text(item)[0] if isinstance(item, str) else item
    if not isinstance(parsed, dict):
        row.mend("TL402", path, f"a tool must be an object, got {type_name(item)}", "left out", item)
        return []
    group = parsed.get("functionDeclarations") or parsed.get("function_declarations")
    if isinstance(group, list):
        return [tool for index, one in enumerate(group) for tool in _tools(row, f"{path}[{index}]", one)]
    inner = parsed.get("function") or parsed.get("toolSpec")
    function = parse_text(inner)[0] if isinstance(inner, str) else inner
    function = function if isinstance(function, dict) else parsed
    name = next((function[key] for key in _NAMES if function.get(key)), None)
    if not isinstance(name, str) or not name.strip():
        hosted = _hosted(parsed)
        if hosted:
            row.repaired("TL402", path, f"{hosted} is a tool of a provider, without a definition; left out", item)
            return []
        row.mend("TL402", path, "a tool needs a name", "left out", item)
        return []
    return [_tool(row, path, name.strip(), function)]


def _hosted(item: JsonObject) -> str:
    """The kind of a tool that a provider runs itself (web search and the like); empty for others."""
    kind = item.get("type")
    if isinstance(kind, str) and kind not in ("function", "custom"):
        return snippet(kind)
    return next((key for key in _PROVIDERS_OWN if isinstance(item.get(key), dict)), "")


# Google's; OpenAI's tools of this kind say it in `type`.
_PROVIDERS_OWN = (
    *("googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval"),
    *("codeExecution", "code_execution", "urlContext", "url_context"),
)


def _tool(row: Row, path: str, name: str, function: JsonObject) -> JsonObject:
    filled = {key: value for key, value in function.items() if key not in _WRAPPER_KEYS and value is not None}
    filled["name"] = name
    key = next((key for key in _PARAMETERS if filled.get(key)), "parameters")
    parameters = filled.pop(key, None)
    if isinstance(parameters, str):
        parameters = parse_text(parameters)[0]
    filled["parameters"] = json_schema(row, path, name, _api_parameters(filled) or parameters)
    if not isinstance(filled.setdefault("description", ""), str):
        filled["description"] = snippet(filled["description"], 2000)
    if not _LEGAL_NAME.fullmatch(name):
        row.kept("TL407", path, f'tool name "{snippet(name)}" is not a legal function name')
    return {"type": "function", "function": filled}


def _api_parameters(function: JsonObject) -> list[JsonObject]:
    """ToolBench's two lists of parameters as one; they are taken out of the function, and so are its own names."""
    for key, ours in (("api_name", "name"), ("tool_name", "name"), ("api_description", "description")):
        if key in function:
            function.setdefault(ours, function.pop(key))
    lists = [(key, function.pop(f"{key}_parameters", [])) for key in ("required", "optional")]
    return [
        {**item, "required": key == "required"}
        for key, listed in lists
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
    ]


def _without_doubles(row: Row, path: str, tools: list[JsonObject]) -> tuple[JsonObject, ...]:
    counts = Counter(tool["function"]["name"] for tool in tools)
    if len(counts) == len(tools):
        return tuple(tools)
    kept: dict[str, JsonObject] = {}
    for tool in tools:
        name = tool["function"]["name"]
        if name not in kept:
            kept[name] = tool
        elif kept[name] == tool:
            row.repaired("TL406", path, f"tool {name} was defined twice; one is kept")
        else:
            row.mend("TL406", path, f"tool {name} is defined twice, differently", "the first is kept", tool)
    return tuple(kept.values())
