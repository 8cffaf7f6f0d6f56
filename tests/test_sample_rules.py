"""Rules about what a template and a tokenizer make of a row, through the whole check: code, action, place, count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from core.checked import check_dataset
from core.config import TrainConfig
from core.conversation import Conversation, Message, RowRefusedError, ToolCall
from core.encode import make
from core.measure import Measure
from core.report import Report
from core.rules.samples import calls_keep_their_results, nothing_foreign_is_trained
from core.template.choose import choose_template
from core.template.spans import Rendered, Span
from core.tokens import changed_characters
from tests.material import WILD

BARE = (
    "{% for m in messages %}{% if m.role in ROLES %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {
    "type": "object", "properties": {"a": {"type": "integer"}}}}}  # fmt: skip
U, A = {"role": "user", "content": "what is it?"}, {"role": "assistant", "content": "It is this."}
CALL = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]}  # fmt: skip
RESULT = {"role": "tool", "tool_call_id": "c", "content": "the result of it"}


def talk(*messages: Any, **columns: Any) -> dict[str, Any]:
    return {"messages": list(messages), **columns}


@pytest.fixture
def checked(tmp_path: Path) -> Any:
    """The report of some rows with a template that renders only some roles, or with one by its name."""

    def run(*rows: Any, template: str = "", roles: str = "", **options: Any) -> Report:
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        name = template
        if roles:
            name = str(tmp_path / "bare.jinja")
            Path(name).write_text(BARE.replace("ROLES", roles))
        return check_dataset(str(file), TrainConfig(template=name or "auto", **options), with_model=True)

    return run


def actions(report: Report, code: str) -> dict[str, int]:
    return {action: count for (found, action), count in report.counts.items() if found == code}


def first(report: Report, code: str) -> tuple[int, str]:
    finding = next(f for f in report.findings if f.code == code and f.line)
    return finding.line, finding.path


ALL = "['system', 'user', 'assistant', 'tool']"


@pytest.mark.parametrize(
    ("code", "row", "roles", "path"),
    [
        ("RO215", talk({"role": "system", "content": "be kind"}, U, A), "['user', 'assistant']", "messages[0]"),
        ("TL409", talk(U, A, tools=[TOOL]), ALL, "tools"),
        ("RS604", talk(U, {**A, "reasoning_content": "let me think"}), ALL, "messages[1]"),
    ],
)
def test_what_a_template_leaves_out_stops_unless_one_says_what_to_do(
    checked: Any, code: str, row: Any, roles: str, path: str
) -> None:
    rows, options = (talk(U, A), row), {"roles": roles, "tool_dialect": "none"}
    report = checked(*rows, **options)
    assert actions(report, code) == {"kept": 1, "stopped": 1}
    assert first(report, code) == (2, path)
    assert "--swallowed" in next(f.message for f in report.findings if (f.code, f.action) == (code, "stopped"))
    report = checked(*rows, swallowed="drop", **options)
    assert actions(report, code) == {"dropped": 1}
    assert report.rows["dropped"] == 1
    report = checked(*rows, swallowed="ignore", **options)
    assert actions(report, code) == {"kept": 1}
    assert report.rows["kept"] == 2


def test_results_that_a_template_ignores_stop(checked: Any, tmp_path: Path) -> None:
    template = "{% if tools %}{{ tools | tojson }}{% endif %}" + BARE.replace("ROLES", "['user', 'assistant']").replace(
        "{{ m.content }}", "{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls[0].function | tojson }}{% endif %}"
    )
    file = tmp_path / "ignores.jinja"
    file.write_text(template)
    report = checked(talk(U, CALL, RESULT, A, tools=[TOOL]), template=str(file), tool_dialect="none")
    assert actions(report, "MK705") == {"kept": 1, "stopped": 1}
    assert first(report, "MK705") == (1, "messages[2]")


def test_a_dialect_says_what_it_moves(checked: Any) -> None:
    system = {"role": "system", "content": "be kind"}
    report = checked(talk(system, U, A), talk(U, CALL, RESULT, A, tools=[TOOL]), roles="['user', 'assistant']")
    assert actions(report, "RO215") == {"repaired": 1}
    assert actions(report, "TL409") == {"repaired": 1}
    assert not report.stopped or {f.code for f in report.findings if f.action == "stopped"} == {"DS905"}


def test_words_beside_a_call_that_are_not_rendered(checked: Any) -> None:
    beside = {**CALL, "content": "I will look."}
    report = checked(talk(U, beside, RESULT, A, tools=[TOOL]), template=str(WILD / "mistral.jinja"))
    assert actions(report, "TC517") == {"kept": 1, "stopped": 1}
    assert first(report, "TC517") == (1, "messages[1]")


def test_control_tokens_in_words_are_named(checked: Any) -> None:
    report = checked(talk(U, A), talk({"role": "user", "content": "say <|im_end|> now"}, A))
    assert actions(report, "CT305") == {"kept": 1}
    finding = next(f for f in report.findings if f.code == "CT305")
    assert (finding.line, finding.path) == (2, "messages[0]")
    assert finding.message == "text contains <|im_end|>; treated as plain text"


def test_hidden_reasoning_is_said_beside_the_samples_it_makes(checked: Any) -> None:
    thought = {**A, "reasoning_content": "let me think"}
    last = {**A, "reasoning_content": "and once more"}
    report = checked(talk(U, thought, U, last), template=str(WILD / "hides_thinking.jinja"))
    assert actions(report, "MK702") == {"kept": 1}
    assert actions(report, "RS605") == {"kept": 1}
    assert first(report, "RS605") == (1, "messages[1]")
    assert report.stats["tokens"]["samples"] == 2
    assert actions(checked(talk(U, thought), template=str(WILD / "hides_thinking.jinja")), "RS605") == {}


def test_the_system_prompt_may_take_half_of_the_window(checked: Any) -> None:
    long = {"role": "system", "content": "word " * 60}
    report = checked(talk(long, U, A), talk(U, A), max_length=192)
    assert actions(report, "LN805") == {"kept": 1}
    assert actions(checked(talk(long, U, A), max_length=512), "LN805") == {}


def test_many_long_rows_name_a_length_that_holds_them(checked: Any) -> None:
    rows = [talk({"role": "user", "content": "word " * (100 if i % 5 == 0 else 2)}, A) for i in range(20)]
    report = checked(*rows, max_length=64)
    said = next(f.message for f in report.findings if f.code == "LN806")
    longest = max(length for length, _ in report.stats["tokens"]["lengths"])
    assert said == f"20 % of the conversations are longer than 64 tokens; {longest} hold 99 %"
    assert actions(checked(*rows, max_length=512), "LN806") == {}


def test_weights_and_parts_and_arguments_are_counted(checked: Any) -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "what "}, {"type": "text", "text": "now?"}]}
    report = checked(talk(parts, {**A, "weight": 0.5}), talk(U, CALL, RESULT, A, tools=[TOOL]))
    for code, said in (("MK708", "1 message has"), ("SH108", "of 1 message is"), ("TC501", "of 1 call are")):
        assert actions(report, code) == {"kept": 1}
        assert said in next(f.message for f in report.findings if f.code == code)
    assert report.rows["kept"] == 2, "they are information"


def plain(name: str = "auto", **special: str) -> tuple[PreTrainedTokenizerFast, Any]:
    """A tokenizer that lowers every letter, and a template of the library for it."""
    inner = Tokenizer(models.WordLevel(unk_token="<unk>"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    inner.decoder = decoders.Fuse()
    inner.train_from_iterator(
        ["abcdefghijklmnopqrstuvwxyz <>|_\n./"], trainers.WordLevelTrainer(special_tokens=["<unk>"])
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", **special)
    return tokenizer, choose_template(name, tokenizer)


def test_characters_that_the_tokenizer_changes_are_named() -> None:
    tokenizer, template = plain("chatml", eos_token="<|im_end|>", bos_token="<|x|>")
    assert changed_characters("abc", tokenizer) == []
    assert changed_characters("aBcé", tokenizer) == ["B", "é"]
    clean, changed = (
        Conversation((Message("user", text), Message("assistant", "yes")), (), "x", n)
        for n, text in enumerate(("a", "É"), 1)
    )
    for one, wanted in zip(make([clean, changed], template, tokenizer, TrainConfig()), (False, True), strict=True):
        notes = [note for note in one.notes if note.code == "MK709"]
        assert bool(notes) == wanted
    assert notes[0].message == "the tokenizer does not keep 'É' (U+00C9)"
    assert (notes[0].line, notes[0].action) == (2, "kept")


def test_a_start_that_stands_twice_is_taken_out_once(checked: Any, tmp_path: Path) -> None:
    file = tmp_path / "twice.jinja"
    file.write_text("{{ bos_token }}{{ bos_token }}" + BARE.replace("ROLES", ALL))
    tokenizer, template = plain(str(file), eos_token="<|im_end|>", bos_token="<|x|>")
    talked = Conversation((Message("user", "so"), Message("assistant", "yes")))
    (one,) = make([talked], template, tokenizer, TrainConfig())
    ((sample, example),) = one.samples
    assert sample.text.startswith("<|x|><|im_start|>")
    assert sample.marked().endswith("⟦yes<|im_end|>⟧\n")
    assert [(note.code, note.action) for note in one.notes if note.code == "MK710"] == [("MK710", "repaired")]
    assert example.trained


class Begins:
    """What `Measure` asks of a tokenizer: one that begins every text with its start token, and pads with its end."""

    model_max_length = 100
    bos_token, bos_token_id, pad_token, pad_token_id, eos_token_id = "<s>", 1, "</s>", 2, 2

    def __call__(self, text: str) -> Any:
        return type("Encoding", (), {"input_ids": [1, 5]})


def test_a_start_that_is_left_out_and_a_pad_that_ends_are_said() -> None:
    tokenizer, template = plain("chatml", eos_token="<|im_end|>")
    talked = Conversation((Message("user", "so"), Message("assistant", "yes")))
    config = TrainConfig(max_length=64)
    measure = Measure()
    measure.add(talked, make([talked], template, tokenizer, config)[0], config, "<s>")
    found = {f.code: f.message for f in measure.findings("x", config, template, Begins())}
    assert found["MK710"] == "the tokenizer begins a text with <s>; the template leaves it out (1 sample)"
    assert found["MK711"].startswith("</s> pads and ends texts")
    assert not {f.code for f in measure.findings("x", config, template, tokenizer)} & {"MK710", "MK711"}


def test_somebody_elses_text_is_never_trained() -> None:
    talked = Conversation((Message("user", "a question of mine"), Message("assistant", "an answer")), (), "x", 3)
    text = "USER a question of mine ASSISTANT an answer"
    right = Rendered(text, (Span(text.index("an answer"), len(text), "text", 1),))
    nothing_foreign_is_trained(talked, [right])
    wrong = Rendered(text, (Span(0, len(text), "text", 1),))
    with pytest.raises(RowRefusedError) as refused:
        nothing_foreign_is_trained(talked, [wrong])
    assert (refused.value.finding.code, refused.value.finding.action) == ("MK706", "stopped")
    repeats = Conversation((talked.messages[0], Message("assistant", "you ask: a question of mine")))
    text = "USER a question of mine ASSISTANT you ask: a question of mine"
    nothing_foreign_is_trained(repeats, [Rendered(text, (Span(text.index("you ask"), len(text), "text", 1),))])


def test_a_cut_never_separates_a_result_from_its_call() -> None:
    call = Message("assistant", tool_calls=(ToolCall("f", {}, "c"),))
    whole = Conversation(
        (Message("user", "q"), call, Message("tool", "1", tool_call_id="c"), Message("assistant", "a"))
    )
    calls_keep_their_results(whole)
    with pytest.raises(RowRefusedError) as refused:
        calls_keep_their_results(Conversation((whole.messages[0], *whole.messages[2:])))
    assert refused.value.finding.code == "LN804"
