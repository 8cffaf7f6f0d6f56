"""Every template at hand, on generated conversations: nothing foreign is trained, everything that is said is trained.

`TUNEBOARD_CONVERSATIONS` sets how many conversations there are in all (2,000 if unset).
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from core.conversation import Conversation, RowRefusedError
from core.template.parts import KINDS
from core.template.spans import Rendered, prompt, render, trained_turns
from core.template.style import styled_messages
from core.template.trace import trace_regions
from tests.material import FOREIGN, all_templates, generated, trl_files

CONVERSATIONS = int(os.environ.get("TUNEBOARD_CONVERSATIONS", "2000"))
NAMES = sorted(all_templates())
EXPECTED = {"RO214", "MK705", "TC516"}


def shapes(name: str) -> list[dict[str, bool]]:
    return [
        {"tools": tools, "reasoning": reasoning, "system": system, "control": control}
        for tools in (False, True)
        for reasoning in (False, True)
        for system in (False, True)
        for control in (False, True)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_trained_text_is_the_assistants_and_all_of_it(name: str) -> None:
    template = all_templates()[name]
    refused: Counter[str] = Counter()
    plain_chats = 0
    of_shapes = shapes(name)
    for number in range(max(len(of_shapes), CONVERSATIONS // len(NAMES))):
        shape = of_shapes[number % len(of_shapes)]
        conversation = generated(number * 1009 + len(name), **shape)
        try:
            samples = render(conversation, template)
        except RowRefusedError as error:
            allowed = error.finding.code in EXPECTED and (shape["tools"] or shape["system"])
            refused[error.finding.code if allowed else str(error.finding)] += 1
            continue
        plain_chats += not shape["tools"]
        check(conversation, samples, name)
        check_prompts(conversation, samples, name)
    assert set(refused) <= EXPECTED
    assert plain_chats


def check(conversation: Conversation, samples: list[Rendered], name: str) -> None:
    """No foreign word in any span; each turn in one sample, whole."""
    trained: dict[int, str] = {}
    for sample in samples:
        position = 0
        owners = set()
        for span in sample.spans:
            assert position <= span.start < span.end <= len(sample.text)
            assert span.kind in KINDS
            position = span.end
            text = sample.text[span.start : span.end]
            assert not any(word in text for word in FOREIGN), (name, sample.marked())
            owners.add(span.message)
            if span.message in trained and span.message not in owners:
                raise AssertionError(f"{name}: message {span.message} is trained twice")
            trained[span.message] = trained.get(span.message, "") + text
    assert sorted(trained) == trained_turns(conversation), name
    swallowed = {(note.code, note.path) for sample in samples for note in sample.notes}
    for index, text in trained.items():
        message = conversation.messages[index]
        if ("TC517", f"messages[{index}]") not in swallowed:
            assert message.content.strip() in text, (name, message, text)
        if ("RS604", f"messages[{index}]") not in swallowed:
            assert message.reasoning.strip() in text, (name, message, text)
        assert all(call.name in text for call in message.tool_calls), (name, message, text)


def check_prompts(conversation: Conversation, samples: list[Rendered], name: str) -> None:
    """Before each turn stands what the model would be given for it, unless a finding says otherwise."""
    from dataclasses import replace

    template = all_templates()[name]
    for sample in samples:
        excused = {note.path for note in sample.notes if note.code in ("MK703", "RS607", "RS609")}
        for index in {span.message for span in sample.spans}:
            if f"messages[{index}]" in excused:
                continue
            start = next(span.start for span in sample.spans if span.message == index)
            given = prompt(replace(conversation, messages=conversation.messages[:index]), template)
            assert sample.text[:start] == given.text, name


@pytest.mark.parametrize("name", NAMES)
def test_the_trace_reproduces_the_plain_text(name: str) -> None:
    template = all_templates()[name]
    for number in range(4):
        conversation = generated(number, tools=False, reasoning=bool(number % 2), system=False)
        messages = styled_messages(template, conversation.messages)
        plain = template.render(messages)
        regions = trace_regions(template, messages, (), plain)
        assert regions is not None
        for index, (start, end) in regions.items():
            own = conversation.messages[index].content.strip()
            assert start == end or own in plain[start:end]


@pytest.mark.parametrize("name", sorted(trl_files()))
def test_plain_text_is_what_transformers_renders(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.utils import chat_template_utils

    from core.template.sandbox import TODAY, TemplateRefusedError

    class Frozen:
        @staticmethod
        def now() -> object:
            return TODAY

    monkeypatch.setattr(chat_template_utils, "datetime", Frozen)
    template = all_templates()[f"trl:{name}"]
    for number, shape in enumerate(shapes(name)):
        conversation = generated(number, **shape)
        messages = styled_messages(template, conversation.messages)
        tools = list(conversation.tools)
        for ask in (False, True):
            try:
                ours = template.render(messages, tools, add_generation_prompt=ask)
            except TemplateRefusedError:
                ours = None
            try:
                theirs = chat_template_utils.render_jinja_template(
                    [messages],
                    tools=tools or None,
                    chat_template=template.source,
                    add_generation_prompt=ask,
                    **template.special_tokens,
                )[0][0]
            except Exception:  # noqa: BLE001  whatever a template raises there, it must be refused here
                theirs = None
            assert ours == theirs
