"""Turns whose text does not begin with what the model is given for them.

The prompt may end with words that the template leaves out of its texts: reasoning, opened or empty (R1, QwQ). What the
model is given and what it must write are both known then, and are put together. Else what both have in common is given.
"""

from __future__ import annotations

import re

from core.conversation import Finding, Message
from core.template.history import History
from core.template.sandbox import Template, TemplateRefusedError
from core.template.style import ANSWER, QUESTION, style_of, try_render

_EMPTY = re.compile(
    r"\s*(?:(<[^<>\s/|]+>|\[[A-Z_]+\])\s*)?(</[^<>\s/|]+>|\[/[A-Z_]+\])\s*"
    r"|\s*<\|START_(\w+)\|>\s*<\|END_\3\|>\s*|\s*<\|(\w+)>\w*\s*<\4\|>\s*"
)
_OPENS = r"(<\|[^<>\s/]+>|<[^<>\s/|]+>|\[[A-Z_]+\])(\s*)"
_OPENED, _OPENED_LAST = re.compile(rf"\s*{_OPENS}"), re.compile(rf"{_OPENS}\Z")
_TAG, _LONGEST_TAG = re.compile(r"[<\[]"), 64
_THOUGHT = "sentinelthought"


def asked_again(history: History, seen: str, index: int) -> str:
    """The text up to the turn's stop token, of a template that writes another beginning when it asks for an answer."""
    try:
        text = history.text(index + 1, ask=True)
    except TemplateRefusedError:
        return ""
    ends = [at + len(stop) for stop in history.template.stop if (at := text.find(stop, len(seen))) >= 0]
    return text[: min(ends)] if text.startswith(seen) and ends else ""


def behind_another_text(history: History, seen: str, text: str, index: int) -> tuple[str, int, int, list[Finding]]:
    """(text, begin, start, notes) of a turn whose `text` does not begin with what the model is given for it, `seen`."""
    begin = history.region(index + 1, index)[0]
    regions = history.regions(index + 1) or {}
    if any(end > begin and end > start for other, (start, end) in regions.items() if other != index):
        reason = "the template writes earlier messages behind later ones"
        raise history.refusal("MK703", f"messages[{index}]", reason)
    start = whole_tokens(text, shared(seen, text), history.template)
    if start >= begin:
        for given in _prompts(history, seen, index):
            if composed := _put_together(history, given, text, begin, index):
                said = f"trained behind {given[start:]!r}, with which the prompt ends and the template's text does not"
                return composed, begin, len(given), [history.note("RS609", f"messages[{index}]", said)]
        opens, written = seen[start:][:30], text[start:][:30]
        reason = f"template opens {opens!r} at chat time but training text has {written!r}"
        return text, begin, start, [history.note("MK703", f"messages[{index}]", reason)]
    # The answer changes how the template shows what came before it. What the model sees and what it writes are both
    # known: they are put together.
    before = history.text(index)
    header = seen[len(before) :]
    if seen.startswith(before) and text.startswith(header, begin):
        return seen + text[begin + len(header) :], len(seen), len(seen), []
    reason = f"the template writes messages[{index}] behind another text than the model is given"
    raise history.refusal("MK703", f"messages[{index}]", reason)


def _prompts(history: History, seen: str, index: int) -> list[str]:
    """What the model may be given for the turn: with thinking as the turn has it, where it can be switched; `seen`."""
    if "enable_thinking" not in history.template.source:
        return [seen]
    return [history.asked(index, bool(history.conversation.messages[index].reasoning)), seen]


def _put_together(history: History, given: str, text: str, begin: int, index: int) -> str:
    """The turn behind what the model is given for it, where it is known how it goes on there; else nothing.

    It begins at `begin` in `text`.
    """
    message = history.conversation.messages[index]
    reasoning, words = message.reasoning.strip(), message.content.strip()
    # The words of the turn may begin as those of the prompt do.
    starts = [text.find(part, begin) for part in (reasoning, words) if part]
    at = whole_tokens(text, shared(given, text), history.template)
    at = min([at, *(place for place in starts if place >= 0)])
    extra, rest = given[at:], text[at:]
    opened = _OPENED.fullmatch(extra)
    if reasoning and reasoning in rest:
        opens = opened is not None or not _TAG.search(extra)
        return given + rest if opens and rest.startswith(reasoning) else ""
    if (empty := _EMPTY.fullmatch(extra)) is not None:
        # Some texts close what they have not opened.
        return given + rest.removeprefix(empty.group(2) or "")
    if closed := _closed(history, given, at, rest, index, opened):
        return closed
    return given + rest if words and rest.startswith(words) else ""


def closed_reasoning(history: History, seen: str, text: str, index: int) -> str:
    """The turn with its reasoning closed, if the prompt `seen` opens one and `text` goes on without closing it."""
    opened, rest = _OPENED_LAST.search(seen[-_LONGEST_TAG:]), text[len(seen) :]
    close = _closing(opened) if opened is not None else ""
    if opened is None or close in rest or close not in history.template.source:
        return ""
    # What every answer is opened with is its role.
    asked = [Message("user", QUESTION), Message("assistant", ANSWER), Message("user", QUESTION)]
    if opened.group(1) in (try_render(history.template, style_of(history.template), asked) or ""):
        return ""
    return _closed(history, seen, len(seen), rest, index, opened)


def _closed(history: History, given: str, at: int, rest: str, index: int, opened: re.Match[str] | None) -> str:
    """What the model is given, its reasoning, what closes that, and the rest of the turn; nothing if it is unknown.

    `opened` is the tag with which the prompt ends, and the text shares the first `at` characters with the prompt.
    """
    reasoning = history.conversation.messages[index].reasoning.strip()
    if not reasoning:
        # How the template itself goes on behind a reasoning, without that one.
        before, thought, behind = history.imagined(index, _THOUGHT).partition(_THOUGHT)
        if thought and before.startswith(given) and not before[len(given) :].strip():
            return given + before[len(given) :] + behind
        if thought and before == given[:at]:
            return given + behind
    close = _closing(opened) if opened is not None else ""
    if opened is None or close not in history.template.source:
        return ""
    # The way of those that begin on a line of their own, and of those that do not.
    ends = f"\n{close}\n\n" if "\n" in opened.group(2) else close
    return f"{given}{reasoning}{ends}{rest.removeprefix(close)}"


def _closing(opened: re.Match[str]) -> str:
    return opened.group(1)[0] + "/" + opened.group(1)[1:]


def whole_tokens(text: str, at: int, template: Template) -> int:
    """`at`, or the beginning of the control token or the tag that it would cut."""
    cuts = [
        at - length
        for token in template.control_tokens
        for length in range(1, len(token))
        if text.startswith(token, at - length)
    ]
    tag = re.search(r"<[^<>\s]*$", text[:at])
    return min([*cuts, at, *([tag.start()] if tag else [])])


def shared(a: str, b: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low
