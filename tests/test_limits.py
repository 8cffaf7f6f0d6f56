"""Hostile templates are cut off in time, with a clear error, and without filling the memory."""

from __future__ import annotations

import importlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.cli import main
from core.errors import UserError
from core.template.budget import MOST_SECONDS
from core.template.choose import bare_template, text_template
from core.template.probe import card
from core.template.sandbox import Template, TemplateRefusedError
from core.template.spans import render
from tests.material import generated

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
    "joins with much": "{{ range(99999) | join('a' * 9999) }}",
    "joins one by one with much": "{{ range(99999) | map('string') | join(d='a' * 9999) }}",
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
    "splits": "{{ ('a ' * 8000000).split() | length }}",
    "wraps": "{{ ('a ' * 8000000) | wordwrap(5) | length }}",
    "titles": "{{ ('a ' * 8000000) | title | length }}",
    "links": "{{ ('http://a.b ' * 1000000) | urlize | length }}",
    "sorts characters": "{{ ('ab' * 16000000) | sort | length }}",
    "distinct characters": "{{ ('ab' * 16000000) | unique | list | length }}",
    "characters in pairs": "{{ ('ab' * 16000000) | batch(2) | list | length }}",
    "sums lists": "{{ ([[1]] * 100000) | sum(start=[]) | length }}",
    "dates": "{{ strftime_now('%c' * 8000000) | length }}",
    "translates": "{{ ('a' * 16000000).translate({97: 'b' * 1000}) | length }}",
    "percent of many": "{{ ('%s' * 1000) % ((('a' * 1000000),) * 1000) }}",
    "format of long": "{{ ('{0}' * 100000).format('a' * 100000) | length }}",
    "prints a long text often": "{% set s = 'a' * 1000000 %}{{ [s] * 1000000 }}",
    "by chance": "{{ [1, 2] | random }}",
    "break": "{% break %}",
    "half a character": "{{ '\ud800' }}",
    "changes its input": "{% set _ = messages[0].update({'content': 'x'}) %}",
    "grows its input": "{% set _ = messages.append({'role': 'user', 'content': 'x'}) %}",
    "unknown filter": "{{ messages | nope }}",
    "2 MB": "a" * 2_000_000,
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


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(UserError, match="'break' outside loop"):
        Template(HOSTILE["break"]).render([])
    with pytest.raises(UserError, match="No filter named 'random'"):
        Template(HOSTILE["by chance"]).render([])
    with pytest.raises(UserError, match="lone surrogate"):
        Template(HOSTILE["half a character"]).render([])


def test_sixteen_threads_render_what_one_does(template: Template) -> None:
    talks = [generated(seed, tools=seed % 2 == 0, reasoning=False, system=seed % 3 == 0) for seed in range(160)]
    alone = [render(talk, template) for talk in talks]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda talk: render(talk, template), talks)) == alone


def test_one_thread_that_is_cut_off_does_not_cut_off_others() -> None:
    good = Template("{% for m in messages %}{{ m.content }}{% endfor %}")
    bad = Template(HOSTILE["doubles"])

    def tried(number: int) -> str:
        if number % 2:
            return good.render([{"role": "user", "content": str(number)}])
        with pytest.raises(TemplateRefusedError):
            bad.render([])
        return str(number)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(tried, range(64))) == [str(number) for number in range(64)]


@pytest.mark.parametrize("name", ["loops", "wraps", "calls itself twice", "2 MB", "percent of many"])
def test_commands_end_with_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hostile.jinja"
    file.write_text(HOSTILE[name])
    # Imports take seconds, on a busy machine more than hostile templates may.
    importlib.import_module("core.trainer")
    for command in (
        ["template", "card", str(file)],
        ["data", "check", "identity", "--max-samples", "2", "--model-name-or-path", "starter", "--template", str(file)],
        ["train", "--dataset", "identity", "--template", str(file), "--runs-dir", str(tmp_path / "runs")],
    ):
        begun = time.thread_time()
        assert main(command) in (1, 2), command
        assert time.thread_time() - begun < 2 * MOST_SECONDS
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1, said
        assert "template" in said[0]


def test_a_template_that_is_slow_for_a_few_messages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("core.template.style.thread_time", lambda: float(next(clock)))
    with pytest.raises(UserError, match="for a few messages"):
        card(text_template("{% for m in messages %}{{ m.content }}{% endfor %}{#- slow -#}", "slow"))


def test_one_slow_trial_is_the_machine_s_and_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((0.0, 9.0))
    real = time.thread_time
    monkeypatch.setattr("core.template.style.thread_time", lambda: next(times, 9.0 + real()))
    assert card(text_template("{% for m in messages %}{{ m.content }}{% endfor %}{#- paused -#}", "paused"))


def test_a_machine_that_is_busy_elsewhere_cuts_no_template_off(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = iter(range(0, 10**9, 3600))
    clock = SimpleNamespace(monotonic=lambda: float(next(hours)), thread_time=time.thread_time)
    monkeypatch.setattr("core.template.budget.time", clock)
    good = Template("{% for m in messages %}{{ m.content }}{% endfor %}")
    assert good.render([{"role": "user", "content": "hi"}] * 50) == "hi" * 50


def test_a_file_that_is_no_text_is_no_template(tmp_path: Path) -> None:
    (tmp_path / "latin.jinja").write_bytes("{{ 'é' }}".encode("latin-1"))
    with pytest.raises(UserError, match="cannot be read"):
        bare_template(str(tmp_path / "latin.jinja"))


@pytest.mark.parametrize("name", ["loops", "times"])
def test_a_hostile_template_has_no_card_and_is_tried_once(name: str) -> None:
    begun = time.thread_time()
    with pytest.raises(UserError, match="not a usable chat template"):
        card(text_template(HOSTILE[name], "hostile"))
    assert time.thread_time() - begun < 2 * MOST_SECONDS
