"""The short ways in a template's code give what jinja2's own code gives."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.compiler import CodeGenerator

from core.conversation import JsonObject
from core.template.limits import BoundedEnvironment
from core.template.sandbox import Template, TemplateRefusedError, environment, parsed, render_compiled
from core.template.style import styled_messages
from tests.material import all_templates, generated


def by_jinja(source: str) -> jinja2.Template:
    env = environment()
    env.code_generator_class = CodeGenerator
    return jinja2.Template.from_code(env, env.compile(parsed(env, source)), dict(env.globals))


def outcomes(source: str, messages: list[JsonObject], tools: Any = (), **named: Any) -> tuple[str | None, str | None]:
    """What both write; None where they refuse. (All parts of a sum are looked at before the first two are added.)"""
    template, texts = Template(source), list[str | None]()
    for render in (
        lambda: template.render(messages, tools, **named),
        lambda: render_compiled(by_jinja(source), template, messages, tools, add_generation_prompt=False, **named),
    ):
        try:
            texts.append(render())
        except TemplateRefusedError:
            texts.append(None)
    return texts[0], texts[1]


@pytest.mark.parametrize("name", sorted(all_templates()))
def test_known_templates_write_the_same(name: str) -> None:
    template = all_templates()[name]
    for seed in range(3):
        conversation = generated(seed, tools=seed > 0, reasoning=seed > 1, system=seed < 2)
        messages = styled_messages(template, conversation.messages)
        named = {**template.special_tokens, **template.variables}
        ours, theirs = outcomes(template.source, messages, conversation.tools, **named)
        assert ours == theirs


KEYS = ("role", "content", "items", "keys", "get", "upper", "first", "__class__", "_x", "a-b")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | st.text("ab<>|", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)
EXPRESSIONS = st.recursive(
    st.sampled_from(["m", "loop", "messages", "1", "'x'", "[]", "missing", *(f"m.{key}" for key in KEYS[:-1])])
    | st.sampled_from([f"m['{key}']" for key in KEYS]),
    lambda inner: (
        st.tuples(inner, inner).map(" + ".join)
        | st.tuples(inner, inner, inner).map(" + ".join)
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]} + ({pair[1]}))")
        | st.tuples(inner, st.sampled_from(KEYS[:4])).map(lambda pair: f"({pair[0]}).{pair[1]}")
    ),
    max_leaves=4,
)


@given(messages=st.lists(VALUES, min_size=1, max_size=3), expression=EXPRESSIONS)
def test_any_expression_gives_the_same(messages: list[Any], expression: str) -> None:
    ours, theirs = outcomes(f"{{% for m in messages %}}{{{{ {expression} }}}}{{% endfor %}}", messages)
    assert ours == theirs


def test_names_that_are_set_or_given_are_read_in_the_same_way() -> None:
    source = (
        "{% set s = namespace(role='n') %}{% set one = messages[0] %}"
        "{% macro w(m) %}{{ m.role }}{{ m['x'] }}{{ one.role }}{% endmacro %}"
        "{% for m in messages %}{{ one.role }}{{ w(m) }}{{ s.role }}{% set one = m %}{{ one.role }}"
        "{% set s.role = m.role %}{% with o = m %}{{ o.role + '-' + o.content + '-' }}{% endwith %}{% endfor %}"
    )
    messages = [{"role": "a", "content": "b"}, {"role": "c", "content": "d", "x": 1}]
    ours, theirs = outcomes(source, messages)
    assert ours == theirs
    assert ours is not None
    assert "c-d-" in ours


def test_sums_are_measured() -> None:
    source = "{% set x = 'y' * 9000 %}{% for m in messages %}{{ (x + x + x + x) | length }}{% endfor %}"
    assert Template(source).render([{"role": "user"}]) == "36000"
    env = Template(source), environment()
    assert isinstance(env[1], BoundedEnvironment)
    doubling = "{% set s = namespace(t='y') %}{% for a in range(99) %}{% set s.t = s.t + s.t + s.t %}{% endfor %}"
    with pytest.raises(TemplateRefusedError, match="too much"):
        Template(doubling).render([])
