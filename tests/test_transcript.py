"""Chats that are one text: what is said of them, how they are read when it is asked for, and what is not cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import TrainConfig
from core.conversation import Row
from core.datasets import converted
from core.datasets.load import load_dataset, with_options
from core.datasets.registry import find_source
from core.formats import Layout

TWO = [("user", "Tide?"), ("assistant", "06:12")]
FOUR = [*TWO, ("user", "More?"), ("assistant", "07:01")]
BRIEF = ("system", "Be brief.")
CHATS = [
    ("User: Tide?\nAssistant: 06:12\nUser: More?\nAssistant: 07:01", FOUR),
    ("\n\nHuman: Tide?\n\nAssistant: 06:12", TWO),
    ("**User:** Tide?\n**Assistant:** 06:12", TWO),
    ("### Human: Tide?### Assistant: 06:12### Human: More?### Assistant: 07:01", FOUR),
    ("<human>: Tide?\n<bot>: 06:12", TWO),
    ("Be brief. USER: Tide? ASSISTANT: 06:12</s>USER: More? ASSISTANT: 07:01</s>", [BRIEF, *FOUR]),
    ("Be brief.\n\n### Instruction:\nTide?\n\n### Response:\n06:12", [BRIEF, *TWO]),
    ("### Instruction:\nWhen?\n\n### Input:\nEly\n\n### Response:\n06:12", [("user", "When?\nEly"), TWO[1]]),
    ("Q: Tide?\nA: 06:12", TWO),
    (
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nTide? [/INST] 06:12 </s><s>[INST] More? [/INST] 07:01 </s>",
        [BRIEF, *FOUR],
    ),
    ("<|im_start|>user\nTide?<|im_end|>\n<|im_start|>assistant\n06:12<|im_end|>\n", TWO),
    ("<|user|>\nTide?</s>\n<|assistant|>\n06:12</s>\n", TWO),
    ("<bos><start_of_turn>user\nTide?<end_of_turn>\n<start_of_turn>model\n06:12<end_of_turn>\n", TWO),
    (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nTide?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n06:12<|eot_id|>",
        TWO,
    ),
]
TEXTS = [
    "The tide rose. Then the assistant spoke: it was late.",
    "User: a\nUser: b\nAssistant: c",
    "Assistant: c\nUser: a",
    "Note: a colon is no chat.",
]


@pytest.mark.parametrize(("text", "said"), CHATS)
def test_a_chat_in_one_text_is_named_and_read_when_asked_for(text: str, said: list[tuple[str, str]]) -> None:
    row = Row({"text": text})
    done = converted(row, None)
    assert done.conversation is not None
    assert done.conversation.plain
    assert [finding.code for finding in row.findings] == ["CT306"]
    assert "--formatting transcript" in row.findings[0].message
    read = converted(Row({"text": text}), Layout("transcript")).conversation
    assert read is not None
    assert [(message.role, message.content) for message in read.messages] == said
    assert not read.plain


@pytest.mark.parametrize("text", TEXTS)
def test_other_text_is_text(text: str) -> None:
    row = Row({"text": text})
    assert converted(row, None).fate == "kept"
    assert not row.findings
    refused = Row({"text": text})
    assert converted(refused, Layout("transcript")).fate == "dropped"
    assert refused.findings[0].code == "SH102"


def test_text_that_is_meant_for_a_model_as_it_is_gets_no_note() -> None:
    row = Row({"text": CHATS[0][0]})
    converted(row, None, formatted=True)
    assert not row.findings


def test_a_name_in_the_middle_of_an_answer_is_not_cut_off() -> None:
    row = Row({"text": "User: a\nAssistant: b\nAssistant: c"})
    assert converted(row, Layout("transcript")).fate == "dropped"
    assert "turn 3 is not the user's" in row.findings[-1].message


def test_calls_in_such_a_text_are_calls() -> None:
    call = '<tool_call>\n{"name": "tide", "arguments": {"place": "Ely"}}\n</tool_call>'
    turns = [("user", "Tide?"), ("assistant", call), ("tool", "06:12"), ("assistant", "At 06:12.")]
    text = "".join(f"<|im_start|>{role}\n{said}<|im_end|>\n" for role, said in turns)
    read = converted(Row({"text": text}), Layout("transcript")).conversation
    assert read is not None
    assert [message.role for message in read.messages] == ["user", "assistant", "tool", "assistant"]
    assert read.messages[1].tool_calls[0].id == read.messages[2].tool_call_id


def test_a_column_that_says_it_is_a_conversation_is_read_as_one() -> None:
    row = Row({"conversation": CHATS[0][0]})
    done = converted(row, None)
    assert done.conversation is not None
    assert len(done.conversation.messages) == 4
    assert [finding.code for finding in row.findings] == ["SH115"]
    about = Row({"dialogue": CHATS[0][0], "summary": "Tides."})
    assert converted(about, None).fate == "dropped"


def test_the_option_takes_another_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('chat_text\n"User: Tide?\nAssistant: 06:12"\n')
    config = TrainConfig(formatting="transcript", columns={"text": "chat_text"})
    loaded = load_dataset(with_options(find_source(str(tmp_path / "a.csv"), str(tmp_path)), config))
    assert [message.content for message in loaded.conversations[0].messages] == ["Tide?", "06:12"]
