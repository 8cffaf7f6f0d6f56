"""From a config to a tuned model: the worker of a run, on TRL's SFTTrainer.

`python -m core.train RUN LOCK_FD [--resume]` is the worker that `Run.launch` starts; it is the only code that imports
trl. TRL owns the loop. What is added: finished rows with a kind and a weight per token, logits only where there is a
label, losses per kind, and the word to and from the run directory.
"""

from __future__ import annotations

import argparse
import errno
import math
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft.optimizers import create_loraplus_optimizer
from safetensors import SafetensorError
from torch.nn.functional import cross_entropy
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging as transformers_logging
from trl import SFTConfig, SFTTrainer

from core.batch import Collator, Sums
from core.checkpoint import STAGE, keep_newest, move_whole, newest_whole, seal, write_whole
from core.config import TrainConfig
from core.encode import IGNORED
from core.errors import UserError, did_you_mean
from core.method import check_method, load_trainable, trainable_parameters
from core.model import computes_in_bfloat16, load_template, load_tokenizer, pick_device, stop_ids
from core.run import EXIT_STOPPED, Run
from core.training_data import changed_since_start, kept_data, training_data

# Room that a run leaves on the disk for its log and metrics; less than this counts as full.
SPARE_BYTES = 16 * 2**20
OURS = {"output_dir", "report_to", "dataset_kwargs", "max_length", "remove_unused_columns", "use_cpu"}


def train_run(run: Run, *, resume: bool = False) -> str:
    """Train in this process. Returns the final state, `finished` or `stopped`. Raises `UserError`."""
    config = run.config
    check_method(config)
    run.write_state("starting", message="reading the data")
    tokenizer = load_tokenizer(config.model_name_or_path)
    template = load_template(config, tokenizer)
    data = kept_data(run) if resume else training_data(run, config, template, tokenizer)
    changed = changed_since_start(run, config) if resume else []
    for file in changed:
        print(f"{file} has changed since the run began; going on with the run's own copy", flush=True)
    run.write_state("starting", message="loading the model")
    model, adapter = load_trainable(config)
    tokenizer.chat_template = template.source
    model.generation_config.eos_token_id = list(stop_ids(template, tokenizer)) or model.generation_config.eos_token_id
    reporter = Reporter(run)
    trainer = Trainer(
        model=model,
        args=sft_config(config, run.path / "checkpoints", has_eval=bool(data.held_out)),
        train_dataset=data.train,
        eval_dataset=data.held_out or None,
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[reporter],
        config=config,
    )
    trainable_parameters(trainer.model)
    _check_room(run.path, trainer.model, config.save_total_limit)
    checkpoint = checkpoint_to_resume(run.path) if resume else None
    with _told_when_full(run.path):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if reporter.stopped:
            return "stopped"
        write_whole(run.model_dir, lambda stage: trainer.save_model(str(stage)))
    return "finished"


def sft_config(config: TrainConfig, output_dir: Path, *, has_eval: bool) -> SFTConfig:
    """Our options as TRL's. `extra` reaches every other SFTConfig option; unknown names are a `UserError`."""
    unknown = [name for name in config.extra if name not in SFTConfig.__dataclass_fields__]
    if unknown:
        nearest = did_you_mean(unknown[0], SFTConfig.__dataclass_fields__)
        raise UserError(f'extra: SFTConfig has no option "{unknown[0]}"', remedy=nearest)
    taken = [name for name in config.extra if name in OURS or name in TrainConfig.model_fields]
    if taken:
        raise UserError(f'extra: "{taken[0]}" is set by Tuneboard', remedy="use the option of the same name, if any")
    device = pick_device(config.device)
    half = config.dtype != "float32" and computes_in_bfloat16(device)
    options: dict[str, Any] = {
        "output_dir": str(output_dir),
        "learning_rate": config.peak_learning_rate(),
        "warmup_steps": config.warmup_ratio,
        "train_sampling_strategy": "group_by_length",
        "eval_strategy": "epoch" if has_eval else "no",
        "save_strategy": "steps",
        "save_steps": config.save_steps if config.save_steps < 1 else int(config.save_steps),
        "logging_nan_inf_filter": False,
        "bf16": half and config.dtype != "float16",
        "fp16": config.dtype == "float16" and device == "cuda",
        "use_cpu": device == "cpu",
        "max_length": None,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "remove_unused_columns": False,
        "report_to": config.report_to or "none",
        "save_total_limit": None,
        "disable_tqdm": True,
        "dataloader_pin_memory": device == "cuda",
        "eos_token": None,
    }
    same = set(SFTConfig.__dataclass_fields__) & set(TrainConfig.model_fields) - {
        "learning_rate",
        "save_steps",
        "save_total_limit",
        "report_to",
    }
    options |= {name: getattr(config, name) for name in same}
    try:
        return SFTConfig(**(options | config.extra))
    except (ValueError, TypeError) as error:
        raise UserError(f"these options do not fit together: {error}") from None


class Trainer(SFTTrainer):
    """SFTTrainer with weights and kinds per token, and logits computed only where there is a label."""

    def __init__(self, *, config: TrainConfig, **arguments: Any) -> None:
        self.optimizer: torch.optim.Optimizer | None
        super().__init__(**arguments)
        self.config = config
        self.data_collator = Collator(self.processing_class.pad_token_id, config.loss_weights)
        self._sums: dict[str, Sums] = {"train": Sums(), "eval": Sums()}
        self._selects_head = _head_is_plain(self.model)
        self._needs_mask = not _padding_is_inert(self.model)

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        """One forward and backward pass; a loss that is no number ends the run at once, before anything is saved."""
        loss = super().training_step(*arguments, **options)
        if not torch.isfinite(loss):
            raise UserError(
                f"the loss is not finite at step {self.state.global_step + 1}",
                remedy="lower the learning rate or use dtype float32; the last finite checkpoint is kept",
                exit_code=1,
            )
        return loss

    def create_optimizer(self, *arguments: Any, **options: Any) -> torch.optim.Optimizer:
        """The optimiser that the config names; with LoRA+, the B matrices learn faster."""
        if self.config.loraplus_lr_ratio and self.optimizer is None:
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            ratio = self.config.loraplus_lr_ratio
            self.optimizer = create_loraplus_optimizer(self.model, kind, loraplus_lr_ratio=ratio, **settings)
        return super().create_optimizer(*arguments, **options)

    def _get_output_dir(self, trial: Any) -> str:
        """Where transformers writes checkpoints: into the stage, from where whole ones are moved."""
        return str(Path(self.args.output_dir) / STAGE)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Save, seal, move into place, and delete the oldest. Weights that are no numbers are not saved."""
        if not all(torch.isfinite(p).all() for p in self.model.parameters() if p.requires_grad):
            raise UserError(
                f"weights are not finite after step {self.state.global_step}",
                remedy="lower the learning rate; the last finite checkpoint is kept",
                exit_code=1,
            )
        place = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        stage = Path(self._get_output_dir(trial)) / place.name
        shutil.rmtree(stage.parent, ignore_errors=True)
        super()._save_checkpoint(model, trial)
        seal(stage)
        move_whole(stage, place)
        keep_newest(place.parent, self.config.save_total_limit)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """The loss's denominator: the sum of the weights of all labels of the accumulated batch."""
        total = torch.stack([batch["weights"][:, 1:].sum() for batch in batch_samples]).sum().to(device)
        if self.args.average_tokens_across_devices and self.accelerator.num_processes > 1:
            return self.accelerator.gather(total).sum()
        return total

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Weighted mean of the token losses, shape (); also collects loss and accuracy per kind for the log."""
        chosen = inputs["labels"][:, 1:] != IGNORED
        targets = inputs["labels"][:, 1:][chosen]
        with self.accelerator.autocast():
            logits = self._logits(model, inputs, chosen).float()
        losses = cross_entropy(logits, targets, reduction="none")
        weights = inputs["weights"][:, 1:][chosen]
        total = weights.sum() if num_items_in_batch is None else num_items_in_batch
        mode = "train" if self.model.training else "eval"
        self._sums[mode].add(losses.detach(), logits.detach().argmax(-1) == targets, inputs["kinds"][:, 1:][chosen])
        if mode == "train":
            self._total_train_tokens += int(inputs["attention_mask"].sum())
            self._metrics[mode]["num_tokens"] = [self._total_train_tokens]
        if self.config.loss_type == "dft":
            losses = losses * (-losses.detach()).exp()
        loss = (losses * weights).sum() / total.clamp(min=1e-8)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return loss

    def prediction_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[torch.Tensor, None, None]:
        """The loss of an evaluation batch; no logits are kept."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            return self.compute_loss(model, inputs), None, None

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add loss and accuracy per kind; an evaluation's loss is weighted by tokens, not by batches."""
        mode = "train" if self.model.training else "eval"
        sums = self._sums[mode].take()
        prefix = next((key.removesuffix("loss") for key in logs if key.endswith("_loss") and key != "train_loss"), "")
        logs.update({prefix + key: value for key, value in sums.items() if prefix or key != "loss"})
        super().log(logs, start_time)

    def _logits(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], chosen: torch.Tensor) -> torch.Tensor:
        """Logits (labels, vocabulary) at the positions whose next token carries loss."""
        read = {"input_ids": inputs["input_ids"], "use_cache": False}
        if self._needs_mask:
            read["attention_mask"] = inputs["attention_mask"]
        if not self._selects_head:
            return model(**read).logits[:, :-1][chosen]
        whole = _below_adapter(self.accelerator.unwrap_model(model))
        hidden = whole.get_decoder()(**read).last_hidden_state
        return whole.get_output_embeddings()(hidden[:, :-1][chosen])


class Reporter(TrainerCallback):
    """Writes metrics and state into the run directory, and obeys requests to stop."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.started = time.monotonic()
        self.stopped = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Say that it runs."""
        self.run.write_state("running", state.global_step, state.max_steps)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Say how far it is; stop and save if asked to."""
        self.run.write_state("running", state.global_step, state.max_steps)
        if self.run.stop_requested() and state.global_step < state.max_steps:
            self.stopped = True
            control.should_training_stop = control.should_save = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **others: Any,
    ) -> None:
        """Write a metrics line; what is no number (a gradient that overflowed) is left out, for JSON has none."""
        numbers = {key: value for key, value in (logs or {}).items() if isinstance(value, int | float)}
        numbers = {key: value for key, value in numbers.items() if math.isfinite(value)}
        elapsed_s = round(time.monotonic() - self.started, 3)
        self.run.write_metrics({"step": state.global_step, "elapsed_s": elapsed_s, **numbers})


def checkpoint_to_resume(run: Path) -> Path:
    """The newest whole checkpoint; damaged newer ones are named in the log. Raises `UserError` when there is none."""
    found, faults = newest_whole(run / "checkpoints")
    for fault in faults:
        print(f"skipped: {fault}", flush=True)
    if found is None:
        why = f" ({faults[0]})" if faults else ""
        raise UserError(f"there is no whole checkpoint to resume from{why}", file=run, remedy="start a new run")
    print(f"resuming from {found.name}", flush=True)
    return found


@contextmanager
def _told_when_full(folder: Path) -> Iterator[None]:
    """Writing that fails on a full disk ends as a `UserError`, whichever library it failed in."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        free = shutil.disk_usage(folder).free
        if getattr(error, "errno", None) == errno.ENOSPC or free < SPARE_BYTES:
            raise UserError(
                f"the disk is full ({free // 2**20} MiB free); the last whole checkpoint is kept",
                file=folder,
                remedy="make room, then core-cli train --resume",
                exit_code=1,
            ) from None
        raise


def _check_room(folder: Path, model: Any, limit: int) -> None:
    """Before the start: is there room for the checkpoints and the result? Weights once, and twice more for Adam."""
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    needed = trained * 3 * (limit + 1) + trained + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{needed // 2**20} MiB are needed for checkpoints and the result, {free // 2**20} MiB are free",
            file=folder,
            remedy="make room, or lower save_total_limit",
        )


@torch.no_grad()
def _head_is_plain(model: Any) -> bool:
    """Whether the output embedding applied to the hidden states gives the model's own logits.

    Families that scale or cap their logits do not; for them all logits are computed. Found out on this very model.
    """
    with _probed(model) as (whole, ids):
        try:
            hidden = whole.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
            return _alike(whole.get_output_embeddings()(hidden), whole(input_ids=ids, use_cache=False).logits)
        except (AttributeError, TypeError, RuntimeError):
            return False


@torch.no_grad()
def _padding_is_inert(model: Any) -> bool:
    """Whether padding on the right changes nothing for the tokens before it, even without an attention mask.

    So it is where every token sees only what stands before it; attention without a mask then takes its fast path. Some
    families (experts that share out tokens, attention in both directions) differ. Found out on this very model.
    """
    with _probed(model) as (whole, ids):
        if getattr(whole.config.get_text_config(), "num_local_experts", 0) or getattr(whole.config, "num_experts", 0):
            return False
        padded = torch.nn.functional.pad(ids, (0, 5), value=1)
        try:
            before = whole(input_ids=padded, use_cache=False).logits[:, : ids.shape[1]]
            return _alike(whole(input_ids=ids, use_cache=False).logits, before)
        except (TypeError, RuntimeError):
            return False


@contextmanager
def _probed(model: Any) -> Iterator[tuple[Any, torch.Tensor]]:
    """The model below its adapter, in evaluation mode, and a few token ids, shape (1, 8), to try it with."""
    whole = _below_adapter(model)
    was_training = whole.training
    whole.eval()
    try:
        yield whole, torch.arange(1, 9, device=whole.device).unsqueeze(0)
    finally:
        whole.train(was_training)


def _below_adapter(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-3)


def main(argv: list[str] | None = None) -> int:
    """The worker's entry: its exit code is 0 finished, 75 stopped and resumable, 1 or 2 failed."""
    parser = argparse.ArgumentParser(prog="python -m core.train", description="The worker of a run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("lock", type=int, help="file descriptor that holds the run's lock")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args(argv)
    os.set_inheritable(arguments.lock, False)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    transformers_logging.set_verbosity_warning()
    run = Run(arguments.run)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: run.request_stop())
    try:
        state = train_run(run, resume=arguments.resume)
        now = run.state()
        run.write_state("stopped" if state == "stopped" else "finished", now.step, now.max_steps)
    except UserError as error:
        return _failed(run, error)
    except torch.OutOfMemoryError as error:
        return _failed(run, _out_of_memory(run.config, error))
    except BaseException as error:
        traceback.print_exc()
        run.write_state("failed", run.state().step, run.state().max_steps, f"{type(error).__name__}: {error}")
        raise
    finally:
        # Python's own tear-down takes a second with torch loaded; nobody need wait for it.
        os.close(arguments.lock)
    return EXIT_STOPPED if state == "stopped" else 0


def _failed(run: Run, error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)
    run.write_state("failed", run.state().step, run.state().max_steps, str(error))
    return error.exit_code


def _out_of_memory(config: TrainConfig, error: Exception) -> UserError:
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


if __name__ == "__main__":
    sys.exit(main())
