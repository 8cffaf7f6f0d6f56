"""A row's own variables of a chat template, in its column `chat_template_kwargs`.

A row never changes how the template renders. What of its variables has a place in a conversation goes there; the others
are set aside, and named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.conversation import Row
from core.formats.text import object_in

VARIABLES = "chat_template_kwargs"
# Variables that hold a system prompt, and those that hold tools.
_SYSTEM = "custom_instructions"
_TOOLS = ("tools", "xml_tools")


def without_variables(row: Row, system: str, tools: str) -> Row:
    """The row without its variables; `system` and `tools` are the columns that its layout has for those."""
    given = row.data[VARIABLES]
    data = {key: value for key, value in row.data.items() if key != VARIABLES}
    if given in (None, "", [], {}):
        return replace(row, data=data)
    variables = {name: value for name, value in object_in(given).items() if value not in (None, "", [], {})}
    prompt = variables.get(_SYSTEM)
    if isinstance(prompt, str) and not data.get(system):
        data[system] = prompt
        del variables[_SYSTEM]
    named = next((name for name in _TOOLS if _are_tools(variables.get(name))), "")
    if named and not data.get(tools):
        data[tools] = variables.pop(named)
    if variables or not object_in(given):
        shown = ", ".join(variables) or "no object of variables"
        said = f"set aside: {shown}; --chat-template-kwargs sets variables for all rows"
        row.kept("SH113", VARIABLES, said)
    return replace(row, data=data)


def _are_tools(value: Any) -> bool:
    return isinstance(value, list) and all(object_in(item) for item in value)
