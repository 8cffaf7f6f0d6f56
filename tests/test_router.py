"""The loss of the routers of a model with experts: the model's own, where its config or we ask for it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from core.batch import Collator
from core.checks import check_training
from core.errors import UserError
from core.loss import compute_losses_in
from core.probes import head_is_plain, packing_fault
from core.router import router_weight
from core.run import Run
from core.train import train_run
from tests.bases import base_model
from tests.conftest import small
from tests.test_pack import EXPERTS, SIZES, backward, rows, tiny


def batch_loss(model: Any, *, packs: bool, plain: bool | None = None) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss with the routers' added ten times, and its gradients, by our batches and our losses."""
    if packs:
        assert packing_fault(model) == ""
    compute_losses_in(model, head_is_plain=head_is_plain(model) if plain is None else plain)
    batch = Collator(0, packs=packs)(rows())
    reads = {name: value for name, value in batch.items() if name not in ("kinds", "tokens")}
    found = model(**reads, use_cache=False, output_router_logits=True)
    assert found.routers is not None
    return backward(model, found.total / batch["weights"].sum() + 10 * found.routers)


@pytest.mark.parametrize("family", ["qwen3_moe", "gpt_oss"])
def test_it_is_the_models_own_packed_and_padded(family: str) -> None:
    model = tiny(family)
    batch = Collator(0, packs=False)(rows())
    whole = copy.deepcopy(model)
    found = whole(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        use_cache=False,
        output_router_logits=True,
    )
    losses = -torch.log_softmax(found.logits.flatten(0, 1)[batch["places"]], -1).gather(1, batch["targets"][:, None])
    mean = (losses[:, 0] * batch["weights"]).sum() / batch["weights"].sum()
    expected, grads = backward(whole, mean + 10 * found.aux_loss)
    for options in ({"packs": True}, {"packs": False}, {"packs": False, "plain": False}):
        loss, own = batch_loss(copy.deepcopy(model), **options)  # type: ignore[arg-type]
        assert loss == pytest.approx(expected, rel=1e-5)
        for name, grad in grads.items():
            torch.testing.assert_close(own[name], grad, rtol=1e-3, atol=1e-6)


def test_the_models_config_asks_and_extra_says_otherwise() -> None:
    experts = AutoConfig.for_model("qwen3_moe", **SIZES, **EXPERTS, router_aux_loss_coef=0.25)
    assert router_weight(experts, {}) == 0
    assert router_weight(experts, {"router_aux_loss_coef": 0.5}) == 0.5
    experts.output_router_logits = True
    assert router_weight(experts, {}) == 0.25
    assert router_weight(experts, {"router_aux_loss_coef": 0}) == 0
    assert router_weight(AutoConfig.for_model("llama", **SIZES), {}) == 0


def test_a_model_without_experts_is_given_no_weight() -> None:
    with pytest.raises(UserError, match=r"^extra: router_aux_loss_coef is for models with experts"):
        check_training(small(extra={"router_aux_loss_coef": 0.1}))
    check_training(small(extra={"router_aux_loss_coef": 0}))


@pytest.mark.parametrize(("asked", "said"), [(True, "counts 0.5 times"), (False, "is left out, as the model's config")])
def test_a_training_says_and_logs_it_and_leaves_the_models_config(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: bool, said: str
) -> None:
    folder = tmp_path / "model"
    base_model(folder)
    sizes = {**SIZES, **EXPERTS, "vocab_size": 281, "router_aux_loss_coef": 0.5, "output_router_logits": asked}
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model("qwen3_moe", **sizes)).save_pretrained(folder)
    run = Run.create(
        small(model_name_or_path=str(folder), template="chatml", finetuning_type="full", max_length=256, max_steps=1)
    )
    assert train_run(run) == "finished"
    assert f"the loss of the routers {'(aux_loss) ' if asked else ''}{said}" in capsys.readouterr().out
    logged = run.metrics()[0]
    assert ("aux_loss" in logged) == asked
    kept = json.loads((run.model_dir / "config.json").read_text(encoding="utf-8"))
    assert (kept.get("output_router_logits", False), kept["router_aux_loss_coef"]) == (asked, 0.5)
