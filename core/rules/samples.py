"""Rules about what a template and a tokenizer make of a conversation: what they leave out, and what is odd about it.

Each rule takes the conversation and its samples and yields what it found, as code, path and message. They look at what
is trained, so whoever makes samples (check, training, preview) asks them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from core.conversation import Conversation, Finding, Message, RowRefusedError, snippet
from core.errors import counted
from core.template.probe import leaves_out
from core.template.sandbox import Template
from core.template.spans import Rendered
from core.tokens import Pieces, changed_characters

# Code, path in the conversation, message.
Found = tuple[str, str, str]
SampleRule = Callable[[Conversation, Sequence[Rendered], Template], Iterator[Found]]
# Texts that are shorter than this stand everywhere.
_TELLING = 16


def notes_on_samples(
    conversation: Conversation,
    samples: Sequence[Rendered],
    template: Template,
    pieces: Pieces,
    *,
    all_trained: bool = False,
) -> list[Finding]:
    """What the rules find in samples that `pieces` has tokenised; with `all_trained` others' text may be trained.

    Raises `RowRefusedError` when it is and must not be. Text that is trained as it stands has no template: its control
    tokens are meant, and nothing is left out.
    """
    found = list(the_tokenizer_keeps_the_text(samples, pieces))
    if not conversation.plain:
        if not all_trained:
            nothing_foreign_is_trained(conversation, samples)
        found += [one for rule in SAMPLE_RULES for one in rule(conversation, samples, template)]
    return [_finding(conversation, code, path, message) for code, path, message in found]


def control_tokens_are_text(
    conversation: Conversation, samples: Sequence[Rendered], template: Template
) -> Iterator[Found]:
    """CT305: a control token in somebody's words is plain text."""
    if not any(sample.breaks for sample in samples):
        return
    tokens = sorted((*template.control_tokens, *template.stop), key=len, reverse=True)
    for index, message in enumerate(conversation.messages):
        text = _words(message)
        token = next((token for token in tokens if len(token) > 1 and token in text), "")
        if token:
            yield "CT305", f"messages[{index}]", f"text contains {token}; treated as plain text"
            return
    yield "CT305", "tools", "tool definitions contain control tokens; treated as plain text"


def nothing_is_left_out(conversation: Conversation, samples: Sequence[Rendered], template: Template) -> Iterator[Found]:
    """RO215, TL409, MK705: system prompt, tools and results reach the text."""
    messages = conversation.messages
    system = messages[0].role == "system"
    result = next((index for index, message in enumerate(messages) if message.role == "tool"), None)
    if not (system or conversation.tools or result is not None):
        return
    lost = leaves_out(template)
    if system and "system" in lost:
        yield "RO215", "messages[0]", "this template does not render the system prompt"
    if conversation.tools and "tools" in lost:
        yield "TL409", "tools", "this template ignores tools: the model would learn calls to tools that it cannot see"
    if result is not None and "results" in lost:
        yield "MK705", f"messages[{result}]", "this template does not render the results of tools"


def earlier_reasoning_is_hidden(
    conversation: Conversation, samples: Sequence[Rendered], template: Template
) -> Iterator[Found]:
    """RS605: the template hides the reasoning of earlier turns, as it does at chat time."""
    for sample in samples:
        if not any(note.code == "MK702" for note in sample.notes):
            continue
        earlier = conversation.messages[: sample.spans[-1].message]
        hidden = [
            index
            for index, message in enumerate(earlier)
            if message.reasoning.strip()
            and message.reasoning.strip() not in sample.text
            and message.content.strip() in sample.text
        ]
        if hidden:
            said = f"the reasoning of {counted(len(hidden), 'earlier turn')} is hidden later on, as at chat time"
            yield "RS605", f"messages[{hidden[0]}]", said
            return


def the_tokenizer_keeps_the_text(samples: Sequence[Rendered], pieces: Pieces) -> Iterator[Found]:
    """MK709: decoding gives every character of the text back."""
    # Texts with breaks are not tokenised in pieces.
    asked = [sample.text for sample in samples if sample.breaks or not pieces.keep_all()]
    changed = sorted({character for text in asked for character in changed_characters(text, pieces.tokenizer)})
    if changed:
        shown = ", ".join(f"{snippet(character)!r} (U+{ord(character):04X})" for character in changed[:5])
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        yield "MK709", "messages", f"the tokenizer does not keep {shown}{more}"


def nothing_foreign_is_trained(conversation: Conversation, samples: Sequence[Rendered]) -> None:
    """MK706: what user, tools and system say stands nowhere but in the trained text. Raises `RowRefusedError`."""
    others = [
        (index, message.content.strip())
        for index, message in enumerate(conversation.messages)
        if message.role != "assistant" and len(message.content) >= _TELLING
    ]
    for sample in samples:
        trained = "".join(sample.text[span.start : span.end] for span in sample.spans)
        for index, text in others:
            if text in trained and sample.text.count(text) == trained.count(text) and not _said(conversation, text):
                said = f"internal check failed: text of messages[{index}] would be trained; please report it"
                raise RowRefusedError(_finding(conversation, "MK706", f"messages[{index}]", said, stops=True))


def _said(conversation: Conversation, text: str) -> bool:
    """Whether the assistant says a text too."""
    return any(text in _words(message) for message in conversation.messages if message.role == "assistant")


def calls_keep_their_results(part: Conversation) -> None:
    """LN804: a cut separates no result from its call. Raises `RowRefusedError`."""
    called: set[str] = set()
    for index, message in enumerate(part.messages):
        called |= {call.id for call in message.tool_calls}
        if message.role == "tool" and message.tool_call_id not in called:
            said = "internal check failed: a cut separates a result from its call; please report it"
            raise RowRefusedError(_finding(part, "LN804", f"messages[{index}]", said, stops=True))


def _words(message: Message) -> str:
    """All that a message says."""
    calls = [[call.name, call.arguments] for call in message.tool_calls]
    texts: list[Any] = [message.content, message.reasoning, message.name, *_strings(calls)]
    return "\n".join([*texts, json.dumps(calls, ensure_ascii=False)] if calls else texts)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _finding(conversation: Conversation, code: str, path: str, message: str, *, stops: bool = False) -> Finding:
    return Finding(code, "stopped" if stops else "kept", message, conversation.file, conversation.line, path)


SAMPLE_RULES: tuple[SampleRule, ...] = (
    control_tokens_are_text,
    nothing_is_left_out,
    earlier_reasoning_is_hidden,
)
