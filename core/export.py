"""A run's result as a folder that other programs read: weights, tokenizer, chat template, generation config, a card.

Merged, the folder is a plain transformers model; otherwise it is a peft adapter beside the tokenizer. Either way the
chat template is the one that was trained, so that whoever serves the model writes what it has learned.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.checkpoint import MANIFEST, STAGE, write_whole
from core.config import ChatConfig, ExportConfig
from core.errors import UserError
from core.model_card import model_card
from core.paths import typed
from core.run import Run
from core.task import Task

EXPORTS = "exports"
# Of a run's folder with an adapter, what belongs to the training and not to the adapter.
NOT_EXPORTED = (MANIFEST, "README.md", "training_args.bin")
SPARE_BYTES = 64 << 20


def export(run: Run, config: ExportConfig, progress: Callable[[str], None] = lambda doing: None) -> Path:
    """Write the run's model into a new folder, and return it. `progress` is told what is being done.

    Raises `UserError` when there is no model yet, no adapter where one is asked for, something in the folder already,
    or no room.
    """
    if not run.has_model:
        raise UserError(
            f"the run is {run.state().state} and has no model yet",
            file=run.path,
            remedy="wait until it has finished, or resume it: core-cli train --resume",
        )
    place = place_of(run, config)
    if not (config.merge or has_adapter(run)):
        raise UserError("merge: the run trained all weights, there is no adapter", remedy="leave merge on")
    try:
        write_whole(place, lambda stage: _fill(stage, run, config, progress))
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror or error}", file=error.filename or place) from None
    (place / MANIFEST).unlink()
    with suppress(OSError):
        (place.parent / STAGE).rmdir()
    return place


def place_of(run: Run, config: ExportConfig) -> Path:
    """Where the export goes. Raises `UserError` when something is there."""
    place = typed(config.output_dir) if config.output_dir else Path(EXPORTS) / run.path.name
    place = place.resolve()
    if place.is_file() or (place.is_dir() and any(place.iterdir())):
        raise UserError("something is there already", file=place, remedy="name another folder, or remove this one")
    return place


def has_adapter(run: Run) -> bool:
    """Whether the run's result is an adapter."""
    return (run.model_dir / "adapter_config.json").is_file()


def _fill(stage: Path, run: Run, config: ExportConfig, progress: Callable[[str], None]) -> None:
    if config.merge:
        _save_merged(stage, run, config, progress)
    else:
        progress("copying the adapter")
        for file in run.model_dir.iterdir():
            if file.is_file() and file.name not in NOT_EXPORTED:
                shutil.copyfile(file, stage / file.name)
    (stage / "README.md").write_text(model_card(run, merged=config.merge), encoding="utf-8")


def _save_merged(stage: Path, run: Run, config: ExportConfig, progress: Callable[[str], None]) -> None:
    from core.model import adapter_base, load_for_chat, load_tokenizer

    stored = adapter_base(run.model_dir) if has_adapter(run) else str(run.model_dir)
    dtype: Any = config.dtype if config.dtype != "auto" else stored_dtype(stored)
    progress("loading the model")
    loaded = load_for_chat(run, ChatConfig(device="cpu", dtype=dtype))
    model = loaded.model
    needed = sum(tensor.numel() * tensor.element_size() for tensor in model.parameters()) + SPARE_BYTES
    free = shutil.disk_usage(stage).free
    if free < needed:
        raise UserError(f"{needed >> 20} MiB are needed, {free >> 20} MiB are free", file=stage, remedy="make room")
    if has_adapter(run):
        progress("merging the adapter")
        model = model.merge_and_unload(safe_merge=True)
    progress("writing the model")
    model.generation_config.eos_token_id = list(loaded.stop_ids) or model.generation_config.eos_token_id
    model.save_pretrained(str(stage), max_shard_size=config.max_shard_size)
    tokenizer = load_tokenizer(str(run.model_dir))
    tokenizer.chat_template = loaded.template.source
    tokenizer.save_pretrained(str(stage))


def stored_dtype(model: str) -> str:
    """The number type in which a model is stored: `float32`, `bfloat16` or `float16`."""
    from transformers import AutoConfig

    from core.model import resolve_model

    said = str(AutoConfig.from_pretrained(resolve_model(model)).dtype).removeprefix("torch.")
    return said if said in ("bfloat16", "float16") else "float32"


def task(run: Run) -> Task:
    """The export that was asked for last, in a process of its own."""
    return Task(run.path / "tasks" / "export")
