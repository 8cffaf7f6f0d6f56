"""Text that is trained as it stands: checked, cut to the window, trained and accounted for, without a chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.chat import Chat
from core.checked import check_dataset
from core.cli import main
from core.config import ChatConfig, TrainConfig
from core.conversation import Conversation, Message
from core.encode import make
from core.generate import prompt_ids
from core.label import IGNORED, trained_text
from core.preview import preview
from core.run import Run
from core.template.choose import LIBRARY, choose_template
from core.template.sandbox import Template
from core.template.spans import render
from core.train import train_run
from core.training_data import kept_data, kept_vocabulary
from tests.conftest import small
from tests.material import all_templates

STORY = "Once upon a time there were {n} birds in a tree. "
HAND = "[INST] <<SYS>>be kind<</SYS>> what is {n}? [/INST] it is {n}<|im_end|>"


def write(path: Path, content: Any) -> str:
    rows = content if isinstance(content, list) else None
    text = "".join(json.dumps(row) + "\n" for row in rows) if rows is not None else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return str(path)


def stories(count: int, times: int = 1) -> list[dict[str, str]]:
    return [{"text": STORY.format(n=n) * times} for n in range(count)]


def plain(*pieces: tuple[str, bool | None]) -> Conversation:
    return Conversation(tuple(Message("assistant", text, train=train) for text, train in pieces), plain=True)


def test_all_of_a_text_is_trained_and_then_a_stop(template: Template, tokenizer: Any) -> None:
    (one,) = make([plain(("hello there", None))], template, tokenizer, TrainConfig())
    ((sample, example),) = one.samples
    assert sample.marked() == "⟦hello there<|im_end|>⟧"
    assert trained_text(example, tokenizer) == sample.text
    (bare,) = make([plain(("hello there", None))], template, tokenizer, TrainConfig(append_stop=False))
    assert bare.samples[0][0].marked() == "⟦hello there⟧"


def test_a_text_that_brings_its_stop_gets_no_second_one(template: Template, tokenizer: Any) -> None:
    text = HAND.format(n=1)
    (one,) = make([plain((text, None))], template, tokenizer, TrainConfig())
    ((sample, example),) = one.samples
    assert sample.text == text
    assert [span.kind for span in sample.spans] == ["text", "stop"]
    assert example.labels[-1] == tokenizer.convert_tokens_to_ids("<|im_end|>")
    talk = Conversation((Message("user", "a"), Message("assistant", "the token <|im_end|>")))
    (other,) = make([talk], choose_template("none", tokenizer), tokenizer, TrainConfig())
    assert other.samples[0][0].text == "athe token <|im_end|>"


def test_segments_are_trained_as_they_say(template: Template, tokenizer: Any) -> None:
    (one,) = make([plain(("Q: what? ", False), ("A: this.", True))], template, tokenizer, TrainConfig())
    assert one.samples[0][0].marked() == "Q: what? ⟦A: this.<|im_end|>⟧"


@pytest.mark.parametrize("text", [STORY.format(n=3) * 40, "x" * 3000, "日本語の文字列🙂" * 200, "a\n" * 900])
def test_a_long_text_becomes_pieces_that_hold_every_character(text: str, template: Template, tokenizer: Any) -> None:
    config = TrainConfig(max_length=64)
    (one,) = make([plain((text[:100], False), (text[100:], None))], template, tokenizer, config)
    assert one.refusal is None
    joined = "".join(sample.text for sample, _ in one.samples)
    assert (text + "<|im_end|>").endswith(joined), "only a piece without anything to train is left out"
    assert all(len(example.input_ids) <= 64 for _, example in one.samples)
    trained = "".join(sample.text[s.start : s.end] for sample, _ in one.samples for s in sample.spans)
    assert trained == text[100:] + "<|im_end|>"
    assert [(note.code, note.action) for note in one.notes] == [("LN801", "repaired")]
    (end,) = make([plain((text, None))], template, tokenizer, config.model_copy(update={"overlong": "drop_oldest"}))
    assert len(end.samples) == 1
    assert (text + "<|im_end|>").endswith(end.samples[0][0].text)
    (none,) = make([plain((text, None))], template, tokenizer, config.model_copy(update={"overlong": "drop"}))
    assert none.refusal is not None
    assert none.refusal.code == "LN803"


def test_the_preview_shows_the_pieces(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", stories(1, times=30))
    shown = preview(file, 1, TrainConfig(max_length=64))
    assert len(shown.samples) > 3
    for place, sample in enumerate(shown.samples):
        assert "".join(token.text for token in shown.tokens(place)) == sample.text


def test_the_preview_asks_the_template_whether_text_is_meant_as_it_is(tmp_path: Path) -> None:
    talk = {"messages": [{"role": "user", "content": "[INST] a [/INST]"}, {"role": "assistant", "content": "b</s>"}]}
    file = write(tmp_path / "a.jsonl", [talk])
    copy = tmp_path / "mine.jinja"
    copy.write_text((LIBRARY / "none.jinja").read_text(encoding="utf-8"), encoding="utf-8")
    for template, text, codes in (
        ("none", "[INST] a [/INST]b</s>", set()),
        (str(copy), "[INST] a [/INST]b</s>", set()),
        ("chatml", "b<|im_end|>", {"CT306", "CT307"}),
    ):
        shown = preview(file, 1, TrainConfig(template=template))
        assert text in shown.samples[0].text
        assert {finding.code for finding in shown.findings} & {"CT306", "CT307"} == codes


@pytest.mark.parametrize("kind", ["text", "text_only", "conversation by hand"])
def test_from_the_check_to_the_report_of_a_run(kind: str, tmp_path: Path, runs: Path, tokenizer: Any) -> None:
    talks = [
        {"messages": [{"role": "user", "content": user + "[/INST]"}, {"role": "assistant", "content": answer}]}
        for user, _, answer in (HAND.format(n=n).partition("[/INST]") for n in range(12))
    ]
    content: Any = {
        "text": stories(12),
        "text_only": {"type": "text_only", "instances": stories(12)},
        "conversation by hand": {"type": "conversation", "instances": talks},
    }[kind]
    file = write(tmp_path / ("rows.jsonl" if kind == "text" else "rows.json"), content)
    options: dict[str, Any] = {"dataset": [file], "max_steps": 2, "template": "none", "max_length": 64}
    report = check_dataset(file, TrainConfig(**options), with_model=True)
    found = {code for code, _ in report.counts}
    assert found == {"DS905"}, "nothing is odd about text that is meant as it is"
    assert report.rows == {"in": 12, "kept": 12, "repaired": 0, "dropped": 0}
    run = Run.create(small(**options))
    assert train_run(run) == "finished"
    written = json.loads((run.path / "report.json").read_text())
    assert written["rows"] == report.rows
    assert written["trained_tokens"] == report.stats["tokens"]["trained tokens"]
    row = kept_data(run).train[0]
    whole = HAND.format(n=0) if kind == "conversation by hand" else STORY.format(n=0) + "<|im_end|>"
    assert tokenizer.decode(row["input_ids"]) == whole
    trained = tokenizer.decode([label for label in row["labels"] if label != IGNORED])
    assert trained == (" it is 0<|im_end|>" if kind == "conversation by hand" else whole)


def test_with_a_template_what_is_already_formatted_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user, _, answer = HAND.format(n=1).partition("[/INST]")
    messages = [{"role": "user", "content": user + "[/INST]"}, {"role": "assistant", "content": answer}]
    file = write(tmp_path / "a.json", {"type": "conversation", "instances": [{"messages": messages}]})
    assert main(["data", "check", file, "--template", "chatml", "--json"]) == 0
    found = {item["code"]: item for item in json.loads(capsys.readouterr().out)["findings"]}
    assert (found["CT306"]["action"], found["CT307"]["action"]) == ("repaired", "repaired")
    assert main(["data", "show", file, "--template", "chatml"]) == 0
    rendered = capsys.readouterr().out.partition("── sample")[2]
    assert "it is 1" in rendered
    assert "INST" not in rendered
    assert main(["data", "show", file, "--template", "none"]) == 0
    assert "[/INST]⟦ it is 1<|im_end|>⟧" in capsys.readouterr().out


def test_a_run_that_was_trained_without_a_template_is_talked_to_without_one(
    tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control tokens in what is said are control tokens, as they were in the training; rows are read as they stand."""
    user, _, answer = HAND.format(n=1).partition("[/INST]")
    said = "<|im_start|>" + user + "[/INST]"
    talk = {"messages": [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]}
    file = write(tmp_path / "a.jsonl", [talk] * 3)
    options: dict[str, Any] = {"dataset": [file], "eval_dataset": [file], "max_steps": 1, "template": "none"}
    run = Run.create(small(**options, profile="lenient", drop_duplicates=True, max_length=64))
    assert train_run(run) == "finished"
    row = kept_data(run).train[0]["input_ids"].tolist()

    loaded = Chat(run, ChatConfig(dtype="float32")).loaded
    assert loaded.template.adds_nothing
    asked = Conversation((Message("user", said),))
    ids = prompt_ids(loaded, asked, ChatConfig(max_new_tokens=4))
    assert ids == row[: len(ids)]
    assert ids[0] == loaded.tokenizer.convert_tokens_to_ids("<|im_start|>")
    resumed = kept_vocabulary(run, run.config)[1]
    assert resumed.adds_nothing
    assert resumed.stop == loaded.template.stop

    capsys.readouterr()
    assert main(["eval", str(run.path), "--max-new-tokens", "2", "--dtype", "float32", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["tuned"]["turns"] == 1, "copies are dropped as in the run"
    assert "CT30" not in err


@pytest.mark.parametrize(
    ("answer", "trained"),
    [("one</s>", [("one", "text"), ("</s>", "stop")]), ("one </s>two", [("one </s>two", "text")])],
)
def test_text_with_tokens_of_its_own_is_trained_to_its_end(answer: str, trained: list[tuple[str, str]]) -> None:
    talk = Conversation((Message("user", "hi"), Message("assistant", answer)), ())
    (sample,) = render(talk, all_templates()["library:none"])
    assert [(sample.text[span.start : span.end], span.kind) for span in sample.spans] == trained
