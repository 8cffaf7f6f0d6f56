"""Whether a model's weights are whole on the disk: told by the heads of their files, before any of them is loaded.

A .safetensors file begins with the length of its head, and the head says where each weight ends.
"""

from __future__ import annotations

import json
from pathlib import Path

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# What safetensors itself allows.
LONGEST_HEAD = 100_000_000


def weight_faults(folder: Path) -> list[str]:
    """What is missing, cut short or damaged of the weights in a model's folder, each with its file."""
    if (folder / WEIGHTS).is_file():
        files = [WEIGHTS]
    elif (folder / INDEX).is_file():
        try:
            files = sorted(set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return [f"{folder / INDEX} is no list of weights: copy the model's folder again"]
    else:
        return [f"there are no weights in {folder}: it takes .safetensors, pickled ones are not loaded"]
    return [f"{folder / name} {fault}: copy the file again" for name in files if (fault := file_fault(folder / name))]


def file_fault(file: Path) -> str:
    """Why a .safetensors file is not whole; empty when it is."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            head = json.loads(opened.read(length)) if 2 <= length <= min(size, LONGEST_HEAD) else None
        ends = [facts["data_offsets"][1] for name, facts in head.items() if name != "__metadata__"] if head else []
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        ends = []
    if not ends:
        return "is no .safetensors file, or damaged"
    whole = 8 + length + max(ends)
    return "" if size == whole else f"has {size:,} bytes of {whole:,}"
