"""What a model's folder says in plain JSON, where that is all that transformers would find: nothing here loads torch.

transformers' Auto classes import torch before they look at anything, which is most of the time of a command that only
needs a tokenizer. Where a folder names the class that reads `tokenizer.json` as it stands, and its model type has no
class of its own in transformers that would be taken instead, the same class is called directly. All else is left to
the Auto classes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Names in tokenizer_config.json for the class that takes everything from tokenizer.json.
_PLAIN_CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")
# Model types for which AutoTokenizer believes that name; tests/test_tokenizer_folder.py asks it about each of them.
PLAIN_TYPES = ("gemma3_text", "glm4", "llama", "mistral", "qwen3", "qwen3_moe", "smollm3")


def plain_tokenizer(folder: Path) -> Any:
    """The tokenizer that AutoTokenizer would return for a folder, without torch; None where only it can tell."""
    said, model = _read(folder / "tokenizer_config.json"), _read(folder / "config.json")
    plain = said.get("tokenizer_class") in _PLAIN_CLASSES and model.get("model_type") in PLAIN_TYPES
    if not plain or {"auto_map", "model_name"} & {*said, *model} or not (folder / "tokenizer.json").is_file():
        return None
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

    return TokenizersBackend.from_pretrained(str(folder))


def plain_stops(folder: Path) -> list[int] | None:
    """The ids in a folder's generation config on which generation ends; None where it has none that is plain."""
    said = _read(folder / "generation_config.json")
    ids = said.get("eos_token_id")
    listed: list[Any] = ids if isinstance(ids, list) else [ids]
    return listed if listed and all(type(number) is int for number in listed) else None


def plain_context(folder: Path) -> int | None:
    """How many positions a folder's config counts; None where it does not say so plainly."""
    model = _read(folder / "config.json")
    count = model.get("max_position_embeddings")
    plain = model.get("model_type") in PLAIN_TYPES and type(count) is int
    return count if plain and {"text_config", "auto_map"}.isdisjoint(model) else None


def _read(file: Path) -> dict[str, Any]:
    """The object in a file; empty when there is none."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
