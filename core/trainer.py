"""TRL's SFTTrainer, which owns the loop, with what is added to it.

That is: a kind and a weight per token, logits only where there is a label, losses per kind, whole checkpoints.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.optimizers import create_loraplus_optimizer
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader
from trl import SFTTrainer

from core.adapted import compute_adapters_in_place
from core.batch import Batch, Collator, Sums
from core.best import Best, best_so_far
from core.checkpoint import STAGE, cleared_on_failure, fault_of, keep_newest, move_whole, seal, write_whole
from core.config import TrainConfig
from core.embeddings import save_rows_only
from core.errors import UserError
from core.loss import compute_losses_in
from core.method import widen_trained
from core.order import Order
from core.pack import CPU_TOKENS
from core.probes import below_adapter, head_is_plain, padding_is_inert
from core.ranks import Rank
from core.rope import keep_scaling
from core.router import WANTED, WEIGHT, router_weight


class Trainer(SFTTrainer):
    """SFTTrainer with weights and kinds per token, and logits computed only where there is a label."""

    def __init__(
        self,
        *,
        config: TrainConfig,
        rank: Rank,
        packs: bool,
        writes: Callable[[Any, int], dict[str, float]],
        **arguments: Any,
    ) -> None:
        """`packs` tells whether rows are packed; the model is made ready for it.

        `writes(model, step)` lets the model write on held-out turns and returns the figures ({}: there are none).
        """
        self.optimizer: torch.optim.Optimizer | None
        shape = arguments["model"].config.get_text_config()
        self.router_weight = router_weight(shape, config.extra)
        told = {name: getattr(shape, name) for name in (WANTED, WEIGHT) if hasattr(shape, name)}
        super().__init__(**arguments)
        # TRL writes into the model's config that routers are asked; the result is to be as the model was.
        for name, value in told.items():
            setattr(shape, name, value)
        self.config, self.rank, self.packs, self.writes = config, rank, packs, writes
        multiple = CPU_TOKENS if self.args.device.type == "cpu" else 1
        pad = self.processing_class.pad_token_id
        self.data_collator = Collator(pad, config.loss_weights, packs=packs, multiple=multiple)
        self._sums = {mode: Sums(self.args.device) for mode in ("train", "eval")}
        self._all_held_out = Sums(self.args.device)
        self._tokens = 0
        self._router_losses: list[torch.Tensor] = []
        self._needs_mask, plain = self._probed()
        compute_losses_in(below_adapter(self.model), head_is_plain=plain)
        if not (self.is_fsdp_enabled or self.is_deepspeed_enabled):
            compute_adapters_in_place(self.model)
        if isinstance(self.model, PeftModel):
            save_rows_only(self.model)
        widen_trained(self.model, self.args.device.type)

    def _probed(self) -> tuple[bool, bool]:
        """Whether padding needs a mask, and whether the head is plain: tried by the first process, for all.

        Where no process holds all weights, the head is called by the model alone, which gathers them.
        """
        spread = self.is_fsdp_enabled or self.is_deepspeed_enabled
        if self.is_deepspeed_enabled and self.accelerator.state.deepspeed_plugin.zero_stage == 3:
            return not self.packs, False
        tried = (True, False)
        if self.rank.first:
            tried = (not self.packs and not padding_is_inert(self.model), not spread and head_is_plain(self.model))
        return self.rank.from_first(tried)

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        """One forward and backward pass; a loss that is no number ends the run at once, before anything is saved."""
        loss = super().training_step(*arguments, **options)
        if not torch.isfinite(loss):
            raise UserError(
                f"the loss is not finite at step {self.state.global_step + 1}",
                remedy="lower the learning rate or use dtype float32; checkpoints from before it are kept",
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
        sound = all(torch.isfinite(_held_here(p)).all() for p in self.model.parameters() if p.requires_grad)
        if self.rank.anywhere(not sound):
            raise UserError(
                f"weights are not finite after step {self.state.global_step}",
                remedy="lower the learning rate; checkpoints from before it are kept",
                exit_code=1,
            )
        place = self._checkpoint(self.state.global_step)
        self._count_tokens()
        stage = Path(self._get_output_dir(trial)) / place.name
        if self.rank.first:
            shutil.rmtree(stage.parent, ignore_errors=True)
        self.rank.wait_for_all()
        with cleared_on_failure(stage):
            super()._save_checkpoint(model, trial)
            self.rank.wait_for_all()
            if self.rank.first:
                keep_scaling(self.config, stage)
                seal(stage)
        if self.rank.first:
            move_whole(stage, place)
            best = self.best()
            keep_newest(place.parent, self.config.save_total_limit, best.step if best else None)
        self.rank.wait_for_all()

    def save_whole(self, place: Path) -> None:
        """The result as a folder that is whole or absent. All processes take part; the first one writes."""
        if self.is_fsdp_enabled:
            self.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        if self.rank.first:
            write_whole(place, self._save_result)
        else:
            self.save_model(str(place))
        self.rank.wait_for_all()

    def _save_result(self, stage: Path) -> None:
        """The model; beside an adapter too on which tokens writing ends, and how its base's positions are scaled."""
        self.save_model(str(stage))
        keep_scaling(self.config, stage)
        self.model.generation_config.save_pretrained(str(stage))

    def get_train_dataloader(self) -> DataLoader:
        """This process's batches of the training rows."""
        strategy = str(self.args.train_sampling_strategy)
        return self._loader(
            self.train_dataset,
            self.args.train_batch_size,
            accumulation=self.args.gradient_accumulation_steps,
            seed=self.args.data_seed if self.args.data_seed is not None else self.args.seed,
            shuffled=strategy != "sequential",
            grouped=strategy == "group_by_length" and not self.packs,
            drop_last=self.args.dataloader_drop_last,
        )

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """This process's batches of held-out rows, each row in one process only."""
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        return self._loader(
            self.eval_dataset[rows] if isinstance(rows, str) else rows, self.args.eval_batch_size, shuffled=False
        )

    def _loader(self, rows: Any, batch_size: int, **how: Any) -> DataLoader:
        order = Order(
            rows["length"][:],
            batch_size=batch_size,
            process=self.rank.number,
            processes=self.rank.count,
            **how,
        )
        workers = self.args.dataloader_num_workers
        return DataLoader(
            rows,
            batch_sampler=order,
            collate_fn=self.data_collator,
            num_workers=workers,
            pin_memory=self.args.dataloader_pin_memory,
            persistent_workers=workers > 0 and self.args.dataloader_persistent_workers,
            prefetch_factor=self.args.dataloader_prefetch_factor if workers else None,
        )

    def best(self) -> Best | None:
        """The best evaluation so far, those before a resume included."""
        return best_so_far(self.config.metric_for_best_model, self.state.log_history)

    def take_best(self) -> str:
        """Put the weights of the best checkpoint into the model. Returns what was done, in words."""
        best = self.best()
        if best is None or best.step == self.state.global_step:
            return f"the last step is the best: {best}" if best else ""
        place = self._checkpoint(best.step)
        fault = fault_of(place)
        if fault:
            return f"the result is the last step; the best cannot be used: {fault}"
        self.state.best_model_checkpoint = str(place)
        self._load_best_model()
        return f"the result is the best: {best}"

    def _checkpoint(self, step: int) -> Path:
        return Path(self.args.output_dir) / f"checkpoint-{step}"

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """The loss's denominator: the sum of the weights of all labels of the accumulated batch."""
        total = torch.stack([batch["weights"].sum() for batch in batch_samples]).sum().to(device)
        return self.accelerator.reduce(total) if self.rank.count > 1 else total

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Weighted mean of the token losses, shape (); also collects loss and accuracy per kind for the log."""
        routed = self.router_weight > 0 and self.model.training and inputs["tokens"] > 0
        masked = self._needs_mask or routed
        unread = {"kinds", "tokens"} if masked else {"kinds", "tokens", "attention_mask"}
        reads = {name: value for name, value in inputs.items() if name not in unread}
        if routed:
            reads["output_router_logits"] = True
        with self.accelerator.autocast():
            found = model(**reads, use_cache=False, by_probability=self.config.loss_type == "dft")
        mode = "train" if self.model.training else "eval"
        self._sums[mode].add(found.losses, found.correct, inputs["kinds"])
        self._tokens += inputs["tokens"] if self.model.training else 0
        denominator = inputs["weights"].sum() if num_items_in_batch is None else num_items_in_batch
        loss = found.total / denominator.clamp(min=1e-8)
        if num_items_in_batch is not None:
            # The gradients of all processes are averaged; their sum over the common denominator is what is meant.
            loss = loss * self.rank.count
        if not routed:
            return loss
        if found.routers is None:
            raise UserError(f"extra: {WEIGHT}: this model tells no loss of its routers", remedy="set it to 0")
        self._router_losses.append(found.routers.detach())
        return loss + self.router_weight * found.routers / self.current_gradient_accumulation_steps

    def _evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        """The held-out sets apart and together, and how well the model writes; a new best is saved, too few end it."""
        metrics = super()._evaluate(*arguments, **options)
        together = self._all_held_out.take(self.accelerator.reduce)
        with self.accelerator.autocast():
            written = self.writes(self.accelerator.unwrap_model(self.model), self.state.global_step)
        more = {f"eval_{key}": value for key, value in (together | written).items() if f"eval_{key}" not in metrics}
        if more:
            self.log(more)
        best, patience = self.best(), self.config.early_stopping_patience
        if best is not None:
            self.control.should_save |= best.step == self.state.global_step
        if best is not None and patience is not None and best.since >= patience:
            self.control.should_training_stop = self.control.should_save = True
        return metrics | more

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
        if mode == "eval":
            self._all_held_out.merge(self._sums[mode])
        sums = self._sums[mode].take(self.accelerator.reduce)
        if mode == "train":
            logs["num_tokens"] = self._count_tokens()
            if self._router_losses:
                logs["aux_loss"] = torch.stack(self._router_losses).mean().item()
                self._router_losses = []
        prefix = next((key.removesuffix("loss") for key in logs if key.endswith("_loss") and key != "train_loss"), "")
        logs.update({prefix + key: value for key, value in sums.items() if prefix or key != "loss"})
        super().log(logs, start_time)

    def _count_tokens(self) -> int:
        """Tokens read so far, on all processes and before a resume."""
        new = torch.tensor(self._tokens, device=self.args.device)
        self._tokens = 0
        self.state.num_input_tokens_seen += int(self.accelerator.reduce(new))
        return self.state.num_input_tokens_seen


def _held_here(parameter: torch.nn.Parameter) -> torch.Tensor:
    """The part of a parameter that this process holds: FSDP2 and ZeRO-3 leave it only a part."""
    if isinstance(parameter, DTensor):
        return parameter.to_local()
    return parameter.ds_tensor if hasattr(parameter, "ds_tensor") else parameter
