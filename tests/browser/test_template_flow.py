"""In a real browser: templates tried on conversations, and answers read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.test_board import choose, open_tab, until

pytestmark = pytest.mark.browser
GREETING = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
GREETING += "{% if add_generation_prompt %}<assistant>{% endif %}"


def test_templates_of_a_model_the_library_and_a_file(page: Any, server: Any) -> None:
    page.goto(server.url)
    open_tab(page, "Template")
    page.wait_for_selector("#template-card .tb-fate-yes")
    assert page.locator("#template-example mark.tb-m-tool_call").count() >= 1

    choose(page, "#template-name", "vicuna")
    until(lambda: "tools and calls are written as text" in page.locator("#template-card").inner_text(), "the rewriting")
    (server.folder / "mine.jinja").write_text(GREETING, encoding="utf-8")
    choose(page, "#template-name", "mine.jinja")
    until(lambda: "<end>" in page.locator("#template-example").inner_text(), "the file's example")

    choose(page, "#template-name", "no_such_template")
    page.wait_for_selector("#template-problem .tb-bad")


def test_a_conversation_of_ones_own_and_an_answer_read_back(page: Any, server: Any) -> None:
    page.goto(server.url)
    open_tab(page, "Template")
    page.get_by_role("button", name="Try your own conversation").click()
    page.wait_for_selector("#template-rendered mark.tb-m-tool_call")
    talk = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Good morning"}]}
    page.locator("#template-conversation textarea").fill(json.dumps(talk))
    until(lambda: "Good morning" in page.locator("#template-rendered mark").all_inner_texts(), "its spans")
    page.locator("#template-conversation textarea").fill("{")
    page.wait_for_selector("#template-rendered .tb-bad")

    page.get_by_role("button", name="Read an answer back").click()
    page.locator("#template-fill").click()
    page.wait_for_selector("#template-read .tb-call")
    assert page.locator("#template-read .tb-call-title code").inner_text() == "get_weather"
    assert '"arguments": "{\\"city\\": \\"Rome\\"}"' in page.locator("#template-read .tb-raw").inner_text()
