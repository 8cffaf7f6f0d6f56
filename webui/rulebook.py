"""The rules in the language of the page: English is the table's own, other languages stand beside it."""

from __future__ import annotations

from core.rules import RULES
from webui.markup import escape
from webui.texts import Texts


def meaning(code: str, t: Texts) -> str:
    """When the rule applies; the code itself for one that is not in the table."""
    rule = RULES.get(code)
    return t.rule(code, "what", rule.what) if rule else code


def remedy(code: str, t: Texts) -> str:
    """What to do about it in the source; empty where there is nothing to say."""
    rule = RULES.get(code)
    return t.rule(code, "remedy", rule.remedy) if rule and rule.remedy else ""


def said(code: str, message: str, t: Texts) -> str:
    """What a finding says, as HTML: its message, and on a page in another language what its rule means above it.

    Messages hold values and are English, for the terminal and for reports too; a test sees to it that every rule has
    its meaning in every language, so nothing is left unsaid.
    """
    if t.language == "en" or code not in RULES:
        return escape(message)
    return f'{escape(meaning(code, t))}<div class="tb-dim" lang="en">{escape(message)}</div>'
