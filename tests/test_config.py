"""The config: one list of knobs, from which flags, YAML and errors are made."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from core.config import (
    ChatConfig,
    Config,
    EvalConfig,
    TrainConfig,
    add_arguments,
    config_from_arguments,
    default_of,
    dump_yaml,
    extra,
    load_config,
    parse_config,
)
from core.errors import UserError, counted, did_you_mean
from core.paths import data_dir
from core.presets import PRESETS

CONFIGS = [TrainConfig, EvalConfig, ChatConfig]


@pytest.mark.parametrize("cls", CONFIGS)
def test_every_field_has_help_and_a_group(cls: type[Config]) -> None:
    for name, field in cls.model_fields.items():
        assert field.description, name
        assert extra(field)["group"], name


@pytest.mark.parametrize("cls", CONFIGS)
def test_yaml_round_trip(cls: type[Config], tmp_path: Path) -> None:
    config = cls()
    path = tmp_path / "c.yaml"
    path.write_text(dump_yaml(config), encoding="utf-8")
    assert load_config(cls, path, {}) == config


@pytest.mark.parametrize("cls", CONFIGS)
def test_every_default_passes_as_a_flag(cls: type[Config]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, cls)
    words: list[str] = []
    for name, field in cls.model_fields.items():
        value = default_of(field)
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif value is not None:
            words += [
                flag,
                *(value if isinstance(value, list) else [yaml.safe_dump(value).strip() if value == {} else str(value)]),
            ]
    assert config_from_arguments(cls, parser.parse_args(words)) == cls()


def test_flags_override_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("learning_rate: 0.001\nlora_r: 8\n", encoding="utf-8")
    parser = argparse.ArgumentParser()
    add_arguments(parser, TrainConfig)
    config = config_from_arguments(TrainConfig, parser.parse_args(["--lora-r", "4"]), path)
    assert (config.learning_rate, config.lora_r) == (0.001, 4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lerning_rate": 1}, 'unknown option "lerning_rate": did you mean "learning_rate"'),
        ({"lora_r": 0}, "lora_r: should be greater than or equal to 1, got 0"),
        ({"finetuning_type": "magic"}, "finetuning_type: should be 'lora', 'freeze' or 'full', got 'magic'"),
        ({"num_train_epochs": "many"}, "num_train_epochs"),
    ],
)
def test_bad_values_get_one_clear_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_config(TrainConfig, values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1", "not valid YAML"), ("- 1\n- 2\n", "holds a list"), ("learning_rat: 1", "learning_rate")],
)
def test_bad_files_name_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        load_config(TrainConfig, path, {})
    assert "bad.yaml" in str(caught.value)


def test_missing_file() -> None:
    with pytest.raises(UserError, match="no such file"):
        load_config(TrainConfig, Path("nowhere.yaml"), {})


def test_learning_rate_follows_the_method() -> None:
    assert TrainConfig().peak_learning_rate() == 2e-4
    assert TrainConfig(finetuning_type="full").peak_learning_rate() == 2e-5
    assert TrainConfig(learning_rate=0.5).peak_learning_rate() == 0.5


@pytest.mark.parametrize("recipe", sorted((data_dir() / "recipes").glob("*.yaml")), ids=lambda path: path.name)
def test_every_recipe_is_valid(recipe: Path) -> None:
    assert load_config(TrainConfig, recipe, {}).dataset


def test_one_thing_is_said_otherwise_than_several() -> None:
    assert [counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [counted(n, "row is", "rows are") for n in (1, 2)] == ["1 row is", "2 rows are"]


def test_did_you_mean() -> None:
    assert did_you_mean("tols", ["tools", "chat"]) == 'did you mean "tools"?'
    assert did_you_mean("zzz", ["tools", "chat"]) == "there is: chat, tools"
    assert did_you_mean("zzz", []) == "there is none"


def test_every_preset_can_be_chosen_and_is_below_what_is_said(tmp_path: Path) -> None:
    assert set(PRESETS) == set(get_args(TrainConfig.model_fields["preset"].annotation))
    for name, preset in PRESETS.items():
        config = parse_config(TrainConfig, {"preset": name})
        assert {field: getattr(config, field) for field in preset.changes} == preset.changes
        assert preset.help
        path = tmp_path / f"{name}.yaml"
        path.write_text(dump_yaml(config), encoding="utf-8")
        assert load_config(TrainConfig, path, {}) == config
    assert TrainConfig(preset="balanced") == TrainConfig()
    assert TrainConfig(preset="best_quality", lora_r=8).lora_r == 8
    path.write_text("preset: best_quality\nlora_r: 8\n", encoding="utf-8")
    assert load_config(TrainConfig, path, {}).lora_alpha == 128
    assert load_config(TrainConfig, path, {}).lora_r == 8
    assert load_config(TrainConfig, path, {"preset": "best_quality"}).lora_r == 64
    assert load_config(TrainConfig, path, {"preset": "best_quality", "lora_r": 4}).lora_r == 4
    for wrong in ("magic", ["best_quality"]):
        with pytest.raises(UserError, match="preset: should be"):
            parse_config(TrainConfig, {"preset": wrong})
