"""A chat template: its source, the special tokens that it may print, and rendering in Jinja's sandbox.

The environment offers what transformers' does (`raise_exception`, `strftime_now`, `tojson` without HTML escapes,
`{% generation %}`, loop controls), so a template renders here exactly as it does there, without importing transformers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.conversation import JsonObject
from core.errors import UserError


class TemplateRefusedError(Exception):
    """The template raised on these messages; the text is its own reason."""


@dataclass(frozen=True)
class Template:
    """A chat template and what surrounds it.

    `special_tokens` are the variables that a template may print (`bos_token`, `eos_token`, …); `stop` the texts that
    end a turn; `control_tokens` the texts that a tokenizer would read as single control tokens, which must never come
    from anybody's content. `name` is for messages.
    """

    source: str
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    control_tokens: frozenset[str] = frozenset()
    name: str = "template"

    def render(
        self, messages: Sequence[JsonObject], tools: Sequence[JsonObject] = (), *, add_generation_prompt: bool = False
    ) -> str:
        """The text of the conversation, as transformers' `apply_chat_template` gives it."""
        return render_compiled(
            compiled(self.source), self, messages, tools, add_generation_prompt=add_generation_prompt
        )


def render_compiled(
    template: jinja2.Template,
    of: Template,
    messages: Sequence[JsonObject],
    tools: Sequence[JsonObject],
    *,
    add_generation_prompt: bool,
    **variables: Any,
) -> str:
    """Render one compiled form of a template. Raises `TemplateRefusedError` with the template's reason."""
    try:
        return template.render(
            messages=list(messages),
            tools=list(tools) or None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **of.special_tokens,
            **variables,
        )
    except (jinja2.TemplateError, TypeError, ValueError, KeyError, ZeroDivisionError, RecursionError) as error:
        raise TemplateRefusedError(f"{of.name} refuses this conversation: {error}") from None


@lru_cache(maxsize=64)
def compiled(source: str) -> jinja2.Template:
    """The compiled template. Raises `UserError` with the line when it is not valid Jinja."""
    try:
        return environment().from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"not a valid chat template: {error.message}", file="template", line=error.lineno) from None


def environment() -> ImmutableSandboxedEnvironment:
    """A fresh sandboxed environment with what chat templates expect to find."""
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, jinja2.ext.loopcontrols], autoescape=False
    )
    env.filters["tojson"] = _tojson
    env.globals["raise_exception"] = _raise_exception
    env.globals["strftime_now"] = lambda pattern: datetime.now().astimezone().strftime(pattern)
    return env


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}`, which marks assistant text for other trainers; here it only renders."""

    tags = {"generation"}  # noqa: RUF012  the name and the type are jinja2's

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
