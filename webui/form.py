"""A config model as a form: one component per field, made from its type, bounds, choices and help; and back again.

To add an option, add a field to the config: nothing here names one, apart from the few lists of suggestions.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, get_args, get_origin

import gradio as gr
import yaml
from pydantic.fields import FieldInfo

from core.config import (
    Config,
    ConfigT,
    DataOptions,
    GenerationOptions,
    Group,
    ModelOptions,
    TrainConfig,
    default_of,
    extra,
    parse_config,
    value_type,
)
from core.errors import UserError
from core.presets import PRESETS
from webui.board import choices
from webui.texts import Texts


@dataclass
class Form(Generic[ConfigT]):
    """The components of a form by field name, in the order in which they stand on the page."""

    cls: type[ConfigT]
    t: Texts
    fixed: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = "field"
    components: dict[str, Any] = field(default_factory=dict)

    def read(self, values: Mapping[Any, Any]) -> ConfigT:
        """The config in what Gradio hands a listener (`{component: value}`). Raises `UserError`."""
        return read_values(self.cls, {name: values[part] for name, part in self.components.items()}, self.fixed)

    def add(self, name: str, **options: Any) -> Any:
        """Put the component of one field here."""
        self.components[name] = component(self.cls, name, self.t, elem_id=f"{self.prefix}-{name}", **options)
        return self.components[name]

    def updates(self, options: Mapping[str, Any]) -> dict[Any, Any]:
        """What sets the components of some options."""
        fields = self.cls.model_fields
        return {self.components[name]: from_config(fields[name], value) for name, value in options.items()}

    def main_fields(self) -> list[str]:
        """The names of the fields for the first page."""
        return [name for name in self.names() if extra(self.cls.model_fields[name])["main"]]

    def groups(self) -> dict[str, list[str]]:
        """The other fields by group."""
        found: dict[str, list[str]] = {}
        for name in self.names():
            info = extra(self.cls.model_fields[name])
            if not info["main"]:
                found.setdefault(info["group"], []).append(name)
        return found

    def names(self) -> list[str]:
        """Every field that the page may set: by group, and what is the command's own before what others have."""
        groups = get_args(Group)
        shared = {name for cls in (ModelOptions, DataOptions, GenerationOptions) for name in cls.model_fields}

        def place(name: str) -> tuple[int, bool]:
            return groups.index(extra(self.cls.model_fields[name])["group"]), name in shared

        return sorted((name for name in self.cls.model_fields if name not in self.fixed), key=place)

    def rows(self, names: Sequence[str], width: int = 3) -> None:
        """Put these fields here, some beside each other."""
        for first in range(0, len(names), width):
            with gr.Row(equal_height=False):
                for name in names[first : first + width]:
                    self.add(name)

    def accordions(self) -> None:
        """Put the fields of every group here, folded."""
        for group, names in self.groups().items():
            with gr.Accordion(self.t.group(group), open=False, elem_id=f"group-{group}"):
                self.rows(names)


def read_values(cls: type[ConfigT], shown: Mapping[str, Any], fixed: Mapping[str, Any]) -> ConfigT:
    """The config that the components' values ask for. Raises `UserError`; what is not a field is refused."""
    values = {name: to_config(cls, name, value) for name, value in shown.items() if name in cls.model_fields}
    unknown = {name: value for name, value in shown.items() if name not in cls.model_fields}
    return parse_config(cls, {**values, **unknown, **fixed})


def component(cls: type[Config], name: str, t: Texts, **options: Any) -> Any:
    """The component for one field."""
    info = cls.model_fields[name]
    settings: dict[str, Any] = {
        "label": t.label(cls, name),
        "info": t.help(cls, name),
        "value": from_config(info, default_of(info)),
        "min_width": 220,
    }
    kind, builder = value_type(info), gr.Textbox
    offered = choices(name)
    if kind is bool:
        builder = gr.Checkbox
    elif get_origin(kind) is Literal:
        return _closed(list(get_args(kind)), settings | options)
    elif offered is not None or get_origin(kind) is list:
        builder = gr.Dropdown
        many = get_origin(kind) is list
        settings |= {"choices": offered or [], "allow_custom_value": True, "multiselect": many, "filterable": True}
    elif kind in (int, float) and default_of(info) is not None:
        builder = gr.Number
    elif kind in (int, float):
        # A number field cannot be empty in Gradio: it shows 0.
        settings |= {"placeholder": t("not set"), "max_lines": 1}
    elif get_origin(kind) is dict:
        settings |= {"lines": 2, "placeholder": "key: value", "max_lines": 8}
    return builder(**(settings | options))


def _closed(values: list[str], settings: dict[str, Any]) -> Any:
    """A choice among a few: all of them in sight."""
    if len(values) <= 2:
        return gr.Radio(values, **settings)
    return gr.Dropdown(values, filterable=False, **settings)


def from_config(info: FieldInfo, value: Any) -> Any:
    """A config's value as its component shows it."""
    if get_origin(value_type(info)) is dict:
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True) if value else ""
    if default_of(info) is None:
        return "" if value is None else str(value)
    return value


def to_config(cls: type[Config], name: str, value: Any) -> Any:
    """A component's value as the config wants it: an empty field is the default, whole numbers are whole."""
    info = cls.model_fields[name]
    kind = value_type(info)
    if get_origin(kind) is dict:
        return _mapping(name, value)
    if value is None or (value == "" and default_of(info) is None):
        return default_of(info)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if get_origin(kind) is list and isinstance(value, list):
        return [str(item).strip() for item in value if str(item).strip()]
    return value.strip() if kind is str and isinstance(value, str) else value


def _mapping(name: str, text: Any) -> Any:
    if not isinstance(text, str):
        return text or {}
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not `key: value` lines: " + str(error).split("\n")[0]) from None


def command_line(config: Config, program: str) -> str:
    """The command that does the same, with only the options that are not at their default, one a line."""
    return " \\\n    ".join([program, *(shlex.join(words) for words in command_words(config))])


def command_words(config: Config) -> list[list[str]]:
    """The flag and its values for each option that is not at its default; of a training, what its preset says."""
    found = []
    preset = PRESETS[config.preset].changes if isinstance(config, TrainConfig) else {}
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        if value == preset.get(name, default_of(info)):
            continue
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            found.append([flag if value else flag.replace("--", "--no-", 1)])
        elif isinstance(value, list):
            found.append([flag, *map(str, value)])
        elif isinstance(value, dict):
            found.append([flag, yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()])
        else:
            found.append([flag, str(value)])
    return found
