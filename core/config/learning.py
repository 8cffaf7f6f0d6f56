"""Options of a training that decide what is learned: what of the model is trained, and how."""

from __future__ import annotations

from typing import Any, Literal

from core.config.knob import Config, knob


class MethodOptions(Config):
    """What of a model is trained."""

    finetuning_type: Literal["lora", "freeze", "full"] = knob(
        "lora",
        "lora trains a small adapter, freeze the last layers, full every weight.",
        "method",
        main=True,
        label="Method",
    )
    lora_r: int = knob(
        16,
        "Size of the adapter: higher learns more and needs more memory.",
        "method",
        main=True,
        ge=1,
        le=1024,
        label="LoRA rank",
    )
    lora_alpha: int = knob(32, "LoRA scaling: updates are multiplied by alpha / rank.", "method", ge=1, le=65_536)
    lora_dropout: float = knob(0.0, "Dropout inside the adapter.", "method", ge=0, lt=1)
    lora_target_modules: list[str] = knob(
        ["all-linear"],
        "Layers that get an adapter: module names, or all-linear (arXiv 2305.14314: all of them are needed), but for "
        "gates that are narrower than the rank.",
        "method",
    )
    use_rslora: bool = knob(False, "Scale by alpha / √rank, for high ranks (rsLoRA).", "method")
    use_dora: bool = knob(False, "Train magnitude and direction apart (DoRA): slower, better at low ranks.", "method")
    init_lora_weights: Literal[
        "default", "gaussian", "olora", "orthogonal", "pissa", "pissa_niter_4", "pissa_niter_16", "mica"
    ] = knob(
        "default",
        "How an adapter begins, by peft's names; pissa and mica take apart every weight at the start, pissa_niter "
        "does it roughly and fast.",
        "method",
    )
    loraplus_lr_ratio: float | None = knob(
        None, "LoRA+: the B matrices learn this many times faster than the A matrices (16 is usual).", "method", gt=0
    )
    lora_modules_to_save: list[str] = knob(
        [], "Modules that are trained whole and saved with the adapter, as embed_tokens.", "method"
    )
    adapter_name_or_path: list[str] = knob(
        [], "Adapters to begin from: all but the last are merged into the model, the last is trained on.", "method"
    )
    freeze_trainable_layers: int = knob(2, "With freeze: how many of the last layers are trained.", "method", ge=1)
    load_in_4bit: bool = knob(False, "QLoRA: hold the model in 4 bits; needs a GPU and bitsandbytes.", "method")
    load_in_8bit: bool = knob(False, "Hold the model in 8 bits; needs a GPU and bitsandbytes.", "method")


class OptimisationOptions(Config):
    """How it is trained."""

    learning_rate: float | None = knob(
        None,
        "Peak learning rate; empty: 2e-4 for LoRA (arXiv 2305.14314), 2e-5 for freeze and full (Stanford Alpaca).",
        "optimisation",
        main=True,
        gt=0,
        le=1,
    )
    num_train_epochs: float = knob(
        3.0, "Passes over the data.", "optimisation", main=True, gt=0, le=10_000, label="Epochs"
    )
    max_steps: int = knob(-1, "Stop after this many optimiser steps; -1: by epochs.", "optimisation", ge=-1)
    per_device_train_batch_size: int = knob(
        8, "Examples in one forward pass.", "optimisation", main=True, ge=1, le=4096, label="Batch size"
    )
    gradient_accumulation_steps: int = knob(
        2,
        "Forward passes per optimiser step: the effective batch is this times the batch size, 16 by default (arXiv "
        "2305.14314).",
        "optimisation",
        main=True,
        ge=1,
        le=4096,
    )
    packing: Literal["auto", "on", "off"] = knob(
        "auto",
        "Put the rows of a batch one behind the other, without padding; attention keeps each to itself. What the "
        "batch holds does not change. auto: on a CPU or with flash attention, where a probe of the model shows that "
        "rows do not leak into each other; else rows of like length are batched together.",
        "optimisation",
    )
    per_device_eval_batch_size: int = knob(8, "Examples in one forward pass of an evaluation.", "optimisation", ge=1)
    lr_scheduler_type: Literal[
        "cosine",
        "linear",
        "constant",
        "constant_with_warmup",
        "cosine_with_restarts",
        "cosine_with_min_lr",
        "cosine_warmup_with_min_lr",
        "warmup_stable_decay",
        "polynomial",
        "inverse_sqrt",
    ] = knob("cosine", "How the learning rate falls, by transformers' names.", "optimisation")
    lr_scheduler_kwargs: dict[str, Any] = knob(
        {}, "What the schedule wants to know, as {min_lr_rate: 0.1} for cosine_with_min_lr.", "optimisation"
    )
    warmup_ratio: float = knob(0.04, "Part of the steps in which the learning rate rises.", "optimisation", ge=0, lt=1)
    optim: str = knob("adamw_torch_fused", "Optimiser, by transformers' name.", "optimisation")
    weight_decay: float = knob(0.0, "Weight decay.", "optimisation", ge=0, le=1)
    max_grad_norm: float = knob(1.0, "Gradients are clipped to this norm.", "optimisation", ge=0)
    gradient_checkpointing: bool = knob(
        False, "Recompute activations in the backward pass: less memory, about a third slower.", "optimisation"
    )
    loss_type: Literal["nll", "dft"] = knob(
        "nll", "nll, or dft: tokens weighted by their own probability (arXiv 2508.05629).", "optimisation"
    )
    loss_weights: dict[str, float] = knob(
        {}, "Weight of the loss by kind, as {tool_call: 1.5}; kinds: text, reasoning, tool_call, stop.", "optimisation"
    )
    neftune_noise_alpha: float | None = knob(
        None, "Noise on the embeddings while training (NEFTune; 5 is usual).", "optimisation", gt=0
    )
    seed: int = knob(42, "Seed of everything random.", "optimisation", ge=0, le=2**32 - 1)
