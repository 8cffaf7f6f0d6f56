"""Words: texts cut at borders have the tokens that they have as a whole, by every expression that is known."""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from core.crew import BareTokenizer
from core.rules.samples import the_tokenizer_keeps_the_text
from core.template.spans import Rendered
from core.tokens import Pieces
from core.words import MOST_WORDS, Words, encodings, first_token, token_starts, words_of

SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
BIG, SMALL = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {
    "threes": SHORT + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + SPACES,
    "ones": SHORT + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + SPACES,
    "marks": SHORT + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + SPACES,
    "cased": rf"[^\r\n\p{{L}}\p{{N}}]?[{BIG}]*[{SMALL}]+{SHORT}?|[^\r\n\p{{L}}\p{{N}}]?[{BIG}]+[{SMALL}]*{SHORT}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES,
    "starter": r"\p{Han}|\p{N}|(?:(?!\p{Han})\p{L})+|\n|[^\p{L}\p{N}\n]+",
}
SAMPLE = (
    'The quick brown fox\'s dog, it\'ll jump 123 times: "name": {"a": [1, 2]}\n\n  你好，再见。 ÉCOLE été\t日本\r\n'
    * 20
)
KINDS = ["bytes", "digits", *SPLITS]


def tokenizer(kind: str, *, composed: bool = False, trim: bool = True) -> BareTokenizer:
    made = Tokenizer(models.BPE())
    own = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=trim, use_regex=kind in ("bytes", "digits"))
    steps: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if kind == "digits" else []
    steps += [pre_tokenizers.Split(Regex(SPLITS[kind]), "isolated")] if kind in SPLITS else []
    made.pre_tokenizer = pre_tokenizers.Sequence([*steps, own]) if steps else own
    made.decoder = decoders.ByteLevel()
    if composed:
        made.normalizer = normalizers.NFC()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, special_tokens=["<|im_start|>"])
    made.train_from_iterator([SAMPLE], trainer)
    made.add_tokens([AddedToken("<think>", normalized=not composed)])
    return BareTokenizer(made)


@lru_cache
def once(kind: str, composed: bool, trim: bool) -> BareTokenizer:
    return tokenizer(kind, composed=composed, trim=trim)


PARTS = [
    *("the", " dog", "'s", "'", " ", "  ", "\n", "\t", "\r\n", ".", ", ", '": "', "{", "/", "_", "-", "7", "123", "é"),
    *(
        "e",
        "\u0301",
        "\u212b",
        "\u3099",
        "か",
        "你好",
        "，",
        "。",
        "한",
        "\u1161",
        "ไทย",
        "🙂",
        "\u00a0",
        "\u2028",
        "\u0085",
    ),
    *("A", "ÉC", "ǅ", "ſ", "’", "\x1c", "²", "Ⅷ", "م", "ش", "\u0651", "<think>", "\ufeff", "\u200b", ";", "\u037e"),
]


@pytest.mark.parametrize("trim", [True, False])
@pytest.mark.parametrize("composed", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=150)
def test_words_make_no_difference(kind: str, composed: bool, trim: bool, data: st.DataObject) -> None:
    """Texts of anything, with a control token before them or not: the same tokens, and the same places."""
    bare = once(kind, composed, trim)
    words = words_of(bare)
    assert words is not None
    parts = data.draw(st.lists(st.sampled_from(PARTS) | st.characters(exclude_categories=["Cs"]), max_size=14))
    if composed:
        parts = [part for part in parts if part != "<think>"]
    text = data.draw(st.sampled_from(["", "<|im_start|>"])) + "".join(parts)
    assert "".join(words.cut(text)) == text
    (whole,) = encodings([text], bare)
    for _ in range(2):
        assert words.encode([text]) == [array("i", whole.ids)]
    starts = token_starts(whole)
    for at in range(len(text) + 1):
        for begins, token in ((True, first_token(text, starts, at)), (False, bisect_left(starts, at))):
            assert words.token_at(text, at, words.layout(text), begins=begins) == token
            assert words.token_near(text, at, begins=begins) in (token, None)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=150)
def test_what_is_known_of_a_beginning_holds_for_all_texts_with_it(kind: str, data: st.DataObject) -> None:
    words = words_of(once(kind, False, True))
    assert words is not None
    part = st.sampled_from(PARTS) | st.characters(exclude_categories=["Cs"])
    first, *more = data.draw(st.lists(st.lists(part, max_size=4).map("".join), min_size=2, max_size=6))
    head = data.draw(st.sampled_from(["", "<|im_start|>"])) + first
    for text in [head + one for one in more]:
        for at in range(len(head) + 1):
            for begins in (True, False):
                token = words.token_at(text, at, words.layout(text), begins=begins)
                assert words.token_near(text, at, begins=begins) in (token, None)


def test_words_are_cut_where_letters_and_digits_end() -> None:
    words = words_of(once("ones", False, True))
    assert words is not None
    assert words.cut('<|im_start|>user\nIt\'s "a_b": 12, 你好，再见') == [
        *("<|im_start|>", "user", "\nIt's", ' "a', "_b", '": 12', ", 你好", "，再见"),
    ]
    assert words.cut("a b<think>c d") == ["a b<think>c d"]
    assert words.cut("") == []


def test_what_is_known_is_bounded_and_long_words_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tokenizer("ones")
    words = Words(bare, [])
    asked: list[str] = []

    def heard(texts: Sequence[str], made: Any) -> Any:
        asked.extend(texts)
        return encodings(texts, made)

    monkeypatch.setattr("core.words.encodings", heard)
    monkeypatch.setattr("core.words.MOST_WORDS", 3)
    long = "x" * 200
    assert words.encode(["a b", "b", long]) == [_alone(text, bare) for text in ("a b", "b", long)]
    assert sorted(asked) == [" b", "a", "b", long]
    asked.clear()
    assert words.encode([long, "a b"]) == [_alone(text, bare) for text in (long, "a b")]
    assert asked == [long]
    words.encode(["c"])
    asked.clear()
    words.encode(["a"])
    # There were more than three, so all were forgotten.
    assert asked == ["a"]
    assert MOST_WORDS > 10_000


def test_words_that_make_a_control_token_together_are_plain_text() -> None:
    bare = tokenizer("ones")
    words = words_of(bare)
    assert words is not None
    texts = ["x <|im y", "x_start y", "x|> y", "x<think y"]
    assert all(word in {w for t in texts for w in words.cut(t)} for word in (" <|im", "_start", "|> y", "<think"))
    for some in itertools.permutations(["<|im", "_start", "|> y"]):
        # Whatever the order in which they are asked for, none is read together with another.
        fresh = Words(bare, bare.backend_tokenizer.get_added_tokens_decoder().values())
        fresh.learn([f" {some[0]}", *some[1:]])
        assert fresh.encode(texts) == [_alone(text, bare) for text in texts]


def test_characters_are_asked_for_once_and_changed_ones_are_named_where_they_are() -> None:
    pieces = Pieces(tokenizer("ones", composed=True))
    whole, changed, broken = Rendered("été", ()), Rendered("a \u212b", ()), Rendered("\u212b", (), (1,))
    pieces.of([whole.text])
    assert pieces.keep_all()
    assert list(the_tokenizer_keeps_the_text([whole], pieces)) == []
    ((code, _, said),) = the_tokenizer_keeps_the_text([broken], pieces)
    assert (code, said) == ("MK709", "the tokenizer does not keep '\u212b' (U+212B)")
    pieces.of([changed.text])
    assert not pieces.keep_all()
    assert list(the_tokenizer_keeps_the_text([whole], pieces)) == []
    assert [code for code, _, _ in the_tokenizer_keeps_the_text([whole, changed], pieces)] == ["MK709"]


def _alone(text: str, bare: BareTokenizer) -> array[int]:
    return array("i", bare.backend_tokenizer.encode(text, add_special_tokens=False).ids)


def _unigram() -> Any:
    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], 0, byte_fallback=False))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


def _with(**parts: Any) -> Any:
    made = tokenizer("ones").backend_tokenizer
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def _with_token(**options: Any) -> Any:
    made = tokenizer("ones").backend_tokenizer
    made.add_tokens([AddedToken("<new>", **options)])
    return made


def _split(pattern: Any, behavior: str = "isolated", invert: bool = False) -> Any:
    return _with(pre_tokenizer=pre_tokenizers.Split(pattern, behavior, invert))


@pytest.mark.parametrize(
    "unknown",
    [
        pytest.param(_unigram(), id="another model"),
        pytest.param(_with(pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True)), id="a space before texts"),
        pytest.param(_with(pre_tokenizer=pre_tokenizers.ByteLevel(False, use_regex=False)), id="no cuts"),
        pytest.param(_with(pre_tokenizer=pre_tokenizers.Metaspace()), id="spaces joined to words"),
        pytest.param(_with(normalizer=normalizers.NFC()), id="tokens looked for after composing"),
        pytest.param(_with(normalizer=normalizers.Prepend("▁")), id="another normalizer"),
        pytest.param(_with_token(lstrip=True), id="a token that takes the space before it"),
        pytest.param(_with_token(rstrip=True), id="a token that takes the space behind it"),
        pytest.param(_with_token(single_word=True), id="a token that looks around"),
        pytest.param(_split(Regex(SPLITS["ones"] + r"|a b")), id="an alternative of its own"),
        pytest.param(_split(Regex(r" ?\p{L}+|\s+")), id="no numbers"),
        pytest.param(_split(Regex(r"\p{N}|\s+")), id="no letters"),
        pytest.param(_split(Regex(SPLITS["ones"]), "merged_with_next"), id="joined again"),
        pytest.param(_split(" "), id="a text for a pattern"),
    ],
)
def test_tokenizers_of_which_it_is_not_known_where_they_cut(unknown: Any) -> None:
    assert words_of(BareTokenizer(unknown)) is None
