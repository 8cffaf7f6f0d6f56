"""Windows longer than a model's context: how its rotary positions are scaled, and where that is kept.

A scaled model has its scaling in its config, in transformers' words (`rope_parameters`, `max_position_embeddings`). An
adapter has no such file, so the config of the model that it sits on is put beside it, and whoever loads the adapter
loads its base by that. Dynamic scaling is not offered: there a position's meaning depends on the longest text that was
read before, so that neither would a resumed training equal one that went through, nor chat what was trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig

from core.config import TrainConfig
from core.model import adapter_shape, resolve_model

# What a kind of scaling is told beside its factor: with `original` the context before, and the numbers of Llama 3.1.
ORIGINAL = "original_max_position_embeddings"
TOLD: dict[str, dict[str, float]] = {"linear": {}, "yarn": {}, "llama3": {"low_freq_factor": 1, "high_freq_factor": 4}}


def training_shape(config: TrainConfig) -> Any | None:
    """The transformers config by which the model of a training is loaded; None where as it is stored.

    An adapter that is trained on brings that of its base. Raises OSError where there is no config.
    """
    shape = _kept_shape(config)
    if config.rope_scaling == "none":
        return shape
    if shape is None:
        shape = AutoConfig.from_pretrained(resolve_model(config.model_name_or_path))
    _scale(shape.get_text_config(), config)
    return shape


def _kept_shape(config: TrainConfig) -> Any | None:
    """What the adapters that a training begins with have beside them; of several the last."""
    shapes = [adapter_shape(Path(name)) for name in config.adapter_name_or_path]
    return next((shape for shape in reversed(shapes) if shape is not None), None)


def keep_scaling(config: TrainConfig, folder: Path) -> None:
    """Put the config of the scaled model that it sits on beside an adapter that was just saved into this folder."""
    shape = training_shape(config) if (folder / "adapter_config.json").is_file() else None
    if shape is not None:
        shape.save_pretrained(folder)


def window_faults(config: TrainConfig, model: Any) -> list[str]:
    """Why a model, which may be one without weights, cannot read the config's windows, each with the remedy."""
    shape = (_kept_shape(config) or model.config).get_text_config()
    # A model that does not count its positions (mamba) has no such entry.
    context = getattr(shape, "max_position_embeddings", None)
    hindrance = _hindrance(shape, model)
    if config.rope_scaling != "none":
        if hindrance or context is None:
            return [f"rope_scaling {config.rope_scaling}: {hindrance}"]
        return _scaling_faults(config, context)
    faults = ["rope_factor is for rope_scaling: set that to linear, yarn or llama3"] if config.rope_factor else []
    if context is not None and config.max_length > context:
        remedy = "at most that" + ("" if hindrance else ", or set rope_scaling yarn")
        faults.append(f"max_length {config.max_length} is above the model's context of {context}: {remedy}")
    return faults


def scaled_context(config: TrainConfig, context: int) -> int:
    """How many positions a model with this context counts in the config's training."""
    if config.rope_scaling == "none":
        return context
    return int(context * config.rope_factor) if config.rope_factor else max(context, config.max_length)


def _scaling_faults(config: TrainConfig, context: int) -> list[str]:
    after = scaled_context(config, context)
    if after == context:
        said = f"rope_scaling {config.rope_scaling}: max_length {config.max_length} is within the model's context"
        return [f"{said} of {context}, there is nothing to scale: set none, or rope_factor"]
    if config.max_length > after:
        said = f"max_length {config.max_length} is above the model's context of {context} × rope_factor"
        return [
            f"{said} {config.rope_factor:g}: at most {after}, or rope_factor {config.max_length / context:.3g} or more"
        ]
    return []


def _hindrance(shape: Any, model: Any) -> str:
    """Why the positions of a model cannot be scaled; empty when they can."""
    ropes = _ropes(shape) if hasattr(shape, "max_position_embeddings") else []
    if not ropes or not any(hasattr(module, "rope_type") for module in model.modules()):
        return "the model has no rotary positions that can be scaled, set none and keep max_length within its context"
    scaled = next((rope for rope in ropes if rope.get("rope_type", "default") != "default"), None)
    if scaled is not None:
        kind, factor = scaled["rope_type"], scaled.get("factor")
        by = f" by {factor:g}" if factor else ""
        return f"the model's positions are scaled already ({kind}{by}), set none and keep max_length within its context"
    return ""


def _scale(shape: Any, config: TrainConfig) -> None:
    before = shape.max_position_embeddings
    after = scaled_context(config, before)
    told = {"rope_type": config.rope_scaling, "factor": after / before, **TOLD[config.rope_scaling]}
    if config.rope_scaling != "linear":
        told[ORIGINAL] = before
    for rope in _ropes(shape):
        rope |= told
    shape.max_position_embeddings = after


def _ropes(shape: Any) -> list[dict[str, Any]]:
    """The rotary parameters: one for all layers, or for each kind of layers. Layers with a sliding window see no more.

    The dictionaries are the config's own.
    """
    given = getattr(shape, "rope_parameters", None) or {}
    kinds = getattr(shape, "layer_types", None) or ()
    nested = [given[kind] for kind in given if kind in kinds and given[kind] and "sliding" not in kind]
    return nested or ([given] if "rope_theta" in given else [])
