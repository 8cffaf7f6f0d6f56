"""Templates without tools or without a system role: rewritten in the open, and read back like any other."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.conversation import Conversation, Message, RowRefusedError
from core.errors import UserError
from core.evaluate import same_value
from core.template.dialect import dialect_names, rewritten, settled
from core.template.probe import card
from core.template.reader import read_answer
from core.template.sandbox import Template
from core.template.spans import prompt, render
from tests.material import FOREIGN, all_templates, generated

LACKING = ["library:gemma", "library:phi", "library:zephyr", "library:llama2", "wild:gemma", "trl:llama3", "trl:gemma"]
LACKING += ["library:vicuna", "library:alpaca", "trl:cohere", "trl:phi3", "wild:vicuna", "trl:deepseekv3_training"]


def with_dialect(name: str, dialect: str) -> Template:
    return rewritten(all_templates()[name], dialect)


@pytest.mark.parametrize("dialect", dialect_names())
@pytest.mark.parametrize("name", LACKING)
def test_tools_are_rendered_trained_and_read_back(name: str, dialect: str) -> None:
    template = with_dialect(name, dialect)
    assert f"tools:{dialect}" in template.rewrites
    seen = 0
    for seed in range(20):
        conversation = generated(seed, tools=True, reasoning=False, system=bool(seed % 2))
        samples = render(conversation, template)
        trained = "".join(sample.text[s.start : s.end] for sample in samples for s in sample.spans)
        assert not any(word in trained for word in FOREIGN)
        for sample in samples:
            for index in {span.message for span in sample.spans}:
                parts = [s for s in sample.spans if s.message == index and s.kind != "stop"]
                asked = conversation.messages[index]
                text = sample.text[parts[0].start : parts[-1].end]
                message = read_answer(text, template, conversation.tools).message
                if asked.content and asked.tool_calls and dialect == "llama3_json":
                    continue  # words before a bare JSON object leave it words
                assert [call.name for call in message.tool_calls] == [call.name for call in asked.tool_calls], text
                for got, wanted in zip(message.tool_calls, asked.tool_calls, strict=True):
                    assert same_value(got.arguments, wanted.arguments), text
                seen += bool(asked.tool_calls)
    assert seen > 5


@pytest.mark.parametrize("name", LACKING)
def test_what_needs_no_rewriting_renders_as_before(name: str) -> None:
    before, after = all_templates()[name], with_dialect(name, "auto")
    for seed in range(8):
        conversation = generated(seed, tools=False, reasoning=False, system=False)
        assert [s.marked() for s in render(conversation, after)] == [s.marked() for s in render(conversation, before)]


def test_the_system_prompt_moves_into_the_first_user_turn() -> None:
    plain = all_templates()["wild:gemma"]
    talk = Conversation((Message("system", "Be nice."), Message("user", "Hi"), Message("assistant", "Yo")))
    with pytest.raises(RowRefusedError):
        render(talk, plain)
    (sample,) = render(talk, rewritten(plain))
    assert "user\nBe nice.\n\nHi<end_of_turn>" in sample.text
    assert card(rewritten(plain)).system == "yes"


def test_reasoning_can_become_text() -> None:
    plain = all_templates()["library:phi"]
    talk = Conversation((Message("user", "Hi"), Message("assistant", "Yo", "hm")))
    template = rewritten(plain, reasoning=True)
    (sample,) = render(talk, template)
    assert "⟦<think>\nhm\n</think>\n\nYo<|end|>⟧" in sample.marked()
    assert read_answer("<think>\nhm\n</think>\n\nYo", template).message == Message("assistant", "Yo", "hm")


def test_a_template_that_lacks_nothing_stays_itself() -> None:
    template = all_templates()["trl:qwen3"]
    assert rewritten(template) is template
    assert rewritten(replace(template), "none").rewrites == ()
    with pytest.raises(UserError, match="hermes"):
        rewritten(template, "hermse")


def test_variables_of_a_template_are_set_in_its_source() -> None:
    template = all_templates()["trl:qwen3"]
    talk = Conversation((Message("user", "q"),))
    assert prompt(talk, settled(template, {"enable_thinking": False})).text.endswith("<think>\n\n</think>\n\n")
    again = settled(settled(template, {"enable_thinking": False}), {"enable_thinking": True})
    assert prompt(talk, again).text == prompt(talk, template).text
    with pytest.raises(UserError, match="enable_thinkin"):
        settled(template, {"enable_thinkin": False})
    with pytest.raises(UserError, match="messages"):
        settled(template, {"messages": []})
    odd = {"a": {"b": ["it's", None, True, 1.5, '日本 "x" {{ y }}']}}
    source = "  {% if a %}\n  {{ a | tojson }}{% endif %}"
    assert settled(Template(source), odd).render([]) == "  " + json.dumps(odd["a"], ensure_ascii=False)
