"""Loops over the messages before or behind an iteration: what they see is noted, and each part is written as it is."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from core.conversation import JsonObject
from core.template import fresh
from core.template.marked import marked
from core.template.replay import Replay, stepped_template
from core.template.sandbox import Template

OPEN = (
    "{% set ns = namespace(kind='', at=-1) %}{% for i in range(messages | length) %}{% if messages[i].role == 'user' %}"
)
OPEN += "{% set ns.at = i %}{% endif %}{% endfor %}{% for m in messages %}{% if m.role != 'tool' %}"
CLOSE = "{% set ns.kind = m.role %}{% endif %}{% endfor %}"
CLOSE += "{% if add_generation_prompt and ns.kind != 'result' %}[assistant]{% endif %}"
RESULTS = """
{%- set scan = namespace(done=false) -%}
{%- for k in range(loop.index0 + 1, messages | length) -%}
  {%- if scan.done -%}
  {%- elif messages[k].role != 'tool' -%}{%- set scan.done = true -%}
  {%- else -%}<{{ messages[k].content }}>{%- set ns.kind = 'result' -%}
  {%- endif -%}
{%- endfor -%}"""
NEXT = """
{%- set next = namespace(role='', found=false) -%}
{%- for k in range(loop.index0 + 1, messages | length) -%}
  {%- if not next.found -%}{%- if messages[k].role != 'tool' -%}
    {%- set next.role = messages[k].role -%}{%- set next.found = true -%}
  {%- endif -%}{%- endif -%}
{%- endfor -%}{{ next.role }}"""
BEFORE = """
{%- set last = namespace(role='', found=false) -%}
{%- for j in range(loop.index0 - 1, -1, -1) -%}
  {%- if not last.found and messages[j].role != 'tool' -%}
    {%- set last.role = messages[j].role -%}{%- set last.found = true -%}
  {%- endif -%}
{%- endfor -%}{{ last.role }}"""
COUNTS = "{%- for k in range(loop.index, messages | length) -%}{{ messages[k].content | length }}{%- endfor -%}"
BODY = "[{{ m.role }}]{{ m.content }}"
SOURCES = {
    "results are written with their call": OPEN + BODY + RESULTS + CLOSE,
    "who speaks next": OPEN + BODY + NEXT + CLOSE,
    "who spoke before": OPEN + BEFORE + BODY + CLOSE,
    "all of them": OPEN + BEFORE + BODY + RESULTS + NEXT + "{% if loop.index0 > ns.at %}!{% endif %}" + CLOSE,
    "to the very end": OPEN + BODY + COUNTS + CLOSE,
}
ROLES = (
    "user",
    "assistant",
    "tool",
    "tool",
    "assistant",
    "user",
    "assistant",
    "assistant",
    "tool",
    "assistant",
    "user",
    "tool",
)


def talk() -> list[JsonObject]:
    return [{"role": role, "content": f"{role[0]}{number}"} for number, role in enumerate(ROLES)]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_each_part_is_what_the_template_renders(source: str) -> None:
    template = Template(source)
    assert stepped_template(template) is not None
    replay = Replay(template, talk(), ())
    for count, ask in product(range(len(ROLES), 0, -1), (True, False)):
        assert replay.text(count, ask=ask) == template.render(talk()[:count], add_generation_prompt=ask), (count, ask)


def test_results_cost_few_renderings(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of all, and one for calls as they look with nothing behind and with one result."""
    template = Template(SOURCES["results are written with their call"])
    assert stepped_template(template) is not None
    times: list[int] = []
    real = fresh.render_compiled

    def counted(*given: Any, **named: Any) -> str:
        times.append(1)
        return real(*given, **named)

    monkeypatch.setattr(fresh, "render_compiled", counted)
    messages: list[JsonObject] = [m for n in range(10) for m in ({**one, "content": f"{n}"} for one in talk()[:3])]
    replay = Replay(template, messages, ())
    for count in range(1, len(messages) + 1):
        replay.text(count)
    assert len(times) < 10


@pytest.mark.parametrize(
    "loop",
    [
        "{% for k in range(loop.index0, messages | length) %}{{ messages[k].content }}{% endfor %}",
        "{% for k in range(loop.index, messages | length) %}{{ messages[k - 1].content }}{% endfor %}",
        "{% for k in range(loop.index0 - 1, -1) %}{{ messages[k].content }}{% endfor %}",
        "{% for k in range(loop.index0 - 1, -2, -1) %}{{ messages[k].content }}{% endfor %}",
        "{% for k in range(loop.index, messages | length) %}{% set k = 0 %}{{ messages[k].content }}{% endfor %}",
    ],
)
def test_others_are_not_taken_step_by_step(loop: str) -> None:
    assert marked("{% for m in messages %}[{{ m.role }}]{{ m.content }}" + loop + "{% endfor %}") is None
