"""The tags of reasoning that a template knows but never writes: its models think all the same, and it hides that later.

They show in three ways: answers or prompts begin with an empty reasoning; the generation prompt opens or closes one; or
what stands before a closing tag is cut off earlier answers.
"""

from __future__ import annotations

import re

from core.conversation import Message
from core.template.sandbox import Template
from core.template.style import AGAIN, ANSWER, QUESTION, style_of, try_render

_EMPTY = r"(<[^<>\s/|]+>)\s*(</[^<>\s/|]+>)|(\[[A-Z_]+\])\s*(\[/[A-Z_]+\])"
_FIRST, _LAST = re.compile(rf"\s*(?:{_EMPTY})"), re.compile(rf"(?:{_EMPTY})\s*\Z")
_OPENS = re.compile(r"(<[^<>\s/|]+>|\[[A-Z_]+\])\s*\Z")
_CLOSING = r"</[^<>\s/|]+>|\[/[A-Z_]+\]"
_CLOSES = re.compile(rf"({_CLOSING})\s*\Z")
_MOST_TAGS = 8
_THOUGHT = "sentinelthought"


def unwritten_tags(template: Template, opened: str, before: str) -> tuple[str, str]:
    """What opens and what closes reasoning; both empty where nothing shows it.

    `opened` is what the model writes before its words, `before` the text in front of that.
    """
    prompts = [_prompt(template), _prompt(template, enable_thinking=False, thinking=False)]
    for empty in (_FIRST.match(opened), *map(_LAST.search, prompts)):
        pair = tuple(filter(None, empty.groups())) if empty else ()
        if pair and pair[0] == _opening(pair[1]):
            return pair[0], pair[1]
    opens, closes = _OPENS.search(prompts[0]), _CLOSES.search(prompts[0])
    if opens and before and not before.rstrip().endswith(opens.group(1)):
        close = opens.group(1)[0] + "/" + opens.group(1)[1:]
        if close in template.source:
            return opens.group(1), close
    tags = dict.fromkeys(re.findall(_CLOSING, template.source))
    cut = next((tag for tag in list(tags)[:_MOST_TAGS] if _cuts(template, tag)), "")
    if not cut and closes and _opening(closes.group(1)) not in prompts[0]:
        cut = closes.group(1)
    return _opening(cut), cut


def _opening(close: str) -> str:
    return close.replace("/", "", 1)


def _prompt(template: Template, **variables: bool) -> str:
    """The generation prompt, without what else stands behind the question."""
    question, style = [Message("user", QUESTION)], style_of(template)
    plain = try_render(template, style, question, (), **variables) or ""
    asked = try_render(template, style, question, (), ask=True, **variables) or ""
    return asked[len(plain) :] if plain and asked.startswith(plain) else ""


def _cuts(template: Template, close: str) -> bool:
    """Whether the template cuts off an earlier answer what stands before this tag."""
    thought = Message("assistant", _THOUGHT + close + ANSWER)
    messages = [Message("user", QUESTION), thought, Message("user", QUESTION), Message("assistant", AGAIN)]
    text = try_render(template, style_of(template), messages) or ""
    return ANSWER in text and _THOUGHT not in text
