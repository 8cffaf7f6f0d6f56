"""The Template tab without a browser: cards, one's own conversation, reading back, hostile and broken templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from core.errors import UserError
from core.template.choose import bare_template
from core.template.probe import card
from webui.card import card_html
from webui.tabs.template import SAMPLE, TemplateTab
from webui.texts import Texts

LOOP = "{%- for i in range(90000) -%}{%- for j in range(90000) -%}{%- endfor -%}{%- endfor -%}x"
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
CHATML += "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


@pytest.fixture
def tab(board: Any) -> TemplateTab:
    made = TemplateTab(board)
    made.put_choice()
    made.card = gr.HTML()
    made.put_trials()
    made.listen()
    return made


def values_of(tab: Any, name: str = "starter", **given: str) -> dict[Any, Any]:
    values = {tab.name: name, tab.source: "", tab.tokens: "", tab.answer: "", tab.conversation: json.dumps(SAMPLE)}
    return values | {getattr(tab, key): value for key, value in given.items()}


def test_the_card_of_a_model_and_of_the_library(tab: Any) -> None:
    problem, shown, sample = tab.shown(values_of(tab))
    assert problem == ""
    assert shown.count("tb-fate-") == 11
    assert "&lt;|im_end|&gt;" in shown
    assert '<mark class="tb-m-tool_call">' in sample
    # The page says what the card says.
    of = card(bare_template("llama2"))
    shown = tab.shown(values_of(tab, "llama2"))[1]
    abilities = [of.system, of.developer, of.tools, of.calls, of.parallel_calls, of.text_beside_calls, of.results]
    abilities += [of.ends_with_call, of.reasoning, of.reasoning_in_history, of.content_parts]
    found = [part.partition('"')[0] for part in shown.split("tb-fate-")[1:]]
    assert found == abilities
    assert "written as text (hermes)" in shown


def test_a_pasted_template_wins_and_what_is_wrong_is_one_line(tab: Any) -> None:
    _, shown, sample = tab.shown(values_of(tab, source=CHATML))
    assert "tb-fate-swallowed" in shown
    assert "It is sunny." in sample
    for source, said in (
        ("{% for", "not a valid chat template"),
        (LOOP, "not a usable chat template"),
        ("{{ 'a' * 10 ** 10 }}", "not a usable chat template"),
        ("x" * 200_000, "longer than"),
    ):
        problem, shown, _ = tab.shown(values_of(tab, source=source))
        assert said in problem, problem
        assert "tb-fate" not in shown
    assert "not NAME=TEXT" in tab.shown(values_of(tab, source=CHATML, tokens="bos"))[0]


def test_own_conversations_are_rendered_as_in_training(tab: Any) -> None:
    shown = tab.tried(values_of(tab))
    assert '<mark class="tb-m-stop">&lt;|im_end|&gt;</mark>' in shown
    for text, said in (
        ("{", "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("1", "row is a"),
        ("{}", "messages"),
        ('{"messages": [{"role": "x", "content": "y"}]}', "unknown role"),
    ):
        assert said in tab.tried(values_of(tab, conversation=text)), text
    hostile = "<img src=x> ${1} {{x}}"
    row = {"messages": [{"role": "user", "content": hostile}, {"role": "assistant", "content": hostile}]}
    shown = tab.tried(values_of(tab, conversation=json.dumps(row)))
    assert not any(sign in shown for sign in ("<img", "${", "{{"))


@pytest.mark.parametrize("name", ["starter", "gemma"])
def test_what_the_template_writes_is_read_back(tab: Any, name: str) -> None:
    """Also of a template without tools, in the dialect in which training writes them."""
    assert '<mark class="tb-m-tool_call">' in tab.shown(values_of(tab, name))[2]
    assert '<mark class="tb-m-tool_call">' in tab.tried(values_of(tab, name))
    text = tab.filled(values_of(tab, name))
    assert "<tool_call>" in text
    shown = tab.read(values_of(tab, name, answer=text))
    assert "get_weather" in shown
    assert "tb-call" in shown
    assert "could not read" in tab.read(values_of(tab, answer="<tool_call>{nothing"))
    assert "Paste an answer" in tab.read(values_of(tab))


def test_only_own_runs_models_and_files_inside(tab: Any, tmp_path: Path) -> None:
    for name, said in (("/etc/passwd", "outside"), ("../x.jinja", "outside"), ("", "Choose a template")):
        assert said in tab.shown(values_of(tab, name))[0]
    with pytest.raises(UserError, match="cannot load the tokenizer"):
        tab.template(values_of(tab, "no-such-model"))


def test_an_upload_is_text_of_bounded_size(tab: Any, tmp_path: Path) -> None:
    for content, said in ((b"\xff\xfe\x00", "not a text"), (b"x" * 200_000, "longer than")):
        file = tmp_path / "mine.jinja"
        file.write_bytes(content)
        assert said in tab.uploaded(str(file))[1]
        assert not file.exists()
    file.write_text(CHATML, encoding="utf-8")
    assert tab.uploaded(str(file)) == (CHATML, "")


def test_a_card_is_text(tab: Any) -> None:
    of = card(bare_template("chatml"))
    html = card_html(
        type(of)(**{**{f: getattr(of, f) for f in of.__slots__}, "stop_tokens": ("<b>${x}",)}), (), Texts()
    )
    assert "<b>$" not in html
