"""Options that somebody has set and that do nothing beside the others: said, so that nobody believes in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.config import TrainConfig, default_of
from core.presets import preset_changes

_LORA = ("lora_r", "lora_alpha", "lora_dropout")
_ADAPTER = (*_LORA, "lora_target_modules", "lora_modules_to_save", "use_dora", "use_rslora", "init_lora_weights")
_RAY = ("num_workers", "resources_per_worker", "max_failures")
_MEASURING = ("eval_steps", "eval_generate", "eval_max_new_tokens", "per_device_eval_batch_size")


def idle(config: TrainConfig) -> list[str]:
    """A line for each reason why options have no effect. What a preset sets is nobody's own wish, and left out."""
    asked = preset_changes(config.preset)
    lines = []
    for names, why in _reasons(config):
        defaults = {name: default_of(TrainConfig.model_fields[name]) for name in names}
        given = [name for name in names if getattr(config, name) not in (defaults[name], asked.get(name))]
        if given:
            lines.append(f"{', '.join(given)}: no effect, {why}")
    return lines


def _reasons(config: TrainConfig) -> Iterator[tuple[Sequence[str], str]]:
    """Names of options, and why they do nothing."""
    if config.finetuning_type != "lora":
        yield _LORA, f"{config.finetuning_type} trains no adapter"
    elif config.adapter_name_or_path:
        yield _ADAPTER, "the adapter that is trained on keeps its own"
    if config.finetuning_type != "freeze":
        yield ("freeze_trainable_layers",), "that is for finetuning_type freeze"
    if config.launcher != "ray":
        yield _RAY, "that is for launcher ray"
    yield from _reasons_of_data(config)
    if config.lr_scheduler_type == "constant":
        yield ("warmup_ratio",), "lr_scheduler_type constant has no warm-up: constant_with_warmup has"


def _reasons_of_data(config: TrainConfig) -> Iterator[tuple[Sequence[str], str]]:
    if len(config.dataset) < 2:
        yield ("mix_strategy", "interleave_probs"), "there is one dataset"
    elif config.mix_strategy == "concat":
        yield ("interleave_probs",), "that is for mix_strategy interleave_under or interleave_over"
    if config.eval_dataset or config.split_file:
        yield ("val_size",), "eval_dataset or split_file says what is held out"
    elif config.val_size == 0:
        yield _MEASURING, "with val_size 0 and no eval_dataset nothing is held out"
    if config.overlong != "windows":
        yield ("window_overlap",), "that is for overlong windows"
