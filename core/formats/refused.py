"""What is known and not trained on: preference pairs, benchmarks, trees, images. Recognised to be refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.conversation import JsonObject
from core.formats.names import MESSAGE_COLUMNS

MEDIA = ("images", "image", "videos", "video", "audios", "audio")


def refusal(record: JsonObject) -> str:
    """Why a record is of no use to us; empty when it may be."""
    if record.keys().isdisjoint(_TELLING):
        return ""
    media = next((name for name in MEDIA if record.get(name)), None)
    if media is not None:
        return f'column "{media}" needs a vision or audio model'
    return next((why for is_one, why in _REFUSED if is_one(record)), "")


def refusal_when_nothing_fits(record: JsonObject) -> str:
    """Why a record that no format fits as it stands is of no use to us; empty when another shape of it may be."""
    return next((why for is_one, why in _WHEN_NOTHING_FITS if is_one(record)), "")


def _are_several(record: JsonObject) -> bool:
    listed: list[Any] = next((record[name] for name in MESSAGE_COLUMNS if isinstance(record.get(name), list)), [])
    return len(listed) > 1 and all(
        isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner) for inner in listed
    )


def _has_instances(record: JsonObject) -> bool:
    instances = record.get("instances")
    return (isinstance(instances, list) and len(instances) > 1) or {"Definition", "Positive Examples"} <= record.keys()


def _has_intents(record: JsonObject) -> bool:
    """What is said in several ways, and what may be answered, as makers of chat bots keep it."""
    listed = record.get("intents")
    first = listed[0] if isinstance(listed, list) and listed else record
    return "rasa_nlu_data" in record or (isinstance(first, dict) and {"patterns", "responses"} <= first.keys())


def _has_paragraphs(record: JsonObject) -> bool:
    """SQuAD's questions, nested in paragraphs of articles."""
    listed = record.get("data")
    first = listed[0] if isinstance(listed, list) and listed else record
    return isinstance(first, dict) and not {"paragraphs", "qas"}.isdisjoint(first)


def _describes_datasets(record: JsonObject) -> bool:
    """LLaMA-Factory's dataset_info.json: each of its entries says where the rows are."""
    described = (isinstance(entry, dict) and not _DATASET.isdisjoint(entry) for entry in record.values())
    return bool(record) and all(described)


def _has_any(*columns: str) -> Callable[[JsonObject], bool]:
    """Whether a record has all columns of one of several lists."""
    known = tuple(frozenset(names.split()) for names in columns)
    return lambda record: any(names <= record.keys() for names in known)


_EVALUATED = "these are results of an evaluation; what a model is measured by is not trained on"
_BENCHMARK = "this is a benchmark, held out: it is never trained on"
_DATASET = frozenset({"file_name", "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url"})
_WHEN_NOTHING_FITS: tuple[tuple[Callable[[JsonObject], bool], str], ...] = (
    (_are_several, "several conversations in one row; write one conversation a row"),
    (_has_intents, "intents with their phrasings; write one row for each question, with its answer"),
    (_has_paragraphs, "questions within paragraphs; write one row for each question, with its paragraph and answer"),
    (_has_instances, "several instances of one task in a row; write one row for each"),
    (
        _has_any(
            *("doc_id doc", "results configs", "evalId results", "judge judgment"),
            *("instance_id model_patch", "id result latency", "run_id event_id data"),
        ),
        _EVALUATED,
    ),
    (_has_any("FAIL_TO_PASS", "prompt entry_point test", "instruction_id_list", "target_scores"), _BENCHMARK),
    (
        _has_any(
            *("peft_type", "tokenizer_class", "model_type architectures", "zero_optimization", "nbformat"),
            *("openapi", "name version dependencies", "name version scripts", "compilerOptions"),
        ),
        "this configures a program or a model and holds no conversations",
    ),
    (
        _describes_datasets,
        "this describes datasets: give one of its names with --dataset, and its folder with --dataset-dir",
    ),
)


def _is_kto(record: JsonObject) -> bool:
    labelled = isinstance(record.get("label"), bool) and "completion" in record and "segments" not in record
    return labelled or isinstance(record.get("kto_tag"), bool)


def _is_benchmark(record: JsonObject) -> bool:
    nested = isinstance(record.get("question"), list) and not {"function", "initial_config"}.isdisjoint(record)
    unanswered = {"correct_answer", "answers", "target_tool"} <= record.keys()
    truth = "ground_truth" in record and (
        {"function", "question"} & record.keys() or record.keys() <= {"id", "ground_truth"}
    )
    tested = "test_list" in record and "task_id" in record
    return nested or unanswered or bool(truth) or tested or {"question_id", "turns"} <= record.keys()


def _is_moss(record: JsonObject) -> bool:
    turns = record.get("chat")
    return isinstance(turns, dict) and any(isinstance(turn, dict) and "MOSS" in turn for turn in turns.values())


def _is_batch_output(record: JsonObject) -> bool:
    answers = "custom_id" in record and not {"response", "result"}.isdisjoint(record)
    return answers and {"request", "body", "params"}.isdisjoint(record)


def _says_more(record: JsonObject) -> bool:
    """Whether there are messages, or a question or an answer, besides the column at hand."""
    others = (*MESSAGE_COLUMNS, "instruction", "prompt", "question", "response", "answer", "output", "completion")
    return any(record.get(name) for name in others)


def _is_one_message(record: JsonObject) -> bool:
    """A message of a conversation as a row of its own: who speaks, and what is said."""
    said = any(isinstance(record.get(key), str | list) for key in ("content", "text", "value", "utterance", "mes"))
    speaks = any(isinstance(record.get(key), str | int) for key in ("role", "speaker", "sender", "from", "speaker_idx"))
    return said and (speaks or "ts" in record or "is_user" in record) and not _says_more(record)


def _is_labelled(record: JsonObject) -> bool:
    labelled = not {"intent", "slots", "sentiment", "label", "labels", "summary", "target"}.isdisjoint(record)
    return isinstance(record.get("text"), str) and labelled and not _says_more(record)


def _is_preference(record: JsonObject) -> bool:
    """Two answers to one question, or a second that is worse than the conversation's own."""
    if record.keys().isdisjoint(_COMPARED):
        return False
    two = any(first in record and second in record for first, second in _TWO_ANSWERS)
    worse = "rejected_response" in record and any(record.get(name) for name in MESSAGE_COLUMNS)
    return two or worse or {"conversation_a", "conversation_b"} <= record.keys() or "preferred_output" in record


_TWO_ANSWERS = (
    *(("response_a", "response_b"), ("response_j", "response_k"), ("response_0", "response_1")),
    *(("response1", "response2"), ("human_ref_A", "human_ref_B"), ("answer_a", "answer_b"), ("winner", "loser")),
)


_COMPARED = frozenset(
    {"rejected_response", "preferred_output", "conversation_a", *(first for first, _ in _TWO_ANSWERS)}
)


def _has_several_answers(record: JsonObject) -> bool:
    """A list of answers to one question, none of them said to be the one to learn."""
    if not any(_is_list_of(record[name], str | dict) for name in _SEVERAL & record.keys()):
        return False
    asked = any(isinstance(record.get(name), str) for name in ("prompt", "instruction", "question"))
    return asked and not any(record.get(name) for name in (*_ANSWERED, *MESSAGE_COLUMNS))


_SEVERAL = frozenset({"responses", "completions", "answers", "outputs"})


def _is_list_of(value: Any, kinds: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(item, kinds) for item in value)


_ANSWERED = ("response", "answer", "output", "completion", "solution", "chosen")


def _is_multiple_choice(record: JsonObject) -> bool:
    """A question whose options stand in columns of their own, so that the question alone does not hold them."""
    question = record.get("question", record.get("Question"))
    if not isinstance(question, str) or any(record.get(name) for name in MESSAGE_COLUMNS):
        return False
    given = next((record[name] for name in ("choices", "options") if record.get(name)), None)
    listed = given.get("text") if isinstance(given, dict) and "text" in given else given
    options = list(listed.values()) if isinstance(listed, dict) else listed
    if options is None and {"A", "B"} <= record.keys():
        options = [record["A"], record["B"]]
    return isinstance(options, list) and bool(options) and not all(str(option) in question for option in options)


def _is_graded(record: JsonObject) -> bool:
    """Messages that end with a question, and what an answer to it is graded by."""
    if record.keys().isdisjoint(_GRADES):
        return False
    listed = record["messages"] if isinstance(record.get("messages"), list) else record.get("prompt")
    last = listed[-1] if isinstance(listed, list) and listed else None
    return isinstance(last, dict) and last.get("role") in ("user", "tool")


_GRADES = ("reference_answer", "reward_model", "verification_info")


def _is_evaluated(record: JsonObject) -> bool:
    """What a model said to a question of an evaluation, with its marks."""
    sampled = "epoch" in record and "input" in record and not {"scores", "target"}.isdisjoint(record)
    return sampled or "filtered_resps" in record


def _is_answer_alone(record: JsonObject) -> bool:
    answers = isinstance(record.get("choices"), list) or ("result" in record and "jsonrpc" in record)
    return answers and {"messages", "request", "prompt", "body", "input", "inputs"}.isdisjoint(record)


_FLATTEN = "; give those of one conversation the same conversation_id, or write one conversation a row"
# Without one of these columns a row is none of the following.
_TELLING = frozenset(
    {
        *("chosen", "chosen_response", "kto_tag", "label", "text", "prompt", "chat", "custom_id"),
        *("question", "Question"),
        *("content", "value", "utterance", "mes", "jsonrpc", "choices"),
        *("epoch", "filtered_resps", "question_id", "ground_truth", "correct_answer", *MEDIA),
        *("responses", "completions", "outputs", *_GRADES, *_COMPARED),
    }
)
# What is known and of no use to us, and why.
_REFUSED: tuple[tuple[Callable[[JsonObject], bool], str], ...] = (
    (lambda row: {"chosen", "rejected"} <= row.keys(), "preference pairs (chosen, rejected) are not trained on yet"),
    (
        lambda row: {"chosen_response", "rejected_response"} <= row.keys(),
        "preference pairs (chosen_response, rejected_response) are not trained on yet",
    ),
    (_is_preference, "preference pairs are not trained on yet; of each keep the better answer, as the only one"),
    (_is_graded, "tasks with a reward and without an answer are not trained on yet; write the answer as a message"),
    (
        _is_multiple_choice,
        "the options of the question stand in a column of their own; write them into the question, for an answer"
        " to what one cannot see is not learned",
    ),
    (_has_several_answers, "several answers to one question; write one row for each answer that is to be learned"),
    (_is_kto, "KTO rows (an answer and a thumb) are not trained on yet"),
    (
        lambda row: {"text", "role"} <= row.keys() and bool({"parent_id", "message_id"} & row.keys()),
        "these are single messages of trees" + _FLATTEN,
    ),
    (
        lambda row: isinstance(row.get("prompt"), dict) and "replies" in row["prompt"],
        "this is a tree of messages with several answers to each" + _FLATTEN,
    ),
    (
        _is_labelled,
        "texts with labels or summaries; --columns '{prompt: text, response: COLUMN}' teaches to answer with what"
        " stands in that column, --formatting text trains on the text alone",
    ),
    (_is_one_message, "these are single messages" + _FLATTEN),
    (
        lambda row: "jsonrpc" in row,
        "these are calls of a protocol without their conversation; write it as messages with tool_calls",
    ),
    (_is_answer_alone, "these are answers without what was asked; write both as messages"),
    (_is_moss, "MOSS's turns with commands in tags are not read; write them as messages"),
    (_is_batch_output, "answers of a batch without their requests; join the two files by custom_id"),
    (_is_benchmark, _BENCHMARK),
    (_is_evaluated, _EVALUATED),
)
