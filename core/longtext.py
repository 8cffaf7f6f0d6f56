"""Plain text that is longer than the context window, cut into pieces at white space; every character is in one of them.

Text that is trained as it stands has no exchanges to cut between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from core.label import Example, encode
from core.template.spans import Rendered
from core.tokens import tokenise


def text_pieces(sample: Rendered, tokenizer: Any, length: int) -> Iterator[tuple[Rendered, Example]]:
    """Pieces of at most `length` tokens, each encoded by itself."""
    starts = tokenise(sample, tokenizer)[1]
    first = begin = 0
    while first < len(starts):
        last = _before_a_word(sample.text, starts, first, min(first + length, len(starts)))
        while True:
            end = starts[last] if last < len(starts) else len(sample.text)
            piece = part(sample, begin, end)
            example = encode(piece, tokenizer)
            more = len(example.ids) - length
            if more <= 0 or last == first + 1:
                break
            last = max(first + 1, last - more)
        yield piece, example
        first, begin = last, end


def _before_a_word(text: str, starts: Sequence[int], first: int, last: int) -> int:
    """The token to cut before, not after `last`: one that begins with white space, if there is one not far away."""
    if last == len(starts):
        return last
    for token in range(last, first + (last - first) * 3 // 4, -1):
        if text[starts[token]].isspace():
            return token
    while last > first + 1 and starts[last] == starts[last - 1]:
        last -= 1
    return last


def part(sample: Rendered, begin: int, end: int) -> Rendered:
    """A part of a sample's text with the spans inside it."""
    spans = tuple(
        span._replace(start=max(span.start, begin) - begin, end=min(span.end, end) - begin)
        for span in sample.spans
        if span.start < end and span.end > begin
    )
    breaks = tuple(place - begin for place in sample.breaks if begin < place < end)
    return Rendered(sample.text[begin:end], spans, breaks, sample.notes)
