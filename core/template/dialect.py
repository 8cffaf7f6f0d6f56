"""Rewriting in the open: what a template cannot express is written another way, by Jinja that is put in front of it.

The system prompt moves into the first user turn, tools, calls and results become text in a named dialect, reasoning
becomes text in tags. Because all of it is template source, training, chat, evaluation and export share it, whoever
renders: the source that trained is the source that is saved. What needs no rewriting renders as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import meta

from core.errors import UserError, did_you_mean
from core.template.probe import TemplateCard, card
from core.template.sandbox import Template, environment, parsed
from core.template.style import style_of

FOLDER = Path(__file__).parent / "dialects"
_FIRST = "hermes"
# What whoever renders a template gives it; no option may replace it.
_GIVEN = ("messages", "tools", "documents", "add_generation_prompt")


def dialect_names() -> list[str]:
    """The dialects that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.jinja") if path.stem != "prelude")


def rewritten(template: Template, dialect: str = "auto", reasoning: bool = False) -> Template:
    """The template with what it lacks in front of it; itself when it lacks nothing.

    `dialect` is a name, `auto` (hermes, where the template expresses no tools) or `none`. A name is used even where
    the template has a way of its own. `reasoning`: where the template swallows it, it becomes text in tags.
    """
    known = dialect_names()
    if dialect not in ("auto", "none", *known):
        raise UserError(f'unknown tool dialect "{dialect}"', remedy=did_you_mean(dialect, ["auto", "none", *known]))
    of = card(template)
    chosen = _chosen(of, dialect)
    system = of.system != "yes" and dialect != "none"
    thoughts = reasoning and of.reasoning != "yes"
    rewrites = (
        *(["system"] if system else []),
        *([f"tools:{chosen}"] if chosen else []),
        *(["reasoning"] if thoughts else []),
    )
    if not rewrites or of.arguments == "text" or style_of(template).parts:
        return template
    switches = {"tools": bool(chosen), "system": system, "reasoning": thoughts}
    head = "".join(f"{{%- set tuneboard_{name}_too = {str(on).lower()} -%}}" for name, on in switches.items())
    source = head + _read(chosen or _FIRST) + _read("prelude") + template.source
    return replace(template, source=source, rewrites=rewrites)


def settled(template: Template, kwargs: Mapping[str, Any]) -> Template:
    """The template with variables of its own set (`enable_thinking: false`), in its source, for all who render it.

    Raises `UserError` for a variable that the template does not read.
    """
    if not kwargs:
        return template
    read = meta.find_undeclared_variables(parsed(environment(), template.source))
    known = sorted(read - {*template.special_tokens, *_GIVEN, *environment().globals})
    for name in kwargs:
        if name not in known:
            remedy = did_you_mean(name, known) if known else "it reads none"
            raise UserError(f'chat_template_kwargs: {template.name} reads no variable "{name}"', remedy=remedy)
    # The line break goes with the tag before it, so that the template begins at the start of a line as it did.
    head = "".join(
        f"{{%- if {name} is not defined -%}}{{%- set {name} = {_literal(value)} -%}}{{%- endif %}}\n"
        for name, value in kwargs.items()
    )
    return replace(template, source=head + template.source)


def _literal(value: Any) -> str:
    """A value as Jinja writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return "none" if value is None else json.dumps(value)


def _chosen(of: TemplateCard, dialect: str) -> str:
    if dialect == "none":
        return ""
    return dialect if dialect != "auto" else "" if of.speaks_tools else _FIRST


def _read(name: str) -> str:
    return (FOLDER / f"{name}.jinja").read_text(encoding="utf-8").rstrip("\n")
