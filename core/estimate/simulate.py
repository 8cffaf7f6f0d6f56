"""A training step on tensors that have a shape and no content: what it holds at most, and what it computes.

The step is the trainer's own, on the model's own code, so nothing here knows a family, a method or a number type. Only
a few of the layers are run; the layers of a decoder are alike, so the others are counted as more of the same.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from core.loss import losses_of_head

# The layers of the two simulations, from which the whole model follows.
FEW, MORE = 2, 4


@dataclass(frozen=True, slots=True)
class Step:
    """One forward and backward pass. Bytes beside the weights, and what the machine has to do.

    `activations` are held when the decoder has been run, `logits` come on top of them while the head and the loss are
    computed forwards and backwards; `backward` is the most that there is at once, gradients included, while the decoder
    is gone through backwards. `moved` are the bytes that operations other than products of matrices read and write,
    `calls` counts all operations.
    """

    activations: float
    logits: float
    backward: float
    flops: float
    moved: float
    calls: float


@dataclass(frozen=True, slots=True)
class Shape:
    """A batch: rows, tokens in each, and how many of them all carry loss."""

    rows: int
    length: int
    trained: int


def simulate(model: Any, shape: Shape, device: str, autocast: torch.dtype | None = None) -> Step:
    """A step of a model that was built on the meta device and is in training mode; the model is used up.

    `device` decides which kernels would run; nothing is allocated on it.
    """
    decoder = _decoder(model)
    layers = len(decoder.layers)
    mode = FakeTensorMode()
    _put(model, device, mode)
    if layers <= MORE:
        return _run(model, shape, device, mode, autocast)
    everything = decoder.layers
    decoder.layers = everything[:FEW]
    few = _run(model, shape, device, mode, autocast)
    decoder.layers = everything[:MORE]
    more = _run(model, shape, device, mode, autocast)
    return _extrapolated(few, more, layers)


def _extrapolated(few: Step, more: Step, layers: int) -> Step:
    values = {}
    for field in fields(Step):
        a, b = getattr(few, field.name), getattr(more, field.name)
        values[field.name] = a + (b - a) * (layers - FEW) / (MORE - FEW)
    return Step(**values)


def _run(model: Any, shape: Shape, device: str, mode: FakeTensorMode, autocast: torch.dtype | None) -> Step:
    """The decoder forwards, the head forwards and backwards, the decoder backwards."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    watch = _Watch()
    with mode, watch:
        ids = torch.ones((shape.rows, shape.length), dtype=torch.long, device=device)
        with _autocast(device, autocast):
            hidden = _decoder(model)(input_ids=ids, use_cache=False).last_hidden_state
        activations = watch.now
        watch.peak = watch.now
        leaf = hidden.detach().requires_grad_()
        targets = torch.ones(shape.trained, dtype=torch.long, device=device)
        with _autocast(device, autocast):
            labelled = leaf.flatten(0, 1)[: shape.trained]
            head = whole.get_output_embeddings()
            losses_of_head(head, labelled, targets, targets.float(), by_probability=False).total.backward()
        logits = watch.peak - activations
        del labelled, targets
        watch.peak = watch.now
        hidden.backward(leaf.grad)
        backward = watch.peak
        del hidden, leaf
    for parameter in model.parameters():
        parameter.grad = None
    return Step(activations, logits, backward, watch.flops, watch.moved, watch.calls)


def _autocast(device: str, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    return torch.autocast(device, dtype=dtype) if dtype is not None else nullcontext()


def _decoder(model: Any) -> Any:
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return whole.get_decoder()


def _put(model: nn.Module, device: str, mode: FakeTensorMode) -> None:
    """Replace every weight and buffer by one without content on `device`; tied ones stay tied."""
    made: dict[int, Any] = {}

    def fake(tensor: torch.Tensor) -> torch.Tensor:
        return torch.empty(tensor.shape, dtype=tensor.dtype, device=device)

    with mode:
        for module in model.modules():
            for name, weight in module._parameters.items():
                if weight is not None:
                    made.setdefault(id(weight), nn.Parameter(fake(weight), requires_grad=weight.requires_grad))
                    module._parameters[name] = made[id(weight)]
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = fake(buffer)


class _Watch(TorchDispatchMode):
    """Counts the storages that live, and what the operations compute and move."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = self.calls = 0
        self.flops = self.moved = 0.0
        self._alive: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and write it down. Views of what is there cost nothing."""
        out = function(*args, **(kwargs or {}))
        made = [tensor for tensor in tree_leaves(out) if isinstance(tensor, torch.Tensor)]
        read = [tensor for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, torch.Tensor)]
        if function.is_view:
            return out
        self.calls += 1
        if function._overloadpacket in flop_registry:
            self.flops += flop_registry[function._overloadpacket](*args, **(kwargs or {}), out_val=out)
        else:
            self.moved += sum(tensor.numel() * tensor.element_size() for tensor in [*made, *read])
        known = {tensor.untyped_storage()._cdata for tensor in read}
        for tensor in made:
            self._hold(tensor, known)
        return out

    def _hold(self, tensor: torch.Tensor, known: set[int]) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive or key in known:
            return
        self.now += size
        self.peak = max(self.peak, self.now)
        self._alive[key] = weakref.ref(storage, self._freed(key, size))

    def _freed(self, key: int, size: int) -> Callable[[Any], None]:
        def freed(_: Any) -> None:
            self.now -= size
            del self._alive[key]

        return freed
