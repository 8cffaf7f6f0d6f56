"""From a config to a tuned model: what one process of a run does, alone or as one of several (core.lead).

It loads what the config names, lets the trainer (core.trainer) train, and passes the word to and from the run
directory; of several processes only the first one speaks.
"""

from __future__ import annotations

import argparse
import faulthandler
import math
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging as transformers_logging

from core.best import best_faults
from core.checkpoint import checkpoints, newest_whole, step_of
from core.checks import check_training
from core.config import TrainConfig
from core.cost import Costs
from core.embeddings import clashes, token_faults
from core.environment import record_start
from core.errors import UserError
from core.halved import as_it_fits, halve, is_out_of_memory, out_of_memory, said, sizes
from core.idle import idle
from core.method import load_trainable, trainable_parameters
from core.model import pick_device, ready
from core.outcome import FINISHED, RANKS, STOPPED, Outcome, conclude, write_outcome
from core.pack import BY_ROW, attend_by_row
from core.probes import below_adapter, packing_fault
from core.pulse import PULSE, Pulse
from core.queue import start_next
from core.quiet import quiet_libraries
from core.ranks import ALONE, Rank, end_with_parent, join
from core.room import check_room, disk_told, needed_bytes
from core.router import router_words
from core.run import Run
from core.samples import write_samples
from core.schedule import EpochEnds
from core.sft import sft_config
from core.sharding import Sharding, read_sharding
from core.stops import own_stops, stop_ids
from core.template.sandbox import Template
from core.trainer import Trainer
from core.training_data import (
    TrainingData,
    changed_since_start,
    has_kept_data,
    kept_data,
    kept_vocabulary,
    new_vocabulary,
    training_data,
)
from core.unheard import heard, unheard
from core.vocabulary import NewTokens

# Where loggers that write files put them: a folder of the run, named to each in its own variable.
LOGS = "logs"
LOG_PLACES = ("TENSORBOARD_LOGGING_DIR", "WANDB_DIR", "SWANLAB_LOG_DIR")


def train_run(run: Run, *, resume: bool = False, rank: Rank = ALONE) -> str:
    """Train in this process. Returns the final state, `finished` or `stopped`. Raises `UserError`.

    A resumed run goes on with what it kept: its rows, its template and its newest whole checkpoint, as far as it got.
    """
    config = as_it_fits(run)
    resume = rank.from_first(resume and has_kept_data(run))
    run, pulse = heard(run, config.stall_timeout_s) if rank.first else unheard(run)
    sharding = read_sharding(config)
    check_training(config)
    _starting(run, pulse, "reading the data")
    with pulse.busy("reading the data"):
        tokenizer, template, new, data = _prepared(run, config, rank, resume=resume)
    if faults := [*token_faults(config, new, sharding), *clashes(config, tokenizer)]:
        raise UserError("; ".join(faults))
    _starting(run, pulse, "loading the model")
    # The options come first: with ZeRO-3 a model is spread while it is loaded, as they say.
    options = sft_config(config, run.path / "checkpoints", has_eval=bool(data.held_out))
    with pulse.busy("loading the model"):
        model, adapter = load_trainable(config, new, place=not sharding.spreads_weights)
    _keep_template(model, tokenizer, template)
    checkpoint = rank.from_first(checkpoint_to_resume(run.path) if resume and rank.first else None)
    if rank.first:
        _begin_at(run, config, checkpoint, rank.facts() | {"distributed": sharding.name})
    reporter = Reporter(run, pulse, rank)

    def writes(tuned: Any, step: int) -> dict[str, float]:
        pulse.beat("letting the model write")
        loaded = ready(tuned, tokenizer, template)
        in_parts = sharding.spreads_weights
        return write_samples(loaded, data.turns, config, run, step, in_parts=in_parts) if data.turns else {}

    trainer = Trainer(
        model=model,
        args=options,
        train_dataset=data.train,
        eval_dataset=data.held_out if len(data.held_out) > 1 else next(iter(data.held_out.values()), None),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[EpochEnds(config, has_eval=bool(data.held_out)), reporter, *([Costs(run)] if rank.first else [])],
        config=config,
        rank=rank,
        packs=packs_rows(config, model, rank, sharding),
        writes=writes,
    )
    if words := router_words(trainer.model.config, trainer.router_weight):
        print(words, flush=True)
    trainable_parameters(trainer.model)
    needed = needed_bytes(trainer.model, config.save_total_limit)
    if rank.first:
        check_room(run.path, needed)
    with disk_told(run.path, needed):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if reporter.stopped:
            return "stopped"
        run.write_state(
            "running", trainer.state.global_step, trainer.state.max_steps, _ending(trainer, reporter.message)
        )
        trainer.save_whole(run.model_dir)
    return "finished"


def _prepared(
    run: Run, config: TrainConfig, rank: Rank, *, resume: bool
) -> tuple[Any, Template, NewTokens, TrainingData]:
    """Tokenizer, template, new tokens, and rows. The first process puts them into the run's folder for all."""
    if rank.first:
        _prepare(run, config, resume=resume)
    rank.wait_for_all()
    return *kept_vocabulary(run, config), kept_data(run)


def _prepare(run: Run, config: TrainConfig, *, resume: bool) -> None:
    """Read and encode the rows of a new run; of a resumed one, say what has changed since."""
    for file in changed_since_start(run, config) if resume else []:
        print(f"{file} has changed since the run began; going on with the run's own copy", flush=True)
    for line in idle(config):
        print(line, flush=True)
    tokenizer, template = kept_vocabulary(run, config)[:2] if resume else new_vocabulary(run, config)
    data = kept_data(run) if resume else training_data(run, config, template, tokenizer)
    calls = sum(bool(turn.reference.tool_calls) for turn in data.turns)
    faults = best_faults(config, data.held_out_kinds(), calls)
    if not data.trains(config.loss_weights):
        faults.append("loss_weights: nothing in the data has a weight above 0, so nothing would be trained")
    if faults:
        raise UserError("; ".join(faults))


def packs_rows(config: TrainConfig, model: Any, rank: Rank, sharding: Sharding) -> bool:
    """Whether the rows of a batch are packed, and if so the model made ready for it. Raises `UserError`.

    By row, attention takes a kernel a row: on a CPU that is quicker than padding, for a GPU nobody has measured it.
    """
    by_row = model.config._attn_implementation in BY_ROW
    if config.packing == "off" or (config.packing == "auto" and by_row and model.device.type != "cpu"):
        return False
    if sharding.zero_stage == 3:
        fault = "ZeRO-3 leaves no process a model to try it with"
    else:
        fault = rank.from_first(packing_fault(model) if rank.first else "")
        if not fault and not rank.first:
            attend_by_row(below_adapter(model))
    if fault and config.packing == "on":
        raise UserError(f"packing on: not with this model, {fault}", remedy="use packing auto or off")
    if fault:
        print(f"rows are not packed but batched by length: {fault}", flush=True)
    return not fault


def _ending(trainer: Trainer, message: str) -> str:
    """What is special about the result, if anything; the best weights are taken where that is asked for."""
    best, state = trainer.best(), trainer.state
    words = [message] if message else []
    if best is not None and trainer.config.early_stopping_patience and state.global_step < state.max_steps:
        words.append(f"stopped early: {best.since} evaluations without a new best, which is {best}")
    if trainer.config.load_best_model_at_end:
        words.append(trainer.take_best())
    message = "; ".join(words)
    if message:
        print(message, flush=True)
    return message


class Reporter(TrainerCallback):
    """Writes metrics and state into the run directory, and obeys requests to stop, all processes at the same step."""

    def __init__(self, run: Run, pulse: Pulse, rank: Rank) -> None:
        self.run, self.pulse, self.rank = run, pulse, rank
        # A resumed run counts its time on.
        self.started = time.monotonic() - max((row.get("elapsed_s", 0.0) for row in run.metrics()), default=0.0)
        self.stopped, self.message = False, said(run)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Say that it runs."""
        self.pulse.beat("training")
        self.run.write_state("running", state.global_step, state.max_steps, self.message)

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """A sign of progress within a step."""
        self.pulse.beat("training")

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """A sign of progress within an evaluation."""
        self.pulse.beat("evaluating")

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """What is left to do may take long for a large model."""
        self.pulse.beat("saving the result")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Say how far it is; stop and save if asked to."""
        if not (self.run.path / "run.json").is_file():
            # Whoever deleted it may still be at it, and a checkpoint would make the folder anew.
            raise UserError("the run's folder is gone", file=self.run.path, exit_code=1)
        self.pulse.beat("training")
        self.run.write_state("running", state.global_step, state.max_steps, self.message)
        if self.rank.anywhere(self.run.stop_requested()) and state.global_step < state.max_steps:
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


def checkpoint_to_resume(run: Path) -> Path | None:
    """The newest whole checkpoint; damaged newer ones are named in the log. None for a run that has written none yet.

    Raises `UserError` when there are checkpoints, and none of them is whole.
    """
    if not checkpoints(run / "checkpoints"):
        print("there is no checkpoint yet: beginning again", flush=True)
        return None
    found, faults = newest_whole(run / "checkpoints")
    for fault in faults:
        print(f"skipped: {fault}", flush=True)
    if found is None:
        raise UserError(f"no whole checkpoint to resume from ({faults[0]})", file=run, remedy="start a new run")
    print(f"resuming from {found.name}", flush=True)
    return found


def _keep_template(model: Any, tokenizer: Any, template: Template) -> None:
    """The result is saved with the template that it was trained with, and stops where its turns stop."""
    tokenizer.chat_template = template.source
    ids = stop_ids(template, tokenizer, own_stops(model.generation_config))
    model.generation_config.eos_token_id = list(ids) or None


def _begin_at(run: Run, config: TrainConfig, checkpoint: Path | None, together: dict[str, Any]) -> None:
    """Forget what was logged after the checkpoint, and write down what this start runs on, and with whom."""
    reached = step_of(checkpoint) if checkpoint else 0
    run.rewind(reached)
    if smaller := said(run):
        print(smaller, flush=True)
        run.write_metrics({"step": reached, **sizes(run)})
    device = pick_device(config.device)
    for change in record_start(run.path, device, checkpoint.name if checkpoint else "", together):
        print(f"not as at the last start: {change}", flush=True)
    if together["processes"] > 1:
        rows = config.per_device_train_batch_size * config.gradient_accumulation_steps * together["processes"]
        print(f"{together['processes']} processes, {rows} rows a step", flush=True)


def _starting(run: Run, pulse: Pulse, doing: str) -> None:
    pulse.beat(doing)
    reached = run.said()
    run.write_state("starting", reached.step, reached.max_steps, doing)


def main(argv: list[str] | None = None) -> int:
    """The entry of a process: its exit code is 0 finished, 75 stopped and resumable, 1 or 2 failed."""
    parser = argparse.ArgumentParser(prog="python -m core.train", description="One process of a run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("lock", type=int, help="file descriptor that holds the run's lock")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--meet", type=Path, help="file over which several processes find each other")
    arguments = parser.parse_args(argv)
    os.set_inheritable(arguments.lock, False)
    keeper = os.getppid()
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    transformers_logging.set_verbosity_warning()
    quiet_libraries()
    run, together = Run(arguments.run), arguments.meet is not None
    keep_logs(run)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: run.request_stop())
    if together:
        end_with_parent()
    try:
        rank = join(arguments.meet, run.config.ddp_timeout()) if together else ALONE
        outcome = attempt(run, resume=arguments.resume, rank=rank)
        if outcome.out_of_memory and not together and halve(run):
            _begin_again(run, arguments.lock)
        _last_word(run, outcome, together=together)
    except BaseException as error:
        traceback.print_exc()
        _last_word(run, Outcome("failed", f"{type(error).__name__}: {error}", 1), together=together)
        raise
    finally:
        # Python's own tear-down takes a second with torch loaded; nobody need wait for it.
        os.close(arguments.lock)
        if not together and os.getppid() != keeper:
            # Without a keeper nobody else would start the run that waits.
            start_next(run.path.parent)
    return outcome.exit_code


def keep_logs(run: Run) -> None:
    """Let loggers that write files write them into the run, unless the environment says where."""
    if run.config.report_to:
        place = run.path / LOGS
        place.mkdir(exist_ok=True)
        for name in LOG_PLACES:
            os.environ.setdefault(name, str(place))


def _begin_again(run: Run, lock: int) -> None:
    """Become the trainer anew, with nothing left in memory; the process, which the keeper waits for, stays the same."""
    (run.path / PULSE).unlink(missing_ok=True)
    os.set_inheritable(lock, True)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "core.lead", str(run.path), str(lock), "--resume"])  # noqa: S606  no shell is wanted


def attempt(run: Run, *, resume: bool, rank: Rank) -> Outcome:
    """Train; how it ended, when it ended in a way that a person is to read."""
    starved = False
    try:
        with disk_told(run.path):
            return STOPPED if train_run(run, resume=resume, rank=rank) == "stopped" else FINISHED
    except UserError as error:
        failed = error
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        failed, starved = out_of_memory(as_it_fits(run), error), True
    print(f"error: {failed}", file=sys.stderr)
    return Outcome("failed", str(failed), failed.exit_code, explained=True, out_of_memory=starved)


def _last_word(run: Run, outcome: Outcome, *, together: bool) -> None:
    """To the run when alone, else to the head of the processes."""
    # Where the folder itself is what failed, the log and the keeper are left to say so.
    with suppress(OSError):
        if together:
            write_outcome(run.path / RANKS, int(os.environ["RANK"]), outcome)
        else:
            conclude(run, outcome)


if __name__ == "__main__":
    sys.exit(main())
