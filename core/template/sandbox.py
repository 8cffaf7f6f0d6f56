"""A chat template: its source, the special tokens that it may print, and rendering in a bounded Jinja sandbox.

The environment offers what transformers' does (`raise_exception`, `strftime_now`, `tojson` without HTML escapes,
`{% generation %}`, loop controls), so a template renders here exactly as it does there, without importing transformers.
One thing differs on purpose: `strftime_now` always tells the same day, in training as in chat.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.parser import Parser

from core.conversation import JsonObject
from core.errors import UserError
from core.template.budget import LimitError
from core.template.limits import REFUSALS, BoundedEnvironment

# A date in the prompt is part of what a model is trained on: were it today's, no two runs and no chat would agree.
TODAY = datetime(2026, 1, 1, 12, 0, 0)
_LONGEST_DATE = 1000
# Of the tools of a conversation so many texts are kept; honest templates write each in one way or two.
_MOST_TEXTS = 1000
# The name of the library's template for text that is already formatted for a model.
NOTHING = "none.jinja"
_SURROGATE = re.compile("[\ud800-\udfff]")
# Stands inside control tokens that come from content, while the template renders them; never reaches the tokenizer.
BREAK = "\U000f1002"
_ESCAPED_BREAK = json.dumps(BREAK)[1:-1]


class TemplateRefusedError(Exception):
    """The template raised on these messages; the text is its own reason."""


class TemplateLimitError(TemplateRefusedError):
    """The template took too long or made too much."""


@dataclass(frozen=True)
class Template:
    """A chat template and what surrounds it.

    `special_tokens` are the variables that a template may print (`bos_token`, `eos_token`, …); `stop` the texts that
    end a turn; `control_tokens` the texts that a tokenizer would read as single control tokens, which must never come
    from anybody's content. `name` is for messages; `variables` are further ones for the template (`enable_thinking`);
    `rewrites` says what of a conversation is rewritten for it (`core.template.dialect`); `added` are those of the
    control tokens that the tokenizer does not have and is to get, `exact` those that it also took for one when they
    were not written exactly so (`core.vocabulary.make_exact`).
    """

    source: str
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    control_tokens: frozenset[str] = frozenset()
    name: str = "template"
    variables: Mapping[str, Any] = field(default_factory=dict)
    rewrites: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()

    @property
    def adds_nothing(self) -> bool:
        """Whether it is the library's template for text that is already formatted for a model."""
        return self.name == NOTHING

    def render(
        self,
        messages: Sequence[JsonObject],
        tools: Sequence[JsonObject] = (),
        *,
        add_generation_prompt: bool = False,
        **variables: Any,
    ) -> str:
        """The text of the conversation, as transformers' `apply_chat_template` gives it."""
        return render_compiled(
            compiled(self.source), self, messages, tools, add_generation_prompt=add_generation_prompt, **variables
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
    return "".join(
        render_pieces(template, of, messages, tools, add_generation_prompt=add_generation_prompt, **variables)
    )


def render_pieces(
    template: jinja2.Template,
    of: Template,
    messages: Sequence[JsonObject],
    tools: Sequence[JsonObject],
    *,
    add_generation_prompt: bool,
    **variables: Any,
) -> list[str]:
    """`render_compiled`, in the pieces that the template writes one after the other.

    No tools are `None`, as transformers has it; a template that cannot stand that is given an empty list.
    """
    given = {
        "messages": list(messages),
        "tools": list(tools) or None,
        "documents": None,
        "add_generation_prompt": add_generation_prompt,
        **of.special_tokens,
        **of.variables,
        **variables,
    }
    try:
        try:
            return _pieces(template, tools, given)
        except TypeError as error:
            if tools or "NoneType" not in str(error):
                raise
            return _pieces(template, tools, {**given, "tools": []})
    except REFUSALS as error:
        reason = "it calls itself without end" if isinstance(error, RecursionError) else error
        kind = TemplateLimitError if isinstance(error, LimitError) else TemplateRefusedError
        raise kind(f"{of.name} refuses this conversation: {reason}") from None


def _pieces(template: jinja2.Template, tools: Sequence[JsonObject], given: Mapping[str, Any]) -> list[str]:
    env = template.environment
    assert isinstance(env, BoundedEnvironment)
    env.budget.start(tools)
    return env.bounded(template.root_render_func(template.new_context(dict(given))))


@lru_cache(maxsize=64)
def compiled(source: str) -> jinja2.Template:
    """The compiled template. Raises `UserError` with the line when it is not valid Jinja."""
    env = environment()
    return compiled_tree(env, parsed(env, source))


def parsed(env: BoundedEnvironment, source: str) -> nodes.Template:
    """The template's tree. Raises `UserError` with the line when it is not valid Jinja."""
    if not source.isascii() and _SURROGATE.search(source):
        raise UserError("not a valid chat template: it holds half of a character (a lone surrogate)", file="template")
    try:
        return env.parsed(source)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"not a valid chat template: {error.message}", file="template", line=error.lineno) from None
    except (LimitError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UserError(f"not a valid chat template: {reason}", file="template") from None


def compiled_tree(env: BoundedEnvironment, tree: nodes.Template) -> jinja2.Template:
    """A tree made ready to render. Raises `UserError` when it cannot be."""
    try:
        return jinja2.Template.from_code(env, env.compile(tree), dict(env.globals))
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"not a valid chat template: {error.message}", file="template", line=error.lineno) from None
    except SyntaxError as error:
        reason = error.msg if "loop" in error.msg else "it is nested too deeply"
        raise UserError(f"not a valid chat template: {reason}", file="template") from None
    except (RecursionError, MemoryError):
        raise UserError("not a valid chat template: it is nested too deeply", file="template") from None


def environment() -> BoundedEnvironment:
    """A fresh sandboxed environment with what chat templates expect to find."""
    env = BoundedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, jinja2.ext.loopcontrols], autoescape=False
    )

    def tojson(value: Any, *options: Any, **named: Any) -> str:
        """As `_tojson`; a tool is written once, however many conversations have it."""
        budget = env.budget
        if id(value) not in budget.shared or len(budget.texts) > _MOST_TEXTS:
            return _tojson(value, *options, **named)
        key = (id(value), options, tuple(named.items()))
        if key not in budget.texts:
            budget.texts[key] = _tojson(value, *options, **named)
        return budget.texts[key]

    env.bounded_filter("tojson", tojson)
    env.globals["raise_exception"] = _raise_exception
    env.globals["strftime_now"] = _strftime_now
    return env


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}`, which marks assistant text for other trainers; here it only renders.

    A call block, as transformers has it: what is set inside is not seen outside.
    """

    tags = {"generation"}  # noqa: RUF012  the name and the type are jinja2's

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: Any) -> str:
        return caller()


def _strftime_now(pattern: str) -> str:
    if len(pattern) > _LONGEST_DATE:
        raise LimitError(f"strftime_now is given a format of more than {_LONGEST_DATE} characters")
    return TODAY.strftime(pattern)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    text = _json_writer(ensure_ascii, indent, tuple(separators) if separators else None, sort_keys)(value)
    return text.replace(_ESCAPED_BREAK, BREAK) if ensure_ascii else text


@lru_cache(maxsize=64, typed=True)
def _json_writer(
    ensure_ascii: bool, indent: Any, separators: tuple[str, str] | None, sort_keys: bool
) -> Callable[[Any], str]:
    """`json.dumps` with these options, made ready once."""
    return json.JSONEncoder(ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys).encode
