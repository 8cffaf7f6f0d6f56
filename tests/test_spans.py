"""What is trained of a conversation: turns, weights, shown history, stop tokens; and the same from many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from core.conversation import Conversation, Message, RowRefusedError, ToolCall
from core.template.choose import text_template
from core.template.parts import KINDS
from core.template.sandbox import Template
from core.template.spans import render, trained_turns
from core.template.trace import trace_regions
from tests.material import all_templates, generated, tool

TALK = Conversation(
    (
        Message("system", "Be kind."),
        Message("user", "q1"),
        Message("assistant", "a1", "r1"),
        Message("user", "q2"),
        Message("assistant", "a2", "r2"),
    )
)
HIDES = all_templates()["wild:hides_thinking"]


def marked(conversation: Conversation, template: Template, *options: str) -> list[str]:
    return [sample.marked() for sample in render(conversation, template, *options)]  # type: ignore[arg-type]


def test_hidden_history_becomes_samples_as_the_model_saw_them() -> None:
    whole, first = render(TALK, HIDES)
    assert "⟦<think>\nr2\n</think>\n\na2<|im_end|>⟧" in whole.marked()
    assert "r1" not in whole.text
    assert "⟦<think>\nr1\n</think>\n\na1<|im_end|>⟧" in first.marked()
    assert "q2" not in first.text
    assert [note.code for note in whole.notes] == ["MK702"]


def test_the_other_ways_with_hidden_history() -> None:
    (last,) = render(TALK, HIDES, unstable_history="last_turn")
    assert {span.message for span in last.spans} == {4}
    (shown,) = marked(TALK, HIDES, "assistant", "as_rendered")
    assert "assistant\n⟦a1<|im_end|>⟧" in shown
    assert "⟦<think>\nr2\n</think>\n\na2<|im_end|>⟧" in shown
    with pytest.raises(RowRefusedError, match="MK702"):
        render(TALK, HIDES, unstable_history="error")


def test_which_turns_are_trained() -> None:
    messages = list(TALK.messages)
    assert trained_turns(TALK) == [2, 4]
    assert trained_turns(TALK, "last_turn") == [4]
    messages[2] = replace(messages[2], train=True)
    assert trained_turns(replace(TALK, messages=tuple(messages)), "last_turn") == [2, 4]
    messages[2] = replace(messages[2], train=None, weight=0.0)
    assert trained_turns(replace(TALK, messages=tuple(messages))) == [4]
    messages[4] = replace(messages[4], train=False)
    assert trained_turns(replace(TALK, messages=tuple(messages)), "all") == []


def test_everything_but_results_can_be_trained() -> None:
    conversation = generated(5, tools=True, reasoning=False, system=True)
    (sample,) = render(conversation, all_templates()["wild:hermes"], "all")
    trained = "".join(sample.text[span.start : span.end] for span in sample.spans)
    assert "tzq" not in trained
    assert "uzq" in trained
    assert "szq" in trained
    assert "azq" in trained


def test_kinds_of_a_turn() -> None:
    conversation = generated(12, tools=True, reasoning=True, system=False)
    (sample, *_) = render(conversation, all_templates()["trl:qwen3_training"])
    for span in sample.spans:
        text = sample.text[span.start : span.end]
        assert ("rzq" in text) <= (span.kind == "reasoning")
        assert ("azq" in text) <= (span.kind == "text")
        assert ("<tool_call>" in text) <= (span.kind == "tool_call")
        assert (text == "<|im_end|>") == (span.kind == "stop")
    assert {span.kind for span in sample.spans} <= set(KINDS)


def test_a_template_without_a_stop_token_is_named() -> None:
    template = Template("{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}", name="bare")
    talk = Conversation((Message("user", "q"), Message("assistant", "a")))
    (sample,) = render(talk, template)
    assert [note.code for note in sample.notes] == ["MK704"]
    # There is no generation prompt: the model has to write its name itself.
    assert sample.marked() == "user: q\n⟦assistant: a⟧\n"


def test_a_turn_that_is_closed_behind_white_space_when_another_follows() -> None:
    source = (
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}"
        "{% if not loop.last %}{{ '\n<|end|>\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '\n<|end|>\n<|assistant|>' }}{% endif %}"
    )
    turns = (Message("user", "q"), Message("assistant", "Yes."))
    (sample,) = render(Conversation(turns * 2), text_template(source, "closes late", {"eos_token": "<|end|>"}))
    assert "⟦Yes.\n<|end|>⟧\n<|user|>" in sample.marked()


def test_a_call_behind_a_stop_token_is_named() -> None:
    source = (
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% for c in m.tool_calls or [] %}"
        "{{ '<|call|>' + c.function.name + c.function.arguments | tojson + '<|end|>' }}{% endfor %}{% endfor %}"
    )
    turns = (Message("user", "q"), Message("assistant", "", tool_calls=(ToolCall("f", {}, "abcdefghi"),)))
    with pytest.raises(RowRefusedError, match="writes the call f behind a stop token"):
        render(Conversation(turns, (tool("f"),)), text_template(source, "stops", {"eos_token": "<|end|>"}))


def test_forged_marks_are_refused() -> None:
    talk = Conversation((Message("user", "\U000f1000" + "0-\U000f1001"), Message("assistant", "a")))
    with pytest.raises(RowRefusedError, match="private characters"):
        render(talk, HIDES)


def test_shuffled_messages_are_refused_not_guessed() -> None:
    loop = "{% for m in messages | reverse %}{{ m.role + m.content }}{% endfor %}"
    template = Template(loop + "{% if add_generation_prompt %}!{% endif %}")
    talk = Conversation((Message("user", "q"), Message("assistant", "a")))
    with pytest.raises(RowRefusedError):
        render(talk, template)


def test_a_trace_that_changes_the_text_is_not_trusted() -> None:
    template = Template("{% set x %}{% for m in messages %}{{ m.content }}{% endfor %}{% endset %}{{ x | length }}")
    messages = [{"role": "user", "content": "abc"}]
    assert trace_regions(template, messages, (), template.render(messages)) is None


def test_threads_do_not_disturb_each_other() -> None:
    names = ["trl:qwen3", "trl:gptoss", "wild:hermes", "wild:glm"]
    work = [(name, generated(seed, tools=False, reasoning=True, system=True)) for seed in range(30) for name in names]
    alone = [marked(conversation, all_templates()[name]) for name, conversation in work]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda item: marked(item[1], all_templates()[item[0]]), work))
    assert together == alone
