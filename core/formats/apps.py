"""Messages as libraries for chat programs keep them: the AI SDK of Vercel, Haystack, PydanticAI, AutoGen, DataClaw.

A message there is a list of parts, of which a call and its result may stand side by side. Each is rewritten into
OpenAI's messages, and read as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.conversation import Conversation, JsonObject, Message, Row, json_text
from core.formats.chat import conversation_of, read_message
from core.formats.layout import Layout, reads
from core.formats.roles import leading_system, message_list
from core.formats.text import object_in

# Parts that only say where something begins or comes from.
_SAY_NOTHING = ("step-start", "source", "source-url", "source-document", "data")
_RESULTS = frozenset({"output", "result", "errorText"})
_KINDS = {"system-prompt": "system", "user-prompt": "user", "tool-return": "tool-result", "thinking": "reasoning"}


@reads("app_messages", "messages", "tools", "system", "id", "chatId")
def read_app_messages(row: Row, layout: Layout) -> Conversation:
    """`{"messages": [{"role", "content": [{"type": "tool-call", "toolName", "input"}, …]}]}`, and its relatives."""
    columns = {"messages": "messages", "system": "system", "tools": "tools"} | dict(layout.columns)
    names = Layout("openai", roles=layout.roles)
    messages: list[Message] = []
    for index, raw in enumerate(message_list(row, columns["messages"])):
        for one in _of_autogen(raw) if is_of_autogen(raw) else messages_of_parts(raw):
            messages += read_message(row, f"{columns['messages']}[{index}]", one, names)
    return conversation_of(row, columns, leading_system(row, columns["system"], messages))


def is_of_autogen(raw: JsonObject) -> bool:
    """Whether a message is one of AutoGen's."""
    return "source" in raw and str(raw.get("type")).endswith(("Message", "Event"))


def _parts(message: JsonObject) -> list[JsonObject]:
    """The parts of a message; the calls of older versions, which lie beside its text, before the text."""
    given = message.get("parts") if isinstance(message.get("parts"), list) else message.get("content")
    listed = given if isinstance(given, list) else [{"type": "text", "text": given}] if given else []
    invoked = message.get("toolInvocations")
    before = invoked if isinstance(invoked, list) and not isinstance(message.get("parts"), list) else []
    called = [{"type": "tool-invocation", "toolInvocation": one} for one in before]
    thought = [{"type": "reasoning", "text": message["thinking"]}] if isinstance(message.get("thinking"), str) else []
    uses = message.get("tool_uses")
    used = [_used(one) for one in uses] if isinstance(uses, list) else []
    whole = [*thought, *called, *listed, *used]
    return [part if isinstance(part, dict) else {"type": "text", "text": part} for part in whole]


def _used(use: Any) -> JsonObject:
    """DataClaw's `{"tool", "input", "output"?}` as a call, with its result where it is kept."""
    given = use if isinstance(use, dict) else {}
    asked = given.get("input")
    call = {"type": "tool-call", "toolName": given.get("tool")}
    call |= {"input": asked if isinstance(asked, dict) else {"input": asked}}
    output = given.get("output")
    said = output.get("text", output) if isinstance(output, dict) else output
    return call if said is None else {**call, "output": said}


def _of_autogen(raw: JsonObject) -> Iterator[JsonObject]:
    """AutoGen's events: who speaks is its `source`, calls and results are contents of their own."""
    content = raw.get("content")
    if raw["type"] == "ToolCallRequestEvent":
        yield {"role": "assistant", "content": "", "tool_calls": content}
    elif raw["type"] == "ToolCallExecutionEvent":
        for one in filter(None, map(object_in, content if isinstance(content, list) else [])):
            yield {
                "role": "tool",
                **{key: one.get(key) for key in ("name", "content")},
                "tool_call_id": one.get("call_id"),
            }
    elif raw["type"] == "ThoughtEvent":
        yield {"role": "assistant", "content": "", "reasoning_content": content}
    else:
        yield {"role": "user" if raw.get("source") in ("user", "user_proxy") else "assistant", "content": content}


def _kind(part: JsonObject) -> str:
    kind = part.get("type") or part.get("part_kind")
    if not kind:
        kind = "tool-call" if part.get("tool_call") else "tool-result" if part.get("tool_call_result") else "text"
    return _KINDS.get(str(kind), str(kind))


def messages_of_parts(raw: JsonObject) -> Iterator[JsonObject]:
    """The messages in one: what is said, the calls, and their results, in order."""
    role = raw.get("role") or ("assistant" if raw.get("kind") == "response" else "user")
    said, calls, results = list[Any](), list[JsonObject](), list[JsonObject]()
    for part in _parts(raw):
        kind = _kind(part)
        if kind in _SAY_NOTHING or kind.startswith("data-"):
            continue
        if kind in ("system", "user"):
            yield {"role": kind, "content": part.get("content")}
        elif kind == "tool-result":
            yield _result(_inner(part))
        elif kind.startswith("tool-") or kind == "dynamic-tool":
            call = _inner(part)
            calls.append(_call(call, kind))
            results += [] if _RESULTS.isdisjoint(call) else [_result(call)]
        else:
            if results:
                yield {"role": role, "content": said, "tool_calls": calls}
                yield from results
                said, calls, results = [], [], []
            said.append({**part, "type": kind})
    if said or calls:
        yield {"role": role, "content": said, "tool_calls": calls}
        yield from results


def _inner(part: JsonObject) -> JsonObject:
    """The call or the result that a part is, or that it holds."""
    held = next((part[key] for key in ("toolInvocation", "tool_call", "tool_call_result") if part.get(key)), part)
    origin = held.get("origin") if isinstance(held, dict) else None
    return {**(origin if isinstance(origin, dict) else {}), **held} if isinstance(held, dict) else {}


def _call(call: JsonObject, kind: str) -> JsonObject:
    named = kind.removeprefix("tool-") if kind not in ("tool-call", "tool-invocation", "dynamic-tool") else ""
    name = call.get("toolName") or call.get("tool_name") or named or call.get("name")
    given: Any = next((call[key] for key in ("input", "args", "arguments") if call.get(key) is not None), {})
    return {"id": call.get("toolCallId") or call.get("tool_call_id") or call.get("id"), "name": name, "args": given}


def _result(result: JsonObject) -> JsonObject:
    given = next((result[key] for key in ("output", "result", "content", "errorText") if key in result), None)
    value = given["value"] if isinstance(given, dict) and given.keys() == {"type", "value"} else given
    return {
        "role": "tool",
        "tool_call_id": result.get("toolCallId") or result.get("tool_call_id") or result.get("id"),
        "name": result.get("toolName") or result.get("tool_name"),
        "content": value if isinstance(value, str) else json_text(value),
    }
