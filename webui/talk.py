"""A conversation as a readable chat: who says what, calls as calls, results as results. For the Data and Chat tabs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from core.conversation import JsonObject, Message, ToolCall
from webui.markup import beginning, escape, indented, pretty
from webui.texts import Texts

# Characters of a message that are shown.
LONGEST = 20_000


def chat_html(messages: Sequence[Message], t: Texts, *, writing: str | None = None) -> str:
    """The messages as bubbles; `writing` is an answer that is still being written."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    bubbles = [_message(message, names, t) for message in messages]
    if writing is not None:
        body = f'<div class="tb-text">{escape(writing)}<span class="tb-caret"></span></div>'
        bubbles.append(_bubble("assistant", t("Assistant"), body))
    return f'<div class="tb-chat" role="log">{"".join(bubbles)}</div>'


def tools_html(tools: Sequence[JsonObject], t: Texts) -> str:
    """The tools of a conversation, folded."""
    if not tools:
        return ""
    functions = [tool.get("function", tool) for tool in tools]
    rows = "".join(
        f"<li><code>{escape(function.get('name', ''))}</code> {escape(function.get('description', ''))}"
        f' <span class="tb-dim">({escape(", ".join(_parameters(function)))})</span></li>'
        for function in functions
    )
    title = escape(t("Tools: {n}", n=len(tools)))
    return f'<details class="tb-tools"><summary>{title}</summary><ul>{rows}</ul></details>'


def _parameters(function: JsonObject) -> list[str]:
    parameters = function.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    return list(properties) if isinstance(properties, dict) else []


def _message(message: Message, names: dict[str, str], t: Texts) -> str:
    roles = {"system": t("System"), "user": t("User"), "assistant": t("Assistant"), "tool": t("Result")}
    if message.role == "tool":
        name = message.name or names.get(message.tool_call_id, "")
        return _bubble("tool", f"{roles['tool']} · {name}" if name else roles["tool"], _result(message.content, t))
    body = ""
    if message.reasoning:
        title = escape(t("Reasoning"))
        body += (
            f'<details class="tb-reasoning"><summary>{title}</summary>'
            f'<div class="tb-text">{beginning(message.reasoning, LONGEST, t)}</div></details>'
        )
    if message.content:
        body += f'<div class="tb-text">{beginning(message.content, LONGEST, t)}</div>'
    body += "".join(_call(call, t) for call in message.tool_calls)
    return _bubble(message.role, roles[message.role], body or '<div class="tb-text tb-dim">∅</div>')


def _bubble(role: str, title: str, body: str) -> str:
    return f'<div class="tb-bubble tb-{role}"><div class="tb-who">{escape(title)}</div>{body}</div>'


def _call(call: ToolCall, t: Texts) -> str:
    return (
        f'<div class="tb-call"><div class="tb-call-title"><span>{escape(t("Call"))}</span>'
        f"<code>{escape(call.name)}</code></div><pre>{pretty(call.arguments)}</pre></div>"
    )


def _result(content: str, t: Texts) -> str:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    text = indented(value) if isinstance(value, dict | list) else content
    return f"<pre>{beginning(text, LONGEST, t)}</pre>"
