"""Rules about what messages say: reasoning in tags, calls written as text, leaked tokens, broken encoding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from core.conversation import Conversation, Message, Row, ToolCall, json_text, snippet
from core.errors import counted
from core.formats.text import parse_text
from core.formats.textcalls import find_calls
from core.formats.transcript import style_of

_PAIRS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<scratch_pad>", "</scratch_pad>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
# An answer with more reasoning than this, one behind the other, is no answer of a model.
_MOST_THOUGHTS = 100
_SOLUTION = ("<|begin_of_solution|>", "<|end_of_solution|>")
_LEAKED = re.compile(r"(?:\s*(?:<\|endoftext\|>|</s>|<\|im_end\|>|<\|eot_id\|>|<\|end\|>|<end_of_turn>))+\s*\Z")
_TEMPLATED = re.compile(
    r"\[/?INST\]|<</?SYS>>|<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|^### (?:Response|Instruction):"
    r"|^(?:Assistant|ASSISTANT|AI|GPT):\s*\Z",
    re.M,
)
_MOJIBAKE = re.compile("Ã[\u0080-\u00bf]|â€[\u0080-\u20ff]|Â[\u00a0-\u00bf]")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")


def is_blank(text: str) -> bool:
    """Whether a text holds nothing but white space and characters without width."""
    return not text or not (text.strip() if text.isascii() else _INVISIBLE.sub("", text).strip())


def reasoning_apart(row: Row, conversation: Conversation) -> Conversation:
    """RS601, RS602: reasoning in tags at the start of an answer is set apart; unbalanced tags stay text."""
    return _answers(conversation, lambda index, message: _reasoning_of(row, index, message))


def _opening(text: str) -> tuple[str, str] | None:
    """The tags of the reasoning with which a text begins."""
    return next(((o, c) for o, c in _PAIRS if text.startswith(o) and c in text), None)


def _reasoning_of(row: Row, index: int, message: Message) -> Message:
    content = message.content
    if "<" not in content:
        return message
    thoughts, rest = list[str](), content.strip()
    while len(thoughts) < _MOST_THOUGHTS and (pair := _opening(rest)):
        thought, _, rest = rest[len(pair[0]) :].partition(pair[1])
        thoughts, rest = [*thoughts, thought.strip()], rest.strip()
    if thoughts:
        rest = _unwrapped(rest)
        row.repaired("RS601", f"messages[{index}].content", "reasoning separated from the answer", content, rest)
        return _with_reasoning(row, index, message, "\n\n".join(filter(None, thoughts)), rest)
    for opened, closed in _PAIRS:
        if (opened in content) != (closed in content):
            row.kept("RS602", f"messages[{index}].content", f"unclosed {opened if opened in content else closed}")
            break
    return message


def _with_reasoning(row: Row, index: int, message: Message, thought: str, rest: str) -> Message:
    if message.reasoning and thought and message.reasoning.strip() != thought:
        row.kept("RS603", f"messages[{index}]", "reasoning given twice; the longest is used")
        thought = max(message.reasoning, thought, key=len)
    return replace(message, content=rest, reasoning=thought or message.reasoning)


def _unwrapped(text: str) -> str:
    opened, closed = _SOLUTION
    return text[len(opened) : -len(closed)].strip() if text.startswith(opened) and text.endswith(closed) else text


def calls_out_of_text(row: Row, conversation: Conversation) -> Conversation:
    """TC519, TC520: calls that are written as text in an answer are read; what does not parse stays text."""
    return _answers(conversation, lambda index, message: _calls_of(row, index, message, conversation))


def _names_known(conversation: Conversation) -> frozenset[str]:
    """The names of the tools; without any, those that the system prompt writes as names of something."""
    first = conversation.messages[0] if conversation.messages else None
    if conversation.tools or first is None or first.role != "system":
        return frozenset(tool["function"]["name"] for tool in conversation.tools)
    return frozenset(_NAMED.findall(first.content))


# What a call without any mark ends with, in JSON, as Python, or in a fence.
_ENDS_OF_CALLS = frozenset("}])`")
_NAMED = re.compile(r"""["']name["']\s*:\s*["']([^"']+)["']""")


def _calls_of(row: Row, index: int, message: Message, of: Conversation) -> Message:
    if not message.content:
        return message
    known: frozenset[str] | None = frozenset()
    if message.content.rstrip()[-1:] in _ENDS_OF_CALLS:
        answered = not message.tool_calls and any(after.role == "tool" for after in of.messages[index + 1 : index + 2])
        known = None if answered else _names_known(of)
    found = find_calls(message.content, known)
    if found is None:
        return message
    path = f"messages[{index}].content"
    if found.failed:
        row.kept("TC520", path, f"could not read a call: {snippet(found.failed)}")
        return message
    row.repaired(
        "TC519",
        path,
        f"found {counted(len(found.calls), 'call')} written as text ({found.style})",
        message.content,
        ", ".join(call.name for call in found.calls),
    )
    rest = replace(message, content=found.text, tool_calls=(*message.tool_calls, *found.calls))
    if any(rest.content.startswith(opened) and closed in rest.content for opened, closed in _PAIRS):
        rest = _reasoning_of(row, index, rest)
    if not row.formatted:
        rest = _without_stop(row, index, rest)
    return _calls_of(row, index, rest, of)


def results_out_of_tags(row: Row, conversation: Conversation) -> Conversation:
    """TC519: results in `<tool_response>` tags are taken out of them, one message for each; the user may say them."""
    called = any(message.tool_calls or message.role == "tool" for message in conversation.messages)
    if not called or not any(_says_results(conversation, index) for index in range(1, len(conversation.messages))):
        return conversation
    messages: list[Message] = []
    for index, given in enumerate(conversation.messages):
        message = given
        if _says_results(conversation, index) and message.role == "user":
            message = Message("tool", _observed(message.content), place=message.place)
            if message.content != given.content:
                said = "result said by the user"
                row.repaired("TC519", f"messages[{index}].content", said, given.content, message.content)
        inside = _RESPONSE.findall(message.content) if message.role == "tool" else []
        if inside and not _RESPONSE.sub("", message.content).strip():
            row.repaired("TC519", f"messages[{index}].content", "result taken out of <tool_response>", message.content)
            messages += [_result_in(replace(message, content=text)) for text in inside]
        else:
            messages.append(message)
    return replace(conversation, messages=tuple(messages))


def _says_results(conversation: Conversation, index: int) -> bool:
    """Whether a message holds results in tags, or is the user's with the results of the calls before it."""
    message = conversation.messages[index]
    if message.role == "tool":
        return "<tool_response>" in message.content
    if message.role != "user" or not index or not conversation.messages[index - 1].tool_calls:
        return False
    inside = "<tool_response>" in message.content and not _RESPONSE.sub("", message.content).strip()
    return inside or _OBSERVED.match(message.content) is not None


_OBSERVED = re.compile(
    r"\s*(?:(?:Observation|EXECUTION RESULT of \[[^\]\n]{1,64}\]):\s*(.*)|```tool_output\s*\n(.*?)\s*```\s*)\Z",
    re.DOTALL,
)


def _observed(text: str) -> str:
    """The result in what the user says; the text itself where it has no mark of one."""
    found = _OBSERVED.match(text)
    return (found.group(1) or found.group(2) or "") if found else text


_RESPONSE = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)


def _result_in(message: Message) -> Message:
    """Hermes wraps a result once more, as `{"name", "content"}`."""
    value = parse_text(message.content)[0]
    if not isinstance(value, dict) or not {"name", "content"} >= value.keys() - {"tool_call_id"} or "name" not in value:
        return message
    content = value.get("content")
    text = content if isinstance(content, str) else message.content
    return replace(message, name=message.name or str(value["name"]), content=text)


def no_leaked_stop(row: Row, conversation: Conversation) -> Conversation:
    """CT307: a stop token at the end of an answer leaked out of a template; it is removed."""
    if row.formatted:
        return conversation
    return _answers(conversation, lambda index, message: _without_stop(row, index, message))


def _without_stop(row: Row, index: int, message: Message) -> Message:
    if not message.content.rstrip().endswith(">"):
        return message
    leaked = _LEAKED.search(message.content)
    if leaked is None:
        return message
    token = leaked.group().strip()
    text = message.content[: leaked.start()]
    row.repaired(
        "CT307", f"messages[{index}].content", f"removed leaked {snippet(token)}", message.content[-60:], text[-40:]
    )
    return replace(message, content=text)


def not_yet_templated(row: Row, conversation: Conversation) -> Conversation:
    """CT306: text that is already formatted for a model would be formatted twice."""
    if row.formatted:
        return conversation
    for index, message in enumerate(conversation.messages):
        found = _TEMPLATED.search(message.content) if "[" in message.content or "<" in message.content else None
        if found is None and ("### " in message.content or message.content.rstrip()[-1:] == ":"):
            found = _TEMPLATED.search(message.content)
        if found is not None:
            row.kept(
                "CT306",
                f"messages[{index}].content",
                f'holds "{found.group()}": looks already formatted for a model; a template would be applied twice',
            )
            break
    return conversation


def no_chat_as_text(row: Row, conversation: Conversation) -> Conversation:
    """CT306: a whole chat as one text is trained as text, the user's words too; it may be meant as a conversation."""
    style = "" if row.formatted or len(conversation.messages) != 1 else style_of(conversation.messages[0].content)
    if style:
        said = f"looks like a chat ({style}) and is trained as plain text, all of it"
        row.kept("CT306", "text", f"{said}; --formatting transcript reads it as a conversation")
    return conversation


def sound_encoding(row: Row, conversation: Conversation) -> Conversation:
    """CT308: lone surrogates, which no file can hold, are replaced; other signs of broken encoding are reported."""
    if row.surrogates and not _writable(conversation):
        scrubbed = _scrubbed(conversation)
        pairs = zip(conversation.messages, scrubbed.messages, strict=True)
        index = next((index for index, (old, new) in enumerate(pairs) if old != new), None)
        path = "tools" if index is None else f"messages[{index}]"
        row.repaired("CT308", path, "lone surrogates replaced by U+FFFD")
        return scrubbed
    for index, message in enumerate(conversation.messages):
        text = message.content
        if not text.isascii() and ("\ufffd" in text or len(_MOJIBAKE.findall(text)) > 2):
            row.kept("CT308", f"messages[{index}].content", "possible broken encoding")
    return conversation


def _writable(conversation: Conversation) -> bool:
    """Whether UTF-8 can hold everything that is said, called and described."""
    texts = [text for m in conversation.messages for text in (m.content, m.reasoning, m.name, m.tool_call_id)]
    calls = [(call.name, call.id, call.arguments) for m in conversation.messages for call in m.tool_calls]
    if calls or conversation.tools:
        texts.append(json_text([calls, conversation.tools]))
    try:
        for text in texts:
            if not text.isascii():
                text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _scrubbed(conversation: Conversation) -> Conversation:
    def message(of: Message) -> Message:
        calls = tuple(ToolCall(scrub(c.name), scrub(c.arguments), scrub(c.id)) for c in of.tool_calls)
        return replace(
            of,
            content=scrub(of.content),
            reasoning=scrub(of.reasoning),
            tool_calls=calls,
            name=scrub(of.name),
            tool_call_id=scrub(of.tool_call_id),
        )

    messages = tuple(message(of) for of in conversation.messages)
    return replace(conversation, messages=messages, tools=tuple(scrub(tool) for tool in conversation.tools))


def scrub(value: Any) -> Any:
    """A value with every lone surrogate replaced by U+FFFD; pairs of surrogates become the character they stand for."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {scrub(key): scrub(item) for key, item in value.items()}
    return [scrub(item) for item in value] if isinstance(value, list) else value


def _answers(conversation: Conversation, change: Callable[[int, Message], Message]) -> Conversation:
    """The conversation with every assistant message changed; itself when none is."""
    changed = False
    messages = []
    for index, message in enumerate(conversation.messages):
        new = change(index, message) if message.role == "assistant" else message
        changed = changed or new is not message
        messages.append(new)
    return replace(conversation, messages=tuple(messages)) if changed else conversation
