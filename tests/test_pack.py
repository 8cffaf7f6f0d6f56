"""Packed or padded, selected head or all logits: one loss and one gradient; and what leaks is found out."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy, log_softmax
from transformers import AutoConfig, AutoModelForCausalLM

from core import loss as loss_module
from core import pack as pack_module
from core.batch import Collator
from core.loss import compute_losses_in
from core.pack import CPU_ROW, CPU_TOKENS, attend_by_row, packed
from core.probes import below_adapter, head_is_plain, packing_fault, padding_is_inert

SIZES = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
LINEAR = {"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {"tie_word_embeddings": False},
    "qwen3": {"tie_word_embeddings": True},
    "mistral": {"sliding_window": 8},
    "gemma2": {"sliding_window": 8},
    "gemma3_text": {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
    "llama4_text": {"attention_chunk_size": 8, "num_local_experts": 2, "intermediate_size_mlp": 64},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 8, "rope_parameters": None},
    "qwen3_moe": EXPERTS,
    "mamba2": {"num_heads": 8, "state_size": 16, "n_groups": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "jamba": {"num_experts": 2, "attn_layer_period": 2, "attn_layer_offset": 1},
    "qwen3_next": {**EXPERTS, **LINEAR, "shared_expert_intermediate_size": 32},
}
KEEPS_APART = ("llama", "qwen3", "mistral", "gemma2", "gemma3_text", "llama4_text", "gpt_oss", "qwen3_moe")


def tiny(family: str) -> Any:
    """A random model of a family, some thousand weights."""
    torch.manual_seed(0)
    options = {name: value for name, value in {**SIZES, **MODELS[family]}.items() if value is not None}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **options)).train()


def rows() -> list[dict[str, Any]]:
    """Three rows of several lengths, longer than the windows, with weights and kinds; a label on a first token too."""
    rng = np.random.default_rng(0)
    made = []
    for length in (19, 11, 30):
        ids = rng.integers(1, 128, length)
        trained = rng.random(length) < 0.4
        trained[0] = True
        weights = np.where(trained, rng.choice([0.5, 1.0, 2.0], length), 0.0)
        kinds = np.where(trained, rng.integers(1, 5, length), 0)
        made.append({"input_ids": ids, "labels": np.where(trained, ids, -100), "kinds": kinds, "weights": weights})
    return made


def lora(model: Any) -> Any:
    torch.manual_seed(1)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    return get_peft_model(
        model, LoraConfig(r=4, target_modules=targets, init_lora_weights=False, task_type="CAUSAL_LM")
    )


def ours(model: Any, *, packs: bool, **options: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients, by our batches and our losses."""
    if packs:
        assert packing_fault(model) == ""
    compute_losses_in(below_adapter(model), head_is_plain=head_is_plain(model))
    batch = Collator(0, packs=packs, multiple=CPU_TOKENS)(rows())
    reads = {name: value for name, value in batch.items() if name not in ("kinds", "tokens")}
    found = model(**reads, use_cache=False, **options)
    return backward(model, found.total / batch["weights"].sum())


def by_hand(model: Any, *, by_probability: bool = False) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients as the definition has them: each row alone, all logits."""
    total, weight = torch.zeros(()), 0.0
    for row in rows():
        logits = model(input_ids=torch.tensor(row["input_ids"])[None], use_cache=False).logits[0, :-1]
        labels = torch.tensor(row["labels"][1:])
        weights = torch.tensor(row["weights"][1:]).float()
        losses = cross_entropy(logits, labels, reduction="none")
        factor = (-losses.detach()).exp() if by_probability else 1
        total = total + (losses * weights * factor).sum()
        weight += float(weights.sum())
    return backward(model, total / weight)


def backward(model: Any, loss: torch.Tensor) -> tuple[float, dict[str, torch.Tensor]]:
    loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return float(loss.detach()), grads


def assert_same(a: tuple[float, dict[str, torch.Tensor]], b: tuple[float, dict[str, torch.Tensor]]) -> None:
    assert a[0] == pytest.approx(b[0], rel=1e-5)
    assert a[1].keys() == b[1].keys()
    for name, grad in a[1].items():
        torch.testing.assert_close(
            grad, b[1][name], rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("family", KEEPS_APART)
def test_packed_equals_padded_equals_the_definition(family: str, method: str) -> None:
    """Tied and untied heads, soft caps, windows, chunks, sinks and experts; every weight and an adapter."""
    model = lora(tiny(family)) if method == "lora" else tiny(family)
    defined = by_hand(copy.deepcopy(model))
    assert_same(ours(copy.deepcopy(model), packs=True), defined)
    assert_same(ours(copy.deepcopy(model), packs=False), defined)


def test_blocks_and_probabilities_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("qwen3")
    defined = by_hand(copy.deepcopy(model), by_probability=True)
    monkeypatch.setattr(loss_module, "_blocks", lambda hidden, head: [slice(0, 5), slice(5, 7), slice(7, None)])
    assert_same(ours(copy.deepcopy(model), packs=True, by_probability=True), defined)
    capped = tiny("gemma2")
    assert_same(ours(copy.deepcopy(capped), packs=True, by_probability=True), by_hand(capped, by_probability=True))


def test_losses_and_hits_of_each_label_are_told() -> None:
    model = tiny("llama")
    compute_losses_in(model, head_is_plain=True)
    batch = Collator(0, packs=False)(rows()[:1])
    with torch.no_grad():
        found = model(**{key: batch[key] for key in ("input_ids", "targets", "weights", "places")})
        logits = model(input_ids=batch["input_ids"]).logits[0][batch["places"]]
    expected = -log_softmax(logits, -1).gather(1, batch["targets"][:, None])[:, 0]
    torch.testing.assert_close(found.losses, expected)
    assert found.correct.tolist() == (logits.argmax(-1) == batch["targets"]).tolist()
    assert not found.total.requires_grad


def test_on_a_cpu_products_have_few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tokens, of labels in the head, and of rows in attention; what is filled in is counted nowhere."""
    model = tiny("qwen3")
    seen: dict[str, set[int]] = {"tokens": set(), "labels": set(), "row": set()}
    projection, head = model.model.layers[0].self_attn.q_proj, model.get_output_embeddings()
    projection.register_forward_hook(lambda _, inputs, __: seen["tokens"].add(inputs[0].shape[1]))
    attend_by_row(model)
    attend = pack_module.sdpa_attention_forward

    def watched(module: Any, query: torch.Tensor, *others: Any, **options: Any) -> Any:
        seen["row"].add(query.shape[2])
        return attend(module, query, *others, **options)

    monkeypatch.setattr(pack_module, "sdpa_attention_forward", watched)
    compute_losses_in(model, head_is_plain=True)
    head.register_forward_hook(lambda _, inputs, __: seen["labels"].add(inputs[0].shape[0]))
    batch = Collator(0, packs=True, multiple=CPU_TOKENS)(rows())
    found = model(**{name: value for name, value in batch.items() if name not in ("kinds", "tokens")}, use_cache=False)
    assert seen == {"tokens": {CPU_TOKENS}, "labels": {CPU_TOKENS}, "row": {CPU_ROW}}
    assert batch["tokens"] == sum(len(row["input_ids"]) for row in rows())
    assert len(found.losses) == len(batch["targets"]) < CPU_TOKENS


@pytest.mark.parametrize("family", [family for family in MODELS if family not in KEEPS_APART])
def test_a_family_that_leaks_is_found_out_and_left_as_it_was(family: str) -> None:
    model = tiny(family)
    before = model.config._attn_implementation
    assert packing_fault(model)
    assert model.config._attn_implementation == before


def test_experts_that_drop_tokens_are_found_out() -> None:
    """A layer with room for so many tokens of a batch: those of other rows, or padding, take the places."""
    model = tiny("llama")
    assert packing_fault(model) == ""
    assert padding_is_inert(model)
    mlp = model.model.layers[0].mlp
    whole = mlp.forward

    def with_limited_room(states: torch.Tensor) -> torch.Tensor:
        keys = states.flatten(0, 1)[:, :2].argmax(-1)
        taken = torch.stack([(keys == key).cumsum(0) * (keys == key) for key in (0, 1)]).sum(0)
        room = taken <= len(keys) // 4
        return whole(states) * room.view(*states.shape[:2], 1)

    mlp.forward = with_limited_room
    assert packing_fault(model)
    assert not padding_is_inert(model)


def test_a_model_that_looks_ahead_is_found_out() -> None:
    model = tiny("llama")
    original = model.forward

    def looking_ahead(input_ids: torch.Tensor, **options: Any) -> Any:
        out = original(input_ids=input_ids, **options)
        out.logits = out.logits + input_ids.shape[1]
        return out

    model.forward = looking_ahead
    assert not padding_is_inert(model)


def test_a_head_that_is_not_plain_is_found_out() -> None:
    assert head_is_plain(tiny("llama"))
    assert not head_is_plain(tiny("gemma2"))
    model = tiny("llama")
    original = model.forward

    def scaled(*inputs: Any, **options: Any) -> Any:
        out = original(*inputs, **options)
        out.logits = out.logits / 2
        return out

    model.forward = scaled
    assert not head_is_plain(model)


def test_by_row_a_model_still_reads_padding_and_writes() -> None:
    model = tiny("mistral").eval()
    ids = torch.arange(1, 25).view(2, 12)
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    options = {"attention_mask": mask, "max_new_tokens": 8, "do_sample": False}
    before = model.generate(ids, **options)
    plain = model(ids).logits
    attend_by_row(model)
    torch.testing.assert_close(model(ids).logits, plain)
    assert model.generate(ids, **options).tolist() == before.tolist()


def test_packed_rows_begin_again() -> None:
    batch = packed([torch.tensor([[5, 6, 7]]), torch.tensor([[8, 9]])])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 5]
    assert batch["max_length_q"] == 3
