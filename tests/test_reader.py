"""What a template writes, the reader reads back: words, reasoning and calls, whole and while they are being written."""

from __future__ import annotations

import json
import random

import pytest

from core.conversation import Conversation, Message, RowRefusedError, ToolCall
from core.evaluate import same_value
from core.template.choose import text_template
from core.template.derive import answer_syntax
from core.template.losses import lost_calls, lost_in_calls
from core.template.reader import behind, call_syntax, read, read_answer, read_so_far, visible
from core.template.spans import render
from tests.material import all_templates, arguments, schema_of, tool

CALLING = sorted(name for name, template in all_templates().items() if answer_syntax(template).call is not None)
# What the templates themselves lose: words beside a call are written as reasoning, nulls left out, texts not quoted.
LOSE = {
    "trl:gptoss": ("words beside a call",),
    "trl:gptoss_training": ("words beside a call",),
    "wild:nested": ("null",),
    "wild:unquoted": ("texts that look like another argument",),
}


def turn(seed: int, most_calls: int = 3) -> Conversation:
    rng = random.Random(seed)
    count = min(rng.choice((1, 1, 2, 3)), most_calls)
    calls = tuple(ToolCall(f"f_{i}", arguments(rng), f"abcdefgh{i}") for i in range(count))
    tools = tuple(tool(c.name, {key: schema_of(value) for key, value in c.arguments.items()}) for c in calls)
    content, reasoning = rng.choice(("", "", "some words")), rng.choice(("", "deep thought"))
    return Conversation((Message("user", "q"), Message("assistant", content, reasoning, calls)), tools)


@pytest.mark.parametrize("name", CALLING)
def test_rendered_calls_read_back_equal(name: str) -> None:
    template = all_templates()[name]
    read_back = 0
    for seed in range(60):
        conversation = turn(seed)
        asked = conversation.messages[1]
        try:
            sample = render(conversation, template)[-1]
        except RowRefusedError:
            continue
        if lost_calls(conversation, [sample], template):
            continue
        text = sample.text[sample.spans[0].start : sample.spans[-1].end]
        answer = read_answer(text, template, conversation.tools)
        codes = {note.code for note in sample.notes}
        assert [call.name for call in answer.message.tool_calls] == [call.name for call in asked.tool_calls]
        for got, wanted in zip(answer.message.tool_calls, asked.tool_calls, strict=True):
            assert same_value(got.arguments, wanted.arguments), text
        assert not [finding for finding in answer.findings if finding.code == "TC520"]
        assert answer.message.content == ("" if "TC517" in codes else asked.content), text
        assert answer.message.reasoning == ("" if "RS604" in codes else asked.reasoning), text
        read_back += 1
    assert read_back > 10


@pytest.mark.parametrize("name", CALLING)
def test_what_is_lost_in_calls_is_known(name: str) -> None:
    template = all_templates()[name]
    assert lost_in_calls(template) == LOSE.get(name, ())
    told = [lost_calls(turn(seed), render(turn(seed), template), template) for seed in range(12) if takes(name, seed)]
    assert any(told) <= (name in LOSE)
    assert all(finding.code == "TC523" for findings in told for finding in findings)


@pytest.mark.parametrize("name", LOSE)
def test_rows_that_lose_something_are_named(name: str) -> None:
    template = all_templates()[name]
    given = {"a": "x, b=y", "b": None}
    tools = (tool("f", {key: {"type": ["string", "null"]} for key in given}),)
    call = Message("assistant", "some words", tool_calls=(ToolCall("f", given, "abcdefghi"),))
    conversation = Conversation((Message("user", "q"), call), tools)
    (finding,) = lost_calls(conversation, render(conversation, template), template)
    assert finding.code == "TC523"


def test_what_is_lost_is_found_where_parameters_must_be_described() -> None:
    source = (
        "{% for t in tools or [] %}{% for p in t.function.parameters.properties.values() %}"
        "{{ p.description.strip() }}{% endfor %}{% endfor %}"
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% for c in m.tool_calls or [] %}"
        "{{ '<call>' + {'name': c.function.name, 'arguments': c.function.arguments} | tojson | indent(2) + '</call>' }}"
        "{% endfor %}{{ '</s>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    )
    assert lost_in_calls(text_template(source, "described")) == ("line breaks",)


def takes(name: str, seed: int) -> bool:
    try:
        render(turn(seed), all_templates()[name])
    except RowRefusedError:
        return False
    return True


@pytest.mark.parametrize("name", CALLING)
def test_half_a_marker_never_shows(name: str) -> None:
    template = all_templates()[name]
    conversation = turn(4)
    try:
        sample = render(conversation, template)[-1]
    except RowRefusedError:
        return
    spans = [span for span in sample.spans if span.kind != "stop"]
    syntax = behind(sample.text[: spans[0].start], answer_syntax(template))
    text = sample.text[spans[0].start : spans[-1].end]
    full = read(text, syntax, conversation.tools)
    seen = 0
    for length in range(len(text) + 1):
        shown = visible(text[:length], syntax)
        assert full.content.startswith(shown.strip()), (text[:length], shown)
        calls = len(read_so_far(text[:length], syntax, conversation.tools).tool_calls)
        assert calls >= seen
        seen = calls
    assert seen == len(full.tool_calls)


@pytest.mark.parametrize("name", sorted(all_templates()))
def test_plain_answers_read_back(name: str) -> None:
    template = all_templates()[name]
    asked = Message("assistant", "first line\n\nsecond [1] {2} a=b (c)", "hm, let me see")
    sample = render(Conversation((Message("user", "q"), asked)), template)[-1]
    text = sample.text[sample.spans[0].start : sample.spans[-1].end]
    message = read_answer(text, template).message
    codes = {note.code for note in sample.notes}
    assert message.content == asked.content, text
    assert message.reasoning == ("" if "RS604" in codes else asked.reasoning), text
    assert not message.tool_calls


def test_a_malformed_call_keeps_the_rest() -> None:
    template = all_templates()["wild:hermes"]
    good = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
    bad = '<tool_call>\n{"name": "g", "argu\n</tool_call>'
    answer = read_answer(f"Well. {good}\n{bad}\n{good}", template)
    assert [call.name for call in answer.message.tool_calls] == ["f", "f"]
    assert '{"name": "g", "argu' in answer.message.content
    assert answer.message.content.startswith("Well.")
    assert [finding.code for finding in answer.findings] == ["TC520"]


def test_arguments_are_cast_and_checked() -> None:
    template = all_templates()["wild:xml"]
    properties = {"count": {"type": "integer"}, "on": {"type": "boolean"}, "name": {"type": "string"}}
    text = (
        "<tool_call>\n<function=f>\n<parameter=count>\n12\n</parameter>\n<parameter=on>\nTrue\n</parameter>\n"
        "<parameter=extra>\n[1, 2]\n</parameter>\n</function>\n</tool_call>"
    )
    answer = read_answer(text, template, [tool("f", properties)])
    assert answer.message.tool_calls[0].arguments == {"count": 12, "on": True, "extra": [1, 2]}
    assert [finding.code for finding in answer.findings] == ["TC508"]
    assert "name is missing" in answer.findings[0].message
    unknown = read_answer(text.replace("=f>", "=g>"), template, [tool("f", properties)])
    assert unknown.findings[0].code == "TC507"


def test_text_behind_the_stop_token_is_not_read() -> None:
    template = all_templates()["library:chatml"]
    assert read_answer("Yes.<|im_end|>\n<|im_start|>user\nno", template).message.content == "Yes."


def test_unfinished_reasoning_shows_nothing() -> None:
    template = all_templates()["trl:qwen3"]
    syntax = call_syntax(template)
    assert visible("<thi", syntax) == ""
    assert visible("<think>\nlet me", syntax) == ""
    assert read_so_far("<think>\nlet me", syntax).reasoning == "let me"
    assert visible("<think>\nlet me\n</think>\n\nYes", syntax) == "Yes"
    whole = read_answer("<think>\nlet me", template)
    assert whole.message.content == "<think>\nlet me"
    assert whole.findings[0].code == "RS602"


def test_words_that_look_like_calls_stay_words() -> None:
    pythonic = all_templates()["wild:pythonic"]
    assert read_answer("see [1] and [f(x)] there", pythonic, [tool("g")]).message.content == "see [1] and [f(x)] there"
    bare = all_templates()["wild:bare_json"]
    assert read_answer('{"a": 1} is JSON', bare).message.content == '{"a": 1} is JSON'
    assert json.loads(read_answer('{"a": 1}', bare).message.content) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}", ""),
        ("<|channel|>analysis to=functions.f code<|message|>{}", ""),
        ("<|channel|>commentary to=functions.f<|message|>{}", ""),
        (" to=functions.f<|channel|>commentary json<|message|>{}", ""),
        (
            "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.f "
            "<|constrain|>json<|message|>{}",
            "I look.",
        ),
    ],
)
@pytest.mark.parametrize("thought", ["", "<|channel|>analysis<|message|>hm<|end|><|start|>assistant"])
def test_a_channel_of_another_name_is_none_of_the_words(thought: str, text: str, words: str) -> None:
    syntax = call_syntax(all_templates()["trl:gptoss"])
    message = read(thought + text, syntax, [tool("f", {})])
    assert (message.content, message.reasoning) == (words, "hm" if thought else "")
    assert [call.name for call in message.tool_calls] == ["f"]
    shown = [visible((thought + text)[:end], syntax).strip() for end in range(len(thought + text))]
    assert all(words.startswith(part) for part in shown)


def test_texts_without_quotes_end_at_the_next_argument_that_the_tool_has() -> None:
    template = all_templates()["wild:unquoted"]
    (call,) = read_answer("[f(a=x=1, y=2)  , b=z])]", template, [tool("f", {"a": {}, "b": {}})]).message.tool_calls
    assert call.arguments == {"a": "x=1, y=2)  ", "b": "z]"}
    (call,) = read_answer("[f(a=x, b=y)]", template).message.tool_calls
    assert call.arguments == {"a": "x", "b": "y"}


def test_the_prompt_says_whether_reasoning_is_open() -> None:
    template = all_templates()["wild:typed"]
    syntax = call_syntax(template)
    assert visible("Because", behind("<|assistant|><think>", syntax)) == ""
    assert visible("Because", behind("<|assistant|><think></think>", syntax)) == "Because"
    assert read("Because</think>Yes", syntax).reasoning == "Because"


def test_a_template_that_cannot_stand_no_tools_is_given_an_empty_list() -> None:
    template = all_templates()["wild:unquoted"]
    sample = render(Conversation((Message("user", "q"), Message("assistant", "a"))), template)[0]
    assert sample.marked() == "<|user|>q<|end|><|assistant|>⟦a<|end|>⟧"
