"""The training benchmark still runs: what it calls changes more often than it is started."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.benchmarks.train import SIDES, make_material, run_side


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest model, its tokenizer and four rows."""
    folder = tmp_path_factory.mktemp("benchmark")
    facts = make_material(folder, "tiny", rows=4)
    assert 0 < facts["trained"] < facts["tokens"]
    return folder


@pytest.mark.parametrize("side", [side for side in SIDES if side != "llamafactory"])
def test_side_trains(material: Path, side: str) -> None:
    """A process of its own trains the rows and says what it took."""
    figures = run_side(side, material, argparse.Namespace(dtype="float32", device="cpu", peer_python=""))
    assert figures["seconds"] > 0
    assert figures["cpu_seconds"] > 0
    assert figures["peak_mib"] > 50
