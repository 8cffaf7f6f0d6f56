"""Options that several commands have: how a model is loaded, which conversations, how the model writes."""

from __future__ import annotations

from typing import Any, Literal

from core.config.knob import Config, knob


class ModelOptions(Config):
    """How a model is loaded."""

    template: str = knob(
        "auto",
        "Chat template: `auto` (the one that the run was trained with, or the model's own), a name from the library "
        "(chatml), or a .jinja file.",
        "model",
        main=True,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = knob(
        "auto", "Device: the GPU if there is one, else the CPU.", "model"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob(
        "auto",
        "Number type of the weights: bfloat16 on GPUs that compute in it, else float32. Training on a GPU holds what "
        "it trains in float32 always; then this is the type of the frozen weights and of the computing.",
        "model",
    )
    tool_dialect: Literal["auto", "none", "hermes", "react", "glm", "llama3_json", "pythonic"] = knob(
        "auto",
        "How tools and calls are written where the chat template has no way (auto: hermes there). The system prompt "
        "moves into the first user turn where the template has no place for it; none: nothing is rewritten.",
        "model",
    )
    attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3"] = knob(
        "auto",
        "How attention is computed, by transformers' name; auto: flash attention where it is installed and training "
        "runs on a GPU in 16 bits, else what the model prefers.",
        "model",
    )
    chat_template_kwargs: dict[str, Any] = knob(
        {},
        "Variables of the chat template, as {enable_thinking: false}; written into the template that is saved, so that "
        "chat, evaluation and export use the same.",
        "model",
        label="Template variables",
    )
    inline_reasoning: bool = knob(
        False, "Write reasoning as text in <think> tags where the chat template swallows it.", "model"
    )


class DataOptions(Config):
    """Which conversations, and how they become examples."""

    dataset: list[str] = knob([], "Names from dataset_info.json, or files.", "data", main=True, label="Datasets")
    dataset_dir: str = knob(
        "",
        "Folder with dataset_info.json; empty: the samples that ship with Tuneboard.",
        "data",
        label="Dataset folder",
    )
    max_samples: int | None = knob(None, "Use at most this many rows of each dataset.", "data", ge=1)
    max_length: int = knob(
        1024,
        "Longest example in tokens; `overlong` says what becomes of longer conversations. For a training also auto, "
        "which it is unless a number is given: see auto_length.",
        "data",
        main=True,
        ge=16,
        le=1_048_576,
    )
    train_on: Literal["assistant", "last_turn", "all"] = knob(
        "assistant",
        "Loss on every assistant turn, on the last one of each conversation only, or on everything but tool results.",
        "data",
    )
    overlong: Literal["windows", "drop_oldest", "drop", "truncate", "error"] = knob(
        "windows",
        "Conversations longer than max_length: several windows in which each turn is trained once, the last exchanges "
        "that fit, no conversation, the first max_length tokens, or an error.",
        "data",
    )
    window_overlap: float = knob(
        0.5,
        "With overlong windows: how much of a window at most shows again what stands before its new turns. 1 puts each "
        "turn behind as much history as fits, in many more windows.",
        "data",
        ge=0.0,
        le=1.0,
    )
    append_stop: bool = knob(
        True,
        "Where a conversation ends in an answer without a stop token (the template writes it only before the next "
        "message, or never), add it, so that the model learns to stop.",
        "data",
        label="Add the missing stop",
    )
    swallowed: Literal["stop", "drop", "ignore"] = knob(
        "stop",
        "Where the chat template swallows reasoning, or words beside a call, that the data holds: stop and say what "
        "can be done, drop those conversations, or train without what is swallowed.",
        "data",
    )
    unstable_history: Literal["split", "last_turn", "as_rendered", "error"] = knob(
        "split",
        "Where the template shows earlier turns differently later on (it hides old reasoning): a sample for each shown "
        "history, the last turns only, trained as they are shown at the end, or drop the conversation.",
        "data",
    )
    profile: Literal["strict", "default", "lenient"] = knob(
        "default",
        "What becomes of imperfect rows: strict drops what default repairs and stops where default drops; lenient "
        "repairs more.",
        "data",
    )
    drop_duplicates: bool = knob(False, "Drop rows that are exact copies of an earlier row of their dataset.", "data")
    formatting: str = knob("", "Format of the rows; empty: recognised from them.", "data")
    columns: dict[str, str] = knob(
        {}, "Names of the columns, by the words of dataset_info.json: {prompt: question, response: answer}.", "data"
    )
    tags: dict[str, str] = knob({}, "Names of the keys in messages: {role_tag: speaker, content_tag: text}.", "data")
    roles: dict[str, str] = knob({}, "Names of roles, each to one of ours: {customer: user}.", "data")
    mix_strategy: Literal["concat", "interleave_under", "interleave_over"] = knob(
        "concat",
        "Several datasets one after the other, or drawn by weight until the first (under) or the last (over) ends.",
        "data",
    )
    interleave_probs: list[float] = knob([], "Weights of the datasets when they are interleaved; empty: equal.", "data")


class GenerationOptions(Config):
    """How the model writes."""

    max_new_tokens: int = knob(256, "Longest answer in tokens.", "generation", main=True, ge=1, le=65_536)
    temperature: float = knob(
        0.0, "0 takes the likeliest token; higher is more varied.", "generation", main=True, ge=0, le=5
    )
    top_p: float = knob(
        1.0, "Sample from the likeliest tokens that hold this much probability.", "generation", gt=0, le=1
    )
