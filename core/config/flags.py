"""Command line flags, made from the fields of a config."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from core.config.knob import Config, ConfigT, bounds_of, default_of, extra, value_type
from core.config.read import load_config


def add_arguments(parser: argparse.ArgumentParser, cls: type[Config], *, skip: tuple[str, ...] = ()) -> None:
    """One flag a field (`--learning-rate`), grouped and described as the fields are. Unset flags are left out."""
    groups: dict[str, Any] = {}
    for name, field in cls.model_fields.items():
        if name in skip:
            continue
        title = extra(field)["group"]
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            default=argparse.SUPPRESS,
            help=flag_help(field),
            **_argument_type(name, field),
        )


def config_from_arguments(cls: type[ConfigT], arguments: argparse.Namespace, path: Path | None = None) -> ConfigT:
    """The config that the parsed flags (and a YAML file) ask for."""
    overrides = {name: value for name, value in vars(arguments).items() if name in cls.model_fields}
    return load_config(cls, path, overrides)


def flag_help(field: FieldInfo) -> str:
    """Help, default and bounds in one line."""
    default = default_of(field)
    shown = "empty" if default in (None, "", [], {}) else " ".join(default) if isinstance(default, list) else default
    limits = ", ".join(
        f"{symbol} {value}"
        for name, symbol in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if (value := bounds_of(field).get(name)) is not None
    )
    return f"{field.description} [{shown}{'; ' + limits if limits else ''}]".replace("%", "%%")


def _argument_type(name: str, field: FieldInfo) -> dict[str, Any]:
    kind = value_type(field)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return {"choices": list(get_args(kind)), "metavar": "{" + ",".join(get_args(kind)) + "}"}
    if get_origin(kind) is list:
        return {"nargs": "*", "metavar": name.upper()}
    if get_origin(kind) is dict:
        return {"type": _mapping, "metavar": "YAML"}
    return {"metavar": name.split("_")[-1].upper()}


def _mapping(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise argparse.ArgumentTypeError(f"not a YAML mapping: {text}") from None
