"""What a run was started with: the command (never its secrets), the versions, the commit, the device.

`Run.create` writes what is cheap to know; the worker adds a line of `environment.json` at each start, because a run may
be resumed under other versions or on another device, and then it says so.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from core.disk import read_json, write_atomic_json

STARTS = "environment.json"
PACKAGES = "tuneboard torch transformers trl peft accelerate datasets tokenizers bitsandbytes flash-attn deepspeed ray"
# What steers where and on what a training computes, and is no secret: a run that waits starts with its own.
STEERING = (
    *("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "PYTORCH_CUDA_ALLOC_CONF"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"),
)
_SENSITIVE = r"[\w-]*(?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key)"
_SECRET = re.compile(rf"({_SENSITIVE}[\"']?\s*[=:\s]\s*[\"']?)([^\s\"',}}]+)", re.IGNORECASE)
_KEY = re.compile(r"\b(?:sk-[\w-]{16,}|hf_\w{16,}|gh[pousr]_\w{16,}|AKIA\w{16})\b")


def shown_command(argv: Sequence[str]) -> str:
    """A command line as it may be written down: what looks like a secret becomes ***."""
    return _KEY.sub("***", _SECRET.sub(r"\1***", shlex.join(argv)))


def is_secret(name: str) -> bool:
    """Whether an option of this name would hold a secret."""
    return re.fullmatch(_SENSITIVE, name, re.IGNORECASE) is not None


def steering_variables() -> dict[str, str]:
    """The environment variables that a run is started with, wherever it is started from."""
    return {name: os.environ[name] for name in STEERING if name in os.environ}


def light_facts() -> dict[str, Any]:
    """Python, packages and commit; without loading any of them."""
    return {"python": platform.python_version(), "packages": _versions(), "commit": git_commit(Path.cwd())}


def git_commit(folder: Path) -> str:
    """The commit of the checkout around a folder, with a + when tracked files were changed; empty outside of one."""
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if head and _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def record_start(run: Path, device: str, resumed_from: str, together: dict[str, Any] | None = None) -> list[str]:
    """Add this start to those of a run. Returns what differs from the start before, to be said.

    `together` says how many processes train, and how.
    """
    starts = read_json(run / STARTS)
    before = starts if isinstance(starts, list) else []
    now: dict[str, Any] = {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "resumed_from": resumed_from,
        **light_facts(),
        **device_facts(device),
        **(together or {}),
    }
    write_atomic_json(run / STARTS, [*before, now])
    return _changes(before[-1], now) if before else []


def device_facts(device: str) -> dict[str, Any]:
    """The machine and what computes on it; loads torch."""
    import torch

    facts: dict[str, Any] = {"machine": platform.node(), "system": platform.platform(), "device": device}
    if device == "cuda":
        gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
        facts["gpus"] = [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in gpus]
        facts |= {"cuda": torch.version.cuda, "driver": _driver()}
    else:
        facts |= {"processor": _processor(), "threads": torch.get_num_threads()}
    return facts


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES.split():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _driver() -> str:
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", text)
    return found.group(1) if found else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old = {**before, **before.get("packages", {})}
    new = {**now, **now["packages"]}
    skipped = {"started", "resumed_from", "packages"}
    names = [name for name in (*new, *(name for name in old if name not in new)) if name not in skipped]
    return [f"{name}: {old.get(name)} → {new.get(name)}" for name in names if old.get(name) != new.get(name)]
