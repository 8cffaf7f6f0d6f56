"""What is known and not trained on: preference pairs, benchmarks, trees, images. Recognised to be refused by name."""

from __future__ import annotations

from collections.abc import Callable

from core.conversation import JsonObject

MEDIA = ("images", "image", "videos", "video", "audios", "audio")


def refusal(record: JsonObject) -> str:
    """Why a record is of no use to us; empty when it may be."""
    if record.keys().isdisjoint(_TELLING):
        return ""
    media = next((name for name in MEDIA if record.get(name)), None)
    if media is not None:
        return f'column "{media}" needs a vision or audio model'
    return next((why for is_one, why in _REFUSED if is_one(record)), "")


def _is_kto(record: JsonObject) -> bool:
    labelled = isinstance(record.get("label"), bool) and "completion" in record and "segments" not in record
    return labelled or isinstance(record.get("kto_tag"), bool)


def _is_benchmark(record: JsonObject) -> bool:
    nested = isinstance(record.get("question"), list) and "function" in record
    unanswered = {"correct_answer", "answers", "target_tool"} <= record.keys()
    truth = "ground_truth" in record and (
        {"function", "question"} & record.keys() or record.keys() <= {"id", "ground_truth"}
    )
    return nested or unanswered or bool(truth) or {"question_id", "turns"} <= record.keys()


def _is_moss(record: JsonObject) -> bool:
    turns = record.get("chat")
    return isinstance(turns, dict) and any(isinstance(turn, dict) and "MOSS" in turn for turn in turns.values())


def _is_batch_output(record: JsonObject) -> bool:
    return {"custom_id", "response"} <= record.keys() and {"request", "body"}.isdisjoint(record)


_FLATTEN = "; write one conversation a row, from the first message to one of the last"
# Without one of these columns a row is none of the following.
_TELLING = frozenset(
    {"chosen", "chosen_response", "kto_tag", "label", "text", "prompt", "chat", "custom_id", "question"}
)
_TELLING |= {"preferred_output", "conversation_a", "question_id", "ground_truth", "correct_answer", *MEDIA}
# What is known and of no use to us, and why.
_REFUSED: tuple[tuple[Callable[[JsonObject], bool], str], ...] = (
    (lambda row: {"chosen", "rejected"} <= row.keys(), "preference pairs (chosen, rejected) are not trained on yet"),
    (
        lambda row: {"chosen_response", "rejected_response"} <= row.keys(),
        "preference pairs (chosen_response, rejected_response) are not trained on yet",
    ),
    (
        lambda row: "preferred_output" in row or {"conversation_a", "conversation_b"} <= row.keys(),
        "preference pairs are not trained on yet",
    ),
    (_is_kto, "KTO rows (an answer and a thumb) are not trained on yet"),
    (
        lambda row: {"text", "role"} <= row.keys() and bool({"parent_id", "message_id"} & row.keys()),
        "these are single messages of trees" + _FLATTEN,
    ),
    (
        lambda row: isinstance(row.get("prompt"), dict) and "replies" in row["prompt"],
        "this is a tree of messages with several answers to each" + _FLATTEN,
    ),
    (_is_moss, "MOSS's turns with commands in tags are not read; write them as messages"),
    (_is_batch_output, "answers of a batch without their requests; join the two files by custom_id"),
    (_is_benchmark, "this is a benchmark, held out: it is never trained on"),
)
