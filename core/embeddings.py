"""Tokens that a template needs and a model lacks: added to its tokenizer, given rows in its embeddings, and trained.

A new row begins as the mean of all rows. Beside an adapter only the new rows are trained (peft's
`trainable_token_indices`), not the whole embeddings (`modules_to_save`): the adapter stays small, what the model knew
of its other tokens stays as it was, and the optimiser holds a few rows instead of twice the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from peft import LoraConfig, PeftConfig
from peft.tuners.trainable_tokens import TrainableTokensLayer
from peft.utils.other import TrainableTokensWrapper
from torch import nn

from core.config import TrainConfig
from core.errors import UserError
from core.sharding import Sharding
from core.vocabulary import NewTokens, is_tokenizer

# Tables of sizes that are no multiple of this make matrix products slow on GPUs.
ROWS = 8


def fit_embeddings(model: Any, new: NewTokens) -> None:
    """Give the model rows for the whole tokenizer, and the fresh tokens the mean of those that were there.

    A table that is already large enough keeps its size. Raises `UserError` when the tables cannot grow.
    """
    tables = _tables(model)
    rows, known = len(tables[0].weight), new.size - len(new.fresh)
    if new.size <= rows and not new.fresh:
        return
    if fault := _table_fault(tables):
        raise UserError(f"no tokens can be added to this model: {fault}", remedy="add_tokens none")
    if new.size > rows:
        model.resize_token_embeddings(-(-new.size // ROWS) * ROWS, mean_resizing=False)
        tables = _tables(model)
    if tables[0].weight.is_meta:
        return
    with torch.no_grad():
        for table in tables:
            mean = table.weight[: min(known, rows)].float().mean(0).to(table.weight.dtype)
            table.weight[sorted({*new.fresh, *range(rows, len(table.weight))})] = mean


def train_rows(adapter: LoraConfig, model: Any, new: NewTokens) -> None:
    """Let an adapter train the rows of the new tokens, in the output embeddings too where they have their own."""
    whole = set(adapter.modules_to_save or ())
    rows: dict[str, list[int]] = {}
    for table in _tables(model):
        name = next(name for name, module in model.named_modules() if module is table)
        if {name, name.rpartition(".")[2]} & whole:
            continue
        if isinstance(table, nn.Linear) and table.bias is not None:
            # peft's layer for single rows forgets the bias.
            adapter.modules_to_save = [*(adapter.modules_to_save or ()), name.rpartition(".")[2]]
            continue
        rows[name.rpartition(".")[2]] = list(new.ids)
    adapter.trainable_token_indices = rows or None


def free_tables(model: Any) -> None:
    """Let the embeddings be trained whole, for a method that trains no single rows."""
    for table in _tables(model):
        table.weight.requires_grad_(True)


def settle_rows(model: nn.Module) -> None:
    """Write an adapter's rows into the embeddings for good: put in anew for each token, they slow down writing."""
    for name, module in list(model.named_modules()):
        if isinstance(module, TrainableTokensWrapper):
            table = module.unload_and_optionally_merge_module(merge=True, safe_merge=False, adapter_names=None)
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, table)


def save_rows_only(model: Any) -> None:
    """Let an adapter be saved with its rows alone; peft would add both tables, because their size has changed."""
    save = model.save_pretrained

    def saved(place: str, **options: Any) -> Any:
        return save(place, **{"save_embedding_layers": False, **options})

    model.save_pretrained = saved


def rows_of(head: nn.Module) -> TrainableTokensLayer | None:
    """What trains single rows of an output embedding (its own, or those of the input embedding that it is tied to)."""
    return head.token_adapter if isinstance(head, TrainableTokensWrapper) else None


def adapter_rows(name: str) -> set[int]:
    """The tokens whose rows an adapter trains."""
    indices = PeftConfig.from_pretrained(name).trainable_token_indices or {}
    return {row for rows in (indices.values() if isinstance(indices, dict) else [indices]) for row in rows}


def token_faults(config: TrainConfig, new: NewTokens, sharding: Sharding) -> Iterator[str]:
    """Why these tokens cannot be trained."""
    if not new.texts:
        return
    words = ", ".join(new.texts)
    # Where no process holds whole tables, adding to them is untried.
    if sharding.zero_stage == 3 or (sharding.spreads_weights and config.finetuning_type == "lora"):
        yield f"distributed {sharding.name}: {words} must be added to the model: use ddp, or add_tokens none"
    for name in config.adapter_name_or_path[-1:]:
        made = PeftConfig.from_pretrained(name)
        if not set(new.ids) <= adapter_rows(name) and not made.modules_to_save:
            yield (
                f'adapter "{name}" does not train the tokens that the template adds ({words}): set add_tokens none, '
                "or train a new adapter on the merged model"
            )


def clashes(config: TrainConfig, tokenizer: Any) -> Iterator[str]:
    """Adapters that came with another tokenizer, in which the same number is another token."""
    from transformers import AutoTokenizer

    for name in config.adapter_name_or_path:
        if not is_tokenizer(name):
            continue
        theirs = AutoTokenizer.from_pretrained(name).get_added_vocab()
        other = [text for text, number in theirs.items() if tokenizer.convert_tokens_to_ids(text) != number]
        if other:
            yield f'adapter "{name}" was trained with the tokens {", ".join(other)}, which are others here'


def _tables(model: Any) -> list[Any]:
    """The input embeddings, and the output embeddings where they are not tied to them."""
    given, out = model.get_input_embeddings(), model.get_output_embeddings()
    return [given] if out is None or out.weight is given.weight else [given, out]


def _table_fault(tables: Sequence[Any]) -> str:
    odd = next((table for table in tables if not isinstance(table, nn.Embedding | nn.Linear)), None)
    if odd is not None:
        return f"its embeddings are a {type(odd).__name__}"
    return "" if all(table.weight.is_floating_point() for table in tables) else "its embeddings are in few bits"
