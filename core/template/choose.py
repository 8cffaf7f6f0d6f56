"""Which chat template: the model's own, one from the library, or a file; with its stop and control tokens."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from core.conversation import Message
from core.errors import UserError, did_you_mean
from core.paths import typed
from core.template.files import chosen_template, read_template
from core.template.sandbox import NOTHING, Template, compiled
from core.template.style import (
    AGAIN,
    ANSWER,
    QUESTION,
    RESULT,
    TOOL,
    VALUE,
    sentinel_call,
    sentinel_tool,
    style_of,
    try_render,
)

AddTokens = Literal["auto", "all", "none"]
# The name of a template that came with the model.
OWN = "the model's template"
_LONGEST_TOKEN = 40
LIBRARY = Path(__file__).parent / "library"
# What a template file is given when there is no tokenizer beside it: the names that most tokenizers have.
BARE_TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
_LIKE_A_TOKEN = re.compile(
    r"<[|｜][^<>\s]{1,60}>|<[^<>\s]{1,60}[|｜]>|</?s>|\[/?[A-Z_]{3,30}\]|</?[a-z]+_[a-z_]+>|</?think>"
    r"|\[\|[^\[\]|\s]{1,40}\|\]|</?[a-z]+:[a-z_]+>"
)


def choose_template(name: str, tokenizer: Any, add_tokens: AddTokens = "none") -> Template:
    """The template called `name` (`auto`: the tokenizer's own, else chatml) for a transformers tokenizer.

    What of its control tokens the tokenizer lacks is plain text, or in `added`, as `add_tokens` says. With `auto` they
    are added where the template was chosen for the model, and a turn would end in several tokens; a model's own
    template is as the model has learned it. Raises `UserError` when there is no such template or file, or it is not
    valid Jinja.
    """
    own = chosen_template(tokenizer.chat_template)
    label, source = (OWN, own) if name == "auto" and own else _by_name("chatml" if name == "auto" else name)[:2]
    special = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    there = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    always = set(tokenizer.all_special_tokens)
    control = frozenset(
        token
        for token in there
        if token.strip() and (token in always or token in source or _LIKE_A_TOKEN.fullmatch(token))
    )
    lacking = _lacking(source, special, control) - there
    wanted = lacking if add_tokens == "auto" and label != OWN else frozenset()
    if add_tokens == "all":
        wanted = (_tokens_of(source, special) | lacking) - there
    return replace(made_template(source, label, special, control | lacking | wanted), added=tuple(sorted(wanted)))


def _lacking(source: str, special_tokens: Mapping[str, str], control: frozenset[str]) -> frozenset[str]:
    """What marks the turns of a plain conversation, if an answer ends in something that is no control token."""
    compiled(source)
    template = Template(source, special_tokens)
    eos = special_tokens.get("eos_token", "")
    known = sorted({*control, *filter(None, [eos])}, key=len, reverse=True)
    if _after_answer(template, known, eos)[0]:
        return frozenset()
    written = marks(template) | _closing(template, marks(template) | control)
    stop, _ = _after_answer(template, sorted(written, key=len, reverse=True), eos)
    return written if stop else frozenset()


def marks(template: Template) -> frozenset[str]:
    """What looks like a control token in a plain conversation, without tools."""
    return frozenset(_LIKE_A_TOKEN.findall("\n".join(_plain_texts(template))))


def bare_template(name: str, special_tokens: Mapping[str, str] | None = None) -> Template:
    """A template from the library, a file or a folder, without a tokenizer.

    What looks like a control token is taken for one.
    """
    label, source, tokens = _by_name(name)
    return text_template(source, label, {**tokens, **(special_tokens or {})})


def text_template(source: str, label: str, special_tokens: Mapping[str, str] | None = None) -> Template:
    """The same for a template that somebody wrote, by its source; `label` is its name in messages."""
    special = BARE_TOKENS | dict(special_tokens or {})
    control = _tokens_of(source, special) | set(special.values())
    return made_template(source, label, special, control | _closing(Template(source, special), control))


def token_pairs(words: Iterable[str]) -> dict[str, str]:
    """`bos_token=<s>` and the like as a map. Raises `UserError`."""
    pairs = [word.partition("=") for word in words]
    wrong = next((name for name, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise UserError(f'special tokens: "{wrong}" is not NAME=TEXT', remedy="for instance bos_token=<s>")
    return {name: text for name, _, text in pairs}


def _tokens_of(source: str, special_tokens: Mapping[str, str]) -> frozenset[str]:
    """What a template writes that looks like a control token, also where it puts it together (`'<|' + role + '|>'`)."""
    compiled(source)
    template = Template(source, special_tokens)
    return frozenset(_LIKE_A_TOKEN.findall("\n".join([source, *_plain_texts(template)])))


def _plain_texts(template: Template) -> list[str]:
    """Small conversations without tools."""
    question, answer, system = Message("user", QUESTION), Message("assistant", ANSWER), Message("system", QUESTION)
    return [
        try_render(template, style_of(template), messages) or ""
        for messages in ([question, answer, question], [system, question, answer])
    ]


def _closing(template: Template, tokens: Iterable[str]) -> set[str]:
    """What a template writes behind every answer, where that is one word but does not look like a token (`[e~[`)."""
    style = style_of(template)
    behind = []
    for answer in (ANSWER, AGAIN):
        text = try_render(template, style, [Message("user", QUESTION), Message("assistant", answer)]) or ""
        behind.append(text.rpartition(answer)[2].strip())
    word = behind[0]
    odd = 1 < len(word) <= _LONGEST_TOKEN and not word[:1].isalnum() and not any(map(str.isspace, word))
    return {word} if odd and behind[0] == behind[1] and not _run_of_tokens(word, sorted(tokens, key=len)) else set()


def made_template(
    source: str, label: str, special_tokens: Mapping[str, str], control_tokens: Iterable[str]
) -> Template:
    """The template with the stop texts that it implies. Raises `UserError` when it is not valid Jinja."""
    compiled(source)
    control = frozenset(control_tokens)
    if _adds_nothing(source):
        # The text is already templated: the control tokens in it are meant.
        label, control = NOTHING, frozenset()
    bare = Template(source, special_tokens, (), control, label)
    eos = special_tokens.get("eos_token", "")
    stops = stop_texts(bare, control | ({eos} if eos else set()), eos)
    return Template(source, special_tokens, stops, control, label)


def _adds_nothing(source: str) -> bool:
    """Whether it is the template `none`: also as a run keeps it, with what was put in front of it."""
    return source.rstrip().endswith((LIBRARY / NOTHING).read_text(encoding="utf-8").rstrip())


def library_names() -> list[str]:
    """The names of the templates that ship with Tuneboard."""
    return sorted(path.stem for path in LIBRARY.glob("*.jinja"))


def stop_texts(template: Template, control_tokens: Iterable[str], eos_token: str) -> tuple[str, ...]:
    """The control tokens that the template writes right after an answer and after calls, and the end of sequence.

    Of several in a row the end of sequence counts, else the first. A template that closes no turn (GLM) stops with the
    token that opens the next one.
    """
    tokens = sorted((token for token in control_tokens if token), key=len, reverse=True)
    answer, closed = _after_answer(template, tokens, eos_token)
    found = [answer, _after_calls(template, tokens, closed), eos_token]
    return tuple(dict.fromkeys(token for token in found if token))


def _after_answer(template: Template, tokens: list[str], eos_token: str) -> tuple[str, bool]:
    """The stop text of an answer, and whether the template closes answers itself."""
    style = style_of(template)
    messages = [Message("user", QUESTION), Message("assistant", ANSWER), Message("user", AGAIN)]
    alone = try_render(template, style, messages[:2]) or ""
    run = _run_of_tokens(alone.rpartition(ANSWER)[2], tokens)
    if run:
        return (eos_token if eos_token in run else _only_once(template, alone, run[0], tokens)), True
    later = try_render(template, style, messages) or ""
    run = _run_of_tokens(later.partition(ANSWER)[2].partition(AGAIN)[0], tokens)
    return next(iter(run), ""), False


def _only_once(template: Template, text: str, token: str, tokens: list[str]) -> str:
    """The token, or, where it stands at other places of the turn too, the one that stands only at its end."""
    asked = try_render(template, style_of(template), [Message("user", QUESTION)], ask=True) or ""
    turn = text[len(asked) :] if text.startswith(asked) else ""
    last = next((other for other in tokens if turn.rstrip().endswith(other)), token)
    return last if turn.count(token) > 1 and turn.count(last) == 1 else token


def _after_calls(template: Template, tokens: list[str], closed: bool) -> str:
    """The last control token of a turn with calls, unless it only closes a call; `closed` as for an answer."""
    style = style_of(template)
    question = Message("user", QUESTION)
    for calls in ((sentinel_call(), sentinel_call("other", "bcdefghij")), (sentinel_call(),)):
        message = Message("assistant", tool_calls=calls)
        text = (try_render(template, style, [question, message], [sentinel_tool()]) or "").rstrip()
        turn = text.rpartition(QUESTION)[2]
        if TOOL not in turn or VALUE not in turn:
            continue
        last = next((token for token in tokens if turn.endswith(token)), "")
        if last and turn.count(last) == 1 and not (last.startswith("</") and "<" + last[2:] in turn):
            return last
        result = Message("tool", RESULT, tool_call_id=calls[0].id, name=TOOL)
        later = try_render(template, style, [question, message, result], [sentinel_tool()]) or ""
        follows = later.startswith(text) and not closed
        return next(iter(_run_of_tokens(later[len(text) :], tokens)), "") if follows else ""
    return ""


def _run_of_tokens(text: str, tokens: list[str]) -> list[str]:
    """The control tokens with which the text begins, one right after the other."""
    text = text.lstrip()
    run: list[str] = []
    while token := next((token for token in tokens if text.startswith(token)), ""):
        run.append(token)
        text = text[len(token) :]
    return run


def _by_name(name: str) -> tuple[str, str, dict[str, str]]:
    """The template's label, its source, and the special tokens that stand beside it."""
    path = LIBRARY / f"{name}.jinja" if name in library_names() else typed(name)
    if not (os.path.isfile(path) or os.path.isdir(path)):
        raise UserError(f'unknown template "{name}"', remedy=did_you_mean(name, ["auto", *library_names()]))
    return path.name, *read_template(path)
