"""A tokenizer that is loaded without torch is the one that AutoTokenizer gives, or it is left to AutoTokenizer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoTokenizer

from core.model import load_tokenizer
from core.paths import starter_dir
from core.stops import stops_of
from core.tokenizer_folder import PLAIN_TYPES, plain_context, plain_stops, plain_tokenizer


def folder_of(place: Path, config: dict[str, Any], tokenizer: dict[str, Any]) -> Path:
    """The starter's tokenizer in a folder of its own, with other words in its configs."""
    place.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json", "chat_template.jinja"):
        shutil.copy(starter_dir() / name, place / name)
    for name, changes in (("config.json", config), ("tokenizer_config.json", tokenizer)):
        said = json.loads((place / name).read_text()) | changes
        (place / name).write_text(json.dumps(said))
    return place


def saved(tokenizer: Any, place: Path) -> dict[str, bytes]:
    """What a tokenizer writes of itself, byte for byte."""
    tokenizer.save_pretrained(place)
    return {file.name: file.read_bytes() for file in sorted(place.iterdir())}


@pytest.mark.parametrize("named", ["TokenizersBackend", "PreTrainedTokenizerFast"])
@pytest.mark.parametrize("model_type", PLAIN_TYPES)
def test_the_same_tokenizer_as_the_auto_class_gives(model_type: str, named: str, tmp_path: Path) -> None:
    own = {"tokenizer_class": named, "bos_token": "<|im_start|>", "add_bos_token": True, "model_max_length": 77}
    folder = folder_of(tmp_path / "m", {"model_type": model_type}, own)
    plain, auto = plain_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    assert type(plain) is type(auto)
    assert saved(plain, tmp_path / "a") == saved(auto, tmp_path / "b")
    assert plain.special_tokens_map == auto.special_tokens_map
    assert plain.chat_template == auto.chat_template
    assert plain("Hi <|im_end|> you").input_ids == auto("Hi <|im_end|> you").input_ids


@pytest.mark.parametrize(
    ("config", "tokenizer"),
    [
        ({"model_type": "qwen2"}, {}),
        ({"model_type": "nobody-knows"}, {}),
        ({}, {"tokenizer_class": "Qwen2Tokenizer"}),
        ({}, {"auto_map": {"AutoTokenizer": ["a.B", None]}}),
    ],
)
def test_all_else_is_left_to_the_auto_class(config: dict[str, Any], tokenizer: dict[str, Any], tmp_path: Path) -> None:
    assert plain_tokenizer(folder_of(tmp_path / "m", config, tokenizer)) is None
    assert plain_tokenizer(tmp_path / "nothing") is None


def test_stops_are_those_of_the_generation_config(tmp_path: Path) -> None:
    file = tmp_path / "generation_config.json"
    for said, expected in (([2, 5], [2, 5]), (2, [2]), (None, None), ("2", None), ([], None)):
        file.write_text(json.dumps({"eos_token_id": said}))
        assert plain_stops(tmp_path) == expected
    file.write_text(json.dumps({"eos_token_id": 7}))
    assert stops_of(str(tmp_path)) == [7]
    assert plain_stops(tmp_path / "nothing") is None


@pytest.mark.parametrize("model_type", PLAIN_TYPES)
def test_the_context_is_that_of_the_config(model_type: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m", {"model_type": model_type, "max_position_embeddings": 321}, {})
    told = AutoConfig.from_pretrained(folder).get_text_config().max_position_embeddings
    assert plain_context(folder) == told == 321
    nested = {"model_type": model_type, "text_config": {"max_position_embeddings": 5}}
    assert plain_context(folder_of(tmp_path / "n", nested, {})) is None


@pytest.mark.parametrize(
    "words", [["data", "show", "tools"], ["data", "check", "identity", "--model-name-or-path", "starter", "--no-cache"]]
)
def test_looking_at_data_with_the_starter_does_not_load_torch(words: list[str]) -> None:
    said = f"import sys; from core.cli import main; main({words!r}); sys.exit(3 * ('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", said], capture_output=True).returncode == 0


def test_a_folder_that_is_damaged_is_told_as_before(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m", {}, {})
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(Exception, match="cannot load the tokenizer"):
        load_tokenizer(str(folder))
