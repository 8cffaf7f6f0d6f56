"""A Python function as a tool: a JSON schema from its type hints and docstring, and arguments checked before a call."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema

from core.conversation import JsonObject

PLAIN = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
# `city: Where.` or `city (str): Where.` beneath "Args:", or `:param city: Where.`
_ARGS = re.compile(r"^\s*(?:Args|Arguments|Parameters):\s*$", re.MULTILINE)
_ENTRY = re.compile(r"^(\s+)(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")
_PARAM = re.compile(r"^\s*:param\s+(?:[\w.\[\]]+\s+)?(\w+):\s*(.*)$", re.MULTILINE)
_OTHER = re.compile(r"^\s*(?:Returns?|Raises|Yields|Examples?|Notes?):\s*$|^\s*:\w+", re.MULTILINE)


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic makes of names: they say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True)
class Function:
    """A function, the JSON schema of its tool, and what checks its arguments."""

    function: Callable[..., Any]
    schema: JsonObject
    model: type[BaseModel]

    def call(self, arguments: JsonObject) -> Any:
        """Call it. Raises `ValueError` for arguments that do not fit, and whatever the function raises."""
        try:
            checked = self.model.model_validate(arguments)
        except ValidationError as error:
            said = [f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()]
            raise ValueError("; ".join(said)) from None
        # What was not given is the function's own default.
        names = {field.alias: name for name, field in self.model.model_fields.items() if field.alias in arguments}
        return self.function(**{alias: getattr(checked, name) for alias, name in names.items() if alias})


def as_tool(name: str, function: Callable[..., Any]) -> Function:
    """The tool that a function is. Raises `ValueError` for a function without hints or docstring, naming what lacks."""
    words = inspect.cleandoc(function.__doc__ or "")
    about = _OTHER.split(_ARGS.split(words)[0])[0].strip()
    if not about:
        raise ValueError(f"{name} has no docstring that says what it does")
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise ValueError(f"{name}: its type hints cannot be read: {error}") from None
    told, fields = _descriptions(words), {}
    for place, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind not in PLAIN:
            raise ValueError(f"{name}: a tool takes plain named parameters, not {parameter}")
        if parameter.name not in hints:
            raise ValueError(f"{name}: parameter {parameter.name} has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        info = Field(default, alias=parameter.name, description=told.get(parameter.name))
        # A name of our own, since a parameter may be called like something that a pydantic model has.
        fields[f"p{place}"] = (hints[parameter.name], info)
    settings = ConfigDict(extra="forbid")
    try:
        model: type[BaseModel] = create_model(name, __config__=settings, **fields)  # type: ignore[call-overload]
        parameters = model.model_json_schema(schema_generator=_Plain)
    except Exception as error:  # noqa: BLE001  pydantic has many words for a type without a JSON form
        raise ValueError(f"{name}: a parameter's type has no JSON form: {str(error).splitlines()[0]}") from None
    parameters = {key: value for key, value in parameters.items() if key not in ("title", "additionalProperties")}
    described = {"name": name, "description": about, "parameters": {"type": "object", "properties": {}, **parameters}}
    return Function(function, {"type": "function", "function": described}, model)


def _descriptions(words: str) -> dict[str, str]:
    """What a docstring says of each parameter, in Google's style or as `:param`."""
    found = {match[1]: match[2].strip() for match in _PARAM.finditer(words)}
    parts = _ARGS.split(words)
    if len(parts) < 2:
        return found
    indent = name = ""
    for line in _OTHER.split(parts[1])[0].splitlines():
        entry = _ENTRY.match(line)
        if entry and (not indent or entry[1] == indent):
            indent, name, found[entry[2]] = entry[1], entry[2], entry[3].strip()
        elif name and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found
