"""What is said of rows that no format fits: the option that reads them, with their own names, and that it works."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.config import DataOptions
from core.conversation import Row
from core.datasets import converted, find_source, load_dataset, with_options
from core.formats import Layout, nearest, nearest_options

CASES: list[tuple[Any, str]] = [
    ({"article": "Rain all week.", "highlights": "Rain."}, "{prompt: article, response: highlights}"),
    ({"id": "7", "problem": "1 + 1", "answer": "2"}, "{prompt: problem, response: answer}"),
    ({"question": "Who?", "query": "SELECT name"}, "{prompt: question, response: query}"),
    ({"src": "sea", "tgt": "mer", "lang": "fr"}, "{prompt: src, response: tgt}"),
    ({"log": [{"who": "user", "said": "Hi"}, {"who": "bot", "said": "Yes?"}]}, "{messages: log}"),
    ({"messages": [{"speaker_name": "user", "line": "Hi", "n": 1}, {"speaker_name": "ai", "line": "Yes?"}]}, "line}"),
    ({"title": "T", "body": "B", "tags": "x"}, "(texts: title, body, tags)"),
    ({"context": "Sea.", "question": "Hue?", "answers": {"text": ["blue"]}}, "{prompt: question, response: ANSWER}"),
    ({"events": [{"n": 1, "payload": {}}]}, "Column events is a list of objects with n, payload"),
    ({"instruction": "Greet."}, "Closest: alpaca (missing output)"),
    ({"messages": {"a": 1}}, "Closest: openai, but its value is of another type"),
    ({"data": {"chats": [{"prompt": "a", "completion": "b"}]}, "v": 2}, "jq -c '.data.chats[]'"),
    ({"my-store": {"s": {"rows": [{"text": "a"}]}}}, "jq -c '.[\"my-store\"].s.rows[]'"),
    ({"talk": "Ann: Tide?", "n": 1}, "--formatting text --columns '{text: talk}'"),
    ({"talk": "Tide?", "data": {"at": "06:12"}}, "No format has these keys"),
    ({"foo": 1}, "No format has these keys"),
    (7, "A row is an object"),
]


@pytest.mark.parametrize(("data", "said"), CASES)
def test_the_hint_names_what_to_map(data: Any, said: str) -> None:
    assert said in nearest(data)


@pytest.mark.parametrize("data", [data for data, _ in CASES[:6]])
def test_what_the_hint_says_reads_the_row(data: Any) -> None:
    row = Row(data)
    assert converted(row, None).fate == "dropped"
    hint = row.findings[0].message
    words = {word: dict(re.findall(r"(\w+): (\w+)", rest)) for word, rest in re.findall(r"--(\w+) '{(.*?)}'", hint)}
    options = nearest_options(data)
    assert {word: options[word] for word in words} == words
    layout = Layout(options.get("formatting", "alpaca"), words["columns"], words.get("tags", {}))
    again = converted(Row(data), layout)
    assert again.conversation is not None
    assert [message.role for message in again.conversation.messages] == ["user", "assistant"]


@pytest.mark.parametrize("data", [data for data, _ in CASES[6:]])
def test_where_a_person_must_say_more_there_are_no_options(data: Any) -> None:
    assert nearest_options(data) == {}


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["Ann", "Bob", "Ann"], {"Ann": "user", "Bob": "assistant"}),
        (["Bob", "user"], {"Bob": "assistant", "user": "user"}),
        (["assistant", "Ann"], {"assistant": "assistant", "Ann": "user"}),
        (["user", "bot"], {}),
        (["system", "Ann"], {}),
        (["Ann", "Bob", "Eve"], {}),
    ],
)
def test_of_two_who_talk_the_one_who_begins_asks(names: list[str], roles: dict[str, str]) -> None:
    talk = [{"name_shown": name, "line": "Yes."} for name in names]
    assert nearest_options({"log": talk})["roles"] == roles


def test_messages_with_their_keys_mapped_need_no_format(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"log": [{"who": "user", "said": "Hi"}, {"who": "bot", "said": "Yes?"}]}), "utf-8")
    options = DataOptions(columns={"messages": "log"}, tags={"role_tag": "who", "content_tag": "said"})
    (conversation,) = load_dataset(with_options(find_source(str(file)), options)).conversations
    assert [message.content for message in conversation.messages] == ["Hi", "Yes?"]


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        ({"messages": None}, "SH102", '"messages" is null, expected a list of messages'),
        ({"conversations": "see above"}, "SH102", '"conversations" is text, expected a list of messages'),
        ({"prompt": "Who?", "completion": ""}, "SH111", 'column "completion" is empty'),
        ({"prompt": [], "completion": "I."}, "SH111", 'column "prompt" is empty'),
        ({"question": None, "answer": None}, "SH111", 'column "question" is empty'),
        ({"text": None}, "SH111", 'column "text" is empty'),
        ({"question": "Who?", "answer": ["I.", "You."]}, "IO006", "several answers to one question"),
        ({"instruction": "Who?", "output": ["I.", "You."]}, "IO006", "several answers to one question"),
        ({"prompt": "Who?", "completion": ["I.", "You."]}, "IO006", "several answers to one question"),
    ],
)
def test_what_a_known_column_lacks_is_said_not_that_the_format_is_unknown(data: Any, code: str, said: str) -> None:
    row = Row(data)
    assert converted(row, None).fate == "dropped"
    [finding] = row.findings
    assert finding.code == code
    assert finding.message.startswith(said)


def test_a_declared_column_that_is_not_there_is_not_called_empty() -> None:
    row = Row({"instruction": "Who?", "output": "I."})
    converted(row, Layout("alpaca", {"prompt": "ask"}))
    assert row.findings[0].message == 'there is no column "ask" in the row; it has: instruction, output'


@pytest.mark.parametrize("names", [("Question", "Context", "Answer"), ("INSTRUCTION", "INPUT", "RESPONSE")])
def test_what_a_question_is_about_belongs_to_it_in_capitals_too(names: tuple[str, str, str]) -> None:
    done = converted(Row(dict(zip(names, ["Who?", "We met.", "I."], strict=True))), None)
    assert done.conversation is not None
    assert done.conversation.messages[0].content == "Who?\nWe met."
    assert done.ignored == ()
