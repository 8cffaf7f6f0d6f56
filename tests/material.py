"""What the template tests share: every template at hand, and generated conversations whose words tell who said them."""

from __future__ import annotations

import random
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.conversation import Conversation, JsonObject, Message, ToolCall
from core.template.choose import LIBRARY, bare_template
from core.template.sandbox import Template

# Small templates that imitate the structure of families in the wild (how they loop, merge, refuse, hide).
WILD = Path(__file__).parent / "templates"

# The end of sequence of the families whose files do not write it themselves.
EOS = {
    "gptoss": "<|return|>",
    "qwen": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "gemma": "<eos>",
    "cohere": "<|END_OF_TURN_TOKEN|>",
    "deepseek": "<｜end▁of▁sentence｜>",
    "phi": "<|endoftext|>",
    "glm": "<|endoftext|>",
    "lfm": "<|im_end|>",
    "nemotron": "<|im_end|>",
    "muse": "<|eot|>",
}
# Words that only one role says; found in trained text they would be somebody else's.
FOREIGN = ("uzq", "szq", "tzq")
TRICKY = (
    "", " ", "\n", "é€", "日本語", "🙂👩‍👩‍👧", '"quoted"', "it's", "a\\b", "{x}", "{{ y }}", "<b>", "a|b", "</s", "[1]",
    "100%", "\t", "think", "assistant", "&lt;", "null",
)  # fmt: skip
CONTROL = (
    "<|im_end|>",
    "<|eot_id|>",
    "</s>",
    "<end_of_turn>",
    "<|end|>",
    "<think>",
    "</think>",
    "[INST]",
    "<tool_call>",
)
VALUES: tuple[Any, ...] = (
    "Rome", "", "two words", 'say "hi"', "it's", "line\nbreak", "tab\t", "back\\slash", "日本 🙂", "true", "null",
    "12", "1.5", '{"a": 1}', "[1, 2]", "None", "<b>x</b>", "a=b, c=d)", "x]", 0, -7,
    12345678901, 1.5, -0.25, 1e-7, True,
    False, None, [], {}, [1, "a", None], {"k": "v", "n": {"deep": [True, {"x": "y"}]}}, ["", " "], {"a b": 1},
)  # fmt: skip


@lru_cache(maxsize=1)
def trl_files() -> dict[str, Path]:
    """The chat templates inside the installed TRL, by name."""
    spec = find_spec("trl")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "chat_templates"
    return {path.stem: path for path in sorted(folder.glob("*.jinja"))}


@lru_cache(maxsize=1)
def all_templates() -> dict[str, Template]:
    """TRL's, ours, and the small ones written for these tests."""
    found: dict[str, Template] = {}
    for name, path in trl_files().items():
        eos = next((eos for key, eos in EOS.items() if key in name), "</s>")
        found[f"trl:{name}"] = bare_template(str(path), {"eos_token": eos, "bos_token": "<bos>"})
    for path in sorted(LIBRARY.glob("*.jinja")):
        found[f"library:{path.stem}"] = bare_template(path.stem)
    for path in sorted(WILD.glob("*.jinja")):
        found[f"wild:{path.stem}"] = bare_template(str(path))
    return found


def tool(name: str, properties: JsonObject | None = None) -> JsonObject:
    """A tool definition in OpenAI's shape."""
    properties = {"city": {"type": "string", "description": "which"}} if properties is None else properties
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": "does it", "parameters": parameters}}


def schema_of(value: Any) -> JsonObject:
    """A JSON schema that the value fits."""
    if value is None:
        return {"type": ["null", "string"]}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return {"type": kinds[type(value)], "description": "a value"}


def words(rng: random.Random, tag: str, control: bool = False) -> str:
    """Words of one role, with something tricky between them."""
    parts = [f"{tag}{rng.randrange(10_000)}"]
    for _ in range(rng.randrange(4)):
        parts.append(rng.choice(TRICKY))
        if control and rng.random() < 0.3:
            parts.append(rng.choice(CONTROL))
        parts.append(f"{tag}{rng.randrange(10_000)}")
    return rng.choice((" ", "\n", " ", "")).join(parts)


def arguments(rng: random.Random) -> JsonObject:
    """Arguments of a call, up to four."""
    return {f"key_{i}": rng.choice(VALUES) for i in range(rng.choice((0, 1, 1, 2, 4)))}


def generated(seed: int, *, tools: bool, reasoning: bool, system: bool, control: bool = False) -> Conversation:
    """A well-formed conversation; the same for the same seed."""
    rng = random.Random(seed)
    messages: list[Message] = [Message("system", words(rng, "szq", control))] if system else []
    defined: dict[str, JsonObject] = {}
    for _ in range(rng.randrange(1, 4)):
        messages.append(Message("user", words(rng, "uzq", control)))
        if tools:
            for _ in range(rng.randrange(3)):
                messages += _calls(rng, defined, reasoning, control)
        thought = words(rng, "rzq") if reasoning and rng.random() < 0.7 else ""
        messages.append(Message("assistant", words(rng, "azq", control), thought))
    if tools and not defined:
        defined["idle"] = tool("idle")
    return Conversation(tuple(messages), tuple(defined.values()))


def _calls(rng: random.Random, defined: dict[str, JsonObject], reasoning: bool, control: bool) -> list[Message]:
    calls = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = f"{rng.choice(('get_weather', 'find', 'send_mail'))}_{rng.randrange(1000)}"
        given = arguments(rng)
        defined[name] = tool(name, {key: schema_of(value) for key, value in given.items()})
        calls.append(ToolCall(name, given, f"call{rng.randrange(100_000):05d}"))
    content = words(rng, "azq") if rng.random() < 0.3 else ""
    thought = words(rng, "rzq") if reasoning and rng.random() < 0.7 else ""
    results = [Message("tool", words(rng, "tzq", control), tool_call_id=call.id, name=call.name) for call in calls]
    return [Message("assistant", content, thought, tuple(calls)), *results]
