"""The rules in the language of the page: English is the table's own, other languages stand beside it."""

from __future__ import annotations

from core.rules import RULES
from webui.markup import escape
from webui.texts import Texts
from webui.told import by_label, told_change, told_finding


def meaning(code: str, t: Texts) -> str:
    """When the rule applies; the code itself for one that is not in the table."""
    rule = RULES.get(code)
    return by_label(t.rule(code, "what", rule.what), t) if rule else code


def remedy(code: str, t: Texts) -> str:
    """What to do about it in the source; empty where there is nothing to say."""
    rule = RULES.get(code)
    return by_label(t.rule(code, "remedy", rule.remedy), t) if rule and rule.remedy else ""


def said(code: str, message: str, t: Texts) -> str:
    """What a finding says, as HTML; above words without a translation stands what its rule means."""
    if t.language == "en" or told_change(message, t) != message or code not in RULES:
        return in_language(message, t)
    return f'{escape(meaning(code, t))}<div class="tb-dim">{in_language(message, t)}</div>'


def in_language(message: str, t: Texts) -> str:
    """Words of a finding, as HTML, marked as English where the page has another language and no translation."""
    told = escape(told_finding(message, t))
    return told if t.language == "en" or told_change(message, t) != message else f'<span lang="en">{told}</span>'
