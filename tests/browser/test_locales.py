"""Every language is complete: no text of the board without a translation, and no translation without a text."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from core.config import ChatConfig, EvalConfig, ExportConfig, Group, TrainConfig
from core.presets import PRESETS
from core.rules import RULES
from core.template import losses
from webui.card import lost_words
from webui.live import findings_html
from webui.markup import escape
from webui.rulebook import meaning, remedy
from webui.texts import LOCALES, languages, load_texts

WEBUI = LOCALES.parent
TRANSLATED = [language for language in languages() if language != "en"]
# Set by the board itself or by a control of its own, so no form shows them.
HIDDEN = {"runs_dir", "tools", "allow_tools", "examples"}


def english() -> set[str]:
    """Every text that the code says: the first argument of `t(…)` and `….t(…)`."""
    found = set()
    for path in WEBUI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and _is_t(node.func):
                text = node.args[0]
                assert isinstance(text, ast.Constant), f"{path.name}:{node.lineno}: a text must be written out"
                found.add(text.value)
    return found


def _is_t(function: ast.expr) -> bool:
    return (isinstance(function, ast.Name) and function.id == "t") or (
        isinstance(function, ast.Attribute) and function.attr == "t"
    )


def catalogue(language: str) -> dict[str, Any]:
    return yaml.safe_load(Path(LOCALES / f"{language}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", TRANSLATED)
def test_texts_are_complete_and_known(language: str) -> None:
    texts = catalogue(language)["ui"]
    assert english() - texts.keys() == set(), "not translated"
    assert texts.keys() - english() == set(), "in no code"
    for text, translated in texts.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", translated)), text


@pytest.mark.parametrize("language", TRANSLATED)
def test_fields_are_complete_and_known(language: str) -> None:
    fields = catalogue(language)["fields"]
    shown = (TrainConfig, ChatConfig, EvalConfig, ExportConfig)
    known = set().union(*(config.model_fields for config in shown)) - HIDDEN
    first = {name: field.description for config in reversed(shown) for name, field in config.model_fields.items()}
    known |= {
        f"{config.__name__}.{name}"
        for config in shown
        for name, field in config.model_fields.items()
        if name in known and field.description != first[name]
    }
    assert known - fields.keys() == set(), "not translated"
    assert fields.keys() - known == set(), "no such option"
    assert all(entry.keys() == {"label", "help"} for entry in fields.values())


@pytest.mark.parametrize("language", TRANSLATED)
def test_groups_are_complete_and_known(language: str) -> None:
    assert catalogue(language)["groups"].keys() == set(get_args(Group))


@pytest.mark.parametrize("language", TRANSLATED)
def test_presets_are_complete_and_known(language: str) -> None:
    assert catalogue(language)["presets"].keys() == PRESETS.keys()
    assert load_texts(language).preset("best_quality").endswith("early_stopping_patience: 3}")


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_rule_is_explained(language: str) -> None:
    t = load_texts(language)
    assert t.catalogue["rules"].keys() == RULES.keys()
    english = load_texts("en")
    same = [code for code, rule in RULES.items() if rule.remedy and remedy(code, t) == remedy(code, english)]
    assert same == [], "remedies without a translation"
    assert [code for code in RULES if meaning(code, t) == meaning(code, english)] == []
    assert meaning("TC517", english).endswith("“Swallowed” decides.")
    assert remedy("DS910", english).startswith("Train each answer once with “Train on: last_turn”")


@pytest.mark.parametrize("language", ["en", *TRANSLATED])
def test_a_finding_is_said_in_the_language_of_the_page(language: str) -> None:
    t = load_texts(language)
    for code in RULES:
        html = findings_html([{"code": code, "action": "kept", "message": 'key "a" & others'}], t)
        english = html.count("key &quot;a&quot; &amp; others")
        assert english == 1, code
        assert (escape(meaning(code, t)) in html) == (language != "en"), code


def test_what_a_template_may_lose_of_calls_is_put_in_words() -> None:
    known = {*losses._ARGUMENTS, "several calls", "words beside a call"}
    assert lost_words(load_texts("en")).keys() == known
