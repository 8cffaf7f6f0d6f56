"""A training config of another tool as ours, with an account of every option.

Nothing is left out in silence: an option of theirs is carried over, needs nothing (and why), or is different here (and
what to do). Defaults of theirs that are not ours are written out, so that the training stays the one they had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from core.config import TrainConfig
from core.errors import UserError
from core.foreign.axolotl import AXOLOTL
from core.foreign.h2o import H2O
from core.foreign.llamafactory import LLAMAFACTORY
from core.foreign.sheet import Sheet, Tool, is_empty
from core.foreign.trl import TRL

TOOLS = {"llamafactory": LLAMAFACTORY, "axolotl": AXOLOTL, "h2o": H2O, "trl": TRL}


@dataclass(frozen=True, slots=True)
class Translation:
    """Our options (`values`, each with where it comes from), options that need nothing, and what is different.

    `settled` and `different` map their options to a reason, or to what a person can do.
    """

    tool: str
    values: dict[str, Any]
    origins: dict[str, str]
    settled: dict[str, str]
    different: dict[str, str]

    def yaml(self, source: str) -> str:
        """A config for `core-cli train`, each option with where it comes from, what is different at its end."""
        lines = [f"# From {source} ({self.tool}), by core-cli import."]
        for option, value in self.values.items():
            origin = "" if self.origins[option] == option else f"  # {self.origins[option]}"
            lines.append(f"{option}: {_inline(value)}{origin}")
        if self.different:
            lines += ["", "# Different here:", *(f"#   {name}: {why}" for name, why in self.different.items())]
        return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    text = yaml.safe_dump([value], sort_keys=False, allow_unicode=True, default_flow_style=True, width=10**6)
    return text.strip()[1:-1]


def _flat(given: Mapping[str, Any], tool: Tool) -> dict[str, Any]:
    """The options that say something; those below the tool's sections with dots in their names."""
    sections = {name.partition(".")[0] for name in tool.table if "." in name}
    found: dict[str, Any] = {}
    for key, value in given.items():
        below = value if key in sections and isinstance(value, Mapping) else None
        found |= {key: value} if below is None else {f"{key}.{name}": one for name, one in below.items()}
    return {key: value for key, value in found.items() if not is_empty(value)}


def recognise_tool(given: Mapping[str, Any]) -> str:
    """The tool whose config this is: most of its options, one that is its own, and not ours. Empty if none.

    A config of which every option is ours is ours.
    """
    if all(name in TrainConfig.model_fields for name in given):
        return ""
    flat = {name: _flat(given, tool) for name, tool in TOOLS.items()}
    shares = {
        name: sum(key in tool.table for key in flat[name]) / max(1, len(flat[name]))
        for name, tool in TOOLS.items()
        if any(key in tool.own for key in flat[name])
    }
    best = max(shares, key=lambda name: shares[name], default="")
    return best if best and shares[best] > 0.5 else ""


def translate(given: Mapping[str, Any], tool: str = "") -> Translation:
    """Another tool's config, as read from its YAML, as ours.

    `tool` is a key of `TOOLS`; without one it is recognised. Raises `UserError` for a config that is of none of them,
    and for a kind of training that is not done here.
    """
    name = tool or recognise_tool(given)
    if name not in TOOLS:
        known = f"it is read from {', '.join(TOOLS)}"
        raise UserError("is not recognised as a config of another tool", remedy=f"{known}; --tool says which")
    chosen = TOOLS[name]
    sheet = Sheet(_flat(given, chosen))
    for key, value in sheet.given.items():
        entry = chosen.table.get(key)
        if entry is None:
            sheet.differ(key, f"has no counterpart here, or is no option of {chosen.name}")
        else:
            entry(sheet, key, value)
    _fill_in(sheet, chosen)
    _drop_what_does_not_fit(sheet)
    order = {option: place for place, option in enumerate(TrainConfig.model_fields)}
    values = dict(sorted(sheet.values.items(), key=lambda item: order[item[0]]))
    return Translation(chosen.name, values, sheet.origins, sheet.settled, sheet.different)


def _fill_in(sheet: Sheet, tool: Tool) -> None:
    """Their defaults, where nothing that was given speaks of the same."""
    said = set(sheet.values)
    for key, value in tool.defaults(sheet.given).items():
        if key in sheet.given:
            continue
        trial = Sheet(sheet.given, default_of=tool.name)
        tool.table[key](trial, key, value)
        for option, ours in trial.values.items():
            if option not in said:
                sheet.values[option] = ours
                sheet.origins[option] = trial.origins[option]


def _drop_what_does_not_fit(sheet: Sheet) -> None:
    """Values that our option of that name does not take, said instead of carried over."""
    try:
        TrainConfig(**sheet.values)
    except ValidationError as error:
        for item in error.errors():
            option = str(item["loc"][0]) if item["loc"] else ""
            if option in sheet.values:
                value = sheet.values.pop(option)
                sheet.differ(
                    sheet.origins.pop(option), f"{value}: {option} {item['msg'].replace('Input should', 'should')}"
                )
