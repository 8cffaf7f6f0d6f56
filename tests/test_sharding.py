"""Layouts over processes: what is handed to accelerate, what is refused, and FSDP2 itself on two CPU processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from accelerate.utils import DeepSpeedPlugin, FullyShardedDataParallelPlugin, patch_environment

from core.checkpoint import checkpoints, fault_of
from core.config import TrainConfig
from core.errors import UserError
from core.run import Run
from core.sharding import PRESETS, Sharding, read_sharding, sharding_environment, sharding_faults
from core.train import train_run
from tests.conftest import small
from tests.together import assert_same_runs, fork_server, in_two, lines


def asked(tmp_path: Path, text: str) -> Sharding:
    """The layout that an accelerate config of this content asks for."""
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    return read_sharding(TrainConfig(distributed=str(tmp_path / "mine.yaml")))


def test_accelerate_reads_the_fsdp_preset_as_meant() -> None:
    environment = sharding_environment(read_sharding(TrainConfig(distributed="fsdp2")), 4)
    assert environment["ACCELERATE_USE_FSDP"] == "true"
    with patch_environment(**environment):
        plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert plugin.cpu_ram_efficient_loading
    assert "SHARDED" in str(plugin.state_dict_type)


@pytest.mark.parametrize(("preset", "stage"), [("zero2", 2), ("zero3", 3)])
def test_accelerate_reads_the_zero_presets_as_meant(preset: str, stage: int) -> None:
    sharding = read_sharding(TrainConfig(distributed=preset))
    assert (sharding.kind, sharding.zero_stage) == ("deepspeed", stage)
    assert sharding.spreads_weights == (stage == 3)
    environment = sharding_environment(sharding, 4)
    assert environment["ACCELERATE_USE_DEEPSPEED"] == "true"
    with patch_environment(**environment):
        plugin = DeepSpeedPlugin()
    assert plugin.zero_stage == stage
    assert plugin.deepspeed_config["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] == (stage == 3)
    assert plugin.zero3_init_flag == (stage == 3)


def test_a_config_of_ones_own_is_handed_over(tmp_path: Path) -> None:
    text = """
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
num_processes: 8
fsdp_config: {fsdp_version: 2, fsdp_offload_params: true, fsdp_reshard_after_forward: false}
"""
    sharding = asked(tmp_path, text)
    assert sharding.num_processes == 8
    environment = sharding_environment(sharding, 8)
    assert environment["FSDP_OFFLOAD_PARAMS"] == "true"
    assert environment["FSDP_RESHARD_AFTER_FORWARD"] == "false"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("distributed_type: FSDP\nnum_machines: 8", "num_machines 8: for several machines set launcher ray"),
        ("distributed_type: FSDP\nfsdp_config: {fsdp_version: 1}", "set fsdp_version 2"),
        ("distributed_type: MULTI_GPU\nmixed_precision: bf16", "mixed_precision is decided by dtype"),
        ("distributed_type: MULTI_GPU\nuse_cpu: true", "set device cpu"),
        ("distributed_type: MULTI_GPU\ndynamo_config: {dynamo_backend: INDUCTOR}", "torch_compile"),
        ("distributed_type: MULTI_GPU\nnum_gpus: 4", "unknown keys (['num_gpus'])"),
    ],
)
def test_what_a_file_would_not_get_is_said(tmp_path: Path, text: str, said: str) -> None:
    faults = sharding_faults(TrainConfig(), asked(tmp_path, text), 8)
    assert len([fault for fault in faults if said in fault]) == 1, faults


def test_a_file_that_is_no_accelerate_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="distributed_type TPU is not supported"):
        asked(tmp_path, "distributed_type: TPU")
    with pytest.raises(UserError, match="zero_stage 7"):
        asked(tmp_path, "distributed_type: DEEPSPEED\ndeepspeed_config: {zero_stage: 7}")
    with pytest.raises(UserError, match=r'no preset and no file "fsdp".*did you mean "fsdp2"'):
        read_sharding(TrainConfig(distributed="fsdp"))


def faults(gpus: int = 8, **options: Any) -> str:
    config = TrainConfig(**options)
    return "; ".join(sharding_faults(config, read_sharding(config), gpus))


def test_what_cannot_run_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(gpus=0, distributed="ddp") == ""
    assert "distributed fsdp2 needs GPUs" in faults(gpus=0, distributed="fsdp2")
    assert faults(distributed="fsdp2") == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "distributed zero3 needs DeepSpeed: pip install deepspeed" in faults(distributed="zero3")
    monkeypatch.undo()
    for preset in ("fsdp2", "zero3"):
        assert "weights in few bits cannot be spread" in faults(distributed=preset, load_in_4bit=True)
        assert "init_lora_weights pissa reads whole weights" in faults(distributed=preset, init_lora_weights="pissa")
        assert "use_dora reads whole weights" in faults(distributed=preset, use_dora=True)
        assert "adapters are merged" in faults(distributed=preset, adapter_name_or_path=["a", "b"])
    assert "few bits" not in faults(distributed="zero2", load_in_4bit=True)
    assert set(PRESETS) == {"fsdp2", "zero2", "zero3"}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_sharded_equals_one_process_and_goes_on_from_its_shards(runs: Path, method: str) -> None:
    """FSDP2 on two CPU processes: the losses, a checkpoint of which each wrote its part, and one whole result."""
    forks = fork_server()
    options = {"dataset": ["tools"], "max_samples": 8, "max_steps": 3, "save_steps": 2, "finetuning_type": method}
    one = Run.create(small(**options, per_device_train_batch_size=4))
    assert train_run(one) == "finished"
    two = Run.create(small(**options, per_device_train_batch_size=2, num_processes=2, distributed="fsdp2"))
    assert in_two(forks, two) == [0, 0]
    assert_same_runs(one, two)
    last, middle = checkpoints(two.path / "checkpoints")
    assert len(list(middle.rglob("*.distcp"))) == 4
    assert fault_of(last) == fault_of(middle) == ""
    (last / "manifest.json").unlink()
    before = lines(two)
    assert in_two(forks, two, resume=True) == [0, 0]
    start = json.loads((two.path / "environment.json").read_text())[-1]
    assert (start["resumed_from"], start["processes"], start["distributed"]) == ("checkpoint-2", 2, "fsdp2")
    assert [line.get("loss") for line in lines(two)] == [line.get("loss") for line in before]


def test_processes_that_hold_a_model_in_parts_write_in_step(runs: Path) -> None:
    """Three turns, one at a time, for two processes: one has less to write and goes on until the other is done."""
    options = {"dataset": ["tools"], "max_samples": 8, "val_size": 0.25, "max_steps": 1, "save_steps": 100}
    options |= {"eval_generate": 3, "eval_max_new_tokens": 5, "per_device_eval_batch_size": 1}
    one = Run.create(small(**options, per_device_train_batch_size=4))
    assert train_run(one) == "finished"
    two = Run.create(small(**options, per_device_train_batch_size=2, num_processes=2, distributed="fsdp2"))
    assert in_two(fork_server(), two) == [0, 0]
    assert len(one.samples()) == 3
    assert two.samples() == one.samples()
