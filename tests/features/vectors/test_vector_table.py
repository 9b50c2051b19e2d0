"""How words are looked up in a table of vectors, and how much of a text it covers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from vector_writers import random_vectors

from tagger.features.vectors.open import load_static
from tagger.features.vectors.table import Coverage, VectorTable, coverage


@pytest.mark.parametrize(
    ("words", "sought", "found"),
    [
        (["London", "london"], "London", "London"),
        (["x", "london"], "London", "london"),
        (["london"], "LONDON", "london"),
        (["London"], "london", None),
        (["1984", "0000"], "1984", "1984"),
        (["0000"], "1984", "0000"),
        (["a-00", "A-00"], "A-12", "A-00"),
        (["a-00"], "A-12", "a-00"),
        (["##.#", "#"], "12.5", "##.#"),
        (["#"], "5", None),
        (["##", "00"], "12", "00"),
        (["00"], "٣٤", "00"),
        (["москва"], "Москва", "москва"),
    ],
)
def test_a_word_is_sought_as_written_then_in_lower_case_then_normalised(
    words: list[str], sought: str, found: str | None
) -> None:
    table = VectorTable(words, np.arange(1, len(words) + 1, dtype=np.float32)[:, None])
    vectors, hits = table.look_up([sought, "no such word"])
    assert vectors.shape == (2, 1)
    assert hits.tolist() == [found is not None, False]
    assert vectors[:, 0].tolist() == [words.index(found) + 1 if found else 0, 0]


def test_of_no_words_there_are_no_vectors() -> None:
    vectors, found = VectorTable(["a"], random_vectors(1, 3)).look_up([])
    assert vectors.shape == (0, 3)
    assert found.shape == (0,)


def test_of_a_repeated_word_a_table_gives_the_first_vector() -> None:
    vectors = random_vectors(3, 2)
    np.testing.assert_array_equal(VectorTable(["a", "b", "a"], vectors).look_up(["a"])[0], vectors[:1])


def test_a_vector_given_out_is_not_the_table_s_own() -> None:
    table = VectorTable(["a"], np.ones((1, 2), np.float32))
    table.look_up(["a"])[0][:] = 5
    assert table.vectors.tolist() == [[1, 1]]


def test_coverage_counts_tokens_and_distinct_words() -> None:
    table = VectorTable(["the", "London"], random_vectors(2, 2))
    found = coverage(table, {"The": 5, "the": 3, "London": 1, "LONDON": 1, "Paris": 6})
    assert found == Coverage(tokens=16, token_hits=9, types=5, type_hits=3)
    assert str(found) == "56.2 % of tokens, 60.0 % of types"
    assert str(coverage(table, {})) == "0.0 % of tokens, 0.0 % of types"


def test_what_is_saved_is_read_back_but_for_words_of_several_lines(tmp_path: Path) -> None:
    table = VectorTable(["a", "b\nc", "d e", "f\r"], np.arange(8, dtype=np.float32).reshape(4, 2))
    table.save(tmp_path / "static")
    again = load_static(tmp_path / "static")
    vectors, found = again.look_up(["a", "b\nc", "d e", "f\r"])
    assert found.tolist() == [True, False, True, False]
    assert vectors.tolist() == [[0, 1], [0, 0], [4, 5], [0, 0]]
