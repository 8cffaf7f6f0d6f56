"""Methods: each trains what it says, its result loads again as it was, and what cannot work is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from core.batch import Collator
from core.checks import check_training, skeleton
from core.config import TrainConfig
from core.errors import UserError
from core.gate import look_first
from core.method import adapter_config, load_trainable, loading_dtype, widen_trained
from core.model import load_for_chat, load_weights
from core.run import Run
from core.train import train_run
from core.trainer import Trainer
from tests.conftest import small

FEW = {"max_samples": 4, "max_steps": 2}


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 25).unsqueeze(0)).logits


@pytest.mark.parametrize(
    "options",
    [
        {"use_rslora": True},
        {"use_dora": True},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "olora"},
        {"init_lora_weights": "orthogonal"},
        {"init_lora_weights": "mica"},
        {"loraplus_lr_ratio": 16},
        {"lora_target_modules": ["q_proj", "v_proj"]},
        {"finetuning_type": "freeze", "freeze_trainable_layers": 1},
        {"loss_type": "dft"},
        {"neftune_noise_alpha": 5},
    ],
    ids=str,
)
def test_what_was_trained_is_what_is_loaded(
    runs: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """The logits of the model as it left training equal those of the model that chat loads."""
    left: list[torch.Tensor] = []
    real = Trainer.save_whole

    def caught(trainer: Trainer, place: Path) -> None:
        left.append(logits(trainer.model.eval()))
        real(trainer, place)

    monkeypatch.setattr(Trainer, "save_whole", caught)
    run = Run.create(small(**FEW, **options))
    assert train_run(run) == "finished"
    loaded = load_for_chat(run, TrainConfig(dtype="float32"))
    torch.testing.assert_close(logits(loaded.model), left[0], rtol=1e-3, atol=1e-3)
    assert not torch.equal(left[0], logits(load_weights("starter", TrainConfig(dtype="float32"))))


def test_freeze_trains_the_last_layers_only() -> None:
    model, adapter = load_trainable(TrainConfig(finetuning_type="freeze", freeze_trainable_layers=1))
    assert adapter is None
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    last = len(model.get_decoder().layers) - 1
    assert trained
    assert all(f"layers.{last}." in name or name.endswith("model.norm.weight") for name in trained)


@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
@pytest.mark.parametrize(
    ("method", "loaded"), [("full", torch.float32), ("freeze", torch.bfloat16), ("lora", torch.bfloat16)]
)
def test_on_a_gpu_what_is_trained_whole_is_loaded_in_float32(
    monkeypatch: pytest.MonkeyPatch, dtype: Any, method: Any, loaded: torch.dtype
) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: True)
    assert loading_dtype(TrainConfig(dtype=dtype, finetuning_type=method), "cuda") == loaded
    assert loading_dtype(TrainConfig(finetuning_type=method), "cpu") == torch.float32


@pytest.mark.parametrize(
    "options", [{"finetuning_type": "freeze"}, {}, {"lora_modules_to_save": ["embed_tokens"]}], ids=str
)
def test_as_on_a_gpu_trained_weights_are_float32_beside_frozen_ones_in_16_bits(
    runs: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """A whole run with autocast; the updates are smaller than a step of bfloat16, and they are there."""
    trainers: list[Trainer] = []
    started: list[dict[str, torch.Tensor]] = []

    def as_on_a_gpu(model: torch.nn.Module, device: str) -> None:
        widen_trained(model, "cuda")
        started.append({name: weight.detach().clone() for name, weight in model.named_parameters()})

    def caught(trainer: Trainer, place: Path) -> None:
        trainers.append(trainer)

    monkeypatch.setattr("core.trainer.widen_trained", as_on_a_gpu)
    monkeypatch.setattr("core.sft.computes_in_bfloat16", lambda device: True)
    monkeypatch.setattr(Trainer, "save_whole", caught)
    train_run(
        Run.create(
            small(**FEW, dtype="bfloat16", learning_rate=1e-6, eval_dataset=["tools"], eval_generate=2, **options)
        )
    )
    [trainer], [before] = trainers, started
    assert trainer.args.bf16
    model: Any = trainer.model
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    frozen = {weight.dtype for weight in model.parameters() if not weight.requires_grad}
    assert frozen == {torch.bfloat16}
    ones = [name for name in trained if name.endswith("norm.weight")] or list(trained)
    assert all(not torch.equal(trained[name], before[name]) for name in ones if "lora_A" not in name)


def test_an_adapter_can_be_trained_on_and_others_merged_first(runs: Path) -> None:
    first = Run.create(small(**FEW))
    train_run(first)
    adapter = str(first.model_dir)
    model, config = load_trainable(TrainConfig(adapter_name_or_path=[adapter, adapter], dtype="float32"))
    assert config is None
    assert any(isinstance(module, BaseTunerLayer) for module in model.modules())
    second = Run.create(small(**FEW, adapter_name_or_path=[adapter]))
    assert train_run(second) == "finished"
    assert (second.model_dir / "adapter_config.json").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"finetuning_type": "full", "use_dora": True}, "use_dora is for adapters"),
        ({"loss_weights": {"tool_cal": 2}}, 'unknown kind "tool_cal", did you mean "tool_call"'),
        ({"loss_weights": {"text": -1}}, "text must be ≥ 0"),
        ({"load_in_4bit": True, "finetuning_type": "full"}, "load_in_4bit needs a GPU.*cannot be trained"),
        ({"load_in_4bit": True, "load_in_8bit": True}, "exclude each other"),
        ({"attn_implementation": "flash_attention_2", "dtype": "float32"}, "needs a GPU.*flash_attn.*16 bits only"),
        ({"loss_weights": {"text": 0, "reasoning": 0, "tool_call": 0, "stop": 0}}, "every kind weighs 0"),
        ({"optim": "adamw_tourch"}, 'optim: there is no "adamw_tourch" — did you mean "adamw_torch"'),
        ({"optim": "paged_adamw_8bit"}, "optim paged_adamw_8bit: .*bitsandbytes"),
        ({"lr_scheduler_kwargs": {"min_lr": 1}}, "lr_scheduler_kwargs do not fit cosine: .*min_lr"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "lr_scheduler_kwargs do not fit cosine_with_min_lr"),
        ({"max_length": 1_000_000}, "max_length 1000000 is above the model's context of"),
        ({"adapter_name_or_path": ["nowhere"]}, 'there is no adapter at "nowhere"'),
        ({"lora_target_modules": []}, "nothing would be trained: set all-linear"),
        ({"lora_modules_to_save": ["embed_token"]}, 'no module "embed_token" — did you mean "embed_tokens"'),
        (
            {"lora_r": 1024, "max_length": 1_000_000, "optim": "adamv", "extra": {"x": 1}},
            "adamv.*context of.*lora_r 1024 is above the size of .*at most",
        ),
        ({"finetuning_type": "freeze", "freeze_trainable_layers": 99}, "the model has . layers, at most that"),
    ],
)
def test_what_cannot_work_is_refused_all_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_training(TrainConfig(**options))


def test_an_adapter_of_another_base_is_refused_and_one_that_moved_is_not(tmp_path: Path) -> None:
    LoraConfig(base_model_name_or_path="models/other", task_type="CAUSAL_LM").save_pretrained(tmp_path / "other")
    LoraConfig(base_model_name_or_path="/old/starter", task_type="CAUSAL_LM").save_pretrained(tmp_path / "moved")
    for name in ("other", "moved"):
        save_file({"weight": torch.zeros(1)}, tmp_path / name / "adapter_model.safetensors")
    with pytest.raises(UserError, match='other" sits on models/other: set model_name_or_path to it'):
        check_training(TrainConfig(adapter_name_or_path=[str(tmp_path / "other")]))
    check_training(TrainConfig(adapter_name_or_path=[str(tmp_path / "moved")]))


def test_nothing_of_the_weights_is_read_for_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = skeleton("starter")
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    check_training(TrainConfig())


def test_ranks_and_modules_are_checked_against_the_model() -> None:
    model = load_weights("starter", TrainConfig())
    with pytest.raises(UserError, match=r"lora_r 1024 is above the size of .*at most"):
        adapter_config(TrainConfig(lora_r=1024), model)
    with pytest.raises(UserError, match='no linear layer "q_prj" — did you mean "q_proj"'):
        adapter_config(TrainConfig(lora_target_modules=["q_prj"]), model)
    with pytest.raises(UserError, match="the model has"):
        load_trainable(TrainConfig(finetuning_type="freeze", freeze_trainable_layers=99))
    with pytest.raises(UserError, match='adapter "nowhere" does not fit'):
        load_trainable(TrainConfig(adapter_name_or_path=["nowhere"]))


def test_gates_narrower_than_the_rank_are_left_without_an_adapter() -> None:
    """Experts that are shared have a gate of width 1: nobody can lower the rank to that."""
    shape = AutoConfig.for_model(
        "qwen2_moe", hidden_size=32, intermediate_size=32, moe_intermediate_size=16, shared_expert_intermediate_size=16,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, num_experts=4, vocab_size=64,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(shape)
    adapter = adapter_config(TrainConfig(lora_r=16), model)
    adapted = {
        name for name, part in get_peft_model(model, adapter).named_modules() if isinstance(part, BaseTunerLayer)
    }
    assert len(adapted) == 2 * 7
    assert not any("gate" in name.rpartition(".")[2] and "proj" not in name for name in adapted)
    with pytest.raises(UserError, match=r"lora_r 64 is above the size of .* \((16|32)\)"):
        adapter_config(TrainConfig(lora_r=64), model)


def test_kinds_are_weighted() -> None:
    row = {"input_ids": [1, 2, 3], "labels": [-100, 2, 3], "kinds": [0, 1, 3], "weights": [0.0, 1.0, 0.5]}
    batch = Collator(0, {"tool_call": 1.5}, packs=True)([row])
    assert batch["weights"].tolist() == [1.0, 0.75]


def test_weights_of_kinds_reach_the_loss(runs: Path) -> None:
    """With calls weighted by nothing, the loss is that of the other kinds."""
    run = Run.create(small(dataset=["tools"], **FEW, loss_weights={"tool_call": 0, "stop": 0}))
    train_run(run)
    line = run.metrics()[0]
    assert line["loss"] == pytest.approx(line["loss_text"], rel=1e-4)
    assert line["loss_tool_call"] > 0


def test_what_this_machine_cannot_do_is_refused_before_there_is_a_run() -> None:
    """Options, method and several processes: all at once, by the command line and the board too."""
    with pytest.raises(UserError) as refused:
        look_first(small(device="cpu", distributed="fsdp2", load_in_4bit=True, optim="adamx"))
    for said in (
        "needs GPUs",
        "load_in_4bit needs a GPU",
        'there is no "adamx"',
        "weights in few bits cannot be spread",
    ):
        assert said in str(refused.value)
