"""Where writing ends: on the tokens, or texts, that a template's turns end in, and on those that the model has had.

What a turn ends in is what training teaches, so it comes first and is saved with the result. What the model's own
generation config names besides (the end of a document, other families' turns) stays, unless the template writes it
inside a turn: there the model would fall silent in mid-answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.conversation import Finding
from core.template.probe import example
from core.template.sandbox import Template
from core.tokenizer_folder import plain_stops


def stop_ids(template: Template, tokenizer: Any, own: Sequence[int] = ()) -> tuple[int, ...]:
    """The token ids on which generation ends: those that turns end with, then the model's `own`."""
    ids = [tokenizer.convert_tokens_to_ids(text) for text in template.stop if _is_token(text, tokenizer)]
    return tuple(dict.fromkeys([*ids, *(one for one in own if one not in inside(template, tokenizer, own))]))


def stop_texts(template: Template, tokenizer: Any) -> list[str]:
    """What turns end with and is no token of this tokenizer: generation ends when it has been written."""
    return [text for text in template.stop if not _is_token(text, tokenizer)]


def inside(template: Template, tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """Those of the tokens that the template writes within a turn."""
    if not ids:
        return []
    sample = example(template)
    written = "".join(sample.text[span.start : span.end] for span in sample.spans if span.kind != "stop")
    words = tokenizer.convert_ids_to_tokens(list(ids))
    return [one for one, word in zip(ids, words, strict=True) if word and word in written]


def own_stops(config: Any) -> list[int]:
    """The ids in a generation config, or a model's config: it holds one, several or none."""
    ids = config.eos_token_id
    return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)


def stops_of(name: str) -> list[int]:
    """The ids on which a stored model's generation ends; none where it does not say."""
    plain = plain_stops(Path(name))
    if plain is not None:
        return plain
    from transformers import AutoConfig, GenerationConfig

    for kind in (GenerationConfig, AutoConfig):
        try:
            return own_stops(kind.from_pretrained(name))
        except (OSError, ValueError, AttributeError):
            continue
    return []


def stop_findings(template: Template, tokenizer: Any, own: Sequence[int]) -> Iterator[Finding]:
    """MK713: where the model's generation config and the template do not agree, and what the result does."""
    taught = stop_ids(template, tokenizer)[:1] if template.stop and _is_token(template.stop[0], tokenizer) else ()
    if own and taught and taught[0] not in own:
        before = ", ".join(tokenizer.convert_ids_to_tokens(list(own)))
        said = f"the model stops on {before}, turns end in {template.stop[0]}: the result stops on all of them"
        yield Finding("MK713", "repaired", said)
    if within := inside(template, tokenizer, own):
        words = ", ".join(tokenizer.convert_ids_to_tokens(within))
        said = f"the model stops on {words}, which the template writes inside a turn: the result does not stop there"
        yield Finding("MK713", "repaired", said)


def _is_token(text: str, tokenizer: Any) -> bool:
    number = tokenizer.convert_tokens_to_ids(text)
    return number is not None and number != tokenizer.unk_token_id
