"""Which chat template: the model's own, one from the library, or a file; with its stop and control tokens."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.conversation import Message, template_messages
from core.errors import UserError, did_you_mean
from core.template.sandbox import Template, TemplateRefusedError, compiled

LIBRARY = Path(__file__).parent / "library"
_ASKED, _ANSWERED = "sentinelquestion", "sentinelanswer"


def choose_template(name: str, tokenizer: Any) -> Template:
    """The template called `name` (`auto`: the tokenizer's own, else chatml) for a transformers tokenizer.

    Raises `UserError` when there is no such template or file, or it is not valid Jinja.
    """
    own = tokenizer.chat_template
    if name == "auto" and isinstance(own, dict):
        own = own.get("tool_use") or own.get("default")
    label, source = (
        ("the model's template", own) if name == "auto" and own else _by_name("chatml" if name == "auto" else name)
    )
    compiled(source)
    special = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    added = [str(token) for token in tokenizer.added_tokens_decoder.values()]
    always = set(tokenizer.all_special_tokens)
    control = frozenset(token for token in added if token.strip() and (token in always or token in source))
    bare = Template(source, special, (), control, label)
    return Template(source, special, stop_texts(bare, control, special.get("eos_token", "")), control, label)


def library_names() -> list[str]:
    """The names of the templates that ship with Tuneboard."""
    return sorted(path.stem for path in LIBRARY.glob("*.jinja"))


def stop_texts(template: Template, control_tokens: Iterable[str], eos_token: str) -> tuple[str, ...]:
    """The control token that the template writes right after an answer, and the tokenizer's own end of sequence."""
    messages = [Message("user", _ASKED), Message("assistant", _ANSWERED)]
    try:
        text = template.render(template_messages(messages))
    except TemplateRefusedError:
        text = ""
    tail = text.rpartition(_ANSWERED)[2].lstrip()
    written = max((token for token in control_tokens if tail.startswith(token)), key=len, default="")
    return tuple(dict.fromkeys(token for token in (written, eos_token) if token))


def _by_name(name: str) -> tuple[str, str]:
    path = LIBRARY / f"{name}.jinja" if name in library_names() else Path(name).expanduser()
    if not path.is_file():
        raise UserError(f'unknown template "{name}"', remedy=did_you_mean(name, ["auto", *library_names()]))
    try:
        return path.name, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", file=path) from None
