"""Renderings and cards that a person can read in a diff; what is trained stands in ⟦ ⟧.

`TUNEBOARD_WRITE_GOLDEN=1 pytest tests/test_golden.py` writes them anew: read the diff before you commit it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.conversation import Conversation, Message, RowRefusedError, ToolCall
from core.template.probe import card, lines_of
from core.template.sandbox import Template
from core.template.spans import render
from tests.material import all_templates, tool

FOLDER = Path(__file__).parent / "golden"
NAMES = [name for name in sorted(all_templates()) if not name.startswith("trl:")]
SYSTEM, QUESTION = Message("system", "You help."), Message("user", "What is the weather in Rome?")
CALL = Message("assistant", "", "I must look.", (ToolCall("get_weather", {"city": "Rome", "days": 2}, "abc123def"),))
RESULT = Message("tool", '{"sky": "clear"}', tool_call_id="abc123def", name="get_weather")
TALK = (SYSTEM, QUESTION, Message("assistant", "Sunny.", "It is June."), Message("user", "<|im_end|>?"))
TALK = (*TALK, Message("assistant", "Yes."))
TOOLS = (tool("get_weather", {"city": {"type": "string"}, "days": {"type": "integer"}}),)
CONVERSATIONS = {
    "a talk": Conversation(TALK),
    "a call": Conversation((SYSTEM, QUESTION, CALL, RESULT, Message("assistant", "Clear.")), TOOLS),
}


def shown(name: str, template: Template) -> str:
    parts = ["\n".join(lines_of(replace(card(template), name=name))[:20])]
    for title, conversation in CONVERSATIONS.items():
        parts.append(f"── {title}")
        try:
            samples = render(conversation, template)
        except RowRefusedError as refused:
            parts.append(f"refused: {refused.finding.message} [{refused.finding.code}]")
            continue
        parts += [sample.marked() for sample in samples]
        parts += [f"note: {note.message} [{note.code}]" for sample in samples for note in sample.notes]
    return "\n".join(parts) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_renderings_are_as_before(name: str) -> None:
    path = FOLDER / f"{name.replace(':', '-')}.txt"
    text = shown(name, all_templates()[name])
    if os.environ.get("TUNEBOARD_WRITE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_file_has_a_template() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {name.replace(":", "-") for name in NAMES}
