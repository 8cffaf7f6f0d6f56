"""Mixing, sampling and splitting, all with a fixed seed: the same data give the same rows on every machine."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from core.conversation import Finding
from core.errors import UserError

Item = TypeVar("Item")
SEED = 42


def interleaved(
    parts: Sequence[Sequence[Item]], strategy: str, weights: Sequence[float] = (), seed: int = SEED
) -> tuple[list[Item], Finding]:
    """One list drawn from several by weight (equal by default), and the note of what was used.

    `interleave_under` ends when the first list is used up, so rows are left out; `interleave_over` when the last one
    is, so rows of the others are repeated.
    """
    require_weights(weights, len(parts))
    weights = list(weights) or [1.0] * len(parts)
    if not all(parts):
        raise UserError("a dataset without conversations cannot be interleaved", remedy="use mix_strategy concat")
    chance = random.Random(seed)  # noqa: S311  nothing secret: it only orders rows
    taken = [0] * len(parts)
    mixed: list[Item] = []
    while not _ended(parts, taken, strategy):
        which = chance.choices(range(len(parts)), weights)[0]
        mixed.append(parts[which][taken[which] % len(parts[which])])
        taken[which] += 1
    used = ", ".join(f"{count} of {len(part)}" for count, part in zip(taken, parts, strict=True))
    return mixed, Finding("DS909", "kept", f"interleaved: used {used} conversations")


def require_weights(weights: Sequence[float], datasets: int) -> None:
    """That there is a weight for each of so many datasets, or none at all. Raises `UserError`."""
    if weights and (len(weights) != datasets or any(weight <= 0 for weight in weights)):
        said = f"interleave_probs needs {datasets} numbers above 0, one for each dataset, got {list(weights)}"
        raise UserError(said)


def _ended(parts: Sequence[Sequence[Any]], taken: Sequence[int], strategy: str) -> bool:
    used_up = [count >= len(part) for count, part in zip(taken, parts, strict=True)]
    return all(used_up) if strategy == "interleave_over" else any(used_up)


def sampled(items: Sequence[Item], count: int, name: str, seed: int = SEED) -> tuple[list[Item], list[Finding]]:
    """`count` of the items in their order; when there are fewer, all of them as often as needed."""
    notes = drawn_note(count, len(items), name)
    if not notes:
        return list(items), []
    whole, rest = divmod(count, len(items))
    drawn = sorted(random.Random(seed).sample(range(len(items)), rest))  # noqa: S311
    chosen = [*range(len(items))] * whole + drawn
    return [items[index] for index in chosen], notes


def drawn_note(count: int | None, there: int, name: str) -> list[Finding]:
    """DS909, where `count` conversations of a dataset are used and another number is `there`."""
    if count is None or count == there or not there:
        return []
    return [Finding("DS909", "kept", f'num_samples: "{name}" has {there} conversations, {count} are used')]


def split(prompts: Sequence[int], val_size: float, seed: int = SEED) -> list[bool]:
    """Which conversations are held out, about `val_size` of them; `prompts` are numbers for what each of them asks.

    What is asked decides, not the place in the file: a conversation stays on its side when others are added, and those
    that ask the same are on the same side.
    """

    def share(prompt: int) -> float:
        digest = hashlib.blake2b(f"{seed}:{prompt}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    return [share(prompt) < val_size for prompt in prompts]


def split_by_file(lines: Sequence[int], path: Path) -> list[bool]:
    """Which conversations are held out, by the lines that they come from: `{"validation": [line, …]}`."""
    held = held_lines(path)
    unknown = sorted(held - set(lines))
    if unknown:
        raise UserError(f"line {unknown[0]} holds no usable conversation", file=path)
    return [line in held for line in lines]


def held_lines(path: Path) -> set[int]:
    """The lines that a split file holds out. Raises `UserError`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot be read as a split file: {error.strerror}", file=path) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"cannot be read as a split file: {error}", file=path) from None
    chosen = value.get("validation") if isinstance(value, dict) else None
    if not isinstance(chosen, list) or not all(type(line) is int for line in chosen):
        raise UserError('needs "validation": a list of line numbers', file=path)
    return set(chosen)
