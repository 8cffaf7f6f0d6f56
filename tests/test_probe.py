"""The card says what a template does, and the commands show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import main
from core.conversation import Conversation, Message, ToolCall
from core.template.choose import library_names, text_template
from core.template.probe import card
from core.template.spans import render
from tests.material import WILD, all_templates, tool


def test_cards_tell_families_apart() -> None:
    cards = {name: card(template) for name, template in all_templates().items()}
    assert cards["wild:gemma"].system == "refused"
    assert cards["trl:llama3"].calls == "swallowed"
    assert cards["trl:llama3_1"].parallel_calls == "refused"
    assert cards["trl:gptoss"].parallel_calls == "swallowed"
    assert cards["wild:bare_json"].arguments == "text"
    assert cards["wild:mistral"].call_ids == "nine characters"
    assert cards["trl:qwen3"].history == "changes"
    assert cards["trl:qwen3"].reasoning == "yes"
    assert cards["trl:qwen3"].reasoning_in_history == "swallowed"
    assert cards["wild:llama2"].alternates
    assert cards["wild:parts"].content_parts == "yes"
    assert cards["trl:gemma4"].stop_tokens[:2] == ("<turn|>", "<|tool_response>")
    assert all(of.example for of in cards.values())


def test_reasoning_is_given_where_a_template_looks_for_it() -> None:
    thought = Message("assistant", "Yes.", "Is it?")
    (sample,) = render(Conversation((Message("user", "q"), thought)), all_templates()["wild:thinking_parts"])
    assert sample.marked() == "[USER]q</s>[ASSISTANT]⟦[THINK]Is it?[/THINK]Yes.</s>⟧"
    call = Message("assistant", "", "I must look.", (ToolCall("f", {}, "abcdefghi"),))
    (sample,) = render(Conversation((Message("user", "q"), call), (tool("f", {}),)), all_templates()["wild:plans"])
    assert [span.kind for span in sample.spans] == ["reasoning", "tool_call", "stop"]
    assert "<|assistant|>⟦<|plan|>I must look.<|planned|><|calls|>" in sample.marked()
    assert not sample.notes


def test_reasoning_that_ends_as_answers_do_is_not_given() -> None:
    source = (
        "{% for m in messages %}{% if m.reasoning %}{{ '<|think|>' + m.reasoning + '<|end|>' }}{% endif %}"
        "{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
    )
    template = text_template(source, "ends twice")
    (sample,) = render(Conversation((Message("user", "q"), Message("assistant", "Yes.", "Is it?"))), template)
    assert "Is it?" not in sample.text
    assert [note.code for note in sample.notes] == ["RS604"]


@pytest.fixture
def conversation(tmp_path: Path) -> str:
    path = tmp_path / "conversation.json"
    row = {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}],
        "tools": [{"type": "function", "function": {"name": "f", "description": "", "parameters": {"type": "object"}}}],
    }
    path.write_text(json.dumps(row), encoding="utf-8")
    return str(path)


def test_render_command(conversation: str, capsys: pytest.CaptureFixture[str]) -> None:
    template = str(WILD / "zephyr.jinja")
    arguments = ["template", "render", "--template", template, "--conversation", conversation]
    assert main([*arguments, "--json", "--special-tokens", "eos_token=<end>"]) == 0
    shown = json.loads(capsys.readouterr().out)
    (sample,) = shown["samples"]
    assert sample["text"] == "<|user|>\nHi<end>\n<|assistant|>\nYo<end>\n"
    assert [sample["text"][s["start"] : s["end"]] for s in sample["spans"]] == ["Yo", "<end>"]
    assert {"start", "end", "kind", "message"} <= set(sample["spans"][0])
    assert shown["findings"] == []
    assert main(arguments) == 0
    assert "⟦Yo</s>⟧" in capsys.readouterr().out


def test_card_and_list_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "list"]) == 0
    assert set(capsys.readouterr().out.split()) == {"auto", *library_names()}
    assert main(["template", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == "auto"
    assert main(["template", "card", "chatml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tools"] == "yes"
    assert main(["template", "card", "starter"]) == 0
    assert "generation prompt" in capsys.readouterr().out


def test_read_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "answer.txt"
    text.write_text(
        'Well.\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>', encoding="utf-8"
    )
    assert main(["template", "read", "--template", "qwen", "--text", str(text), "--json"]) == 0
    message = json.loads(capsys.readouterr().out)
    assert message["role"] == "assistant"
    assert message["content"] == "Well."
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}


def test_mistakes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.jinja"
    broken.write_text("{% for m in messages %}", encoding="utf-8")
    assert main(["template", "card", str(broken)]) == 2
    assert "not a valid chat template" in capsys.readouterr().err
    assert main(["template", "card", "chatml", "--special-tokens", "oops"]) == 2
    assert "NAME=TEXT" in capsys.readouterr().err
