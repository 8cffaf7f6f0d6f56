"""Hostile templates are cut off in time, with a clear error, and without filling the memory."""

from __future__ import annotations

import time

import pytest

from core.errors import UserError
from core.template.choose import text_template
from core.template.limits import MOST_SECONDS
from core.template.probe import card
from core.template.sandbox import Template, TemplateRefusedError

NS = "{% set ns = namespace(s='aaaaaaaaaaaaaaaa', l=[1], d={}, n=7) %}{% for i in range(60) %}"
END = "{% endfor %}{{ ns.s }}{{ ns.l }}{{ ns.d }}{{ ns.n }}"
HOSTILE = {
    "loops": "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "range": "{{ range(10 ** 12) | list }}",
    "times": "{{ 'a' * 10 ** 10 }}",
    "times unknown": "{% set n = messages | length * 10000000000 %}{{ 'a' * n }}",
    "lists in lists": "{% set x = [1] * 1000 %}{% set y = [x] * 1000 %}{% set z = [y] * 1000 %}{{ z | string }}",
    "tuple": "{{ (1,) * 10000000 }}",
    "doubles": NS + "{% set ns.s = ns.s + ns.s %}" + END,
    "doubles with ~": NS + "{% set ns.s = ns.s ~ ns.s %}" + END,
    "doubles a list": NS + "{% set ns.l = ns.l + ns.l %}" + END,
    "doubles in a block": NS + "{% set x %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = x %}" + END,
    "object of itself": NS + "{% set ns.d = {'a': ns.d, 'b': ns.d} %}" + END,
    "dict of itself": NS + "{% set ns.d = dict(a=ns.d, b=ns.d) %}" + END,
    "json of itself": NS + "{% set ns.d = {'a': ns.d, 'b': ns.d} %}{{ ns.d | tojson }}" + END,
    "squares": NS + "{% set ns.n = ns.n * ns.n %}" + END,
    "powers": "{{ 9 ** 9 ** 9 ** 2 }}{{ 99999 ** 99999 }}",
    "replaces": NS + "{% set ns.s = ns.s.replace('a', ns.s) %}" + END,
    "replaces by filter": NS + "{% set ns.s = ns.s | replace('a', ns.s) %}" + END,
    "joins": NS + "{% set ns.s = ([ns.s] * 1000) | join %}" + END,
    "joins by method": NS + "{% set ns.s = ''.join([ns.s] * 1000) %}" + END,
    "maps": "{% for i in range(100000) %}{{ range(100000) | map('string') | join | length }}{% endfor %}",
    "sorts": "{% for i in range(99999) %}{{ range(99999) | sort | length }}{% endfor %}",
    "calls itself": "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "calls itself twice": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "recursive loop": "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "center": "{{ 'a' | center(10000000000) }}",
    "ljust": "{{ 'a'.ljust(10000000000) }}",
    "zfill": "{{ '1'.zfill(10000000000) }}",
    "expandtabs": "{{ '\t'.expandtabs(1000000000) }}",
    "indent": "{{ 'a\nb' | indent(1000000000) }}",
    "tojson": "{{ messages | tojson(indent=1000000000) }}",
    "batch": "{{ [1] | batch(10000000000, 'x') | list }}",
    "slice": "{{ [1] | slice(1000000000) | list }}",
    "percent": "{{ '%10000000000d' % 1 }}",
    "percent star": "{{ '%*d' % (1000000000, 1) }}",
    "format": "{{ '{:10000000000}'.format(1) }}",
    "nested format": "{{ '{:{}}'.format(1, 1000000000) }}",
    "format filter": "{{ '%.999999999f' | format(1.0) }}",
    "prints": "{% for i in range(100000) %}{{ 'aaaaaaaa' * 9999 }}{% endfor %}",
    "wordwrap": "{{ ('a ' * 1000) | wordwrap(1, wrapstring='x' * 1000000) }}",
    "nested": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "nested blocks": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "long": "{{ range(99999) | map('string') | join | length }}" * 9000,
    "python": "{{ messages.__class__.__mro__ }}{{ ''.__class__.__base__.__subclasses__() }}",
    "includes": "{% include '/etc/passwd' %}",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_it_is_cut_off(name: str) -> None:
    start = time.thread_time()
    with pytest.raises((TemplateRefusedError, UserError)):
        Template(HOSTILE[name]).render([{"role": "user", "content": "hi"}])
    assert time.thread_time() - start < 3


def test_an_honest_template_may_be_long_winded() -> None:
    source = "{% for m in messages %}{{ m.role ~ ': ' ~ (m.content * 2) | upper | replace('A', 'b') }}{% endfor %}"
    messages = [{"role": "user", "content": "a" * 2000} for _ in range(2000)]
    assert len(Template(source).render(messages)) == 2000 * 4006


def test_a_limit_does_not_outlive_its_render() -> None:
    bad = Template("{% if messages | length > 1 %}{{ 'a' * 10 ** 10 }}{% endif %}ok")
    messages = [{"role": "user", "content": "hi"}]
    for _ in range(3):
        with pytest.raises(TemplateRefusedError):
            bad.render(messages * 2)
        assert bad.render(messages) == "ok"


def test_the_date_is_always_the_same() -> None:
    assert Template("{{ strftime_now('%d %b %Y') }}").render([]) == "01 Jan 2026"


@pytest.mark.parametrize("name", ["loops", "times"])
def test_a_hostile_template_has_no_card_and_is_tried_once(name: str) -> None:
    begun = time.thread_time()
    with pytest.raises(UserError, match="not a usable chat template"):
        card(text_template(HOSTILE[name], "hostile"))
    assert time.thread_time() - begun < 2 * MOST_SECONDS
