"""TRL's SFTTrainer, which owns the loop, with what is added to it.

That is: a kind and a weight per token, logits only where there is a label, losses per kind, whole checkpoints.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft.optimizers import create_loraplus_optimizer
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from core.batch import Collator, Sums
from core.checkpoint import STAGE, keep_newest, move_whole, seal
from core.config import TrainConfig
from core.encode import IGNORED
from core.errors import UserError
from core.probes import below_adapter, head_is_plain, padding_is_inert


class Trainer(SFTTrainer):
    """SFTTrainer with weights and kinds per token, and logits computed only where there is a label."""

    def __init__(
        self, *, config: TrainConfig, writes: Callable[[Any, int], dict[str, float]], **arguments: Any
    ) -> None:
        """`writes(model, step)` lets the model write on held-out turns and returns the figures ({}: there are none)."""
        self.optimizer: torch.optim.Optimizer | None
        super().__init__(**arguments)
        self.config, self.writes = config, writes
        self.data_collator = Collator(self.processing_class.pad_token_id, config.loss_weights)
        self._sums: dict[str, Sums] = {"train": Sums(), "eval": Sums()}
        self._selects_head = head_is_plain(self.model)
        self._needs_mask = not padding_is_inert(self.model)

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

    def _evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        """The held-out losses, and how well the model writes."""
        metrics = super()._evaluate(*arguments, **options)
        with self.accelerator.autocast():
            written = self.writes(self.accelerator.unwrap_model(self.model), self.state.global_step)
        if written:
            written = {f"eval_{key}": value for key, value in written.items()}
            self.log(written)
        return metrics | written

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
        whole = below_adapter(self.accelerator.unwrap_model(model))
        hidden = whole.get_decoder()(**read).last_hidden_state
        return whole.get_output_embeddings()(hidden[:, :-1][chosen])
