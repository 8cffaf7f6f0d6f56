"""Events of OpenHands, of its servers (an action, and the observation that it is the cause of) and of its SDK.

What the model answered stands whole beside the actions that came of it, where it called tools; otherwise an action with
its arguments is the call, and its thought what was said before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.conversation import JsonObject, Row
from core.formats.roles import not_read
from core.formats.text import object_in

_SOURCES = ("agent", "user", "environment")
# Arguments of actions that are the program's own, and not the model's.
_OWN = frozenset({"thought", "is_confirmed", "confirmation_state", "kernel_init_code", "hidden", "blocking", "cwd"})
_OWN |= {"is_static", "is_input", "security_risk", "include_extra", "translated_ipython_code", "impl_source"}
# What happens to the agent and not in the conversation.
_SILENT = ("agent_state_changed", "change_agent_state", "initialize", "recall", "condensation", "null", "loop_recovery")


def is_of_openhands(event: JsonObject) -> bool:
    """Whether an event is one of OpenHands."""
    if event.get("source") not in _SOURCES:
        return False
    named = event.get("action") or event.get("observation")
    acts = isinstance(named, str) and not {"args", "extras", "cause"}.isdisjoint(event)
    return acts or str(event.get("kind")).endswith("Event")


def messages_of_openhands(row: Row, column: str, events: list[JsonObject]) -> tuple[list[JsonObject], Any]:
    """OpenAI's messages in events, and the tools that they name; what is not read is noted on the row."""
    messages: list[JsonObject] = []
    others: list[str] = []
    tools: Any = None
    answers = set[str]()
    for event in events:
        tools = tools or event.get("tools") or object_in(event.get("args")).get("tools")
        read = list(_of_sdk(event, answers) if "kind" in event else _of_server(event, answers, messages))
        messages += read
        kind = str(event.get("kind") or event.get("action") or event.get("observation"))
        if not read and kind not in (*_SILENT, "None"):
            others.append(kind)
    not_read(row, column, others)
    return messages, tools


def _of_server(event: JsonObject, answers: set[str], before: list[JsonObject]) -> Iterator[JsonObject]:
    metadata = object_in(event.get("tool_call_metadata"))
    given = {**object_in(event.get("extras")), **object_in(event.get("args"))}
    action, observed = event.get("action"), event.get("observation")
    said = next((text for text in (given.get("content"), event.get("content"), event.get("message")) if text), "")
    if action in _SILENT or observed in _SILENT or not (action or observed):
        return
    if observed:
        called = before[-1].get("tool_calls") if before else None
        calls = [object_in(call) for call in called] if isinstance(called, list) else []
        if before and (calls or before[-1]["role"] == "tool"):
            identity = metadata.get("tool_call_id") or (f"call_{event['cause']}" if event.get("cause") else "")
            content = event.get("content") or event.get("message") or ""
            yield {"role": "tool", "tool_call_id": identity or (calls or [{}])[-1].get("id"), "content": content}
    elif action in ("system", "message"):
        role = "system" if action == "system" else "user" if event.get("source") == "user" else "assistant"
        yield {"role": role, "content": said}
    elif event.get("source") == "agent":
        yield from _acts(event, str(action), given, object_in(metadata.get("model_response")), answers)


def _acts(
    event: JsonObject, action: str, given: JsonObject, response: JsonObject, answers: set[str]
) -> Iterator[JsonObject]:
    """The answer that an action came of, once for all its actions; or the action itself, as a call."""
    choices = response.get("choices")
    answer = object_in(object_in(choices[0]).get("message")) if isinstance(choices, list) and choices else {}
    if answer.get("tool_calls"):
        if str(response.get("id")) not in answers:
            yield {key: answer[key] for key in ("role", "content", "tool_calls", "reasoning_content") if key in answer}
        answers.add(str(response.get("id")))
    elif action == "finish":
        yield {
            "role": "assistant",
            "content": given.get("final_thought") or given.get("thought") or event.get("message"),
        }
    else:
        arguments = {key: value for key, value in given.items() if key not in _OWN}
        call = {"id": f"call_{event.get('id')}", "name": action, "arguments": arguments}
        yield {"role": "assistant", "content": given.get("thought") or "", "tool_calls": [call]}


def _of_sdk(event: JsonObject, answers: set[str]) -> Iterator[JsonObject]:
    kind = event["kind"]
    if kind == "SystemPromptEvent":
        yield {"role": "system", "content": _parts(event.get("system_prompt"))}
    elif kind == "MessageEvent":
        message = object_in(event.get("llm_message"))
        role = message.get("role") or ("user" if event.get("source") == "user" else "assistant")
        yield {"role": role, "content": _parts(message.get("content"))} | _thought(message)
    elif kind == "ActionEvent" and event.get("tool_call"):
        given = object_in(event.get("tool_call"))
        call = {"id": event.get("tool_call_id"), "name": event.get("tool_name")}
        call |= object_in(given.get("function")) or given
        # Calls of one answer are events of their own; its thought stands at the first.
        first = not event.get("llm_response_id") or str(event["llm_response_id"]) not in answers
        answers.add(str(event.get("llm_response_id")))
        said = {"content": _parts(event.get("thought")), **_thought(event)} if first else {"content": ""}
        yield {"role": "assistant", **said, "tool_calls": [{key: call.get(key) for key in ("id", "name", "arguments")}]}
    elif kind in ("ObservationEvent", "AgentErrorEvent", "UserRejectObservation"):
        seen = object_in(event.get("observation")).get("content")
        content = seen if seen is not None else event.get("error") or event.get("rejection_reason") or ""
        yield {"role": "tool", "tool_call_id": event.get("tool_call_id"), "content": _parts(content)}


def _thought(message: JsonObject) -> JsonObject:
    thought = message.get("reasoning_content")
    return {"reasoning_content": thought} if thought else {}


def _parts(content: Any) -> Any:
    """Content as OpenAI has it: text, or its parts without what they are kept with."""
    listed = [content] if isinstance(content, dict) else content
    if not isinstance(listed, list):
        return listed or ""
    return [{k: v for k, v in p.items() if k != "cache_prompt"} if isinstance(p, dict) else p for p in listed]
