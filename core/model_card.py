"""The README.md of an exported model: what it was made from, on what, how well it did, and how to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from core.compare import LABELS, from_defaults
from core.disk import read_json
from core.evaluations import figure_text, kept
from core.paths import STARTER
from core.run import Run

# Named on the card apart from the other options, or of no meaning elsewhere.
ELSEWHERE = (*LABELS, "dataset", "eval_dataset", "dataset_dir", "model_name_or_path", "max_dropped", "split_file")
FIGURES = {
    "tool_call_exact": "calls exactly right",
    "argument_exact": "arguments exactly right",
    "tool_call_name": "calls of the right tool",
    "call_decision": "called or silent as it should",
    "loss": "loss (nats/token)",
}


def model_card(run: Run, *, merged: bool) -> str:
    """The whole card, Markdown with a YAML head as the Hub reads it. Paths of this machine are not in it."""
    config = run.config
    base, data = shown(config.model_name_or_path), [shown(name) for name in config.dataset]
    head: dict[str, Any] = {
        "library_name": "transformers" if merged else "peft",
        "pipeline_tag": "text-generation",
        "tags": ["tuneboard", "tool-calling", *([] if merged else ["lora"])],
    }
    if base != STARTER:
        head["base_model"] = base
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# {run.name}",
        f"`{base}`, fine-tuned with Tuneboard ({config.finetuning_type}) on {', '.join(f'`{name}`' for name in data)}.",
        _rows(run),
        _options(run),
        _evaluations(run),
        _use(run, base, merged=merged),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(name: str) -> str:
    """A model or data set without the folders of this machine: `org/name` of the Hub stays whole."""
    return Path(name).name if name.startswith(("/", ".", "~")) else name


def _rows(run: Run) -> str:
    report = read_json(run.path / "report.json")
    rows = report.get("rows") if isinstance(report, dict) else None
    if not isinstance(rows, dict):
        return ""
    counted = ", ".join(f"{rows.get(fate, 0)} {fate}" for fate in ("kept", "repaired", "dropped"))
    return f"Rows: {rows.get('in', 0)} in, {counted}; trained tokens: {report.get('trained_tokens', 0)}."


def _options(run: Run) -> str:
    options = {name: pair["value"] for name, pair in from_defaults(run.config).items() if name not in ELSEWHERE}
    return f"Options that are not at their default:\n\n```yaml\n{yaml.safe_dump(options)}```" if options else ""


def _evaluations(run: Run) -> str:
    read = [(one, one.read().get("metrics")) for one in kept(run) if not one.is_older_than(run)]
    found = [(one, metrics) for one, metrics in read if metrics]
    if not found:
        return ""
    words = {"base": "before", "tuned": "after"}
    heads = " | ".join(f"{one.data}, {words.get(one.label, one.label)}" for one, _ in found)
    lines = [f"| | {heads} |", "|---" * (len(found) + 1) + "|"]
    for key, title in FIGURES.items():
        if any(key in metrics for _, metrics in found):
            lines.append(
                f"| {title} | " + " | ".join(figure_text(key, metrics.get(key)) for _, metrics in found) + " |"
            )
    return "Measured on held-out conversations:\n\n" + "\n".join(lines)


def _use(run: Run, base: str, *, merged: bool) -> str:
    """How others load it. Beside an adapter, peft reads neither the tokenizer's size nor on what writing ends."""
    parts = ["AutoModelForCausalLM", "AutoTokenizer", *([] if merged else ["GenerationConfig"])]
    parts = ["AutoConfig", *parts] if _is_scaled(run) and not merged else parts
    lines = [*([] if merged else ["from peft import PeftModel"]), f"from transformers import {', '.join(parts)}", ""]
    lines.append('tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER")')
    if merged:
        lines.append('model = AutoModelForCausalLM.from_pretrained("THIS_FOLDER")')
    else:
        # The adapter sits on a model whose positions are scaled (core.rope).
        scaled = ', config=AutoConfig.from_pretrained("THIS_FOLDER")' if _is_scaled(run) else ""
        lines.append(f'model = AutoModelForCausalLM.from_pretrained("{base}"{scaled})')
        if _has_tokens(run):
            lines.append("if len(tokenizer) > len(model.get_input_embeddings().weight):")
            lines.append("    model.resize_token_embeddings(len(tokenizer))")
        lines.append('model = PeftModel.from_pretrained(model, "THIS_FOLDER")')
        lines.append('model.generation_config = GenerationConfig.from_pretrained("THIS_FOLDER")')
    lines += [
        "prompt = tokenizer.apply_chat_template(",
        '    [{"role": "user", "content": "Hello"}], tools=None, add_generation_prompt=True, return_tensors="pt", '
        "return_dict=True",
        ")",
        "print(tokenizer.decode(model.generate(**prompt, max_new_tokens=64)[0]))",
    ]
    said = "The chat template in this folder is the one that was trained: give it `messages` and `tools`."
    return f"{said}\n\n```python\n" + "\n".join(lines) + "\n```"


def _is_scaled(run: Run) -> bool:
    """Whether the config of its base is beside an adapter."""
    return (run.model_dir / "config.json").is_file()


def _has_tokens(run: Run) -> bool:
    """Whether the adapter holds rows of tokens that its base does not have."""
    made = read_json(run.model_dir / "adapter_config.json")
    return isinstance(made, dict) and bool(made.get("trainable_token_indices"))
