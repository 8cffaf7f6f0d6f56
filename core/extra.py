"""`extra`: which of SFTConfig's other options do what they say in a training of ours, and why the rest is refused.

Rows arrive tokenised and labelled, in batches of our order; loss, checkpoints and evaluation are ours as well. An
option of what is replaced by that would be ignored in silence, or break it, so it is named with what to use instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from core.config import TrainConfig
from core.errors import did_you_mean

_ROWS = "rows come tokenised and labelled"
_BATCHES = "each process reads its own rows, in the order that the seed gives"
_LOSS = "the loss is taken token by token, weighted by loss_weights"
_EVALUATION = "an evaluation keeps losses and accuracies, no logits"
_UPLOAD = "nothing is uploaded while training: core-cli export, then upload the folder"
_LAYOUT = "use distributed, which also takes an accelerate config file"
_RUN = "a run does that by itself"

INSTEAD: Mapping[str, str] = {
    "output_dir": "a run has a folder of its own: use runs_dir and run_name",
    "dataset_text_field": f"{_ROWS}: use formatting, or columns {{text: …}}",
    "dataset_kwargs": _ROWS,
    "assistant_only_loss": "use train_on: assistant is the default",
    "completion_only_loss": "use train_on: last_turn trains only the last answer",
    "truncation_mode": "use overlong",
    "shuffle_dataset": "rows are shuffled anew in every epoch; train_sampling_strategy: sequential keeps their order",
    "remove_unused_columns": _ROWS,
    "label_names": _ROWS,
    "length_column_name": _ROWS,
    "packing_strategy": "use packing: a batch's own rows are put one behind the other",
    "eval_packing": "use packing, which holds for evaluation too",
    "padding_free": "use packing",
    "pad_to_multiple_of": f"{_BATCHES}: use packing, which pads nothing",
    "chat_template_path": "use template",
    "eos_token": "where answers end is the template's to say: use template, or append_stop",
    "pad_token": "labels are set by position, so any padding token does",
    "model_init_kwargs": "use dtype, attn_implementation, load_in_4bit or rope_scaling",
    "trust_remote_code": "code that comes with a model is never run",
    "label_smoothing_factor": _LOSS,
    "average_tokens_across_devices": f"{_LOSS}, over all processes",
    "use_liger_kernel": "logits are computed only where a token is trained, in blocks",
    "liger_kernel_config": "logits are computed only where a token is trained, in blocks",
    "use_cache": "nothing is cached while training",
    "use_cpu": "use device: cpu",
    "bf16": "use dtype",
    "fp16": "use dtype",
    "bf16_full_eval": "use dtype",
    "fp16_full_eval": "use dtype",
    "activation_checkpointing": "use gradient_checkpointing",
    "gradient_checkpointing_kwargs": "use activation_checkpointing_kwargs",
    "auto_find_batch_size": "use on_out_of_memory",
    "include_num_input_tokens_seen": "num_tokens is logged always",
    "debug": "a loss or weights that are no numbers end the run",
    "logging_strategy": "use logging_steps",
    "logging_nan_inf_filter": "a loss that is no number ends the run",
    "eval_strategy": "use eval_steps; val_size: 0 holds nothing out",
    "prediction_loss_only": _EVALUATION,
    "eval_do_concat_batches": _EVALUATION,
    "eval_use_gather_object": _EVALUATION,
    "eval_accumulation_steps": _EVALUATION,
    "include_for_metrics": _EVALUATION,
    "batch_eval_metrics": _EVALUATION,
    "greater_is_better": "metric_for_best_model tells",
    "save_strategy": "use save_steps",
    "save_only_model": "a checkpoint has all that a run needs to go on",
    "save_on_each_node": "the first process writes",
    "enable_jit_checkpoint": "a run that is asked to end (SIGTERM) saves first",
    "resume_from_checkpoint": "core-cli train --resume RUN",
    "ignore_data_skip": "a resumed run goes on with the rows that it has not seen",
    "restore_callback_states_from_checkpoint": _RUN,
    "do_train": _RUN,
    "do_eval": _RUN,
    "do_predict": "core-cli eval measures a run, and shows what it writes",
    "push_to_hub": _UPLOAD,
    "hub_private_repo": _UPLOAD,
    "hub_model_id": _UPLOAD,
    "hub_strategy": _UPLOAD,
    "hub_always_push": _UPLOAD,
    "hub_revision": _UPLOAD,
    "hub_token": _UPLOAD,
    "accelerator_config": _BATCHES,
    "dataloader_multiprocessing_context": _BATCHES,
    "dataloader_in_order": _BATCHES,
    "parallelism_config": "tensor and context parallelism are not supported",
    "local_rank": "use num_processes",
    "fsdp": _LAYOUT,
    "fsdp_config": _LAYOUT,
    "deepspeed": _LAYOUT,
}
"""Options that are refused, with what to use instead or why."""

# How rows are ordered is ours (core.order); the rest SFTConfig takes, and fails on when it is used.
_LEVELS = ("passive", "debug", "detail", "info", "warning", "error", "critical")
CHOICES = {
    "train_sampling_strategy": ("group_by_length", "random", "sequential"),
    "log_level": _LEVELS,
    "log_level_replica": _LEVELS,
}
LEAST = {"dataloader_num_workers": 0, "dataloader_prefetch_factor": 1, "ddp_timeout": 1, "router_aux_loss_coef": 0}


def extra_faults(extra: Mapping[str, Any], types: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with `extra`, each fault with its remedy; `types` are those of SFTConfig's options by name."""
    for name, value in extra.items():
        if name in TrainConfig.model_fields:
            yield f"extra: {name} is an option of its own, set {name} itself"
        elif name in INSTEAD:
            yield f"extra: {name} is not for a training of ours: {INSTEAD[name]}"
        elif name not in types:
            yield f'extra: SFTConfig has no option "{name}", {did_you_mean(name, types)}'
        else:
            yield from _value_fault(name, value, types[name])


def _value_fault(name: str, value: Any, kind: Any) -> Iterator[str]:
    if name in CHOICES and value not in CHOICES[name]:
        yield f"extra: {name} should be one of {', '.join(CHOICES[name])}, got {value!r}"
        return
    if name in LEAST and isinstance(value, int | float) and value < LEAST[name]:
        yield f"extra: {name} should be at least {LEAST[name]}, got {value!r}"
        return
    try:
        TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        yield f"extra: {name} {error.errors()[0]['msg'].replace('Input should', 'should')}, got {value!r}"
