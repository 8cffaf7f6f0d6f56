"""Evaluation: the figures are what they say."""

from __future__ import annotations

import pytest

from core.config import EvalConfig
from core.conversation import Conversation, Message, ToolCall
from core.datasets import load_conversations
from core.evaluate import Turn, call_metrics, evaluate, pairs, same_value, token_losses
from core.model import load_for_chat


def calling(*calls: ToolCall) -> Message:
    return Message("assistant", tool_calls=calls)


def judged(reference: Message, written: Message) -> Turn:
    return Turn(0, 0, reference, written, "")


RIGHT = ToolCall("f", {"a": 1, "b": "x"})
WRONG = ToolCall("f", {"a": 1, "b": "y"})
OTHER = ToolCall("g", {"a": 1, "b": "x"})
SILENT = Message("assistant", "words")


def test_every_outcome_is_counted_where_it_belongs() -> None:
    turns = [
        judged(calling(RIGHT), calling(RIGHT)),
        judged(calling(RIGHT), calling(WRONG)),
        judged(calling(RIGHT), calling(OTHER)),
        judged(calling(RIGHT), SILENT),
        judged(SILENT, SILENT),
        judged(SILENT, calling(RIGHT)),
    ]
    metrics = call_metrics(turns)
    assert metrics["reference_calls"] == 4
    assert metrics["tool_call_exact"] == 1 / 4
    assert metrics["tool_call_name"] == 2 / 4
    assert metrics["argument_exact"] == 3 / 8
    assert metrics["called_when_needed"] == 3 / 4
    assert metrics["silent_when_not_needed"] == 1 / 2
    assert metrics["call_decision"] == 4 / 6
    assert metrics["turn_exact"] == 1 / 4


def test_parallel_calls_match_in_any_order_and_once_each() -> None:
    other = ToolCall("f", {"a": 2, "b": "z"})
    assert call_metrics([judged(calling(RIGHT, other), calling(other, RIGHT))])["tool_call_exact"] == 1
    twice = call_metrics([judged(calling(RIGHT, other), calling(RIGHT, RIGHT))])
    assert twice["tool_call_exact"] == 1 / 2
    assert twice["tool_call_name"] == 1
    extra = call_metrics([judged(calling(RIGHT), calling(RIGHT, other))])
    assert (extra["tool_call_exact"], extra["turn_exact"]) == (1, 0)


def test_a_turn_says_what_became_of_its_calls() -> None:
    more = ToolCall("h", {})
    for reference, written, outcome in (
        (calling(RIGHT), calling(RIGHT), "exact"),
        (calling(RIGHT), calling(WRONG), "arguments"),
        (calling(RIGHT), calling(OTHER), "tools"),
        (calling(RIGHT), calling(RIGHT, more), "tools"),
        (calling(RIGHT), SILENT, "missed"),
        (SILENT, calling(RIGHT), "needless"),
        (SILENT, SILENT, "silent"),
    ):
        assert judged(reference, written).outcome == outcome
    assert pairs(judged(calling(OTHER, RIGHT), calling(more, WRONG))) == [[1, 1]]


def test_what_was_not_measured_is_absent() -> None:
    assert "tool_call_exact" not in call_metrics([judged(SILENT, SILENT)])


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (None, 0, False),
        ({"a": [1, {"b": 2}]}, {"a": [1.0, {"b": 2}]}, True),
        ("1", 1, False),
        ([1], [1, 2], False),
    ],
)
def test_json_equality(a: object, b: object, same: bool) -> None:
    assert same_value(a, b) is same


def test_losses_are_per_token_and_per_kind() -> None:
    """The total is the token-weighted mean of the kinds: doubling the data changes nothing."""
    loaded = load_for_chat("starter", EvalConfig())
    config = EvalConfig(dataset=["tools_heldout"], max_samples=3)
    rows = load_conversations(config).conversations
    once, twice = token_losses(loaded, rows, config), token_losses(loaded, rows * 2, config)
    assert once == pytest.approx(twice, rel=1e-5)
    assert {"loss", "loss_text", "loss_tool_call", "loss_stop"} <= once.keys()


def test_a_reference_is_found_again_in_the_output() -> None:
    loaded = load_for_chat("starter", EvalConfig())
    talk = Conversation((Message("user", "Hello"), Message("assistant", "Hi")))
    seen: list[tuple[int, int]] = []
    result = evaluate(loaded, [talk], EvalConfig(max_new_tokens=8), lambda done, of: seen.append((done, of)))
    assert seen == [(1, 1)]
    out = result.to_json()
    assert out["turns"][0]["reference"]["content"] == "Hi"
    assert out["metrics"]["turns"] == 1
