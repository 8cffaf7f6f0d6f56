"""The config of each command."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from core.config.knob import Config, knob
from core.config.learning import MethodOptions, OptimisationOptions
from core.config.shared import DataOptions, GenerationOptions, ModelOptions
from core.config.training import MeasuringOptions, RunOptions, StartOptions
from core.presets import preset_changes


class TrainConfig(
    RunOptions, OptimisationOptions, MethodOptions, MeasuringOptions, StartOptions, ModelOptions, DataOptions
):
    """Options of `core-cli train` and of the board's Train tab."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """Begin with the preset; a number for max_length is meant, so that the data is not asked, unless it is told to.

        `max_length: auto` says the same as `auto_length`.
        """
        if not isinstance(values, dict):
            return values
        values = {**preset_changes(values.get("preset")), **values}
        if values.get("max_length") == "auto":
            return {**{name: value for name, value in values.items() if name != "max_length"}, "auto_length": True}
        return {"auto_length": "max_length" not in values, **values}

    def held_out_part(self, conversations: int) -> float:
        """The part of so many conversations that is held out."""
        return self.val_size if self.val_size is not None else min(0.05, 200 / max(1, conversations))

    def ddp_timeout(self) -> float:
        """Seconds that a collective operation may take; SFTConfig's option of that name, through `extra`."""
        return float(self.extra.get("ddp_timeout", 1800))

    def peak_learning_rate(self) -> float:
        """The learning rate, or the default of the method (QLoRA paper, §B.2, for adapters)."""
        return self.learning_rate or (2e-4 if self.finetuning_type == "lora" else 2e-5)


class EvalConfig(ModelOptions, DataOptions, GenerationOptions):
    """Options of `core-cli eval`."""

    base: bool = knob(
        False,
        "Evaluate the model as it was before the training too, for comparison.",
        "evaluation",
        main=True,
        label="Also before the training",
    )
    examples: int = knob(0, "Print this many whole conversations with what the model wrote.", "evaluation", ge=0)
    batch_size: int = knob(16, "Turns generated at once.", "evaluation", ge=1)


class ChatConfig(ModelOptions, GenerationOptions):
    """Options of `core-cli chat` and of the board's Chat tab."""

    system: str = knob("", "System prompt.", "generation")
    tools: str = knob(
        "",
        "What the model may call: a JSON file with tools, or a Python file, whose functions (with type hints and a"
        " docstring) then really run, in a process of their own.",
        "generation",
    )
    allow_tools: list[str] = knob(
        [], "Functions of the Python file that run without asking first; `all`: every one.", "generation"
    )


class ExportConfig(Config):
    """Options of `core-cli export` and of the board's Export tab."""

    output_dir: str = knob(
        "", "A new folder for the model; empty: `exports/` and the run's name. What is there stays.", "run", main=True
    )
    merge: bool = knob(
        True,
        "Merge the adapter into the model's weights; off: the adapter alone, to be put on the same model.",
        "model",
        main=True,
        label="Merge the adapter",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob(
        "auto", "Number type of the weights; auto: the one in which the model below is stored.", "model", main=True
    )
    max_shard_size: str = knob("5GB", "Weights are split into files of at most this size.", "run")
