"""Prompts that end with reasoning, opened or empty, which the template leaves out of its texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.conversation import Conversation, Message, ToolCall
from core.template.choose import text_template
from core.template.reader import behind, call_syntax, read
from core.template.sandbox import Template
from core.template.spans import Rendered, prompt, render
from tests.material import all_templates, tool

HEAD = "{% for m in messages %}{{ '[' ~ m.role ~ ']' }}"
WORDS = "{{ m.content.split('</muse>')[-1] ~ '</s>' }}{% endfor %}"
ASK = "{% if add_generation_prompt %}{{ '[assistant]' }}PROMPT{% endif %}"
OPENS = ASK.replace("PROMPT", "{{ '<muse>\\n' }}")
ANSWERS = {
    "the prompt opens it": (
        HEAD + WORDS + OPENS,
        "<muse>\n⟦\n</muse>\n\nYes.</s>⟧",
        "<muse>\n⟦Is it?\n</muse>\n\nYes.</s>⟧",
    ),
    "the prompt opens it within a line": (
        HEAD + WORDS + ASK.replace("PROMPT", "<muse>"),
        "<muse>⟦</muse>Yes.</s>⟧",
        "<muse>⟦Is it?</muse>Yes.</s>⟧",
    ),
    "answers with reasoning show how it closes": (
        HEAD
        + "{% if m.reasoning_content %}{{ '<muse>\\n' ~ m.reasoning_content ~ '\\n</muse>\\n' }}{% endif %}"
        + WORDS
        + OPENS,
        "<muse>\n⟦\n</muse>\nYes.</s>⟧",
        "<muse>\n⟦Is it?\n</muse>\nYes.</s>⟧",
    ),
    "the prompt has an empty one": (
        HEAD + WORDS + ASK.replace("PROMPT", "{{ '<muse>\\n\\n</muse>\\n\\n' }}"),
        "<muse>\n\n</muse>\n\n⟦Yes.</s>⟧",
        "<muse>\n\n</muse>\n\n⟦Yes.</s>⟧",
    ),
    "an empty channel": (
        HEAD + WORDS + ASK.replace("PROMPT", "{{ '<|channel>thought\\n<channel|>' }}"),
        "<|channel>thought\n<channel|>⟦Yes.</s>⟧",
        "<|channel>thought\n<channel|>⟦Yes.</s>⟧",
    ),
    "texts close what they have not opened": (
        HEAD + "{% if m.role == 'assistant' %}</muse>{% endif %}" + WORDS + ASK.replace("PROMPT", "<muse>"),
        "<muse>⟦</muse>Yes.</s>⟧",
        "<muse>⟦Is it?</muse>Yes.</s>⟧",
    ),
    "the last answer is opened and never closed": (
        HEAD + "{% if m.role == 'assistant' and loop.last %}{{ '<muse>\\n' }}{% endif %}" + WORDS + OPENS,
        "<muse>\n⟦\n</muse>\n\nYes.</s>⟧",
        "<muse>\n⟦Is it?\n</muse>\n\nYes.</s>⟧",
    ),
    "words open it": (
        HEAD
        + "{% if m.reasoning_content and loop.last %}{{ m.reasoning_content ~ '\\n[END]\\n' }}{% endif %}"
        + WORDS
        + ASK.replace("PROMPT", "{{ 'I think:\\n' }}"),
        "I think:\n⟦\n[END]\nYes.</s>⟧",
        "I think:\n⟦Is it?\n[END]\nYes.</s>⟧",
    ),
    "the prompt has more than the texts": (
        HEAD + WORDS + ASK.replace("PROMPT", "<|begin|>"),
        "<|begin|>⟦Yes.</s>⟧",
        "<|begin|>⟦Yes.</s>⟧",
    ),
    "thinking can be switched on": (
        HEAD + WORDS + ASK.replace("PROMPT", "{{ '<muse>\\n' }}{% if not enable_thinking %}{{ '</muse>' }}{% endif %}"),
        "<muse>\n</muse>⟦Yes.</s>⟧",
        "<muse>\n⟦Is it?\n</muse>\n\nYes.</s>⟧",
    ),
}


def talk(reasoning: str) -> Conversation:
    answer = Message("assistant", "Yes.", reasoning)
    return Conversation((Message("user", "q"), answer, Message("user", "Sure?"), answer))


def samples_of(source: str, reasoning: str) -> tuple[Template, list[Rendered]]:
    template = text_template(source, "of a test")
    return template, render(talk(reasoning), template)


@pytest.mark.parametrize(("source", "plain", "thought"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_trained_behind_what_the_model_is_given(source: str, plain: str, thought: str) -> None:
    for reasoning, last in (("", plain), ("Is it?", thought)):
        template, samples = samples_of(source, reasoning)
        assert {span.message for sample in samples for span in sample.spans} == {1, 3}
        assert samples[0].marked().endswith("[user]Sure?</s>[assistant]" + last)
        assert samples[-1].marked().startswith("[user]q</s>[assistant]" + last)
        assert {note.code for sample in samples for note in sample.notes} - {"MK702"} <= {"RS609", "RS604"}
        for sample in samples:
            turn = [span for span in sample.spans if span.message == sample.spans[-1].message]
            start, end = turn[0].start, turn[-1].end
            syntax = behind(sample.text[:start], call_syntax(template))
            answer = read(sample.text[start:end].removesuffix("</s>"), syntax)
            assert answer.content == "Yes."
            assert answer.reasoning == (reasoning if "Is it?" in last else "")


@pytest.mark.parametrize("reasoning", ["", "Is it?"])
def test_each_sample_begins_with_the_very_prompt(reasoning: str) -> None:
    template = all_templates()["wild:drops_thinking"]
    call = Message("assistant", "", reasoning, (ToolCall("look", {"city": "Rome"}, "abcdefghi"),))
    result = Message("tool", "sunny", tool_call_id="abcdefghi", name="look")
    conversation = Conversation(
        (Message("user", "q"), call, result, Message("assistant", "Yes.", reasoning)), (tool("look"),)
    )
    samples = render(conversation, template)
    assert len(samples) == 2
    for sample in samples:
        index, start = sample.spans[0].message, sample.spans[0].start
        given = prompt(replace(conversation, messages=conversation.messages[:index]), template)
        assert sample.text[:start] == given.text


def test_what_the_template_writes_itself_is_not_put_together() -> None:
    """The prompt closes the reasoning, for this one is switched by another name than `enable_thinking`."""
    for opens, closes in (("<muse>", "</muse>"), ("<|muse>", "<muse|>")):
        thinks = f"{{{{ '{opens}' ~ m.reasoning_content ~ '{closes}' }}}}"
        source = HEAD + "{% if m.role == 'assistant' %}" + thinks + "{% endif %}" + WORDS
        _, samples = samples_of(source + ASK.replace("PROMPT", opens + closes), "Is it?")
        assert "MK703" in {note.code for sample in samples for note in sample.notes}
        assert samples[0].marked().count(f"⟦Is it?{closes}Yes.</s>⟧") == 2


def test_a_tag_of_a_role_is_no_reasoning() -> None:
    source = "{% for m in messages %}{{ '<' ~ m.role ~ '>' ~ m.content ~ '</s>' }}{% endfor %}{#- </assistant> -#}"
    _, samples = samples_of(source + "{% if add_generation_prompt %}<assistant>{% endif %}", "")
    assert len(samples) == 1
