"""Keep words' rows right whatever is evicted, within the bytes allowed, and the words used most longest."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tagger.engines.word_cache import WordCache
from tagger.kernels.packed_weights import Floats

words = st.text("ab", max_size=4)


class Counted:
    """Two arrays that tell a word: its length, and its characters' sum."""

    def __init__(self) -> None:
        self.computed: list[str] = []

    def __call__(self, words: Sequence[str]) -> list[Floats]:
        self.computed += words
        values = np.array([[len(word), sum(map(ord, word))] for word in words], dtype=np.float32).reshape(-1, 2)
        return [values[:, :1], values]


def assert_right(cache: WordCache, batch: Sequence[str]) -> None:
    arrays, rows = cache.lookup(batch)
    lengths, both = (array[rows] for array in arrays)
    assert lengths[:, 0].tolist() == [len(word) for word in batch]
    assert both[:, 1].tolist() == [sum(map(ord, word)) for word in batch]


@given(st.lists(st.lists(words, max_size=9), max_size=9), st.integers(1, 2000))
def test_every_word_has_what_was_computed_for_it(batches: list[list[str]], limit: int) -> None:
    cache = WordCache(Counted(), limit)
    for batch in batches:
        assert_right(cache, batch)


def test_a_word_is_computed_once_while_there_is_room() -> None:
    compute = Counted()
    cache = WordCache(compute, 1 << 20)
    for batch in (["a", "b", "a"], ["b", "c"], [], ["c", "a"]):
        assert_right(cache, batch)
    assert compute.computed == ["a", "b", "c"]
    assert len(cache) == 3


def test_words_used_most_stay() -> None:
    compute = Counted()
    cache = WordCache(compute, 20_000)
    for number in range(400):
        assert_right(cache, ["often", f"word{number}"])
    assert compute.computed.count("often") == 1
    assert len(cache) < 100


def test_long_words_count_by_their_bytes() -> None:
    cache = WordCache(Counted(), 100_000)
    for number in range(30):
        assert_right(cache, [f"{number}" * 20_000])
    assert len(cache) <= 4


def test_a_batch_of_more_words_than_there_is_room_for() -> None:
    cache = WordCache(Counted(), 3000)
    for first in (0, 50, 25):
        assert_right(cache, [f"{number}" for number in range(first, first + 100)])


def test_the_words_used_least_are_evicted_first() -> None:
    compute = Counted()
    cache = WordCache(compute, 10 * 260)
    for number in range(60):
        assert_right(cache, [f"{number}"])
        if number % 3 == 0:
            assert_right(cache, ["often", "too"])
    assert compute.computed.count("often") == 1
    assert compute.computed.count("too") == 1
    assert len(cache) < 20


def test_rows_in_use_keep_their_values_while_others_are_learnt() -> None:
    cache = WordCache(Counted(), 2000)
    batch = ["first", "second"]
    arrays, rows = cache.lookup(batch)
    for number in range(100):
        assert_right(cache, [f"{number}" * 3])
    assert arrays[1][rows, 0].tolist() == [len(word) for word in batch]
    assert arrays[1][rows, 1].tolist() == [sum(map(ord, word)) for word in batch]
    assert len(cache) < 20


def test_threads_that_evict_each_others_words_get_their_own_rows() -> None:
    cache = WordCache(Counted(), 5000)

    def look_up(seed: int) -> None:
        chance = np.random.default_rng(seed)
        for _ in range(300):
            assert_right(cache, [f"{number}" for number in chance.integers(0, 300, size=9)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look_up, range(8)))
    assert len(cache) < 100
