"""Reasoning is read where a template only knows its tags: in its prompts, in empty ones, in what it cuts off."""

from __future__ import annotations

import pytest

from core.conversation import Conversation, Message
from core.template.choose import text_template
from core.template.reader import behind, call_syntax, read, visible
from core.template.sandbox import Template
from core.template.spans import prompt

HEAD = "{% for m in messages %}{{ '[' ~ m.role ~ ']' }}"
REST = "{{ m.content ~ '</s>' }}{% endfor %}"
ASK = "{% if add_generation_prompt %}{{ '[assistant]PROMPT' }}{% endif %}"
KNOWS = "{#- </muse> ends what comes first. -#}"
KNOWN = {
    "the prompt opens it": KNOWS + HEAD + REST + ASK.replace("PROMPT", "<muse>\\n"),
    "the prompt closes it": HEAD + REST + ASK.replace("PROMPT", "</muse>"),
    "the prompt has an empty one": HEAD + REST + ASK.replace("PROMPT", "<muse>\\n\\n</muse>\\n"),
    "without thinking the prompt has an empty one": HEAD
    + REST
    + ASK.replace("PROMPT' }}", "' }}{% if enable_thinking is false %}{{ '<muse></muse>' }}{% endif %}"),
    "answers begin with an empty one": HEAD
    + "{% if m.role == 'assistant' %}{{ '<muse></muse>' }}{% endif %}"
    + REST
    + ASK.replace("PROMPT", ""),
    "earlier answers lose what stands before its end": HEAD
    + "{{ (m.content if loop.last else m.content.split('</muse>')[-1]) ~ '</s>' }}{% endfor %}"
    + ASK.replace("PROMPT", ""),
}


def asked(template: Template) -> str:
    return prompt(Conversation((Message("user", "q"),)), template).text


@pytest.mark.parametrize("source", KNOWN.values(), ids=KNOWN)
def test_reasoning_that_a_template_never_writes_is_read(source: str) -> None:
    template = text_template(source, "of a test")
    syntax = behind(asked(template), call_syntax(template))
    text = ("" if syntax.thinks_at_once else "<muse>\n") + "Is it?\n</muse>\n\nYes."
    message = read(text, syntax)
    assert (message.reasoning, message.content) == ("Is it?", "Yes.")
    assert all("Yes.".startswith(visible(text[:end], syntax)) for end in range(len(text)))


def test_the_tags_of_roles_are_no_reasoning() -> None:
    for source in (
        "{% for m in messages %}{{ '<' ~ m.role ~ '>' ~ m.content ~ '</' ~ m.role ~ '>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}{#- </assistant> -#}",
        "{% for m in messages %}{{ '<role>' ~ m.role ~ '</role>' ~ m.content ~ '</s>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<role>assistant</role>' }}{% endif %}",
    ):
        assert call_syntax(text_template(source, "of a test")).reasoning_close == ""


def test_reasoning_that_words_of_the_prompt_open() -> None:
    source = HEAD + "{% if m.reasoning_content %}{{ m.reasoning_content ~ '[ANSWER]' }}{% endif %}" + REST
    template = text_template(source + ASK.replace("PROMPT", "I think:\\n"), "of a test")
    syntax = call_syntax(template)
    opened = behind(asked(template), syntax)
    assert visible("Is it", opened) == ""
    assert read("Is it?[ANSWER]Yes.", opened).reasoning == "Is it?"
    assert visible("Yes", behind("[user]q</s>[assistant]", syntax)) == "Yes"
