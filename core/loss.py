"""The losses of a causal model where there are labels, without ever holding the logits of all of them.

`compute_losses_in` teaches a model's own forward pass a second answer: given `targets`, it returns losses instead of
logits. The loss stays inside the forward pass, so that whatever is wrapped around the model (an adapter, several
processes) sees one ordinary call.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
from peft.tuners.trainable_tokens import TrainableTokensLayer
from torch.nn.functional import cross_entropy

from core.embeddings import rows_of
from core.pack import CPU_TOKENS, filled

# Numbers in one block of logits. On a CPU a block should stay in the cache while it is worked on; a GPU wants big ones.
CPU_BLOCK = 2**22
GPU_BLOCK = 2**26


class Losses(NamedTuple):
    """Of some labels: the weighted sum of their losses, shape (); each loss itself, and whether it was likeliest.

    `routers` is the loss of the routers of a model with experts, shape (), where it was asked for.
    """

    total: torch.Tensor
    losses: torch.Tensor
    correct: torch.Tensor
    routers: torch.Tensor | None = None


def compute_losses_in(model: Any, *, head_is_plain: bool) -> None:
    """Let `model(…, targets=, weights=, places=)` return `Losses`; a call without `targets` is what it was.

    `model` is the one below an adapter. `places` (labels,) are the positions, in the flattened batch, whose output
    predicts `targets` (labels,). `weights` (labels,) multiply the losses; with `by_probability` (dft) each is also
    multiplied by the label's own probability. With `output_router_logits` the model's own `aux_loss` is there too.
    """
    plain = model.forward

    @functools.wraps(plain)
    def forward(*inputs: Any, **options: Any) -> Any:
        if options.get("targets") is None:
            return plain(*inputs, **options)
        targets, weights, places = (options.pop(name) for name in ("targets", "weights", "places"))
        by_probability = options.pop("by_probability", False)
        options = {name: value for name, value in options.items() if value is not None}
        if head_is_plain:
            states, routers = _states(model, plain, *inputs, **options)
            hidden = states.flatten(0, 1)[places]
            losses = losses_of_head(model.get_output_embeddings(), hidden, targets, weights, by_probability)
            return losses._replace(routers=routers)
        if options["input_ids"].shape[0] == 1:
            found = plain(*inputs, **options, logits_to_keep=places)
            logits = found.logits[0]
        else:
            found = plain(*inputs, **options)
            logits = found.logits.flatten(0, 1)[places]
        losses = losses_of_logits(logits, targets, weights, by_probability)
        return losses._replace(routers=found.get("aux_loss"))

    model.forward = forward


def _states(model: Any, plain: Any, *inputs: Any, **options: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The last hidden states, and the loss of the routers where it is asked for: that only the whole model computes."""
    decoder = model.get_decoder()
    if not options.get("output_router_logits"):
        return decoder(*inputs, **options).last_hidden_state, None
    seen: list[torch.Tensor] = []
    hook = decoder.register_forward_hook(lambda module, given, output: seen.append(output.last_hidden_state))
    try:
        found = plain(*inputs, **options, logits_to_keep=1)
    finally:
        hook.remove()
    return seen[0], found.get("aux_loss")


def losses_of_logits(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, by_probability: bool
) -> Losses:
    """The losses of whole logits, shape (labels, vocabulary)."""
    losses = cross_entropy(logits.float(), targets, reduction="none")
    if by_probability:
        weights = weights * (-losses.detach()).exp()
    return Losses((losses * weights).sum(), losses.detach(), logits.detach().argmax(-1) == targets)


def losses_of_head(
    head: torch.nn.Module, hidden: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, by_probability: bool
) -> Losses:
    """The losses of hidden states (labels, size): the head is applied to a block of them at a time."""
    rows = rows_of(head)
    if rows is not None:
        head = _HeadWithRows(rows)
    parameters = [parameter for parameter in head.parameters() if parameter.requires_grad]
    learns = torch.is_grad_enabled() and (hidden.requires_grad or bool(parameters))
    return Losses(*_HeadLosses.apply(head, targets, weights, by_probability, learns, hidden, *parameters))


class _HeadWithRows(torch.nn.Module):
    """A head of which single rows are trained: their logits are put among the others.

    peft puts the rows into a copy of all weights instead, and wants the gradient of all of it, for every block.
    """

    def __init__(self, rows: TrainableTokensLayer) -> None:
        super().__init__()
        (name,) = rows.active_adapters
        self.base, self.rows = rows.get_base_layer(), rows.trainable_tokens_delta[name]
        self.places = torch.tensor(rows.token_indices[name], device=self.rows.device)
        self.out_features = len(self.base.weight)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits, shape (labels, vocabulary)."""
        logits = torch.nn.functional.linear(hidden, self.base.weight)
        own = torch.nn.functional.linear(hidden, self.rows.to(self.base.weight.dtype))
        return logits.index_copy(1, self.places, own)


class _HeadLosses(torch.autograd.Function):
    """The gradient of a block of logits is known as soon as they are: it is taken at once, and they are dropped."""

    @staticmethod
    def forward(
        context: Any,
        head: torch.nn.Module,
        targets: torch.Tensor,
        weights: torch.Tensor,
        by_probability: bool,
        learns: bool,
        hidden: torch.Tensor,
        *parameters: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Losses of all blocks; the gradients for `hidden` and `parameters` are kept for `backward`."""
        losses, correct = torch.empty_like(weights), torch.empty_like(targets, dtype=torch.bool)
        total = weights.new_zeros(())
        hidden_grad = torch.empty_like(hidden) if learns else hidden
        grads = [torch.zeros_like(parameter) for parameter in parameters] if learns else []
        multiple = CPU_TOKENS if hidden.device.type == "cpu" else 1
        for block in _blocks(hidden, head):
            own = weights[block]
            with torch.set_grad_enabled(learns):
                part = filled(hidden[block].detach(), multiple).requires_grad_(learns)
                logits = head(part)
            losses[block], correct[block], slope = _cross_entropy(logits.detach()[: len(own)], targets[block])
            if by_probability:
                own = own * (-losses[block]).exp()
            total += (losses[block] * own).sum()
            if learns:
                slope *= own.unsqueeze(1)
                slope = filled(slope.to(logits.dtype), multiple)
                made = torch.autograd.grad(logits, [part, *parameters], slope)
                hidden_grad[block] = made[0][: len(own)]
                for grad, more in zip(grads, made[1:], strict=True):
                    grad += more
        context.save_for_backward(hidden_grad, *grads)
        context.mark_non_differentiable(losses, correct)
        return total, losses, correct

    @staticmethod
    def backward(context: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Scale what was kept by the gradient of the total."""
        return (None, None, None, None, None, *(grad * outer[0] for grad in context.saved_tensors))


def _blocks(hidden: torch.Tensor, head: Any) -> list[slice]:
    numbers = GPU_BLOCK if hidden.is_cuda else CPU_BLOCK
    size = max(64, numbers // head.out_features)
    return [slice(start, start + size) for start in range(0, len(hidden), size)]


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Losses, hits, and the gradient of each loss; in place where the logits are float32 already.

    One buffer and few passes: on a CPU the vocabulary's worth of memory traffic costs as much as the head's product.
    """
    work = logits.float()
    likeliest = work.amax(-1, keepdim=True)
    of_target = work.gather(1, targets.unsqueeze(1))
    correct = (of_target >= likeliest).squeeze(1)
    shifted = (of_target - likeliest).squeeze(1)
    work.sub_(likeliest).exp_()
    sums = work.sum(-1, keepdim=True)
    losses = sums.squeeze(1).log() - shifted
    work.div_(sums)
    work[torch.arange(len(targets), device=work.device), targets] -= 1
    return losses, correct, work
