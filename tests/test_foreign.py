"""Configs of other tools become ours: every option carried over, settled, or said to be different."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from trl import SFTConfig

from core.cli import main
from core.config import TrainConfig, load_config
from core.errors import UserError
from core.extra import INSTEAD
from core.foreign import TOOLS, recognise_tool, translate
from core.foreign.sheet import extra

LLAMAFACTORY = {
    "model_name_or_path": "org/model",
    "stage": "sft",
    "do_train": True,
    "finetuning_type": "lora",
    "lora_rank": 8,
    "lora_target": "all",
    "dataset": "one, two",
    "template": "qwen",
    "cutoff_len": 2048,
    "output_dir": "saves/first",
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 8,
    "learning_rate": 1e-4,
    "bf16": True,
    "deepspeed": "configs/ds_z3.json",
    "made_up": 3,
}
AXOLOTL = {
    "base_model": "org/model",
    "load_in_4bit": True,
    "adapter": "qlora",
    "lora_r": 32,
    "lora_target_linear": True,
    "lora_target_modules": None,
    "datasets": [
        {
            "path": "org/talks",
            "name": "en",
            "split": "train",
            "type": "chat_template",
            "field_messages": "talk",
            "message_property_mappings": {"role": "from", "content": "value"},
            "roles": {"user": ["human"], "assistant": ["gpt", "model"]},
        }
    ],
    "chat_template": "chatml",
    "sequence_len": 4096,
    "sample_packing": True,
    "micro_batch_size": 2,
    "num_epochs": 2,
    "saves_per_epoch": 2,
    "optimizer": "adamw_8bit",
    "val_set_size": 0.05,
    "wandb_project": "talks",
}
H2O = {
    "llm_backbone": "org/model",
    "problem_type": "text_causal_language_modeling",
    "architecture": {"backbone_dtype": "int4", "pretrained": True},
    "dataset": {
        "train_dataframe": "train.pq",
        "validation_dataframe": "None",
        "prompt_column": ["question"],
        "answer_column": "reply",
        "system_column": "None",
        "data_sample": 0.5,
    },
    "training": {"lora": True, "epochs": 2, "warmup_epochs": 0.1, "optimizer": "AdamW", "schedule": "Cosine"},
}
TRL = {"model_name_or_path": "org/model", "dataset_name": "org/talks", "use_peft": True, "output_dir": "out/x"}


def expect(translated: dict[str, Any], **values: Any) -> None:
    assert {name: translated.get(name) for name in values} == values


def test_llamafactory() -> None:
    found = translate(LLAMAFACTORY)
    assert found.tool == "LLaMA-Factory"
    expect(
        found.values,
        model_name_or_path="org/model",
        finetuning_type="lora",
        lora_r=8,
        lora_alpha=16,
        lora_target_modules=["all-linear"],
        dataset=["one", "two"],
        dataset_dir="data",
        max_length=2048,
        run_name="first",
        dtype="bfloat16",
        distributed="zero3",
        learning_rate=1e-4,
        lr_scheduler_type="linear",
        gradient_checkpointing=True,
    )
    assert "template" not in found.values
    assert "own chat template" in found.settled["template"]
    assert list(found.different) == ["made_up"]


def test_axolotl() -> None:
    found = translate(AXOLOTL)
    expect(
        found.values,
        dataset=["hf:org/talks/en:train"],
        columns={"messages": "talk"},
        tags={"role_tag": "from", "content_tag": "value"},
        roles={"human": "user", "gpt": "assistant", "model": "assistant"},
        template="chatml",
        finetuning_type="lora",
        load_in_4bit=True,
        lora_target_modules=["all-linear"],
        max_length=4096,
        save_steps=0.25,
        optim="adamw_8bit",
        val_size=0.05,
        report_to=["wandb"],
        warmup_ratio=0.03,
    )
    assert set(found.different) == {"sample_packing", "sequence_len"}


def test_h2o() -> None:
    found = translate(H2O)
    expect(
        found.values,
        model_name_or_path="org/model",
        load_in_4bit=True,
        dataset=["train.pq"],
        columns={"prompt": "question", "response": "reply"},
        warmup_ratio=0.05,
        optim="adamw_torch_fused",
        lr_scheduler_type="cosine",
    )
    assert "eval_dataset" not in found.values
    assert list(found.different) == ["dataset.data_sample"]


def test_trl() -> None:
    found = translate(TRL)
    expect(found.values, dataset=["hf:org/talks:train"], finetuning_type="lora", learning_rate=2e-5, run_name="x")
    assert translate({**TRL, "use_peft": None}).values["finetuning_type"] == "full"


@pytest.mark.parametrize("given", [LLAMAFACTORY, AXOLOTL, H2O, TRL])
def test_every_option_is_accounted_for(given: dict[str, Any]) -> None:
    """What was given is an origin of one of ours, needs nothing, or is said to be different."""
    found = translate(given)
    said = [*found.origins.values(), *found.settled, *found.different]
    flat = [
        f"{key}.{name}" if isinstance(value, dict) else key
        for key, value in given.items()
        for name in (value if isinstance(value, dict) else [""])
    ]
    for name in flat:
        values = [given] if "." not in name else [given[name.split(".")[0]]]
        if values[0][name.split(".")[-1]] not in (None, "None"):
            assert any(name in words for words in said), name


@pytest.mark.parametrize("given", [LLAMAFACTORY, AXOLOTL, H2O, TRL])
def test_the_result_is_a_config(given: dict[str, Any], tmp_path: Path) -> None:
    """What is written can be read, and holds what was translated."""
    found = translate(given)
    file = tmp_path / "ours.yaml"
    file.write_text(found.yaml("theirs.yaml"), encoding="utf-8")
    config = load_config(TrainConfig, file, {})
    assert {name: getattr(config, name) for name in found.values} == found.values
    assert recognise_tool(yaml.safe_load(file.read_text(encoding="utf-8"))) == ""


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_tables_speak_of_options_that_there_are(tool: str) -> None:
    """Every default that a tool would use is one of its table, and fits."""
    defaults = TOOLS[tool].defaults({})
    assert set(defaults) <= set(TOOLS[tool].table)
    required = {"h2o": {"llm_backbone": "m"}}.get(tool, {"model_name_or_path": "m"})
    assert not [name for name in translate(required, tool).different if name in defaults]


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_what_goes_into_extra_is_taken_by_it(tool: str) -> None:
    names = [name for name, entry in TOOLS[tool].table.items() if entry is extra]
    assert not [name for name in names if name in INSTEAD or name not in SFTConfig.__dataclass_fields__]


def test_values_that_do_not_fit_are_said() -> None:
    found = translate({**AXOLOTL, "lr_scheduler": "rex", "lora_r": 0})
    assert "lr_scheduler_type" not in found.values
    assert "rex" in found.different["lr_scheduler"]
    assert "lora_r" not in found.values
    assert "greater than or equal to 1" in found.different["lora_r"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({**LLAMAFACTORY, "stage": "dpo"}, "stage: dpo is not trained here"),
        ({**AXOLOTL, "rl": "kto"}, "rl: kto is not trained here"),
        ({**AXOLOTL, "datasets": ["a"]}, "datasets: expected a list"),
        ({"colour": "red"}, "not recognised"),
        ({"dataset": ["tools"], "max_length": 512}, "not recognised"),
    ],
)
def test_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        translate(given)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is new, what is different is said, and `train` points here."""
    theirs, ours = tmp_path / "theirs.yaml", tmp_path / "ours.yaml"
    theirs.write_text(yaml.safe_dump(AXOLOTL), encoding="utf-8")
    assert main(["import", str(theirs), "--output", str(ours)]) == 0
    assert "sample_packing: rows of a batch" in capsys.readouterr().out
    before = ours.read_text(encoding="utf-8")
    assert main(["import", str(theirs), "--output", str(ours)]) == 2
    assert "exists" in capsys.readouterr().err
    assert ours.read_text(encoding="utf-8") == before
    assert main(["import", str(theirs), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"]["lora_r"] == 32
    assert main(["train", str(theirs)]) == 2
    assert f"is a config of axolotl — core-cli import {theirs}" in capsys.readouterr().err


def test_what_a_dataset_of_axolotl_says_besides_is_named() -> None:
    asked = {
        "drop_system_message": True,
        "split_thinking": True,
        "field_thinking": "cot",
        "message_field_training": "train",
        "message_property_mappings": {"role": "from", "content": "value", "tool_calls": "calls"},
        "made_up": 1,
    }
    config = AXOLOTL | {"datasets": [{"path": "org/talks", "type": "chat_template", **asked}]}
    different = translate(config).different
    said = {name.removeprefix("datasets: org/talks: "): why for name, why in different.items() if "org/talks" in name}
    assert said == {
        "drop_system_message": "system prompts are kept; take them out of the data",
        "field_thinking": "rename the key cot of the messages to reasoning_content",
        "message_property_mappings": "rename the key calls of the messages to tool_calls",
        "made_up": "has no counterpart here",
    }
