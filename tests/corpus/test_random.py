"""Random JSON and random damage: never an exception, always a reason, always counts that add up."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.check import check
from core.conversation import Finding, Row
from core.datasets import Source, UnusableError, convert_row
from core.datasets.jsonrows import json_rows
from core.errors import UserError
from core.formats import detect
from tests.test_datasets import KINDS

KEYS = st.sampled_from(
    [
        *("messages", "conversations", "role", "from", "content", "value", "tools", "tool_calls", "function", "name"),
        *("id", "arguments", "parameters", "type", "text", "system", "instruction", "output", "input", "history"),
        *("weight", "parts", "contents", "segments", "label", "prompt", "completion", "query", "answers", "chat"),
        *("channel", "properties"),
    ]
)
WORDS = st.sampled_from(
    [
        *("user", "assistant", "system", "tool", "human", "gpt", "function_call", "observation", "text", "object"),
        *("function", "<think>", "</think>", "<tool_call>{", "tool_use", "tool_result", "python", "reasoning"),
        *("[f(x=1)]", "", " ", "\ud800", "\0", '{"name": "f", "arguments": "{}"}', "USER: a ASSISTANT: b"),
        "Action: a\nAction Input: {",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=5),
    max_leaves=25,
)  # fmt: skip
MESSAGE = st.dictionaries(KEYS, JSON, max_size=4) | st.fixed_dictionaries({"role": WORDS, "content": JSON})
ROWLIKE = st.fixed_dictionaries({}, optional={
    "messages": st.lists(MESSAGE, max_size=5) | JSON,
    "conversations": st.lists(st.fixed_dictionaries({"from": WORDS, "value": JSON}), max_size=4),
    "tools": JSON, "system": JSON, "contents": JSON, "instruction": JSON, "output": JSON, "segments": JSON,
    "query": JSON, "answers": JSON, "prompt": JSON, "completion": JSON, "text": JSON, "chat": WORDS, "input": JSON,
})  # fmt: skip
QUICK = settings(max_examples=200)


@given(JSON | ROWLIKE, st.sampled_from(["strict", "default", "lenient"]))
@QUICK
def test_random_json_never_raises_and_is_kept_or_explained(value: Any, profile: Any) -> None:
    row = Row(value, "x", 1, lenient=profile == "lenient")
    fate, conversation = convert_row(row, detect(value), profile)
    assert fate in ("kept", "repaired", "dropped")
    assert (conversation is None) == (fate == "dropped")
    if fate == "dropped":
        assert any(finding.action in ("dropped", "stopped") for finding in row.findings)
    if conversation is not None:
        assert any(message.role == "assistant" and message.train is not False for message in conversation.messages)
        json.dumps(conversation.to_openai(), ensure_ascii=False).encode("utf-8")


KNOWN = [
    json.loads(line)["row"] for line in Path(__file__).with_name("known_sets.jsonl").read_text("utf-8").splitlines()
]
ODD = [None, "", 0, 1.5, True, [], {}, "x", [None], [1], {"a": 1}, "[{", [[]], [{}], {"role": "user"}, "User: a"]
NAMES = ["content", "role", "from", "id", "parentId", "type", "messages", "parts", "message", "history", "attributes"]


def disfigured(value: Any, seed: int) -> Any:
    """A row with some of its values made odd, left out, doubled, or given another name."""
    chance = random.Random(seed)
    whole = json.loads(json.dumps(value))
    for _ in range(chance.randint(1, 4)):
        places = [(at, key) for at in _containers(whole) for key in (at if isinstance(at, dict) else range(len(at)))]
        if not places:
            break
        at, key = chance.choice(places)
        what = chance.randrange(5)
        if what == 0 and isinstance(at, dict):
            del at[key]
        elif what == 1 and isinstance(at, dict):
            at[chance.choice(NAMES)] = at[key]
        elif what == 1:
            at.append(at[key])
        else:
            at[key] = json.loads(json.dumps(chance.choice(ODD)))
        whole = json.loads(json.dumps(whole))
    return whole


def _containers(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    found = [value] if isinstance(value, dict | list) else []
    return found + [one for item in inner for one in _containers(item)]


@given(st.sampled_from(KNOWN), st.integers(0, 2**32))
@settings(max_examples=400)
def test_disfigured_rows_of_known_sets_never_raise(known: Any, seed: int) -> None:
    row = Row(disfigured(known, seed), "x", 1)
    fate, conversation = convert_row(row, None)
    assert (conversation is None) == (fate == "dropped")
    assert conversation is not None or row.findings


def damaged(data: bytes, seed: int) -> bytes:
    """Bytes flipped, cut, doubled, or swapped."""
    chance = random.Random(seed)
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, to = sorted((chance.randrange(len(out) + 1), chance.randrange(len(out) + 1)))
        to = min(to, at + chance.choice([1, 5, 200]))
        what = chance.randrange(4)
        if what == 0:
            del out[at:to]
        elif what == 1:
            out[at:at] = out[at:to]
        elif what == 2:
            out[at:to] = bytes(chance.randrange(256) for _ in range(to - at))
        else:
            out[at:at] = chance.choice([b'"', b"{", b"]", b"\n", b"\\", b",", b"\xff", b"null"])
        if not out:
            return b"x"
    return bytes(out)


SAMPLES = [name for name in KINDS if name not in ("b.csv", "a.ndjson")]


@pytest.mark.parametrize("name", SAMPLES)
@given(seed=st.integers(0, 2**32))
# An Arrow stream that says of a part of it that it is larger than any memory.
@example(seed=232004888)
@settings(max_examples=25)
def test_damaged_files_never_raise_and_counts_add_up(name: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(damaged(KINDS[name](), seed))
        try:
            rows = check(Source("x", file)).report.rows
        except UserError:
            return
    assert rows["in"] == rows["kept"] + rows["repaired"] + rows["dropped"]


@given(st.lists(ROWLIKE, max_size=4), st.integers(0, 2**32), st.booleans())
@QUICK
def test_damaged_json_rows_have_a_reason(values: list[Any], seed: int, lenient: bool) -> None:
    data = "\n".join(json.dumps(value) for value in values).encode()
    notes: list[Finding] = []
    codes = "all rows"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.jsonl"
        file.write_bytes(damaged(data or b"x", seed))
        try:
            for row in json_rows(file, notes, lenient):
                assert row.line > 0
                assert row.data is None or not row.unreadable
        except UnusableError as error:
            codes = error.finding.code
    assert codes
