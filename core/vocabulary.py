"""Control tokens that a template needs and a tokenizer lacks: what is said of them, and how it gets them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.conversation import Finding
from core.hub import asked_for
from core.template.choose import OWN, marks
from core.template.sandbox import Template


@dataclass(frozen=True, slots=True)
class NewTokens:
    """Tokens that a tokenizer was given: their `texts` and `ids`, those ids that did not exist (`fresh`), and how many
    rows of embeddings the tokenizer then needs."""

    texts: tuple[str, ...]
    ids: tuple[int, ...]
    fresh: tuple[int, ...]
    size: int


def is_tokenizer(name: str) -> bool:
    """Whether a tokenizer is saved in this folder, or in this repository of the Hub."""
    from transformers.utils import cached_file

    try:
        return cached_file(asked_for(name), "tokenizer_config.json") is not None
    except OSError:
        return False


def add_tokens(tokenizer: Any, texts: Sequence[str]) -> NewTokens:
    """Give a tokenizer these tokens, as control tokens; those that it has stay as they are."""
    from transformers import AddedToken

    before = tokenizer.get_vocab()
    missing = [AddedToken(text, normalized=False, special=True) for text in texts]
    tokenizer.add_tokens(missing, special_tokens=True)
    ids = tuple(tokenizer.convert_tokens_to_ids(list(texts)))
    fresh = tuple(number for text, number in zip(texts, ids, strict=True) if text not in before)
    return NewTokens(tuple(texts), ids, fresh, max([*before.values(), *ids]) + 1)


def make_exact(tokenizer: Any, texts: Iterable[str]) -> tuple[str, ...]:
    """Let control tokens be read where they are written exactly so, and nowhere else. Returns those that were not.

    A token that is looked for in normalised text is found in `<|IM_END|>` of anybody's content, or not found behind a
    word; one that must be a word of its own is not found where templates write it.
    """
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    wanted, loose = set(texts), []
    for token in backend["added_tokens"]:
        normalised = token["normalized"] and backend["normalizer"] is not None
        if token["content"] in wanted and (normalised or token["single_word"]):
            token["normalized"] = token["single_word"] = False
            loose.append(token["content"])
    if loose:
        from tokenizers import Tokenizer

        tokenizer._tokenizer = Tokenizer.from_str(json.dumps(backend))
    return tuple(sorted(loose))


def token_findings(template: Template, tokenizer: Any, file: str = "") -> Iterator[Finding]:
    """What is to be known about a template's control tokens in this tokenizer."""
    there = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    if template.added:
        said = f"the tokenizer lacks {', '.join(template.added)}: added, trained and saved with the result"
        yield Finding("MK712", "repaired", said, file)
    if template.exact:
        said = f"{', '.join(template.exact)}: the tokenizer also took other texts for it; now it must be written so"
        yield Finding("MK714", "repaired", said, file)
    plain = [text for text in template.stop if text not in there]
    if plain:
        said = f"turns end in {', '.join(plain)}, which is text here and no token: writing ends when it appears"
        yield Finding("MK712", "kept", said, file)
    elif template.name != OWN and (others := sorted(marks(template) - there)):
        said = f"{', '.join(others)}: plain text in this tokenizer, and left so, for turns end in a token"
        yield Finding("MK712", "kept", said, file)
