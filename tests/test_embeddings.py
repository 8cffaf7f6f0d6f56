"""A base model without the tokens of its chat template: they are added, trained, saved, and there wherever it goes."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM

from core.chat import Chat
from core.config import ChatConfig, EvalConfig, ExportConfig, TrainConfig
from core.datasets import load_conversations
from core.embeddings import token_faults
from core.errors import UserError
from core.estimate.need import Estimator
from core.evaluate import evaluate
from core.export import export
from core.loss import losses_of_head
from core.method import load_trainable
from core.model import load_for_chat, load_tokenizer, load_vocabulary
from core.run import Run
from core.sharding import Sharding
from core.stops import stop_ids
from core.template.choose import choose_template
from core.train import train_run
from core.training_data import kept_vocabulary
from core.vocabulary import add_tokens, token_findings
from tests.bases import VOCABULARY, base_model
from tests.conftest import small

MARKS = ("<|im_end|>", "<|im_start|>")
FEW = {"max_samples": 8, "max_steps": 4, "learning_rate": 1e-2, "save_steps": 2, "max_length": 256}


def logits(model: nn.Module, length: int = 40) -> torch.Tensor:
    ids = (torch.arange(length) * 7 % VOCABULARY).unsqueeze(0)
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits[..., :VOCABULARY]


def trained(model: str, **options: Any) -> Run:
    run = Run.create(small(**{**FEW, "model_name_or_path": model, **options}))
    assert train_run(run) == "finished"
    return run


def tables(run: Run) -> list[torch.Tensor]:
    """The embeddings, input and output, of what chat loads."""
    model = load_for_chat(run, ChatConfig(dtype="float32")).model
    return [model.get_input_embeddings().weight.detach(), model.get_output_embeddings().weight.detach()]


@pytest.mark.parametrize("method", ["lora", "full", "freeze"])
@pytest.mark.parametrize("kind", ["untied", "tied"])
def test_new_tokens_are_trained_saved_and_loaded(
    tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, kind: str, method: str
) -> None:
    from core.trainer import Trainer

    base = base_model(tmp_path / "base", kind)
    left: list[torch.Tensor] = []
    real = Trainer.save_whole
    monkeypatch.setattr(Trainer, "save_whole", lambda self, place: (left.append(logits(self.model)), real(self, place)))
    run = trained(base, finetuning_type=method)
    losses = [row["loss"] for row in run.metrics() if "loss" in row]
    assert losses[-1] < losses[0]

    tokenizer = load_tokenizer(str(run.model_dir))
    ids = tokenizer.convert_tokens_to_ids(list(MARKS))
    assert min(ids) >= len(load_tokenizer(base))
    loaded = load_for_chat(run, ChatConfig(dtype="float32"))
    torch.testing.assert_close(logits(loaded.model), left[0], rtol=1e-4, atol=1e-4)
    assert loaded.stop_ids[0] == ids[0]

    before = AutoModelForCausalLM.from_pretrained(base).get_input_embeddings().weight
    for table in tables(run):
        for row in ids:
            assert (table[row] - before.mean(0)).abs().max() > 1e-4
        assert not torch.equal(table[ids[0]], table[ids[1]])
        if method == "lora":
            assert table[:VOCABULARY].isfinite().all()
    if method == "lora":
        torch.testing.assert_close(tables(run)[0][:VOCABULARY], before[:VOCABULARY])
        saved = load_file(run.model_dir / "adapter_model.safetensors")
        rows = {name: value.shape for name, value in saved.items() if "lora_" not in name}
        assert set(rows.values()) == {(2, 32)}
        assert len(rows) == (1 if kind == "tied" else 2)


def test_the_report_and_the_run_say_what_was_added(tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture) -> None:
    run = trained(base_model(tmp_path / "base", "untied"), max_steps=1)
    report = json.loads((run.path / "report.json").read_text())
    assert "MK712" in json.dumps(report)
    assert "<|im_end|>, <|im_start|>: added, trained" in capsys.readouterr().out
    saved = json.loads((run.model_dir / "generation_config.json").read_text())
    assert saved["eos_token_id"] == [VOCABULARY, 1]


def test_a_template_whose_tokens_exist_adds_nothing(tmp_path: Path, tokenizer: Any) -> None:
    template = choose_template("chatml", tokenizer, "auto")
    assert template.added == ()
    assert [*token_findings(template, tokenizer)] == []
    base = base_model(tmp_path / "base", "untied")
    plain = load_tokenizer(base)
    for name in ("zephyr", "llama2", "mistral", "vicuna", "alpaca"):
        assert choose_template(name, plain, "auto").added == (), name
    zephyr = choose_template("zephyr", plain, "auto")
    assert "<|assistant|>, <|system|>, <|user|>: plain text" in next(token_findings(zephyr, plain)).message
    for name, marks in (("gemma", "<end_of_turn>"), ("llama3", "<|eot_id|>"), ("phi", "<|end|>"), ("glm", "<|user|>")):
        assert marks in choose_template(name, plain, "auto").added, name


def test_a_models_own_template_is_as_it_has_learned_it(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(base_model(tmp_path / "base", "untied"))
    tokenizer.chat_template = choose_template("chatml", tokenizer).source
    own = choose_template("auto", tokenizer, "auto")
    assert own.added == ()
    assert own.stop == ("<|im_end|>", "</s>")
    (found,) = token_findings(own, tokenizer)
    assert found.action == "kept"
    assert "turns end in <|im_end|>, which is text here" in found.message
    assert choose_template("auto", tokenizer, "all").added == ("</tool_call>", "<tool_call>", *MARKS)


def test_rows_that_stand_ready_are_used_and_filled(tmp_path: Path, runs: Path) -> None:
    """Many models have more rows than tokens: no table grows, and what stood there by chance is replaced."""
    base = base_model(tmp_path / "base", "untied", room=19)
    config = TrainConfig(model_name_or_path=base, template="chatml", dtype="float32", lora_r=4)
    _, template = load_vocabulary(config)
    plain = AutoModelForCausalLM.from_pretrained(base).get_output_embeddings().weight
    new = add_tokens(load_tokenizer(base), template.added)
    model, adapter = load_trainable(config, new)
    head = model.get_output_embeddings().weight
    assert head.shape == plain.shape
    torch.testing.assert_close(head[new.ids[0]], plain[:VOCABULARY].mean(0))
    torch.testing.assert_close(head[VOCABULARY + 2 :], plain[VOCABULARY + 2 :])
    assert adapter is not None
    assert adapter.trainable_token_indices == {"embed_tokens": list(new.ids), "lm_head": list(new.ids)}


@pytest.mark.parametrize("kind", ["untied", "tied"])
def test_the_losses_and_gradients_of_single_rows_are_those_of_all_logits(tmp_path: Path, kind: str) -> None:
    config = TrainConfig(model_name_or_path=base_model(tmp_path / "base", kind), dtype="float32", lora_r=4)
    _, template = load_vocabulary(config)
    new = add_tokens(load_tokenizer(config.model_name_or_path), template.added)
    model, adapter = load_trainable(config, new)
    whole = PeftModel(model, adapter)
    ids = torch.tensor([[5, *new.ids, 9, 8, new.ids[0], 7]])
    targets, places = ids[0, 1:], torch.arange(ids.shape[1] - 1)
    found = []
    for blocks in (False, True):
        whole.zero_grad()
        hidden = whole.get_base_model().get_decoder()(input_ids=ids).last_hidden_state[0][places]
        head = whole.get_base_model().get_output_embeddings()
        if blocks:
            loss = losses_of_head(head, hidden, targets, torch.ones(len(targets)), by_probability=False).total
        else:
            loss = nn.functional.cross_entropy(head(hidden), targets, reduction="sum")
        loss.backward()
        rows = {name: p.grad.clone() for name, p in whole.named_parameters() if "tokens_delta" in name}
        found.append((loss.detach(), rows))
    torch.testing.assert_close(found[0][0], found[1][0])
    assert len(found[0][1]) == (1 if kind == "tied" else 2)
    for name, grad in found[0][1].items():
        assert grad.abs().max() > 0
        torch.testing.assert_close(found[1][1][name], grad)


@pytest.mark.parametrize("kind", ["untied", "tied"])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path: Path, runs: Path, kind: str) -> None:
    base = base_model(tmp_path / "base", kind)
    whole = trained(base)
    cut = trained(base)
    shutil.rmtree(cut.path / "checkpoints" / "checkpoint-4")
    shutil.rmtree(cut.model_dir)
    assert train_run(cut, resume=True) == "finished"
    one, other = (load_file(run.model_dir / "adapter_model.safetensors") for run in (whole, cut))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", ["untied", "tied"])
def test_an_adapter_with_tokens_is_gone_on_from_and_merged(tmp_path: Path, runs: Path, kind: str) -> None:
    base = base_model(tmp_path / "base", kind)
    first = trained(base)
    adapter = str(first.model_dir)
    second = trained(base, adapter_name_or_path=[adapter])
    row = load_tokenizer(adapter).convert_tokens_to_ids("<|im_end|>")
    assert not torch.equal(tables(first)[0][row], tables(second)[0][row])
    assert load_tokenizer(str(second.model_dir)).get_vocab() == load_tokenizer(adapter).get_vocab()

    merging = TrainConfig(model_name_or_path=base, adapter_name_or_path=[adapter, adapter], dtype="float32")
    tokenizer, _ = load_vocabulary(merging)
    model, config = load_trainable(merging, add_tokens(tokenizer, []))
    assert config is None
    assert isinstance(model, PeftModel)

    before = logits(load_for_chat(first, ChatConfig(dtype="float32")).model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        merged = export(first, ExportConfig(output_dir=str(tmp_path / "merged"), dtype="float32"))
    again = load_for_chat(str(merged), ChatConfig(dtype="float32"))
    torch.testing.assert_close(logits(again.model), before, rtol=1e-4, atol=1e-4)
    assert again.stop_ids == load_for_chat(first, ChatConfig()).stop_ids


def test_an_adapter_that_does_not_train_the_tokens_is_refused(tmp_path: Path, runs: Path) -> None:
    base = base_model(tmp_path / "base", "untied")
    plain = trained(base, add_tokens="none")
    with pytest.raises(UserError, match="does not train the tokens that the template adds"):
        train_run(Run.create(small(model_name_or_path=base, adapter_name_or_path=[str(plain.model_dir)],
                                   template="llama3", **FEW)))  # fmt: skip


def test_chat_and_eval_know_the_tokens(tmp_path: Path, runs: Path) -> None:
    run = trained(base_model(tmp_path / "base", "untied"))
    chat = Chat(run, ChatConfig(max_new_tokens=8, dtype="float32"))
    assert isinstance("".join(chat.stream("who are you")), str)
    assert chat.loaded.tokenizer.convert_tokens_to_ids("<|im_end|>") in chat.loaded.stop_ids
    config = EvalConfig(dataset=["identity"], max_samples=2, max_new_tokens=4, dtype="float32")
    found = evaluate(load_for_chat(run, config), load_conversations(config).conversations, config)
    assert found.metrics["loss"] > 0


def test_a_head_with_a_bias_is_trained_whole(tmp_path: Path) -> None:
    from transformers import PhiConfig

    base = base_model(tmp_path / "base", "untied")
    shape = PhiConfig(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=1,
                      num_attention_heads=4, max_position_embeddings=512)  # fmt: skip
    AutoModelForCausalLM.from_config(shape).save_pretrained(tmp_path / "base")
    config = TrainConfig(model_name_or_path=base, lora_r=4)
    _, template = load_vocabulary(config)
    _, adapter = load_trainable(config, add_tokens(load_tokenizer(base), template.added))
    assert adapter is not None
    assert adapter.modules_to_save == ["lm_head"]
    assert set(adapter.trainable_token_indices) == {"embed_tokens"}


def test_where_no_process_holds_whole_tables_tokens_are_refused(tmp_path: Path) -> None:
    config = TrainConfig(model_name_or_path=base_model(tmp_path / "base", "untied"))
    new = add_tokens(load_tokenizer(config.model_name_or_path), MARKS)
    (fault,) = token_faults(config, new, Sharding("deepspeed", 3, "zero3"))
    assert "zero3: <|im_end|>, <|im_start|> must be added to the model: use ddp" in fault
    assert [*token_faults(config, new, Sharding())] == []


def test_estimates_count_the_rows(tmp_path: Path) -> None:
    base = base_model(tmp_path / "base", "untied")
    config = small(model_name_or_path=base, max_length=256)
    bare = config.model_copy(update={"add_tokens": "none"})
    more, less = (Estimator(one).estimate(one) for one in (config, bare))
    assert more.trained_parameters - less.trained_parameters == 2 * 2 * 32


def test_what_a_run_kept_does_not_change_with_the_options(tmp_path: Path, runs: Path) -> None:
    run = trained(base_model(tmp_path / "base", "untied"), max_steps=1)
    tokenizer, template, new = kept_vocabulary(run, run.config)
    assert new.texts == MARKS
    assert template.stop == ("<|im_end|>", "</s>")
    assert stop_ids(template, tokenizer) == (VOCABULARY, 1)


@pytest.mark.parametrize("kind", ["untied", "tied"])
def test_the_card_beside_an_adapter_says_how_to_load_it(tmp_path: Path, runs: Path, kind: str) -> None:
    """The lines on the card, run as they stand, write with the trained rows and stop where turns end."""
    base = base_model(tmp_path / "base", kind)
    run = trained(base)
    place = export(run, ExportConfig(output_dir=str(tmp_path / "out"), merge=False))
    card = (place / "README.md").read_text(encoding="utf-8")
    code = card.partition("```python\n")[2].partition("```")[0].replace("THIS_FOLDER", str(place))
    named = code.partition('AutoModelForCausalLM.from_pretrained("')[2].partition('"')[0]
    found: dict[str, Any] = {}
    exec(code.replace(f'"{named}"', f'"{base}"').replace("max_new_tokens=64", "max_new_tokens=2"), found)
    ours = load_for_chat(run, ChatConfig(dtype="float32"))
    torch.testing.assert_close(logits(found["model"]), logits(ours.model), rtol=1e-4, atol=1e-4)
    assert tuple(found["model"].generation_config.eos_token_id) == ours.stop_ids
