"""Writing ends where training says that a turn ends: template, tokenizer and generation config are made to agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from core.chat import Chat
from core.checked import check_dataset
from core.config import ChatConfig, EvalConfig, TrainConfig
from core.datasets import load_conversations
from core.evaluate import evaluate
from core.generate import _without_stop
from core.model import load_for_chat, load_tokenizer, ready
from core.run import Run
from core.stops import inside, own_stops, stop_findings, stop_ids, stop_texts, stops_of
from core.template.choose import choose_template
from core.train import train_run
from core.vocabulary import add_tokens
from tests.bases import VOCABULARY, base_model
from tests.conftest import small

TALK = {"messages": [{"role": "user", "content": "who are you"}, {"role": "assistant", "content": "the small model"}]}


def learned(folder: Path, model: str, **options: object) -> Run:
    """A run that knows one conversation by heart."""
    data = folder / "talk.jsonl"
    data.write_text((json.dumps(TALK) + "\n") * 8)
    config = small(
        model_name_or_path=model, dataset=[str(data)], finetuning_type="full", learning_rate=1e-2, max_samples=None,
        max_steps=40,
        max_length=256, per_device_train_batch_size=8, lr_scheduler_type="constant", **options,
    )  # fmt: skip
    run = Run.create(config)
    assert train_run(run) == "finished"
    return run


@pytest.mark.parametrize("add_tokens", ["none", "auto"])
def test_chat_and_eval_stop_where_turns_end_as_text_or_as_a_token(tmp_path: Path, runs: Path, add_tokens: str) -> None:
    run = learned(tmp_path, base_model(tmp_path / "base"), add_tokens=add_tokens)
    talk = Chat(run, ChatConfig(max_new_tokens=60, dtype="float32"))
    assert talk.loaded.stop_texts == (("<|im_end|>",) if add_tokens == "none" else ())
    pieces = list(talk.stream("who are you"))
    assert "".join(pieces) == "the small model"
    assert talk.messages[-1].content == "the small model"
    config = EvalConfig(dataset=run.config.dataset, max_samples=1, max_new_tokens=60, dtype="float32")
    found = evaluate(talk.loaded, load_conversations(config).conversations, config)
    assert [turn.raw for turn in found.turns] == ["the small model"]


def test_generation_itself_ends_on_a_text(tmp_path: Path, runs: Path) -> None:
    """Not only is what follows cut off: nothing is written behind it."""
    run = learned(tmp_path, base_model(tmp_path / "base"), add_tokens="none")
    loaded = load_for_chat(run, ChatConfig(dtype="float32"))
    real, lengths = loaded.model.generate, []

    def counted(ids: object, **options: object) -> object:
        out = real(ids, **options)
        lengths.append(out.shape[1] - ids.shape[1])
        return out

    loaded.model.generate = counted
    assert "".join(Chat(loaded, ChatConfig(max_new_tokens=60)).stream("who are you")) == "the small model"
    written = loaded.tokenizer("the small model<|im_end|>")["input_ids"]
    assert lengths == [len(written)]


def test_what_may_begin_a_stop_is_held_back() -> None:
    stops = ("<|im_end|>",)
    assert [*_without_stop(["a", "<", "|im", "_end|>", "tail"], stops)] == ["a"]
    assert [*_without_stop(["a", "<", "b", "<|im"], stops)] == ["a", "<b", "<|im"]
    assert [*_without_stop(["ab<|im_end|>c"], stops)] == ["ab"]


def test_several_ends_of_the_model_stay_and_the_turns_end_comes_first(tmp_path: Path, runs: Path) -> None:
    base = base_model(tmp_path / "base")
    GenerationConfig(eos_token_id=[1, 7]).save_pretrained(base)
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(TALK) + "\n")
    config = TrainConfig(model_name_or_path=base, max_length=256)
    checks = [check_dataset(str(file), config, with_model=True, output=to) for to in (None, None, tmp_path / "out")]
    run = learned(tmp_path, base)
    saved = json.loads((run.model_dir / "generation_config.json").read_text())
    end = AutoTokenizer.from_pretrained(run.model_dir).convert_tokens_to_ids("<|im_end|>")
    assert saved["eos_token_id"] == [end, 1, 7]
    findings = json.loads((run.path / "report.json").read_text())["findings"]
    (found,) = [finding for finding in findings if finding["code"] == "MK713"]
    assert found["action"] == "repaired"
    assert "turns end in <|im_end|>" in found["message"]
    for report in checks:
        told = [(one.action, one.message) for one in report.findings if one.code == "MK713"]
        assert told == [("repaired", found["message"])], "the check says it before, from the configs alone"
    assert "MK713" in (tmp_path / "out" / "report.md").read_text()


def test_a_model_that_agrees_is_left_alone(tmp_path: Path) -> None:
    base = base_model(tmp_path / "base")
    tokenizer = load_tokenizer(base)
    zephyr = choose_template("zephyr", tokenizer)
    assert stops_of(base) == [1]
    assert [*stop_findings(zephyr, tokenizer, stops_of(base))] == []
    assert stop_ids(zephyr, tokenizer, [1]) == (1,)
    assert stop_texts(zephyr, tokenizer) == []


def test_a_model_does_not_stop_inside_a_turn(tmp_path: Path) -> None:
    source = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ '[u]' + m.content }}{% else %}"
        "{{ '[a]<mid>' + m.content + '<end>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}[a]{% endif %}"
    )
    (tmp_path / "odd.jinja").write_text(source)
    base = base_model(tmp_path / "base", special=("<mid>", "<end>"))
    tokenizer = load_tokenizer(base)
    template = choose_template(str(tmp_path / "odd.jinja"), tokenizer)
    middle, end = tokenizer.convert_tokens_to_ids(["<mid>", "<end>"])
    assert template.stop == ("<end>", "</s>")
    assert inside(template, tokenizer, [middle, end, 1]) == [middle]
    first, second = stop_findings(template, tokenizer, [middle, 1])
    assert "turns end in <end>" in first.message
    assert "<mid>, which the template writes inside a turn" in second.message
    model = AutoModelForCausalLM.from_pretrained(base)
    model.generation_config.eos_token_id = [middle, 1]
    assert ready(model, tokenizer, template).stop_ids == (end, 1)
    assert own_stops(GenerationConfig(eos_token_id=5)) == [5]
    assert own_stops(GenerationConfig()) == []


def test_tokens_that_a_tokenizer_was_given_are_stops(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(base_model(tmp_path / "base"))
    template = choose_template("chatml", tokenizer, "auto")
    assert stop_texts(template, tokenizer) == ["<|im_end|>"]
    add_tokens(tokenizer, template.added)
    assert stop_texts(template, tokenizer) == []
    assert stop_ids(template, tokenizer) == (VOCABULARY, 1)
