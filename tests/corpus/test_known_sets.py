"""Rows in the shapes of well-known datasets, logs and frameworks, with words of our own: what becomes of each.

A line of known_sets.jsonl holds a row, its fate, format and codes, and who says what: `s`ystem, `u`ser, `a`ssistant,
`r`esult, with `?` where there is reasoning, the names of calls, and `-` where a message is switched off.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.conversation import Message, Row
from core.datasets import converted

CASES = [json.loads(line) for line in Path(__file__).with_name("known_sets.jsonl").read_text("utf-8").splitlines()]
_LETTERS = {"system": "s", "user": "u", "assistant": "a", "tool": "r"}


def said(message: Message) -> str:
    calls = "+".join(call.name.replace(" ", "_") for call in message.tool_calls)
    letter = _LETTERS[message.role] + "?" * bool(message.reasoning)
    return letter + (f"({calls})" if calls else "") + "-" * (message.train is False)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['set']}-{number}" for number, case in enumerate(CASES)])
def test_rows_of_known_sets(case: dict[str, Any]) -> None:
    row = Row(case["row"], "rows.jsonl", 1)
    done = converted(row, None)
    found = {
        "fate": done.fate,
        "format": done.layout.formatting if done.layout else None,
        "codes": " ".join(sorted({finding.code for finding in row.findings})),
        "said": " ".join(map(said, done.conversation.messages)) if done.conversation else "",
        "tools": len(done.conversation.tools) if done.conversation else 0,
    }
    assert found == {name: value for name, value in case.items() if name not in ("set", "row")}, row.findings
    assert done.layout is None or done.evidence, "the format is said with the evidence for it"
    conversation = done.conversation
    for message in conversation.messages if conversation else ():
        assert message.content or message.tool_calls or message.role == "tool"
        assert all(call.arguments or call.name == "Ferry_Info" or call.name == "f" for call in message.tool_calls)


def test_what_is_not_read_is_refused_by_name() -> None:
    for case in CASES:
        if case["format"] is None:
            row = Row(case["row"])
            converted(row, None)
            assert "cannot recognise" not in row.findings[0].message, case["set"]
