"""What a knob is: a field of a pydantic model with its help and group, and what can be asked of it."""

from __future__ import annotations

import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

Group = Literal["model", "data", "method", "optimisation", "run", "generation", "evaluation"]
ConfigT = TypeVar("ConfigT", bound="Config")


def knob(default: Any, help: str, group: Group, *, main: bool = False, label: str = "", **bounds: Any) -> Any:
    """A field with its help and group. `main` puts it on the first page of the board's form."""
    extra: dict[str, Any] = {"group": group, "main": main}
    if label:
        extra["label"] = label
    if isinstance(default, (list, dict)):
        return Field(
            default_factory=lambda: type(default)(default), description=help, json_schema_extra=extra, **bounds
        )
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Config(BaseModel):
    """What all configs share: unknown keys are errors, numbers are finite, values are checked on assignment too."""

    model_config = ConfigDict(
        extra="forbid", validate_assignment=True, protected_namespaces=(), allow_inf_nan=False, defer_build=True
    )


def extra(field: FieldInfo) -> dict[str, Any]:
    """The group, label and page of a field."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def default_of(field: FieldInfo) -> Any:
    """A field's default value."""
    return field.get_default(call_default_factory=True, validated_data={})


def bounds_of(field: FieldInfo) -> dict[str, float]:
    """`{"ge": …, "gt": …, "le": …, "lt": …}`, those that the field has."""
    found = {}
    for constraint in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if hasattr(constraint, name):
                found[name] = getattr(constraint, name)
    return found


def value_type(field: FieldInfo) -> Any:
    """The field's type without `| None`."""
    annotation = field.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation
