"""Text into token ids with the place of each token's first character, as a tokenizer's own vocabulary cuts it."""

from __future__ import annotations

import itertools
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from core.template.spans import Rendered
from core.words import Layout, Words, encodings, first_token, token_starts, words_of

# Tokens of pieces of text that are kept in case the pieces recur.
MOST_KNOWN = 400_000


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


class Piece:
    """The tokens of a piece of text; where they begin is found out when it is asked."""

    __slots__ = ("_encoding", "_layout", "_starts", "_tokenizer", "_words", "ids", "text")

    def __init__(
        self, text: str, ids: array[int], tokenizer: Any, encoding: Any = None, words: Words | None = None
    ) -> None:
        self.text, self.ids = text, ids
        self._tokenizer, self._encoding, self._words = tokenizer, encoding, words
        self._starts: list[int] | None = None
        self._layout: Layout | None = None

    def token_at(self, at: int, *, begins: bool) -> int:
        """The first token that begins at character `at` or behind it; with `begins`, as `first_token` has it."""
        if self._words is not None:
            near = self._words.token_near(self.text, at, begins=begins)
            if near is not None:
                return near
            self._layout = self._layout or self._words.layout(self.text)
            return self._words.token_at(self.text, at, self._layout, begins=begins)
        token = self._exactly_at(at)
        if token is not None:
            return token
        if self._starts is None:
            self._starts = _tokens(self.text, self._tokenizer)[1]
        return first_token(self.text, self._starts, at) if begins else bisect_left(self._starts, at)

    def _exactly_at(self, at: int) -> int | None:
        """The first token that begins at `at`, if the encoding tells without listing where all of them begin."""
        token = self._encoding.char_to_token(at) if self._encoding is not None else None
        if token is None or self._encoding.token_to_chars(token)[0] != at:
            return None
        return token if not token or self._encoding.token_to_chars(token - 1)[0] < at else None

    def forget(self) -> None:
        """Keep the tokens alone."""
        self._encoding = self._starts = self._layout = None


def tokens_before(pieces: Sequence[Piece], at: int) -> int:
    """How many tokens stand in the pieces that end before character `at`, or there."""
    count = position = 0
    for piece in pieces:
        position += len(piece.text)
        if position > at:
            break
        count += len(piece.ids)
    return count


class Pieces:
    """Texts in pieces, cut in front of control tokens, where a tokenizer cuts them anyway; each is tokenised once.

    What recurs is known from one call to the next: the newest `most_known` tokens, and as many of those before them.
    """

    def __init__(self, tokenizer: Any, most_known: int = MOST_KNOWN) -> None:
        self.most_known = most_known
        self.tokenizer = tokenizer
        self._borders = _Borders(tokenizer)
        self._words = words_of(tokenizer)
        self._known: dict[str, Piece] = {}
        self._before: dict[str, Piece] = {}
        self._whole: list[Piece] = []
        self._tokens = 0
        self._tried, self._kept = 0, True

    def of(self, texts: Sequence[str]) -> list[list[Piece]]:
        """The pieces of each text; what is not known is tokenised at once, on every core."""
        cut = [self._borders.cut(text) for text in texts]
        known = self._known
        missing = list(
            dict.fromkeys([text for parts in cut for text in parts if text not in known and not self._knew(text)])
        )
        if missing:
            for piece in self._made(missing):
                self._keep(piece)
        return [[self._known[text] for text in parts] for parts in cut]

    def _made(self, texts: Sequence[str]) -> Iterator[Piece]:
        """Pieces that are not known, from their words if the tokenizer's are known."""
        if self._words is not None:
            for text, ids in zip(texts, self._words.encode(texts), strict=True):
                yield Piece(text, ids, self.tokenizer, words=self._words)
        else:
            for text, encoding in zip(texts, encodings(texts, self.tokenizer), strict=True):
                yield Piece(text, array("i", encoding.ids), self.tokenizer, encoding)

    def keep_all(self) -> bool:
        """Whether all characters of all texts so far are given back when their tokens are decoded; False: who knows."""
        if self._words is None:
            return False
        if len(self._words.characters) > self._tried:
            self._tried = len(self._words.characters)
            self._kept = not changed_characters("".join(self._words.characters), self.tokenizer)
        return self._kept

    def forget(self) -> None:
        """The texts so far are done with: of their pieces the tokens are kept, and not where they begin."""
        for piece in self._whole:
            piece.forget()
        self._whole = []
        if self._tokens > self.most_known:
            self._known, self._before, self._tokens = {}, self._known, 0

    def _knew(self, text: str) -> bool:
        """Whether a text is known from before; it is kept then."""
        piece = self._before.pop(text, None)
        if piece is not None:
            self._keep(piece)
        return piece is not None

    def _keep(self, piece: Piece) -> None:
        self._known[piece.text] = piece
        self._whole.append(piece)
        self._tokens += len(piece.ids)


class _Borders:
    """Where texts may be cut: in front of control tokens, at which a tokenizer cuts."""

    def __init__(self, tokenizer: Any) -> None:
        added = tokenizer.backend_tokenizer.get_added_tokens_decoder().values()
        tokens = [token for token in added if not token.normalized]
        longest_first = sorted((token.content for token in tokens), key=len, reverse=True)
        known = tokens and not any(token.single_word for token in tokens)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if known else None
        # Those that take the space in front of them belong to what is there.
        self._greedy = {token.content for token in tokens if token.lstrip}

    def cut(self, text: str) -> list[str]:
        """The text in pieces."""
        if self._pattern is None:
            return [text]
        found = self._pattern.finditer(text)
        if self._greedy:
            found = (one for one in found if one.group() not in self._greedy)
        places = [one.start() for one in found]
        return [text[a:b] for a, b in itertools.pairwise([0, *places[places[:1] == [0] :], len(text)])]


def _tokens(text: str, tokenizer: Any) -> tuple[list[int], list[int]]:
    (encoding,) = encodings([text], tokenizer)
    return encoding.ids, token_starts(encoding)


def changed_characters(text: str, tokenizer: Any) -> list[str]:
    """The characters of a text that the tokenizer does not give back when its tokens are decoded, in order."""
    known = _characters(tokenizer.backend_tokenizer)
    if text.isascii() and known.ascii_survives:
        return []
    return sorted(character for character in set(text) - known.survivors if not known.survives(character))


class _Characters:
    """Which characters a tokenizer gives back; each that does is tried once, between others."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.survivors: set[str] = set()
        self.ascii_survives = all(self.survives(chr(number)) for number in (9, 10, 13, *range(32, 127)))

    def survives(self, character: str) -> bool:
        """Whether decoding gives it back."""
        text = f"x{character}x"
        ids = self._backend.encode(text, add_special_tokens=False).ids
        if self._backend.decode(ids, skip_special_tokens=False).strip() != text:
            return False
        self.survivors.add(character)
        return True


@lru_cache(maxsize=4)
def _characters(backend: Any) -> _Characters:
    return _Characters(backend)
