"""Text into token ids with the place of each token's first character, as a tokenizer's own vocabulary cuts it."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from core.template.spans import Rendered


def tokenise(rendered: Rendered, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Token ids, and the offset of each token's first character in `rendered.text`.

    The pieces between `breaks` are tokenised apart, so that a control token written in content is plain text.
    """
    if not rendered.breaks:
        return _tokens(rendered.text, tokenizer)
    ids, starts = _tokens(rendered.text[: rendered.breaks[0]], tokenizer)
    for begin, end in itertools.pairwise([*rendered.breaks, len(rendered.text)]):
        if begin == end:
            continue
        # Behind a line break, so that a tokenizer that puts a space before a text puts it there; both are dropped.
        piece_ids, piece_starts = _tokens("\n" + rendered.text[begin:end], tokenizer)
        first = bisect_left(piece_starts, 1)
        ids += piece_ids[first:]
        starts += [begin + start - 1 for start in piece_starts[first:]]
    return ids, starts


def borders_of(tokenizer: Any) -> re.Pattern[str] | None:
    """Finds the control tokens at which a tokenizer cuts; a group marks those that leave what is before them alone."""
    tokens = [
        token for token in tokenizer.backend_tokenizer.get_added_tokens_decoder().values() if not token.normalized
    ]
    if not tokens or any(token.single_word for token in tokens):
        return None
    longest_first = sorted(tokens, key=lambda token: len(token.content), reverse=True)
    written = [re.escape(token.content) if token.lstrip else f"({re.escape(token.content)})" for token in longest_first]
    return re.compile("|".join(written))


def pieces_of(text: str, borders: re.Pattern[str] | None) -> list[str]:
    """The text, cut in front of control tokens."""
    if borders is None:
        return [text]
    places = [found.start() for found in borders.finditer(text) if found.lastindex and found.start()]
    return [text[a:b] for a, b in itertools.pairwise([0, *places, len(text)])]


def _tokens(text: str, tokenizer: Any) -> tuple[list[int], list[int]]:
    (encoding,) = encodings_of([text], tokenizer)
    return encoding.ids, [start for start, _ in encoding.offsets]


def encodings_of(texts: Sequence[str], tokenizer: Any) -> Sequence[Any]:
    """The encodings of texts; a tokenizer that last cut or padded is asked the slow way, which undoes that."""
    backend = tokenizer.backend_tokenizer
    if backend.truncation is None and backend.padding is None:
        return backend.encode_batch(texts, add_special_tokens=False)
    return tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True).encodings


def changed_characters(text: str, tokenizer: Any) -> list[str]:
    """The characters of a text that the tokenizer does not give back when its tokens are decoded, in order."""
    known = _characters(tokenizer.backend_tokenizer)
    if text.isascii() and known.ascii_survives:
        return []
    return [character for character in sorted(set(text)) if not known.survives(character)]


class _Characters:
    """Which characters a tokenizer gives back; each is tried once, between others."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._known: dict[str, bool] = {}
        self.ascii_survives = all(self.survives(chr(number)) for number in (9, 10, 13, *range(32, 127)))

    def survives(self, character: str) -> bool:
        """Whether decoding gives it back."""
        if character not in self._known:
            text = f"x{character}x"
            ids = self._backend.encode(text, add_special_tokens=False).ids
            self._known[character] = self._backend.decode(ids, skip_special_tokens=False).strip() == text
        return self._known[character]


@lru_cache(maxsize=4)
def _characters(backend: Any) -> _Characters:
    return _Characters(backend)
