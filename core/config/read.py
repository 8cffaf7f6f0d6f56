"""Configs from YAML and given values, and back; what is wrong with them in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.error import MarkedYAMLError

from core.config.knob import Config, ConfigT
from core.errors import UserError, did_you_mean
from core.presets import preset_changes


class _OneOfEach(yaml.SafeLoader):
    """To YAML a key that is given twice has its last value, in silence; to us it is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping. Raises `yaml.YAMLError` with the line of the second."""
        names = [key.value for key, _ in node.value]
        for place, name in enumerate(names):
            if isinstance(name, str) and name in names[:place]:
                raise MarkedYAMLError(problem=f"{name} is given twice", problem_mark=node.value[place][0].start_mark)
        return super().construct_mapping(node, deep)


def parse_config(cls: type[ConfigT], values: Mapping[str, Any], *, file: str | Path | None = None) -> ConfigT:
    """Validate `values`; a `UserError` names every bad key (with the nearest known one) and every bad value."""
    try:
        return cls(**values)
    except ValidationError as error:
        lines = [_explain(cls, item) for item in error.errors()]
        raise UserError("; ".join(lines), file=file) from None


def load_config(cls: type[ConfigT], path: Path | None, overrides: Mapping[str, Any]) -> ConfigT:
    """A config from a YAML file (or none) with `overrides` on top. Raises `UserError`.

    A preset in the file is below what the file says; one among the overrides is above it.
    """
    values = read_yaml(path) if path is not None else {}
    return parse_config(cls, {**values, **preset_changes(overrides.get("preset")), **overrides}, file=path)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds one mapping. Raises `UserError` with the line."""
    try:
        loaded = _OneOfEach(path.read_text(encoding="utf-8")).get_single_data()
    except FileNotFoundError:
        raise UserError("no such file", file=path, remedy="give a YAML file with training options") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", file=path) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise UserError(f"not valid YAML: {problem}", file=path, line=mark.line + 1 if mark else None) from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UserError(f"holds a {type(loaded).__name__}, expected `key: value` lines", file=path)
    return {str(key): value for key, value in loaded.items()}


def dump_yaml(config: Config) -> str:
    """The config as YAML, all keys, in the order of the fields."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _explain(cls: type[Config], item: Any) -> str:
    name = str(item["loc"][0]) if item["loc"] else cls.__name__
    if item["type"] == "extra_forbidden":
        return f'unknown option "{name}": {did_you_mean(name, cls.model_fields)}'
    message = item["msg"].replace("Input should", "should")
    return f"{'.'.join(str(part) for part in item['loc'])}: {message}, got {item['input']!r}"
