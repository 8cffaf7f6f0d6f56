"""Out of memory: how that is told, and what a run goes on with: half the batch and twice the accumulation.

The rows of a step stay the same, and so do its losses. config.yaml stays what was asked for; what fits is kept in
`batch.json` of the run, and heeded by every later start.
"""

from __future__ import annotations

from core.config import TrainConfig
from core.disk import read_json, write_atomic_json
from core.errors import UserError
from core.run import Run

HALVED = "batch.json"
# Only a GPU's allocator has an exception of its own.
IN_WORDS = ("MPS backend out of memory", "DefaultCPUAllocator: can't allocate memory", "not enough memory: you tried")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory did not suffice, on whatever device."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in IN_WORDS)


def sizes(run: Run) -> dict[str, int]:
    """What has been made smaller, by its options' names; {} where nothing has."""
    kept = read_json(run.path / HALVED)
    return kept if isinstance(kept, dict) else {}


def as_it_fits(run: Run) -> TrainConfig:
    """The run's config, with the batch that it has come down to."""
    return run.config.model_copy(update=sizes(run))


def halve(run: Run) -> bool:
    """Halve the batch of a run for its next start. False where it cannot be halved, or is not to be."""
    config = as_it_fits(run)
    batch, evaluated = config.per_device_train_batch_size, config.per_device_eval_batch_size
    if batch % 2 or config.on_out_of_memory == "stop":
        return False
    fits = {
        "per_device_train_batch_size": batch // 2,
        "gradient_accumulation_steps": config.gradient_accumulation_steps * 2,
        "per_device_eval_batch_size": max(1, evaluated // 2),
    }
    write_atomic_json(run.path / HALVED, fits)
    return True


def said(run: Run) -> str:
    """How a run goes on that ran out of memory, for a person; empty for one that did not."""
    if not sizes(run):
        return ""
    asked, fits = run.config, as_it_fits(run)
    return (
        f"out of memory: goes on with batches of {fits.per_device_train_batch_size} instead of "
        f"{asked.per_device_train_batch_size}, {fits.gradient_accumulation_steps} of them a step"
    )


def out_of_memory(config: TrainConfig, error: Exception) -> UserError:
    """What to change, with numbers."""
    batch, steps = config.per_device_train_batch_size, config.gradient_accumulation_steps
    remedies = []
    if batch > 1:
        remedies.append(f"per_device_train_batch_size {batch // 2} with gradient_accumulation_steps {steps * 2}")
    if not config.gradient_checkpointing:
        remedies.append("gradient_checkpointing")
    remedies.append(f"max_length below {config.max_length}")
    return UserError(
        f"out of memory: {str(error).splitlines()[0]}", remedy="try " + ", or ".join(remedies), exit_code=1
    )
