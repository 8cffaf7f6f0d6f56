"""Datasets by name or path: `dataset_info.json` with LLaMA-Factory's whole schema, files, folders and Hub names.

Entries that we do not train on (ranking pairs, images, sound), those that would run code and those that are wrong are
listed and refused by name when they are used, so that one of them does not make its neighbours unusable.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.conversation import Role
from core.errors import UserError, did_you_mean
from core.formats import Layout, reader
from core.paths import data_dir, resolve_file, typed

REGISTRY = "dataset_info.json"
HUB = "hf:"
_HUB_NAME = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<subset>[\w.-]+))?(?::(?P<split>[^@]+))?(?:@(?P<revision>.+))?"
)
_KEYS = {
    "hf_hub_url",
    "ms_hub_url",
    "om_hub_url",
    "script_url",
    "cloud_file_name",
    "file_name",
    "formatting",
    "ranking",
}
_KEYS |= {"subset", "split", "folder", "revision", "num_samples", "columns", "tags", "roles", "description"}
# LLaMA-Factory's older files have it, and it reads none of them by it any more.
_KEYS |= {"file_sha1"}
COLUMN_WORDS = {"prompt", "query", "response", "history", "messages", "system", "tools", "text", "reasoning"}
_KINDS = {"images": "images", "videos": "video", "audios": "sound", "chosen": "ranking", "rejected": "ranking"}
_KINDS |= {"kto_tag": "thumbs (KTO)"}
TAG_WORDS = {"role_tag", "content_tag", "user_tag", "assistant_tag", "observation_tag", "function_tag", "system_tag"}
_ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset that can be read: its name, its file or folder, its layout (None: by its rows) and what it is.

    `hub` is a repository on the Hub, with `subset`, `split`, `revision` and `folder`; `file` is then its name.
    `num_samples` is how many conversations it gives: fewer than it has are drawn, more are repeated. `refused` is why
    it cannot be used.
    """

    name: str
    file: Path
    layout: Layout | None = None
    description: str = ""
    num_samples: int | None = None
    hub: str = ""
    subset: str = ""
    split: str = ""
    revision: str = ""
    folder: str = ""
    refused: str = ""


def registry(dataset_dir: str = "") -> dict[str, Source]:
    """The datasets that `dataset_info.json` in a folder names (the shipped samples by default).

    Raises `UserError` where there is no such file, or none that holds entries.
    """
    entries, file = _entries(dataset_dir)
    return {name: _listed(name, entry, file) for name, entry in entries.items()}


def _entries(dataset_dir: str) -> tuple[dict[str, Any], Path]:
    """The entries of the `dataset_info.json` in a folder, and that file."""
    folder = typed(dataset_dir) if dataset_dir else data_dir()
    file = folder / REGISTRY
    try:
        entries = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError("no such file", file=file, remedy="--dataset-dir names a folder that holds it") from None
    except json.JSONDecodeError as error:
        raise UserError(f"not valid JSON: {error.msg}", file=file, line=error.lineno) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot be read: {error}", file=file) from None
    if not isinstance(entries, dict):
        raise UserError("must be an object: a name and a description for each dataset", file=file)
    return entries, file


def _listed(name: str, entry: Any, file: Path) -> Source:
    """What is known of an entry; of a wrong one, what is wrong."""
    try:
        return _registered(name, entry, file)
    except UserError as error:
        return Source(name, file.parent, refused=str(error))


def find_source(name: str, dataset_dir: str = "") -> Source:
    """A dataset by its registered name, a file or folder by its path, or `hf:org/name[/subset][:split][@revision]`.

    Raises `UserError` with the nearest name, or with why the dataset cannot be used.
    """
    if not name.strip():
        raise UserError("no dataset: its name is empty")
    if name.startswith(HUB):
        return _hub_source(name)
    path = resolve_file(name)
    if os.path.isfile(path):
        return Source(path.stem, path)
    known, file = _entries(dataset_dir)
    if name in known:
        source = _registered(name, known[name], file)
        if source.refused:
            raise UserError(f'dataset "{name}": {source.refused}')
        return source
    if os.path.isdir(path):
        return Source(path.resolve().name, path)
    if os.path.islink(path) and not os.path.exists(path):
        raise UserError("is a link that leads nowhere", file=name)
    if os.path.exists(path):
        raise UserError("is neither a file nor a folder", file=name)
    if path.suffix or "/" in name:
        hint = f"a dataset of the Hub is {HUB}org/name; datasets by name: {did_you_mean(name, known)}"
        raise UserError("no such file", file=name, remedy=hint)
    raise UserError(f'unknown dataset "{name}"', remedy=did_you_mean(name, known))


def _hub_source(name: str) -> Source:
    found = _HUB_NAME.fullmatch(name.removeprefix(HUB))
    if found is None:
        raise UserError(f'"{name}" is no name of a Hub dataset', remedy=f"{HUB}org/name[/subset][:split][@revision]")
    repo, subset, split, revision = (found[key] or "" for key in ("repo", "subset", "split", "revision"))
    return Source(name, Path(repo), hub=repo, subset=subset, split=split, revision=revision)


def _registered(name: str, entry: Any, file: Path) -> Source:
    if not isinstance(entry, dict):
        raise UserError(f'"{name}" must be an object', file=file)
    unknown = [key for key in entry if key not in _KEYS]
    if unknown:
        raise UserError(f'"{name}": unknown key "{unknown[0]}"', file=file, remedy=did_you_mean(unknown[0], _KEYS))
    count = entry.get("num_samples")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise UserError(f'"{name}": num_samples must be a whole number above 0, got {count!r}', file=file)
    hub = _text(name, entry, "hf_hub_url", file)
    file_name = _text(name, entry, "file_name", file)
    return Source(
        name,
        Path(hub) if hub else file.parent / file_name,
        _layout(name, entry, file),
        str(entry.get("description", "")),
        count,
        hub=hub,
        subset=_text(name, entry, "subset", file),
        split=_text(name, entry, "split", file),
        revision=_text(name, entry, "revision", file),
        folder=_text(name, entry, "folder", file),
        refused=_refusal(entry, hub, file_name),
    )


def _refusal(entry: Mapping[str, Any], hub: str, file_name: str) -> str:
    """Why an entry cannot be used; empty when it can."""
    columns = entry.get("columns") or {}
    kinds = sorted({_KINDS[key] for key in columns if key in _KINDS} | ({"ranking"} if entry.get("ranking") else set()))
    if kinds:
        return f"holds {', '.join(kinds)}, which is not trained on yet"
    if hub or file_name:
        return ""
    if entry.get("script_url"):
        return "script_url would run somebody's code and is refused; give file_name or hf_hub_url"
    if entry.get("cloud_file_name"):
        return "cloud_file_name is not read; download the file and give file_name"
    if entry.get("ms_hub_url") or entry.get("om_hub_url"):
        return "only the Hugging Face Hub is read (hf_hub_url), or files (file_name)"
    return "needs a file_name or hf_hub_url"


def _text(name: str, entry: Mapping[str, Any], key: str, file: Path) -> str:
    value = entry.get(key) or ""
    if not isinstance(value, str):
        raise UserError(f'"{name}": {key} must be text, got {value!r}', file=file)
    return value


def _layout(name: str, entry: Mapping[str, Any], file: Path) -> Layout | None:
    """The layout that an entry declares; None (found by the rows) when it says nothing, as `formatting: auto` does."""
    formatting = _text(name, entry, "formatting", file)
    columns = _mapping(name, entry, "columns", {*COLUMN_WORDS, *_KINDS}, file)
    tags = _mapping(name, entry, "tags", TAG_WORDS, file)
    roles = _mapping(name, entry, "roles", None, file)
    if formatting == "auto":
        return None
    try:
        reader(formatting or "alpaca")
    except UserError as error:
        raise UserError(f'"{name}": {error}', file=file) from None
    return Layout(formatting or "alpaca", columns, tags, checked_roles(roles, name, file))


def _mapping(name: str, entry: Mapping[str, Any], key: str, known: set[str] | None, file: Path) -> dict[str, str]:
    value = entry.get(key) or {}
    if not isinstance(value, dict) or not all(isinstance(text, str | None) for text in value.values()):
        raise UserError(f'"{name}": {key} must map names to names', file=file)
    unknown = [item for item in value if known is not None and item not in known]
    if unknown:
        hint = did_you_mean(unknown[0], known or ())
        raise UserError(f'"{name}": {key} has no "{unknown[0]}"', file=file, remedy=hint)
    return {item: text or "" for item, text in value.items()}


def checked_words(given: Mapping[str, str], key: str, known: set[str]) -> None:
    """That a map from our words to a file's names has our words only. Raises `UserError`."""
    for word in given:
        if word not in known:
            raise UserError(f'{key} has no "{word}"', remedy=did_you_mean(word, known))


def checked_roles(roles: Mapping[str, str], name: str, file: Path | None = None) -> dict[str, Role]:
    """A map of roles, each to one of ours. Raises `UserError`."""
    bad = [role for role in roles.values() if role not in _ROLES]
    if bad:
        raise UserError(f'"{name}": there is no role "{bad[0]}"', file=file, remedy=did_you_mean(bad[0], _ROLES))
    return dict(roles)  # type: ignore[arg-type]
