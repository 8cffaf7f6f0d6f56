"""Long conversations: windows of whole exchanges, each turn trained once, nothing cut inside an answer."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

import pytest

import core.overlong
import core.window
from core.config import DataOptions, TrainConfig
from core.conversation import Conversation, Message, ToolCall
from core.encode import make, prepare
from core.errors import UserError
from core.label import trained_text
from core.model import load_tokenizer
from core.template.choose import LIBRARY, choose_template
from core.template.dialect import rewritten
from core.template.ends import asked
from core.tokens import tokenise
from tests.material import all_templates, tool, trl_files
from tests.test_encode import tokenizer_of


def talk(exchanges: int) -> Conversation:
    messages = [Message("system", "szq be nice")]
    for number in range(exchanges):
        messages.append(Message("user", f"uzq{number} " + "question " * (number % 4)))
        if number % 3 == 1:
            messages.append(Message("assistant", tool_calls=(ToolCall("find", {"n": number}, f"call{number:05d}"),)))
            messages.append(Message("tool", f"tzq{number}", tool_call_id=f"call{number:05d}", name="find"))
        messages.append(Message("assistant", f"azq{number} answer"))
    return Conversation(tuple(messages), (tool("find", {"n": {"type": "integer"}}),), "rows.json", 7)


@pytest.fixture(params=["qwen2_5", "qwen3"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return tokenizer_of("byte_level", trl_files()[request.param].read_text(encoding="utf-8"))


def options(**values: Any) -> DataOptions:
    return DataOptions(**values)


def test_each_turn_is_trained_once_in_windows_that_fit(tokenizer: Any) -> None:
    template = choose_template("auto", tokenizer)
    long = talk(14)
    prepared = prepare([long], template, tokenizer, options(max_length=900))
    assert not prepared.findings
    assert prepared.counts["windows"] > 1
    texts = [trained_text(example, tokenizer) for example in prepared.examples]
    for number in range(14):
        assert sum(f"azq{number} " in text for text in texts) == 1
    for example in prepared.examples:
        assert len(example.input_ids) <= 900
        whole = tokenizer.decode(example.input_ids)
        assert "szq be nice" in whole
        if len(prepared.examples) == prepared.counts["windows"]:
            # Qwen3 shows turns differently later on: there, a sample may end with the call that it trains.
            assert whole.count("tzq") == whole.count('"arguments": {"n": ')
    assert {note.code for note in prepared.notes} >= {"LN801"}


def test_the_other_policies(tokenizer: Any) -> None:
    template = choose_template("auto", tokenizer)
    long = talk(14)
    dropped = prepare([long], template, tokenizer, options(max_length=900, overlong="drop"))
    assert [finding.code for finding in dropped.findings] == ["LN803"]
    with pytest.raises(UserError, match=r"rows\.json:7"):
        prepare([long], template, tokenizer, options(max_length=900, overlong="error"))
    oldest = prepare([long], template, tokenizer, options(max_length=900, overlong="drop_oldest"))
    text = "".join(trained_text(example, tokenizer) for example in oldest.examples)
    assert "azq13 " in text
    assert "azq0 " not in text
    cut = prepare([long], template, tokenizer, options(max_length=900, overlong="truncate"))
    assert max(len(example.input_ids) for example in cut.examples) == 900
    assert cut.counts["truncated"] == 1


def test_what_never_fits_is_dropped_and_said(tokenizer: Any) -> None:
    template = choose_template("auto", tokenizer)
    prepared = prepare([talk(3)], template, tokenizer, options(max_length=64))
    assert [finding.code for finding in prepared.findings] == ["LN803"]
    assert not prepared.examples


def test_what_the_template_swallows_stops_before_training() -> None:
    tokenizer = tokenizer_of("byte_level", trl_files()["qwen2_5"].read_text(encoding="utf-8"))
    template = choose_template("auto", tokenizer)
    rows = [Conversation((Message("user", "q"), Message("assistant", "a", "thought")), (), "rows.json", 3)]
    with pytest.raises(UserError, match="inline-reasoning"):
        prepare(rows, template, tokenizer, options())
    assert prepare(rows, template, tokenizer, options(swallowed="drop")).findings[0].code == "RS604"
    assert prepare(rows, template, tokenizer, options(swallowed="ignore")).notes[0].code == "RS604"
    inline = prepare(rows, rewritten(template, reasoning=True), tokenizer, options())
    assert "thought" in trained_text(inline.examples[0], tokenizer)
    assert [(note.code, note.action) for note in inline.notes] == [("RS604", "repaired")]


def spoken(seed: int) -> Conversation:
    """A conversation with calls, also several at once, in which every word of the assistant is there once."""
    rng = random.Random(seed)
    messages, made = [Message("system", "szq nice")], 0
    for exchange in range(rng.randrange(6, 14)):
        messages.append(Message("user", f"uzq{exchange} " + "word " * rng.randrange(30)))
        for _ in range(rng.choice((0, 0, 1, 2))):
            calls = [
                ToolCall("find", {"q": f"czq{made + n}x"}, f"call{made + n:05d}") for n in range(rng.choice((1, 2)))
            ]
            made += len(calls)
            messages.append(Message("assistant", tool_calls=tuple(calls)))
            messages += [Message("tool", f"tzq{c.id[-3:]} r", tool_call_id=c.id, name="find") for c in calls]
        messages.append(Message("assistant", f"azq{exchange}x " + "say " * rng.randrange(20)))
    return Conversation(tuple(messages), (tool("find", {"q": {"type": "string"}}),), "rows.json", seed)


@pytest.mark.parametrize("name", ["chatml", "glm", "llama3", "mistral", "vicuna", "gemma"])
def test_in_windows_every_turn_is_trained_once_and_no_result_stands_without_its_call(name: str) -> None:
    tokenizer = tokenizer_of("byte_level", (LIBRARY / f"{name}.jinja").read_text(encoding="utf-8"))
    template = rewritten(choose_template("auto", tokenizer))
    for seed in range(4):
        long = spoken(seed)
        whole = prepare([long], template, tokenizer, options(max_length=100_000))
        most = max(len(example.input_ids) for example in whole.examples)
        prepared = prepare([long], template, tokenizer, options(max_length=most * 2 // 3))
        assert not prepared.findings
        assert prepared.counts["windows"] == len(prepared.examples) > 1
        assert prepared.counts["turns_too_long"] == 0
        said = [f"{m.content} " + " ".join(c.arguments["q"] for c in m.tool_calls) for m in long.messages]
        marks = re.findall(r"[ac]zq\d+x", " ".join(said))
        texts = [trained_text(example, tokenizer) for example in prepared.examples]
        assert Counter(re.findall(r"[ac]zq\d+x", " ".join(texts))) == Counter(marks)
        for example, text in zip(prepared.examples, texts, strict=True):
            shown = tokenizer.decode(example.input_ids)
            assert text.endswith(template.stop)
            assert "szq nice" in shown
            assert shown.count("tzq") == shown.count("czq")
            assert not any(word in text for word in ("uzq", "szq", "tzq"))


def test_windows_and_prompts_begin_as_every_sample_does() -> None:
    """A template that writes the beginning of the text twice gets it once: in training, in windows and in chat."""
    source = "{{ bos_token }}{{ bos_token }}" + (LIBRARY / "chatml.jinja").read_text(encoding="utf-8")
    tokenizer = tokenizer_of("byte_level", source)
    template = choose_template("auto", tokenizer)
    rows = prepare([talk(14)], template, tokenizer, options(max_length=900)).examples
    assert len(rows) > 1
    asks = asked(Conversation(talk(1).messages[:2]), template)
    for ids in (*(row.input_ids for row in rows), tokenise(asks, tokenizer)[0]):
        assert ids.count(tokenizer.bos_token_id) == 1
        assert ids[0] == tokenizer.bos_token_id


@pytest.mark.parametrize("overlong", ["windows", "drop_oldest"])
@pytest.mark.parametrize("name", ["library:chatml", "trl:qwen3", "trl:qwen2_5"])
def test_what_is_known_to_be_too_long_need_not_be_tried(
    name: str, overlong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The windows are those that come of trying every part."""
    tokenizer = load_tokenizer("starter")
    template = all_templates()[name]
    long = [talk(exchanges) for exchanges in range(5, 14)]
    config = TrainConfig(max_length=300, overlong=overlong)
    quick = make(long, template, tokenizer, config)
    tried: list[Conversation] = []
    render = core.overlong.render
    monkeypatch.setattr(core.overlong, "render", lambda part, *more: tried.append(part) or render(part, *more))
    again = make(long, template, tokenizer, config)
    at_once = len(tried)
    monkeypatch.setattr(core.overlong, "_known_lengths", lambda *given: lambda turn: None)
    slow = make(long, template, tokenizer, config)
    one_by_one = len(tried) - at_once
    assert at_once < one_by_one if (name, overlong) == ("library:chatml", "windows") else at_once <= one_by_one
    assert sum(one.counts["windowed"] + one.counts["oldest_dropped"] for one in quick) > 4
    for one, same, other in zip(quick, again, slow, strict=True):
        assert one.samples == same.samples == other.samples
        assert one.notes == other.notes
        assert one.refusal == other.refusal
        assert one.counts == other.counts


@pytest.mark.parametrize("exchanges", [30, 300])
def test_what_is_tried_for_a_window_is_of_its_size_and_not_of_the_conversations(exchanges: int) -> None:
    tried: list[int] = []

    def attempt(part: Conversation) -> int | None:
        tried.append(len(part.messages))
        return len(part.messages) if len(part.messages) <= 21 else None

    long = Conversation(tuple(Message(role, "x") for _ in range(exchanges) for role in ("user", "assistant")))  # type: ignore[arg-type]
    turns = range(1, 2 * exchanges, 2)
    found, hopeless = core.window.windows(long, turns, attempt, lambda turn: turn > 20)
    assert [turn for window in found for turn in window.turns] == list(turns)
    assert all(window.made in (20, 21) for window in found)
    assert hopeless == []
    assert max(tried) <= 2 * 21
    assert len(tried) < 8 * len(found)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 1.0])
def test_windows_show_again_so_much_at_most(tokenizer: Any, overlap: float) -> None:
    """Each turn is trained once; more history makes more windows, and what is new fills the rest."""
    template = choose_template("auto", tokenizer)
    long, most = talk(40), 900
    made = prepare([long], template, tokenizer, options(max_length=most, window_overlap=overlap))
    assert not made.findings
    assert all(len(example.input_ids) <= most for example in made.examples)
    texts = [trained_text(example, tokenizer) for example in made.examples]
    assert all(sum(f"azq{number} " in text for text in texts) == 1 for number in range(40))
    every = prepare([long], template, tokenizer, options(max_length=most, window_overlap=1.0))
    assert made.counts["windows"] <= every.counts["windows"]
    if overlap <= 0.5:
        assert made.counts["windows"] < every.counts["windows"] * 0.7


def test_what_a_window_shows_again_is_measured() -> None:
    """Of windows of ten messages four may be old: two exchanges, then three new ones."""

    def fitting(most: int) -> Any:
        return lambda part: part if len(part.messages) <= most else None

    turns = range(1, 60, 2)
    long = Conversation(tuple(Message(role, f"{n}") for n in range(30) for role in ("user", "assistant")))  # type: ignore[arg-type]
    found, hopeless = core.window.windows(long, turns, fitting(10), history=fitting(4))
    assert hopeless == []
    assert [turn for window in found for turn in window.turns] == list(turns)
    assert [len(window.turns) for window in found] == [5, *[3] * 8, 1]
    assert [window.dropped for window in found] == [0, *range(3, 28, 3)]
    alone, _ = core.window.windows(long, turns, fitting(10), history=fitting(0))
    assert [len(window.turns) for window in alone] == [5] * 6
    # An exchange that is larger than what is left beside so much history has less of it.
    wide = [message for n in range(6) for message in (Message("user", "x"), *[Message("assistant", "y")] * 4)]
    tall, _ = core.window.windows(Conversation(tuple(wide)), [4, 9, 14, 19, 24, 29], fitting(12), history=fitting(9))
    assert [(len(window.turns), window.dropped) for window in tall] == [(2, 0), (1, 1), (1, 2), (1, 3), (1, 4)]
