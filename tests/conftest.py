"""What the tests share: no hub, no telemetry, and the starter model's tokenizer and template."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# What core.threads sets, before anything here can load torch
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes test at once: each has its part of the cores, and so have the workers that it starts.
    _part = len(os.sched_getaffinity(0)) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, _part)))

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from core.config import TrainConfig
from core.errors import UserError
from core.model import load_template, load_tokenizer
from core.queue import leave
from core.run import list_runs
from core.template.sandbox import Template

# A busy machine fails no test, and what passed once passes again: examples are the same in each run, but for
# `make random`, which draws new ones.
settings.register_profile(
    "tuneboard",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="TUNEBOARD_RANDOM" not in os.environ,
)
settings.load_profile("tuneboard")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests check and encode does not go into the user's cache."""
    os.environ["TUNEBOARD_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return load_tokenizer("starter")


@pytest.fixture(scope="session")
def template(tokenizer: Any) -> Template:
    return load_template(TrainConfig(), tokenizer)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for runs, also for the processes that a test starts; a test that fails leaves none of them."""
    monkeypatch.setenv("TUNEBOARD_RUNS", str(tmp_path / "runs"))
    yield tmp_path / "runs"
    for run in list_runs(str(tmp_path / "runs")):
        leave(run)
        with suppress(UserError):
            run.kill()


def small(**options: Any) -> TrainConfig:
    """A training of a few seconds."""
    return TrainConfig(
        **{
            "dataset": ["identity"],
            "max_samples": 16,
            "max_steps": 3,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "learning_rate": 1e-3,
            "lora_r": 4,
            "dtype": "float32",
            "val_size": 0,
            **options,
        }
    )
