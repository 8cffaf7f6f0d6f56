"""The sample data and the starter's dialogues: reproducible, and held-out rows are really held out."""

from __future__ import annotations

import importlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a module of the data folder, which is no package."""
    monkeypatch.syspath_prepend(str(DATA))
    monkeypatch.syspath_prepend(str(DATA / "starter"))
    return importlib.import_module


def test_the_samples_are_what_the_generator_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "generate.py", "--output", tmp_path], check=True)
    kept = [Path("dataset_info.json"), *(Path("samples", path.name) for path in (DATA / "samples").iterdir())]
    for path in kept:
        assert (tmp_path / path).read_bytes() == (DATA / path).read_bytes(), path


def sentences(module: ModuleType) -> set[str]:
    """Every sentence in the tables of a module, without marks and with all slots alike."""
    texts: list[str] = []
    waiting = [value for name, value in vars(module).items() if name.isupper() and name not in ("REPLY", "FRAME")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, str):
            texts += value.split("\n")
    bare = (re.sub(r"[^\w@]", "", re.sub(r"\{\w+\}", "@", text)).lower() for text in texts)
    return {text for text in bare if len(text) > 3}


def test_training_and_held_out_tables_share_no_sentence(load: Callable[[str], ModuleType]) -> None:
    train = [load(f"train_{name}") for name in ("asks_en", "asks_zh", "missing", "phrases", "plain", "turns")]
    held = [load(f"heldout_{name}") for name in ("phrases", "turns")]
    seen = set().union(*map(sentences, train))
    asked = set().union(*map(sentences, held))
    assert len(seen) > 500
    assert len(asked) > 100
    assert not seen & asked


def test_the_starter_never_meets_a_sample_tool_or_a_held_out_value(load: Callable[[str], ModuleType]) -> None:
    corpus = load("corpus").Corpus(random.Random(5), ["ba", "lo", "Re"])
    tools, held_out = load("tool_samples").TOOLS, load("vocabulary").is_heldout
    names = {word for name, (description, _) in tools.items() for word in (name, description)}
    kinds = list(load("corpus_tables").SLOTS)
    for zh in (False, True):
        for kind in kinds * 40:
            assert not held_out(str(corpus.value(kind, zh))), kind
    for _ in range(300):
        text = json.dumps(corpus.dialogue(), ensure_ascii=False)
        assert "<tool_call>" not in text
        assert not {name for name in names if name in text}
