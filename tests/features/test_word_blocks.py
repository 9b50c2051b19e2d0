"""Many words at a time against one word at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.features.word_blocks import WordBlock, beginnings, endings, joined, normalised
from tagger.features.words import clip_characters, normalise, prefix, shape, suffix

# words of few classes have long runs; NUL, line ends, surrogates and the final sigma are what could go wrong
words = st.text(st.characters() | st.sampled_from("aA1-Σσİ\x00\n٣京\ud800")) | st.text("aA1", max_size=12)
blocks = st.lists(words, max_size=8)


@given(blocks)
def test_shapes(block: list[str]) -> None:
    assert WordBlock(block).shapes() == [shape(word) for word in block]


@given(blocks, st.booleans())
def test_normal_forms(block: list[str], lowercase: bool) -> None:
    assert normalised(block, lowercase) == [normalise(word, lowercase) for word in block]


@given(blocks, st.integers(1, 4))
def test_affixes(block: list[str], length: int) -> None:
    assert beginnings(block, length) == [prefix(word, length) for word in block]
    assert endings(block, length) == [suffix(word, length) for word in block]


@given(blocks, st.integers(0, 9))
def test_characters(block: list[str], length: int) -> None:
    numbers = np.arange(100, 300)  # of the first 199 code points; 299 of all others
    table = WordBlock(block).characters(numbers, length)
    clipped = [clip_characters(word, length) for word in block]
    assert table.shape == (len(block), max(1, *map(len, clipped), 1))
    for row, word in zip(table, clipped, strict=True):
        expected = [100 + min(ord(character), 199) for character in word]
        assert row.tolist() == expected + [0] * (len(row) - len(word))


@given(blocks)
def test_where_characters_stand(block: list[str]) -> None:
    found = WordBlock(block)
    assert "".join(map(chr, found.codes)) == "".join(block)
    assert all(
        block[row][place] == chr(code) for row, place, code in zip(found.rows, found.places, found.codes, strict=True)
    )


@pytest.mark.parametrize(
    ("block", "expected"), [([], None), ([""], ""), (["a", "", "b"], "a\n\nb"), (["a\n"], None), (["a", "\n"], None)]
)
def test_words_as_lines(block: list[str], expected: str | None) -> None:
    assert joined(block) == expected
