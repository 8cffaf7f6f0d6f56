"""How a model and its optimiser are laid over several processes: `distributed`, a preset or an accelerate config file.

A preset is such a file too (data/distributed/), so all take one road: accelerate itself turns the file into environment
variables, in which the processes start and where transformers' Trainer finds them, as under `accelerate launch`. What
cannot work is found before a model is loaded, all at once, each with the remedy.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.config import TrainConfig, read_yaml
from core.errors import UserError, did_you_mean
from core.paths import data_dir, typed

PRESETS = ("fsdp2", "zero2", "zero3")
KINDS: dict[str, Literal["ddp", "fsdp", "deepspeed"]] = {
    "NO": "ddp",
    "MULTI_CPU": "ddp",
    "MULTI_GPU": "ddp",
    "FSDP": "fsdp",
    "DEEPSPEED": "deepspeed",
}
# What an accelerate config may say that is decided elsewhere, with the place.
ELSEWHERE = {
    "parallelism_config": "tensor and context parallelism are not supported",
    "megatron_lm_config": "Megatron-LM is not supported",
    "fp8_config": "8-bit floats are not supported",
    "dynamo_config": "set extra: {torch_compile: true} instead",
    "mpirun_config": "processes are started without MPI",
    "tpu_name": "TPUs are not supported",
}


@dataclass(frozen=True, slots=True)
class Sharding:
    """One layout: every process holds all (`ddp`), or FSDP2 or DeepSpeed spreads it. `file` says it to accelerate."""

    kind: Literal["ddp", "fsdp", "deepspeed"] = "ddp"
    zero_stage: int = 0
    name: str = "ddp"
    file: Path | None = None
    asks: dict[str, Any] | None = None

    @property
    def num_processes(self) -> int | None:
        """The number of processes that the file asks for."""
        return int(self.asks["num_processes"]) if self.asks and "num_processes" in self.asks else None

    @property
    def spreads_weights(self) -> bool:
        """Whether no process holds the whole model."""
        return self.kind == "fsdp" or self.zero_stage == 3


def read_sharding(config: TrainConfig) -> Sharding:
    """What `distributed` names. Raises `UserError` when there is no such preset or the file is no accelerate config."""
    if config.distributed in ("auto", "ddp"):
        return Sharding()
    file = data_dir() / "distributed" / f"{config.distributed}.yaml"
    if config.distributed not in PRESETS:
        file = typed(config.distributed)
        if not os.path.isfile(file):
            remedy = f"{did_you_mean(config.distributed, ('auto', 'ddp', *PRESETS))}; or give an accelerate config file"
            raise UserError(f'distributed: no preset and no file "{config.distributed}"', remedy=remedy)
    asks = read_yaml(file)
    kind = KINDS.get(str(asks.get("distributed_type")))
    if kind is None:
        remedy = f"one of {', '.join(KINDS)}"
        raise UserError(f"distributed_type {asks.get('distributed_type')} is not supported", file=file, remedy=remedy)
    stage = _zero_stage(asks, file) if kind == "deepspeed" else 0
    return Sharding(kind, stage, config.distributed, file.resolve(), asks)


def sharding_faults(config: TrainConfig, sharding: Sharding, gpus: int) -> list[str]:
    """Why this cannot work here; empty when it can."""
    faults = list(_file_faults(sharding))
    if sharding.kind == "ddp":
        return faults
    name = f"distributed {config.distributed}"
    if not gpus:
        faults.append(f"{name} needs GPUs (without them every process would hold all): use ddp here")
    if sharding.kind == "deepspeed" and importlib.util.find_spec("deepspeed") is None:
        faults.append(f"{name} needs DeepSpeed: pip install deepspeed, or use fsdp2")
    if sharding.spreads_weights:
        faults += [f"{name}: {why}" for why in _needs_whole_weights(config)]
    return faults


def sharding_environment(sharding: Sharding, count: int) -> dict[str, str]:
    """The variables in which `count` processes are to start. What they compute in is said by the trainer's options."""
    from accelerate.utils import check_cuda_p2p_ib_support

    found = {} if check_cuda_p2p_ib_support() else {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": "1"}
    if sharding.file is None:
        return found
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    words = ["--config_file", str(sharding.file), "--num_processes", str(count), "--num_machines", "1"]
    arguments = launch_command_parser().parse_args([*words, "--main_process_port", "0", "core.train"])
    arguments, asked, _ = _validate_launch_command(arguments)
    if sharding.kind == "deepspeed":
        arguments.deepspeed_fields_from_accelerate_config = ",".join(asked.deepspeed_config)
        _, environment = prepare_deepspeed_cmd_env(arguments)
    else:
        environment = prepare_multi_gpu_env(arguments)
    ours = ("OMP_NUM_THREADS", "PYTHONPATH")
    return found | {
        name: value for name, value in environment.items() if name not in ours and os.environ.get(name) != value
    }


def _zero_stage(asks: dict[str, Any], file: Path) -> int:
    """The stage that an accelerate config asks for, in itself or in the DeepSpeed file that it names."""
    deepspeed = asks.get("deepspeed_config") or {}
    if named := deepspeed.get("deepspeed_config_file"):
        inner = read_yaml(typed(named))
        return int((inner.get("zero_optimization") or {}).get("stage", 0))
    stage = deepspeed.get("zero_stage", 2)
    if stage not in (0, 1, 2, 3):
        raise UserError(f"deepspeed_config: zero_stage {stage}", file=file, remedy="1, 2 or 3")
    return int(stage)


def _file_faults(sharding: Sharding) -> Iterator[str]:
    """What the file asks for and would not get."""
    asks, file = sharding.asks or {}, sharding.file
    for name, why in ELSEWHERE.items():
        if asks.get(name):
            yield f"{file}: {name}: {why}"
    if int(asks.get("num_machines", 1)) > 1:
        yield f"{file}: num_machines {asks['num_machines']}: for several machines set launcher ray"
    if asks.get("mixed_precision") not in (None, "no"):
        yield f"{file}: mixed_precision is decided by dtype: leave it out"
    if asks.get("use_cpu"):
        yield f"{file}: use_cpu is decided by device: leave it out and set device cpu"
    if sharding.kind == "fsdp" and int((asks.get("fsdp_config") or {}).get("fsdp_version", 1)) != 2:
        yield f"{file}: transformers has dropped FSDP1: set fsdp_version 2"
    try:
        from accelerate.commands.config.config_args import load_config_from_file

        if file:
            load_config_from_file(str(file))
    except (ValueError, TypeError) as error:
        yield f"{file}: {error}"


def _needs_whole_weights(config: TrainConfig) -> Iterator[str]:
    """What reads or changes whole weights, which no process holds."""
    if config.load_in_4bit or config.load_in_8bit:
        yield "weights in few bits cannot be spread: use ddp or zero2 with load_in_4bit"
    if config.init_lora_weights not in ("default", "gaussian"):
        yield f"init_lora_weights {config.init_lora_weights} reads whole weights: use default"
    if config.use_dora:
        yield "use_dora reads whole weights: leave it off"
    if len(config.adapter_name_or_path) > 1:
        yield "adapters are merged into whole weights: merge them before"
