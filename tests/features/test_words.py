"""What a model sees of a word, by examples in several scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.features.words import clip_characters, normalise, prefix, shape, suffix


@pytest.mark.parametrize(
    ("word", "lowercase", "expected"),
    [
        ("London", True, "london"),
        ("London", False, "London"),
        ("A-1984b", True, "a-0000b"),
        ("A-1984b", False, "A-0000b"),
        ("25,000.5", True, "00,000.0"),
        ("ΑΘΉΝΑ", True, "αθήνα"),
        ("Москва-2", True, "москва-0"),
        ("٣٤", True, "00"),
        ("北京2008", True, "北京0000"),
        ("हिन्दी", True, "हिन्दी"),
        ("", True, ""),
    ],
)
def test_the_normal_form(word: str, lowercase: bool, expected: str) -> None:
    assert normalise(word, lowercase) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("London", "Xxx"),
        ("LONDON", "XX"),
        ("iPhone", "xXxx"),
        ("1984", "dd"),
        ("7", "d"),
        ("U.S.", "X.X."),
        ("3.5kg", "d.dxx"),
        ("...", ".."),
        ("don't", "xx'x"),
        ("Αθήνα", "Xxx"),
        ("Санкт-Петербург", "Xxx-Xxx"),
        ("北京", "cc"),
        ("北京2008", "ccdd"),
        ("القاهرة", "cc"),
        ("٣٤٥", "dd"),
        ("🙂", "🙂"),
        ("", ""),
    ],
)
def test_the_shape(word: str, expected: str) -> None:
    assert shape(word) == expected


def test_words_of_one_outline_have_one_shape() -> None:
    assert shape("Maximilian") == shape("Anna") != shape("anna")


@pytest.mark.parametrize(
    ("word", "length", "first", "last"),
    [
        ("London", 3, "lon", "don"),
        ("London", 1, "l", "n"),
        ("of", 3, "of", "of"),
        ("", 2, "", ""),
        ("Αθήνα", 2, "αθ", "να"),
        ("北京市", 2, "北京", "京市"),
    ],
)
def test_affixes_in_lower_case(word: str, length: int, first: str, last: str) -> None:
    assert (prefix(word, length), suffix(word, length)) == (first, last)


@pytest.mark.parametrize(
    ("word", "length", "expected"),
    [
        ("abcdefg", 7, "abcdefg"),
        ("abcdefg", 4, "abfg"),
        ("abcdefg", 5, "abcfg"),
        ("abcdefg", 1, "a"),
        ("abcdefg", 0, ""),
        ("", 3, ""),
    ],
)
def test_a_long_word_keeps_its_ends(word: str, length: int, expected: str) -> None:
    assert clip_characters(word, length) == expected


@given(st.text(max_size=60), st.integers(1, 30))
def test_clipping_keeps_as_much_as_it_may(word: str, length: int) -> None:
    clipped = clip_characters(word, length)
    assert len(clipped) == min(len(word), length)
    head, tail = (length + 1) // 2, length // 2
    assert word.startswith(clipped[:head])
    assert word.endswith(clipped[len(clipped) - min(tail, len(clipped)) :])


@given(st.text())
def test_no_word_breaks_the_features(word: str) -> None:
    assert normalise(word, lowercase=True) == normalise(word, lowercase=False).lower()
    outline = shape(word)
    assert all(outline[place : place + 3] != outline[place] * 3 for place in range(len(outline)))
