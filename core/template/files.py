"""Chat templates in files: Jinja as it is, a tokenizer's configuration in JSON, or a folder that has one of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.template.limits import MOST_SOURCE

# In this order; the tokens that go with the first are in the second.
_IN_FOLDERS = ("chat_template.jinja", "tokenizer_config.json", "chat_template.json")
_LARGEST_CONFIG = 1 << 24


def read_template(path: Path) -> tuple[str, dict[str, str]]:
    """The template's source in a file or a folder, and the special tokens that stand beside it. Raises `UserError`."""
    if not os.path.isdir(path):
        return _in_config(path) if path.suffix == ".json" else (_text(path, 4 * MOST_SOURCE), {})
    found = [path / name for name in _IN_FOLDERS if os.path.isfile(path / name)]
    if not found:
        raise UserError("no chat template in this folder", file=path, remedy=f"one of {', '.join(_IN_FOLDERS)}")
    source, tokens = read_template(found[0])
    config = path / "tokenizer_config.json"
    return source, tokens or (_tokens(_json(config)) if config in found else {})


def chosen_template(templates: Any) -> str | None:
    """The one of several named templates that knows tools, or else the default; a single one as it is."""
    if isinstance(templates, list):
        templates = {item.get("name"): item.get("template") for item in templates if isinstance(item, dict)}
    if isinstance(templates, dict):
        templates = templates.get("tool_use") or templates.get("default")
    return templates if isinstance(templates, str) and templates else None


def _in_config(path: Path) -> tuple[str, dict[str, str]]:
    config = _json(path)
    source = chosen_template(config.get("chat_template"))
    if source is None:
        raise UserError("no chat_template in it", file=path, remedy="a .jinja file may be given")
    return source, _tokens(config)


def _tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """`bos_token` and the like, each a text or an object with its `content`."""
    named = {key: value for key, value in config.items() if key.endswith("_token")}
    texts = {key: value.get("content") if isinstance(value, dict) else value for key, value in named.items()}
    return {key: text for key, text in texts.items() if isinstance(text, str)}


def _json(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(_text(path, _LARGEST_CONFIG))
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON: {error}", file=path) from None
    if not isinstance(config, dict):
        raise UserError("not a tokenizer's configuration: it is no object", file=path)
    return config


def _text(path: Path, most: int) -> str:
    try:
        # Checked before it is read: a file may be of any size.
        if path.stat().st_size > most:
            raise UserError(f"not a chat template: longer than {MOST_SOURCE} characters", file=path)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", file=path) from None
