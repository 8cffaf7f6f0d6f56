"""Parts of a conversation, replayed or cut out of the whole, are what the template plainly renders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.conversation import JsonObject, Message
from core.template import fresh
from core.template.replay import Replay, driven_template, stepped_template
from core.template.sandbox import Template, TemplateRefusedError
from core.template.steps import Steps
from core.template.style import styled_messages
from tests.material import all_templates, generated

NAMES = sorted(all_templates())


def long_conversation(seed: int, tools: bool, system: bool) -> tuple[list[Message], tuple[JsonObject, ...]]:
    talks = [generated(seed + n, tools=tools, reasoning=n % 2 == 0, system=system and not n) for n in range(9)]
    return [m for talk in talks for m in talk.messages], tuple(t for talk in talks for t in talk.tools)


def outcome(render: Callable[..., str | None], *arguments: Any, **named: Any) -> str | None:
    try:
        return render(*arguments, **named)
    except TemplateRefusedError:
        return None


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_what_the_template_renders(name: str) -> None:
    template = all_templates()[name]
    for tools_too in (False, True):
        messages, tools = long_conversation(len(name), tools_too, system=not tools_too)
        styled = styled_messages(template, messages)
        replay = Replay(template, styled, tools)
        assert outcome(replay.whole) == outcome(template.render, styled, tools)
        for count in [len(styled), *range(1, len(styled) + 1, 7)]:
            for ask in (False, True):
                plain = outcome(template.render, styled[:count], tools, add_generation_prompt=ask)
                assert outcome(replay.text, count, ask=ask) == plain
            if "enable_thinking" in template.source:
                plain = outcome(
                    template.render, styled[:count], tools, add_generation_prompt=True, enable_thinking=False
                )
                assert outcome(replay.text, count, ask=True, enable_thinking=False) == plain


def driven(source: str) -> object:
    return driven_template(Template(source))


def test_what_looks_ahead_runs_again() -> None:
    source = (
        "{% for m in messages %}{{ m.content }}{% if loop.last %}!{% endif %}"
        "{% if messages[loop.index0 + 1] is defined %},{% endif %}{% endfor %}"
    )
    messages = [{"role": "user", "content": str(n)} for n in range(30)]
    replay = Replay(Template(source), messages, ())
    assert driven(source) is not None
    for count in (30, 1, 7, 29, 30):
        assert replay.text(count) == ",".join(str(n) for n in range(count)) + "!"


def test_namespaces_are_part_of_what_is_seen() -> None:
    source = (
        "{% set ns = namespace(last=-1, n=0) %}{% for m in messages %}{% if m.role == 'user' %}"
        "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        "{% for m in messages %}{% set ns.n = ns.n + 1 %}{% if loop.index0 > ns.last %}late{% endif %}"
        "{{ m.role[0] }}{{ ns.n }} {% endfor %}"
    )
    messages = [{"role": ("user", "assistant")[n % 2], "content": ""} for n in range(40)]
    template = Template(source)
    replay = Replay(template, messages, ())
    assert driven(source) is not None
    for count in (40, 3, 12, 39, 40, 2):
        assert replay.text(count) == template.render(messages[:count])


def test_a_loop_that_cannot_be_driven_is_rendered_plainly() -> None:
    source = (
        "{% for m in messages %}{% if m.role == 'x' %}{% continue %}{% endif %}{{ loop.cycle('a', 'b') }}{% endfor %}"
    )
    messages = [{"role": "user", "content": ""}] * 30
    assert Replay(Template(source), messages, ()).text(4) == "abab"


FORWARD = (
    "{% if messages[0].role == 'system' %}{{ messages[0].content }}!{% endif %}{% set ns = namespace(n=0) %}"
    "{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{{ m.content }}"
    "{% if loop.previtem is defined %}{{ loop.previtem.role }}{% endif %};"
    "{% for c in [1, 2] %}{{ loop.last }}{% endfor %}{% endfor %}{% if add_generation_prompt %}>{% endif %}"
)


def test_what_only_looks_back_is_taken_step_by_step() -> None:
    messages = [{"role": "user", "content": str(n)} for n in range(9)]
    template = Template(FORWARD)
    marked = stepped_template(template)
    assert marked is not None
    steps = Steps(marked, template, messages, ())
    for count in range(1, 10):
        for ask in (False, True):
            assert steps.text(count, ask=ask) == template.render(messages[:count], add_generation_prompt=ask)


@pytest.mark.parametrize("ahead", ["loop.last", "loop.nextitem", "messages[loop.index]", "messages | length > 3"])
def test_what_looks_ahead_is_found_out_again(ahead: str) -> None:
    source = FORWARD.replace("{{ m.content }}", "{% if " + ahead + " %}x{% endif %}")
    messages = [{"role": "user", "content": str(n)} for n in range(9)]
    replay = Replay(Template(source), messages, ())
    assert [replay.text(n) for n in range(1, 10)] == [Template(source).render(messages[:n]) for n in range(1, 10)]


BACKWARD = (
    "{% set ns = namespace(open=true, last=messages | length - 1, told=0) %}{% for m in messages[::-1] %}"
    "{% if ns.open and m.role == 'user' %}{% set ns.open = false %}"
    "{% set ns.last = messages | length - 1 - loop.index0 %}{% endif %}{% endfor %}"
)
FRESH = {
    "the last question, found backwards": BACKWARD
    + "{% for m in messages %}{{ m.role[0] }}{% if loop.index0 > ns.last %}{% if loop.last or m.content %}late"
    "{% endif %}{% endif %}{% endfor %}{% if add_generation_prompt %}>{% endif %}",
    "what iterations set depends on what follows": BACKWARD
    + "{% for m in messages %}{{ m.role[0] }}{{ ns.told }}{% if loop.index0 > ns.last or loop.last %}"
    "{% set ns.told = ns.told + 1 %}{% endif %}{% endfor %}",
    "how many there are": "{% set ns = namespace(told=0) %}{% set many = messages | length > 9 %}"
    "{% for m in messages %}{% if many %}{% set ns.told = ns.told + 1 %}{% endif %}"
    "{{ m.role[0] }}{{ ns.told }}{% endfor %}",
    "the asking itself": "{% for m in messages %}{{ m.role[0] }}{% if loop.last and not add_generation_prompt %}."
    "{% endif %}{% endfor %}",
    "the end, from the start": "{% for m in messages %}{{ m.role[0] }}"
    "{% if messages[loop.index0 - 1].role == 'user' %}!{% endif %}{% if loop.revindex == 3 %}?{% endif %}{% endfor %}",
    "messages without the first": "{% set rest = messages[1:] %}{{ rest[0].content }}{% for m in rest %}"
    "{{ m.content }}{% if not loop.last and rest[loop.index].role == 'user' %}-{% endif %}{% endfor %}",
    "refusals of some parts": "{% if messages[-1].content == '5' %}{{ raise_exception('no') }}{% endif %}"
    "{% for m in messages %}{{ m.role[0] }}{% endfor %}",
    "an answer that is kept": "{% set rest = messages %}"
    "{% set ns = namespace(last=-1) %}{% for m in rest %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}"
    "{% endif %}{% endfor %}{% for m in rest %}{% set late = not (m.open and loop.index0 < ns.last) %}"
    "{{ m.role[0] }}{{ late }}{{ loop.index0 > ns.last }}{% endfor %}",
    "the last question among the rest": "{% if messages[0].role == 'user' %}{% set rest = messages[1:] %}"
    "{% else %}{% set rest = messages %}{% endif %}{% set ns = namespace(last=-1) %}{% for m in rest %}"
    "{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in rest %}{{ m.role[0] }}{{ 'late' if loop.index0 > ns.last }}{% endfor %}",
    "what is written before the loop": "{% set ns = namespace(said='') %}{% for m in messages %}"
    "{% if m.role == 'user' %}{% set ns.said = ns.said + m.content %}{% endif %}{% endfor %}[{{ ns.said }}]"
    "{% for m in messages if m.open %}{{ m.open }}{% endfor %}{% if messages | length > 6 %}!{% endif %}"
    "{% for m in messages %}{{ m.role[0] }}{% if m.content %}{{ ns.said | length }}{% endif %}"
    "{% if messages[-1].role == 'user' %}?{% endif %};{% endfor %}",
    "what is written behind the loop": "{% if not add_generation_prompt is defined %}"
    "{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(seen=[], n=0) %}{% for m in messages %}"
    "{{ m.role[0] }}{% if not loop.last %},{% endif %}{% set ns.n = loop.index0 * m.open %}"
    "{% if m.open %}{% set ns.seen = ns.seen + [m.open] %}{% endif %}{% endfor %}{{ ns.seen | length }}"
    "{% if messages[-1].role == 'user' and add_generation_prompt %}>{% endif %}{{ ns.n }}",
    "what the loop has set, of one that asks nothing": "{% set ns = namespace(tool=false) %}{% for m in messages %}"
    "{{ m.role[0] }}{% set ns.tool = m.open > 2 %}{% endfor %}{% if ns.tool %}!{% endif %}",
    "what comes next, as it is": "{% for m in messages %}{{ m.role[0] }}{% set mine = m.role %}"
    "{{ '=' if not loop.last and messages[loop.index0 + 1].role == mine }}"
    "{% if loop.nextitem is defined %}{{ loop.nextitem.content }}{% endif %}{{ loop.revindex }};{% endfor %}",
    "what comes next, or no answer": "{% for m in messages %}{{ m.role[0] }}"
    "{% if m.open < 4 %}{{ messages[loop.index0 + 1].role[0] }}{% endif %}{% endfor %}",
    "a macro with a namespace of its own": "{% macro said(m) %}{% if m.open %}{% set own = namespace(text='') %}"
    "{% set own.text = m.role %}{{ own.text }}{% endif %}{% endmacro %}"
    "{% for m in messages %}{{ said(m) }}{% if loop.last %}.{% endif %}{% endfor %}",
    "whether there is one behind": "{% for m in messages %}{% set ns = namespace(found=false) %}"
    "{% for other in messages[loop.index:] %}{% if other.open == 4 and 'x' not in other %}"
    "{% set ns.found = true %}{% endif %}{% endfor %}{{ m.role[0] }}{{ ns.found }};{% endfor %}",
    "a search that ends early": "{% set ns = namespace(open=true, last=messages | length) %}"
    "{% for m in messages[::-1] %}{% set at = messages | length - 1 - loop.index0 %}"
    "{% if ns.open and m.content == '66' %}{% set ns.open = false %}{% set ns.last = at %}{% endif %}{% endfor %}"
    "{% for m in messages %}{{ m.role[0] }}{{ 'late' if loop.index0 > ns.last }}{% endfor %}",
    "a loop that is no search": "{% set ns = namespace(open=true, last=0) %}{% for m in messages %}"
    "{% if m.open and m.content %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{{ m.role[0] }}{{ 'late' if loop.index0 > ns.last }}{% endfor %}",
    "refusals before the loop": "{% for m in messages %}{% if loop.index0 == 5 and m.role == 'user' %}"
    "{{ raise_exception('no') }}{% endif %}{% endfor %}{% for m in messages %}{{ m.role[0] }}{% endfor %}",
}


@pytest.mark.parametrize("name", FRESH)
@pytest.mark.parametrize("period", [2, 3])
def test_what_depends_on_how_many_there_are_is_found_anew(name: str, period: int) -> None:
    template = Template(FRESH[name])
    roles = ["user", *["assistant"] * (period - 1)]
    messages = [{"role": roles[n % period], "content": str(n) * (n % 4), "open": n % 5} for n in range(40)]
    marked = stepped_template(template)
    assert marked is not None
    steps = Steps(marked, template, messages, ())
    told = 0
    for count in (40, 1, 2, 3, 7, 6, 39, 33, 38, 5):
        for ask in (False, True):
            text = outcome(steps.text, count, ask=ask)
            told += text is not None
            assert text in (None, outcome(template.render, messages[:count], add_generation_prompt=ask))
            assert outcome(Replay(template, messages, ()).text, count, ask=ask) == outcome(
                template.render, messages[:count], add_generation_prompt=ask
            )
    assert told


SEARCHED = (
    "{% set ns = namespace(open=true, last=-1) %}{% for m in messages[::-1] %}{% if ns.open and m.role == 'user' "
    "and not m.content.startswith('<') %}{% set ns.open = false %}"
    "{% set ns.last = messages | length - 1 - loop.index0 %}{% endif %}{% endfor %}"
    "{% if ns.open %}{{ raise_exception('nobody asks') }}{% endif %}"
    "{% for m in messages %}{% set thought = m.thought %}{{ m.role }}: "
    "{% if loop.index0 > ns.last and thought %}<{{ thought }}>{% endif %}{{ m.content }}{{ ns.told }};"
    "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.mark.parametrize(("thought", "most"), [("", 3), ("hm", 4)])
def test_a_short_chat_takes_few_renderings(thought: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole, what is found out for each part (twice, the first is refused), and iterations when they are new."""
    roles = ["system", *["user", "assistant"] * 3]
    messages = [{"role": role, "content": str(n), "thought": thought} for n, role in enumerate(roles)]
    template = Template(SEARCHED)
    marked = stepped_template(template)
    assert marked is not None
    seen: list[Any] = []
    render = fresh.Forms.rendered

    def counted(forms: fresh.Forms, form: Any, *given: Any, **named: Any) -> str:
        seen.append(form)
        return render(forms, form, *given, **named)

    monkeypatch.setattr(fresh.Forms, "rendered", counted)
    steps = Steps(marked, template, messages, ())
    for count in range(1, 8):
        for ask in (False, True):
            plain = outcome(template.render, messages[:count], add_generation_prompt=ask)
            assert outcome(steps.text, count, ask=ask) == plain
    assert len(seen) <= most


COUNTED = (
    "{% set count = namespace(calls=0) %}{% for m in messages %}{{ m.role }}{% if m.call %}"
    "{% set count.calls = count.calls + 1 %}{{ count.calls }}{% endif %}"
    "{% if not loop.last and loop.nextitem.role != 'tool' %};{% elif loop.last %};{% endif %}{% endfor %}"
)
THOUGHT = (
    "{% for m in messages %}{% set thought = m.thought %}{{ m.role }}"
    "{% if loop.last or (not loop.last and thought) %}<{{ thought }}>{% endif %}{% endfor %}"
)


@pytest.mark.parametrize(("source", "most"), [(COUNTED, 6), (THOUGHT, 0)])
def test_iterations_that_set_nothing_anew_need_not_run_again(
    source: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first only those run again that a result follows; the second asks nothing where there are thoughts."""
    roles = ["user", "assistant", "tool", "tool", "assistant"] * 3
    messages = [{"role": role, "call": n % 5 == 1, "thought": "hm"} for n, role in enumerate(roles)]
    template = Template(source)
    marked = stepped_template(template)
    assert marked is not None
    ran = 0
    learn = Steps._learn

    def counted(steps: Steps, run: Any, *given: Any) -> bool:
        nonlocal ran
        learnt = learn(steps, run, *given)
        ran += len(run.written)
        return learnt

    monkeypatch.setattr(Steps, "_learn", counted)
    steps = Steps(marked, template, messages, ())
    for count in range(1, 16):
        assert steps.text(count, ask=False) == template.render(messages[:count])
    assert ran <= most


LATE = (
    "{% set on = thinking if thinking is defined else true %}{% if size is not defined %}{% set size = 1 %}{% endif %}"
    "{% set shown = 'x' * size %}{% for m in messages %}{{ m.role }}{{ shown }};{% endfor %}"
    "{% if add_generation_prompt %}{{ '<think>' if on else '</think>' }}{{ other }}{% endif %}"
)


def test_variables_that_only_the_end_sees_change_nothing_else() -> None:
    template = Template(LATE)
    messages = [{"role": "user", "content": str(n)} for n in range(9)]
    marked = stepped_template(template)
    assert marked is not None
    assert {"thinking", "other"} <= marked.late
    steps = Steps(marked, template, messages, ())
    for given in ({}, {"thinking": True}, {"thinking": False, "other": "!"}, {"size": 3}):
        plain = template.render(messages[:4], add_generation_prompt=True, **given)
        assert steps.text(4, ask=True, **given) == (None if "size" in given else plain)


def test_one_rendering_is_enough_where_marks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where tests are asked by number, or something is found out apart: that is compared with the plain text."""
    rendered: list[str] = []
    for source, plain in (
        ("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}.", 0),
        ("{% for m in messages %}{{ m.content }}{{ '' if loop.last else ',' }}{% endfor %}", 1),
        ("{% for m in messages %}{% if loop.last %}!{% endif %}{% endfor %}{% for m in messages %}{{ m.content }}"
         "{% endfor %}", 1),
    ):  # fmt: skip
        template = Template(source)
        assert stepped_template(template) is not None or plain
        messages: list[JsonObject] = [{"role": "user", "content": str(n)} for n in range(9)]
        expected = template.render(messages)
        monkeypatch.setattr(Template, "render", lambda *given, text=expected, **named: rendered.append("") or text)
        replay = Replay(template, messages, ())
        assert replay.whole() == expected
        assert len(rendered) == plain
        rendered.clear()
        monkeypatch.undo()


def test_what_is_refused_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    template = Template(
        "{% for m in messages %}{{ m.content if m.content != '7' else raise_exception('no') }}{% endfor %}"
    )
    replay = Replay(template, [{"role": "user", "content": str(n)} for n in range(9)], ())
    with monkeypatch.context() as patched:
        patched.delattr(Template, "render")
        for _ in range(2):
            with pytest.raises(TemplateRefusedError, match="conversation: no"):
                replay.whole()
    assert replay.text(7) == "0123456"


def test_what_remembers_is_never_taken_step_by_step() -> None:
    source = "{% set comma = joiner(', ') %}{% for m in messages %}{{ comma() }}{{ m.content }}{% endfor %}"
    assert stepped_template(Template(source)) is None
    messages = [{"role": "user", "content": str(n)} for n in range(9)]
    assert Replay(Template(source), messages, ()).text(2) == "0, 1"
