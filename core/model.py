"""Tokenizers, weights and adapters: from a name (a Hub model, a folder, `starter`, a run) to what computes."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.config import ModelOptions, TrainConfig
from core.errors import UserError
from core.hub import asked_for, hub_fault
from core.paths import STARTER, starter_dir
from core.run import Run, find_run
from core.stops import own_stops, stop_ids, stop_texts, stops_of
from core.template.choose import AddTokens, choose_template
from core.template.dialect import rewritten, settled
from core.template.sandbox import Template
from core.tokenizer_folder import plain_tokenizer
from core.vocabulary import add_tokens, is_tokenizer, make_exact

_IMPORTING = threading.Lock()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to write: torch module, fast tokenizer, template, and the ids and texts on which it stops."""

    model: Any
    tokenizer: Any
    template: Template
    stop_ids: tuple[int, ...]
    stop_texts: tuple[str, ...] = ()


def auto_tokenizer() -> Any:
    """transformers' class, imported by one thread at a time: two at once break the library's lazy loading."""
    with _IMPORTING:
        from transformers import AutoTokenizer

        return AutoTokenizer


def resolve_model(name: str) -> str:
    """What transformers is to load for a model's name: `starter` is the embedded one."""
    return str(starter_dir()) if name == STARTER else asked_for(name)


def load_tokenizer(name: str) -> Any:
    """The fast tokenizer of a model. Raises `UserError` when there is none."""
    place = resolve_model(name)
    try:
        with _IMPORTING:
            tokenizer = plain_tokenizer(Path(place))
        if tokenizer is None:
            tokenizer = auto_tokenizer().from_pretrained(place)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # The last three: what stands in a configuration is of another kind than transformers takes for granted.
        raise UserError(f'cannot load the tokenizer of "{name}": {_reason(name, error)}', remedy=_remedy()) from None
    if not tokenizer.is_fast:
        raise UserError(f'"{name}" has no fast tokenizer, which spans need', remedy="convert it to tokenizer.json")
    return tokenizer


def is_hub_name(name: str) -> bool:
    """Whether a model's name could be one of the Hub: `name` or `org/name`."""
    return re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) is not None and name.strip(".") == name


def load_template(config: ModelOptions, tokenizer: Any, add_tokens: AddTokens = "none") -> Template:
    """The chat template that the config asks for, with what the tokenizer knows, and what it lacks rewritten.

    What the tokenizer is to be given is in its `added`.
    """
    chosen = settled(choose_template(config.template, tokenizer, add_tokens), config.chat_template_kwargs)
    return rewritten(chosen, config.tool_dialect, config.inline_reasoning)


def load_vocabulary(config: TrainConfig) -> tuple[Any, Template]:
    """Tokenizer and chat template of a training, as they go together. Raises `UserError`."""
    tokenizer = training_tokenizer(config)
    template = load_template(config, tokenizer, config.add_tokens)
    add_tokens(tokenizer, template.added)
    return tokenizer, replace(template, exact=make_exact(tokenizer, template.control_tokens))


def training_tokenizer(config: TrainConfig) -> Any:
    """The tokenizer of a training as it is stored, for texts as long as scaled positions allow. Raises `UserError`."""
    tokenizer = load_tokenizer(tokenizer_name(config))
    if config.rope_scaling != "none":
        before, factor = tokenizer.model_max_length, config.rope_factor
        tokenizer.model_max_length = int(before * factor) if factor else max(before, config.max_length)
    return tokenizer


def tokenizer_name(config: TrainConfig) -> str:
    """Whose tokenizer a training uses: an adapter that is trained on keeps the one that it was trained with."""
    last = config.adapter_name_or_path[-1:]
    return last[0] if last and is_tokenizer(last[0]) else config.model_name_or_path


def model_stops(config: TrainConfig) -> list[int]:
    """The token ids on which the config's model ends its writing, by its generation config or its config."""
    return stops_of(resolve_model(config.model_name_or_path))


def load_weights(
    name: str,
    config: ModelOptions,
    quantisation: Any = None,
    *,
    place: bool = True,
    dtype: Any = None,
    shape: Any = None,
) -> Any:
    """The model on its device, in evaluation mode. Raises `UserError` when it cannot be loaded.

    `quantisation` is a transformers quantisation config; such a model is placed while it is loaded. Without `place` the
    model stays where transformers puts it: whoever shards it moves it. `dtype` is the torch number type of the weights
    where it is not the one that `pick_dtype` gives, `shape` the model's transformers config where it is not the stored
    one.
    """
    import torch
    from safetensors import SafetensorError

    device = pick_device(config.device)
    with _IMPORTING:
        from transformers import AutoModelForCausalLM
    _bars_for_people()
    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            resolve_model(name),
            output_loading_info=True,
            # What does not fit is refused below, by name.
            ignore_mismatched_sizes=True,
            config=shape,
            dtype=dtype or pick_dtype(config.dtype, device),
            use_safetensors=True,
            attn_implementation=None if config.attn_implementation == "auto" else config.attn_implementation,
            **(
                {"quantization_config": quantisation, "device_map": {"": torch.cuda.current_device()}}
                if quantisation
                else {}
            ),
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f'cannot load the model "{name}": {_reason(name, error)}', remedy=_remedy()) from None
    if lacking := sorted({*told["missing_keys"], *(weight for weight, *_ in told["mismatched_keys"])}):
        said = f"{lacking[0]} and {len(lacking) - 1} more" if len(lacking) > 1 else lacking[0]
        remedy = "they are of another model than its config.json says, or incomplete"
        raise UserError(f'the weights of "{name}" lack {said}, or have them in another size', remedy=remedy)
    return (model.to(device) if place and not quantisation else model).eval()


def _bars_for_people() -> None:
    """No progress bars of loading where nobody watches them: in a log or a pipe."""
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()


def load_for_chat(target: str | Run, config: ModelOptions) -> LoadedModel:
    """A run (by path, name or object) or a plain model, with the adapter on top where the run has one."""
    run = target if isinstance(target, Run) else find_run(target)
    tokenizer, template = chat_vocabulary(target if run is None else run, config)
    if run is None:
        return ready(load_weights(str(target), config), tokenizer, template)
    folder = run.model_dir
    if (folder / "adapter_config.json").is_file():
        from peft import PeftModel

        from core.embeddings import fit_embeddings, settle_rows

        model = load_weights(adapter_base(folder), config, shape=adapter_shape(folder))
        fit_embeddings(model, add_tokens(tokenizer, []))
        model = PeftModel.from_pretrained(model, str(folder)).eval()
        settle_rows(model)
    else:
        model = load_weights(str(folder), config)
    return ready(model, tokenizer, template)


def chat_vocabulary(target: str | Run, config: ModelOptions) -> tuple[Any, Template]:
    """Tokenizer and chat template of a run or a plain model, as `load_for_chat` gives them. Raises `UserError`."""
    run = target if isinstance(target, Run) else find_run(target)
    if run is not None and not run.has_model:
        raise UserError(f"the run is {run.state().state} and has no model yet", file=run.path)
    tokenizer = load_tokenizer(str(run.model_dir if run is not None else target))
    template = load_template(config, tokenizer)
    if run is None:
        make_exact(tokenizer, template.control_tokens)
    return tokenizer, template


def adapter_base(folder: Path) -> str:
    """The model that an adapter sits on; the starter by its name, wherever it is installed."""
    base = str(json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"])
    return STARTER if Path(base).name == STARTER and not Path(base).exists() else base


def adapter_shape(folder: Path) -> Any | None:
    """The transformers config of the model that an adapter sits on, where that is not the stored one (core.rope).

    Raises `UserError` when it cannot be read.
    """
    from transformers import AutoConfig

    there = (folder / "adapter_config.json").is_file() and (folder / "config.json").is_file()
    try:
        return AutoConfig.from_pretrained(folder) if there else None
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"cannot be read: {_first_line(error)}", file=folder / "config.json") from None


def pick_device(asked: str) -> str:
    """`auto` is the first GPU if there is one, else the CPU."""
    import torch

    if asked != "auto":
        if asked == "cuda" and not torch.cuda.is_available():
            raise UserError("device cuda: there is no GPU here", remedy="use --device auto")
        if asked == "mps" and not torch.backends.mps.is_available():
            raise UserError("device mps: there is no Apple GPU here", remedy="use --device auto")
        return asked
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(asked: str, device: str) -> Any:
    """The torch number type of the weights. On a CPU `auto` is float32: see `computes_in_bfloat16` for training."""
    import torch

    if asked != "auto":
        return getattr(torch, asked)
    return torch.bfloat16 if device == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def computes_in_bfloat16(device: str) -> bool:
    """Whether bfloat16 is fast on this device: recent GPUs, and CPUs with matrix units (AMX)."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return device == "cpu" and torch.cpu._is_amx_tile_supported()


def ready(model: Any, tokenizer: Any, template: Template) -> LoadedModel:
    """A model with what it needs to write, and where its writing ends."""
    ids = stop_ids(template, tokenizer, own_stops(model.generation_config))
    return LoadedModel(model, tokenizer, template, ids, tuple(stop_texts(template, tokenizer)))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _reason(name: str, error: Exception) -> str:
    if name != STARTER and not os.path.exists(name) and not is_hub_name(name):
        return "there is no such folder"
    fault = "" if name == STARTER or os.path.exists(name) else hub_fault()
    return f"it is neither a folder nor kept from the Hub, and {fault}" if fault else _first_line(error)


def _remedy() -> str:
    return "give a Hub name, a folder with a transformers model, a run, or `starter`"
