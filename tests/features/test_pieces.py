"""Windows: every word once, in the place where it has most around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.features.pieces import Surroundings, lay_out, windows

AROUND = Surroundings(before=(101,), after=(102, 103), padding=0)
sentence_lengths = st.lists(st.integers(1, 6), max_size=40)


@given(lengths=sentence_lengths, capacity=st.integers(6, 30))
def test_every_word_is_taken_once_and_in_order_from_a_window_that_holds_it(lengths: list[int], capacity: int) -> None:
    cut = windows(lengths, capacity)
    assert [word for window in cut for word in range(window.first, window.last)] == list(range(len(lengths)))
    for window in cut:
        assert window.start <= window.first <= window.last <= window.end
        assert sum(lengths[window.start : window.end]) <= capacity


def distance_from_edge(word: int, start: int, end: int, words: int) -> float:
    """In words; the sentence's own begin and end are no edges."""
    left = float("inf") if start == 0 else word - start
    right = float("inf") if end == words else end - 1 - word
    return min(left, right)


@given(words=st.integers(0, 60), capacity=st.integers(2, 20))
def test_of_words_of_one_piece_each_stands_where_it_is_furthest_from_an_edge(words: int, capacity: int) -> None:
    cut = windows([1] * words, capacity)
    for window in cut:
        for word in range(window.first, window.last):
            own = distance_from_edge(word, window.start, window.end, words)
            holding = [other for other in cut if other.start <= word < other.end]
            assert own >= max(distance_from_edge(word, other.start, other.end, words) for other in holding) - 1


def test_a_sentence_that_fits_is_one_window() -> None:
    assert windows([2, 3, 1], 6) == [(0, 3, 0, 3)]


def test_windows_overlap_by_half_of_the_capacity() -> None:
    assert [(window.start, window.end) for window in windows([1] * 10, 4)] == [(0, 4), (2, 6), (4, 8), (6, 10)]


@given(
    sentences=st.lists(
        st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=9).map(tuple), max_size=12), max_size=5
    ),
    capacity=st.integers(1, 12),
)
def test_each_words_pieces_are_found_where_the_layout_says(
    sentences: list[list[tuple[int, ...]]], capacity: int
) -> None:
    laid_out = lay_out(sentences, AROUND, capacity)
    found: list[list[int]] = [[] for _ in range(laid_out.count)]
    for place, word in zip(laid_out.places.tolist(), laid_out.words.tolist(), strict=True):
        found[word].append(int(laid_out.ids.reshape(-1)[place]))
    assert found == [list(pieces[:capacity]) for sentence in sentences for pieces in sentence]
    assert (np.diff(laid_out.words) >= 0).all()


def test_special_pieces_go_round_each_window_and_padding_behind() -> None:
    laid_out = lay_out([[(5,), (6, 7)], [(8,)]], AROUND, 10)
    assert laid_out.ids.tolist() == [[101, 5, 6, 7, 102, 103], [101, 8, 102, 103, 0, 0]]
    assert laid_out.inside.tolist() == [[True] * 6, [True] * 4 + [False] * 2]


@pytest.mark.parametrize("sentences", [[], [[]]])
def test_nothing_is_laid_out_of_nothing(sentences: list[list[tuple[int, ...]]]) -> None:
    laid_out = lay_out(sentences, AROUND, 4)
    assert (laid_out.ids.size, laid_out.places.size, laid_out.count) == (0, 0, 0)
