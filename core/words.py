"""Texts in words that a tokenizer keeps apart wherever they stand, so that each of them is tokenised once.

Tokenizers of BPE cut a text by a regular expression and then look at each of its matches alone. In those below no match
holds a letter or digit and, right behind it, a space or a mark (an apostrophe is none); all letters and digits are in a
match; and nothing looks back, or ahead from a letter. So such a place is a border of tokens whatever stands around it,
and a text may be cut there. Other tokenizers are given whole texts.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple

# Words that are kept in case they recur, and characters of the longest of them.
MOST_WORDS, _LONGEST = 65_536, 100

# The alternatives of regular expressions that are known to be as said above. Of these, one set takes every letter, ...
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
)
_LETTERS = (
    {r" ?\p{L}+"},
    {r"[^\r\n\p{L}\p{N}]?\p{L}+"},
    {r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"},
    {*_CASED},
    {f"{one}{_SHORT}?" for one in _CASED},
    {r"(?:(?!\p{Han})\p{L})+", r"\p{Han}"},
)
# ... one every digit,
_NUMBERS = {r"\p{N}", r" ?\p{N}+", r"\p{N}{1,3}"}
# and these take the rest.
_REST = {
    *("'s", "'t", "'re", "'ve", "'m", "'ll", "'d", _SHORT, r"\n", r"\s*[\r\n]+", r"\s*[\r\n]", r"\s+(?!\S)", r"\s+"),
    *(r" ?[^\s\p{L}\p{N}]+", r" ?[^\s\p{L}\p{N}]+[\r\n]*", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"[^\p{L}\p{N}\n]+"),
    r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
}
_KNOWN = {*chain.from_iterable(_LETTERS), *_NUMBERS, *_REST}

# Letters and digits that every version of Unicode knows as such, and what ends a word behind them. Composing characters
# (NFC) leaves the border where it is: none of these joins what is before it.
_INSIDE = "0-9A-Za-zÀ-ÖØ-öø-ɏΑ-ΡΣ-ώЀ-ҁҊ-ԣא-תؠ-يぁ-ゖァ-ヺ一-鿃가-힣"
_ENDS = r"\t\n\r !\"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~、。，！？：；（）「」“”…—"
_WORD = re.compile(f"[^{_INSIDE}]*+[{_INSIDE}]*+(?:[^{_INSIDE}{_ENDS}][^{_INSIDE}]*+[{_INSIDE}]*+)*+")
# A word between two others.
_INNER = re.compile(f"[{_ENDS}](?s:.*)[{_INSIDE}]\\Z")
_IN_A_TEXT = 64
_BYTES = array("i").itemsize


def words_of(tokenizer: Any) -> Words | None:
    """The words of a fast tokenizer, or None for one of which it is not known where it cuts."""
    from tokenizers.models import BPE
    from tokenizers.normalizers import NFC

    backend = tokenizer.backend_tokenizer
    alone = isinstance(backend.model, BPE) and not backend.model.dropout
    if not alone or backend.pre_tokenizer is None or not isinstance(backend.normalizer, NFC | None):
        return None
    tokens = list(backend.get_added_tokens_decoder().values())
    # Those that take what stands around them, and those that are found only after composing.
    if any(token.lstrip or token.rstrip or token.single_word for token in tokens):
        return None
    if backend.normalizer is not None and any(token.normalized for token in tokens):
        return None
    return Words(tokenizer, tokens) if _cuts_at_borders(json.loads(backend.pre_tokenizer.__getstate__())) else None


def _cuts_at_borders(state: dict[str, Any]) -> bool:
    """Whether the steps of a pre-tokenizer (its own JSON) do: one cuts at all borders, and none joins anything."""
    steps = state["pretokenizers"] if state["type"] == "Sequence" else [state]
    cuts = [_cuts(step) for step in steps]
    return any(cuts) and None not in cuts


def _cuts(step: dict[str, Any]) -> bool | None:
    """Whether a step cuts at all borders; None where it is not known what it does."""
    if step["type"] == "ByteLevel" and not step["add_prefix_space"]:
        return bool(step["use_regex"])
    if step["type"] == "Split" and (step["behavior"], step["invert"]) in (("Isolated", False), ("Removed", True)):
        return _is_known(step["pattern"].get("Regex", "")) or None
    return False if step["type"] == "Digits" else None


def _is_known(pattern: str) -> bool:
    parts = set(_alternatives(pattern))
    return parts <= _KNOWN and not parts.isdisjoint(_NUMBERS) and any(letters <= parts for letters in _LETTERS)


def _alternatives(pattern: str) -> list[str]:
    """A regular expression at its outer bars."""
    parts, depth = [""], 0
    for character in pattern:
        depth += (character == "(") - (character == ")")
        if character == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


class Layout:
    """Where the words of a text begin: in characters (`places`), and in tokens; as far as was asked."""

    __slots__ = ("_words", "places", "tokens")

    def __init__(self, words: Iterable[tuple[int, int]]) -> None:
        """Of the words' lengths in characters and in tokens."""
        self._words = iter(words)
        self.places, self.tokens = [0], [0]

    def word_at(self, at: int) -> int:
        """The number of the word that character `at` is in; the number of words where the text ends before it."""
        places, tokens = self.places, self.tokens
        while places[-1] <= at and (word := next(self._words, None)):
            places.append(places[-1] + word[0])
            tokens.append(tokens[-1] + word[1])
        return bisect_right(places, at) - 1


class _Head(NamedTuple):
    """The beginning of texts: where its last word begins, which may go on, and how many tokens it has if not.

    And where the word before that begins, and how many tokens stand there.
    """

    last: int
    tokens: int
    before: int
    tokens_before: int


class Words:
    """The tokens of texts by those of their words.

    A text may hold one control token, at its beginning: what is in front of the others is another text.
    """

    def __init__(self, tokenizer: Any, tokens: Sequence[Any]) -> None:
        self._tokenizer = tokenizer
        self._contents = [token.content for token in tokens if not token.normalized]
        self._control = _any_of(self._contents)
        self._plain = _any_of(token.content for token in tokens if token.normalized)
        # Ids as the bytes of an array, which are put together fastest.
        self._ids: dict[str, bytes] = {}
        self._heads: dict[str, _Head | None] = {}
        # Those of all texts so far.
        self.characters: set[str] = set()
        self._starts: dict[str, list[int]] = {}

    def cut(self, text: str) -> list[str]:
        """A text in words."""
        begin = self._begin(text)
        words = _WORD.findall(text, begin)[:-1]
        return [text[:begin], *words] if begin else words

    def _begin(self, text: str) -> int:
        """Where the words of a text begin: behind its control token; nowhere in it if it holds an added token."""
        control = self._control.match(text) if self._control else None
        begin = control.end() if control else 0
        return len(text) if self._plain and self._plain.search(text, begin) else begin

    def encode(self, texts: Sequence[str]) -> list[array[int]]:
        """The token ids of texts."""
        if len(self._ids) > MOST_WORDS:
            self._ids, self._starts = {}, {}
        if len(self._heads) > MOST_WORDS:
            self._heads = {}
        cut = [self.cut(text) for text in texts]
        new = list(set(chain.from_iterable(cut)).difference(self._ids))
        self.learn(new)
        made = [array("i", b"".join(map(self._ids.__getitem__, words))) for words in cut]
        for word in new:
            if len(word) > _LONGEST:
                del self._ids[word]
        return made

    def learn(self, words: Sequence[str]) -> None:
        """Tokenise words: those that stand between borders one after the other in texts, which takes less time."""
        self.characters.update(*words)
        inner = [word for word in words if _INNER.match(word)]
        rows = [inner[begin : begin + _IN_A_TEXT] for begin in range(0, len(inner), _IN_A_TEXT)]
        texts = list(map("".join, rows))
        for row, text, encoding in zip(rows, texts, encodings(texts, self._tokenizer), strict=True):
            if any(pattern and pattern.search(text) for pattern in (self._control, self._plain)):
                continue  # Words that happen to make an added token together.
            ids, starts = array("i", encoding.ids), token_starts(encoding)
            places = [bisect_left(starts, end) for end in accumulate(map(len, row), initial=0)]
            self._ids.update((word, ids[a:b].tobytes()) for word, (a, b) in zip(row, pairwise(places), strict=True))
        others = [word for word in words if word not in self._ids]
        for word, encoding in zip(others, encodings(others, self._tokenizer), strict=True):
            self._ids[word] = array("i", encoding.ids).tobytes()

    def layout(self, text: str) -> Layout:
        """Where the words of a text begin."""
        return Layout((len(word), self._count(word)) for word in self._each(text))

    def _each(self, text: str) -> Iterator[str]:
        """The words of a text, one at a time."""
        begin = self._begin(text)
        if begin:
            yield text[:begin]
        for found in _WORD.finditer(text, begin):
            if found.end() > found.start():
                yield found.group()

    def _count(self, word: str) -> int:
        """How many tokens a word has."""
        ids = self._ids.get(word)
        return len(ids) // _BYTES if ids else len(self._starts_of(word))

    def token_at(self, text: str, at: int, layout: Layout, *, begins: bool) -> int:
        """The first token of a text that begins at character `at` or behind it; with `begins`, as in `first_token`."""
        number = layout.word_at(at)
        places, tokens = layout.places, layout.tokens
        if at >= len(text) or places[number] == at:
            return tokens[number]
        # What is behind a word does not matter; what is before it does, to tokenizers that trim offsets.
        first = max(number - 1, 0)
        part = text[places[first] : places[number + 1]]
        starts, inside = self._starts_of(part), at - places[first]
        return tokens[first] + (first_token(part, starts, inside) if begins else bisect_left(starts, inside))

    def token_near(self, text: str, at: int, *, begins: bool) -> int | None:
        """`token_at` for a place near the beginning of a text, where many begin alike; None where that is not known."""
        if at > _LONGEST:
            return None
        head = text[:at]
        known = self._heads[head] if head in self._heads else self._learnt(head)
        if known is None:
            return None
        found = _WORD.match(text, known.last) if known.last < at else None
        if found is None or found.end() == at:
            return known.tokens
        part = text[known.before : found.end()]
        starts, inside = self._starts_of(part), at - known.before
        return known.tokens_before + (first_token(part, starts, inside) if begins else bisect_left(starts, inside))

    def _learnt(self, head: str) -> _Head | None:
        self._heads[head] = None
        # Where a control token may end behind it, or anything be an added token, the words are not known from it.
        if self._plain or any(len(token) > len(head) and token.startswith(head) for token in self._contents):
            return None
        layout = self.layout(head)
        layout.word_at(len(head))
        places, tokens = layout.places, layout.tokens
        ends = len(places) < 2 or places[-1] == self._begin(head)
        last = places[-1] if ends else places[-2]
        number = max(len(places) - 3, 0)
        self._heads[head] = known = _Head(last, tokens[-1], places[number], tokens[number])
        return known

    def _starts_of(self, text: str) -> list[int]:
        starts = self._starts.get(text)
        if starts is None:
            (encoding,) = encodings([text], self._tokenizer)
            starts = token_starts(encoding)
            if len(text) <= _LONGEST:
                self._starts[text] = starts
        return starts


def _any_of(contents: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(contents, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def first_token(text: str, starts: Sequence[int], at: int) -> int:
    """The first token that begins at `at`, or before it with nothing but space between."""
    token = bisect_left(starts, at)
    if token and (token == len(starts) or starts[token] > at) and text[starts[token - 1] : at].isspace():
        # The token before reaches into the span, and what it has outside is space. Nothing but space is not ours.
        end = starts[token] if token < len(starts) else len(text)
        if not text[starts[token - 1] : end].isspace():
            return token - 1
    return token


def token_starts(encoding: Any) -> list[int]:
    """The first character of each token."""
    starts, behind = [], 0
    for start, end in encoding.offsets:
        # Of a token of spaces alone, some tokenizers trim all of it away, and point behind it.
        starts.append(behind if start == end else start)
        behind = end
    return starts


def encodings(texts: Sequence[str], tokenizer: Any) -> Sequence[Any]:
    """The encodings of texts; a tokenizer that last cut or padded is asked the slow way, which undoes that."""
    backend = tokenizer.backend_tokenizer
    if backend.truncation is None and backend.padding is None:
        return backend.encode_batch(texts, add_special_tokens=False)
    return tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True).encodings
