"""Rows that are read in another shape: where their findings lead to in the rows themselves."""

from __future__ import annotations

from typing import Any

import pytest

from core.conversation import Row
from core.datasets import converted
from core.formats.reshape import own_path

ASKED, BOT = {"role": "user", "content": "a"}, {"role": "bot", "content": "b"}


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"convo": [ASKED, BOT]}, "convo[1].role"),
        ({"data": {"Messages": [ASKED, BOT], "n": 1}}, "data.Messages[1].role"),
        ({"utterances": [{"speaker": "user", "text": "a"}, {"speaker": "bot", "text": "b"}]}, "utterances[1].speaker"),
        ({"对话": [ASKED, BOT], "n": [1, 2]}, "对话[1].role"),
        ({"Frage": "a", "Antwort": ""}, "Antwort"),
        # A list of pairs holds no key to lead to.
        ({"traj": [["user", "a"], ["bot", "b"]]}, "messages[1].role"),
    ],
)
def test_a_finding_leads_into_the_row_itself(data: Any, path: str) -> None:
    row = Row(data, "rows.jsonl", 1)
    converted(row, None)
    assert [found.path for found in row.findings if found.code in ("RO201", "SH111")] == [path]


def test_a_path_that_is_not_certain_stays() -> None:
    inner = [{"role": "user"}]
    assert own_path("messages[0].role", {"messages": inner}, {"a": inner, "b": inner}) == "messages[0].role"
    assert own_path("$", {"messages": inner}, {"a": inner}) == "$"
    assert own_path("messages[7]", {"messages": [{}]}, {"a": [{}]}) == "messages[7]"
    assert own_path("messages[0].x[1]", {"messages": inner}, {"a": inner}) == "a[0].x[1]"
