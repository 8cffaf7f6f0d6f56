"""What a template's answers look like: the facts that `core.template.derive` finds and the reader goes by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from core.template import marks

_ONE_TAG = re.compile(r"<[^<>]+>|\[[^\[\]]+\]|[^\w\s]*/\S+")


@dataclass(frozen=True, slots=True)
class CallSyntax:
    """How one call is written, and what stands around it; all texts are marks (`core.template.marks`).

    A turn's calls are `before` (behind words: `beside`; None where words and calls never meet), then calls, each
    between `open` and `close`, with `separator` where those are empty, then `after`. `lead` stands before the call's
    name where that is also written ahead of the call (`to=name`). `head` is how a call begins behind `open`.

    `json`: an object with the name at `name_path` and the arguments at `arguments_path`; `keyed`: the name is the key
    of the arguments. `apart`: the name, `behind_name`, the arguments as JSON. `xml`: a parameter is `key_open`, its
    name, `assign` (`assign_data` before what is no text, if that differs), its value, `value_close`; `wrap` stands
    around texts with special characters; values in values are parameters too if `nested`, in lists by the name `item`.
    `literal`: `name(key=value)` up to `end`, texts in `quote`s of the template's own, unescaped if `raw_texts`, without
    any quotes if `bare_texts`. `untyped`: every value is written as text, its type is the schema's.
    """

    kind: Literal["json", "apart", "xml", "literal"]
    before: str = ""
    beside: str | None = None
    open: str = ""
    close: str = ""
    after: str = ""
    separator: str = ""
    lead: str = ""
    head: str = ""
    name_path: tuple[str, ...] = ()
    arguments_path: tuple[str, ...] = ()
    keyed: bool = False
    behind_name: str = ""
    key_open: str = ""
    assign: str = ""
    assign_data: str = ""
    value_close: str = ""
    wrap: tuple[str, str] = ("", "")
    nested: bool = False
    item: str = ""
    end: str = ""
    quote: str = ""
    raw_texts: bool = False
    bare_texts: bool = False
    untyped: bool = False

    @property
    def markers(self) -> tuple[str, ...]:
        """What opens a call; none where nothing does."""
        if self.open:
            return (self.open,)
        return tuple(dict.fromkeys(mark for mark in (self.before, self.beside) if mark))

    @property
    def bare_at_start(self) -> bool:
        """Whether a call may begin the answer with nothing that opens it."""
        return not self.open and not self.before

    @property
    def bare_behind_words(self) -> bool:
        """Whether a call may follow words with nothing that opens it."""
        return not self.open and self.beside == ""


@dataclass(frozen=True, slots=True)
class AnswerSyntax:
    """How an answer is written: reasoning (`thinks_at_once`: the prompt has opened it), then words, then calls.

    `answer_opens` are the ways in which the words may be opened. `opens_calls`: turns that begin with calls are
    opened in one of these ways too. `channel` stands before and behind the one word by which what opens reasoning and
    what opens words differ, if they do so by a word: models may write others there.
    """

    reasoning_open: str = ""
    reasoning_close: str = ""
    thinks_at_once: bool = False
    answer_opens: tuple[str, ...] = ()
    channel: tuple[str, str] = ("", "")
    answer_close: str = ""
    opens_calls: bool = False
    call: CallSyntax | None = None

    @property
    def any_channel(self) -> str:
        """What opens words in a channel of any name, as a mark; empty where there are no channels."""
        return marks.NAME.join(self.channel) if self.channel[0] else ""


def split_reasoning(text: str, syntax: AnswerSyntax) -> tuple[str | None, str]:
    """(reasoning, the rest); the reasoning is None where there is none, or where it never closes.

    A closing tag of reasoning that nothing has opened: the prompt has.
    """
    opened = marks.after(text, syntax.reasoning_open, 0) if syntax.reasoning_open else -1
    if opened < 0 and not syntax.thinks_at_once and not _ONE_TAG.fullmatch(syntax.reasoning_close):
        return None, text
    inner = text[max(opened, 0) :]
    closed = marks.find(inner, syntax.reasoning_close, 0) if syntax.reasoning_close else None
    return (None, text) if closed is None else (inner[: closed[0]], inner[closed[1] :])
