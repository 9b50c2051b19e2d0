"""One corpus cut into splits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.sentence import Sentence
from tagger.corpus.splits import drawn_whole, split_by_range, split_off
from tagger.errors import UserError

FRACTIONS = {"test": 0.1, "dev": 0.2}


def corpus(documents: list[str | None]) -> list[Sentence]:
    return [Sentence([str(number)], document=document) for number, document in enumerate(documents)]


def words(sentences: list[Sentence]) -> list[int]:
    return [int(sentence.tokens[0]) for sentence in sentences]


@given(st.integers(4, 60), st.integers(1, 20), st.integers())
def test_parts_are_disjoint_cover_all_and_keep_order(length: int, documents: int, seed: int) -> None:
    sentences = corpus([str(number % documents) for number in range(length)])
    parts = split_off(sentences, FRACTIONS, seed, "x")
    assert all(parts.values())
    assert all(words(part) == sorted(words(part)) for part in parts.values())
    assert sorted(number for part in parts.values() for number in words(part)) == list(range(length))
    assert parts == split_off(sentences, FRACTIONS, seed, "x")


def test_documents_stay_whole_where_ten_are_marked() -> None:
    sentences = corpus([None, None] + [str(number // 3) for number in range(60)])
    parts = split_off(sentences, FRACTIONS, 1, "x")
    homes = [{sentence.document for sentence in part} for part in parts.values()]
    assert sum(map(len, homes)) == len(set().union(*homes)) == 21
    assert [len(home) for home in homes] == [15, 2, 4]


@pytest.mark.parametrize("first", ["0", None], ids=["marked", "unmarked"])
def test_sentences_are_drawn_where_few_documents_are_marked(first: str | None) -> None:
    sentences = corpus([first, *(str(number % 9) for number in range(99))])
    assert not drawn_whole(sentence.document for sentence in sentences)
    assert [len(part) for part in split_off(sentences, FRACTIONS, 1, "x").values()] == [70, 10, 20]


def test_the_draw_is_the_same_on_every_machine() -> None:
    # Random(1).random() gives its smallest of 20 numbers 13th, 9th, 19th, 8th, 0th and 16th (counted from 0).
    parts = split_off(corpus([None] * 20), FRACTIONS, 1, "x")
    assert words(parts["test"]) == [9, 13]
    assert words(parts["dev"]) == [0, 8, 16, 19]


def test_seeds_draw_differently() -> None:
    sentences = corpus([None] * 50)
    assert split_off(sentences, FRACTIONS, 1, "x") != split_off(sentences, FRACTIONS, 2, "x")


@pytest.mark.parametrize("fractions", [{"dev": 0.0}, {"dev": 1.0}, {"dev": 0.6, "test": 0.4}, {"dev": -0.1}])
def test_fractions_must_leave_something_for_all(fractions: dict[str, float]) -> None:
    with pytest.raises(UserError, match=r"data\.dev_fraction=.*expected numbers above 0 that sum to less than 1"):
        split_off(corpus([None] * 9), fractions, 1, "x")


def test_too_small_a_corpus_is_told() -> None:
    with pytest.raises(UserError, match="x: too small to split off test and dev"):
        split_off(corpus([None] * 2), FRACTIONS, 1, "x")


def test_ranges_count_documents_as_they_come() -> None:
    sentences = corpus([None, None, "b", "a", "a", "c"])
    parts = split_by_range(sentences, {"train": "1-2", "dev": "3", "test": "4-"}, "x")
    assert {name: words(part) for name, part in parts.items()} == {"train": [0, 1, 2], "dev": [3, 4], "test": [5]}


@pytest.mark.parametrize(
    ("ranges", "problem"),
    [
        ({"train": "1-2", "dev": "2"}, "train and dev both hold document 2"),
        ({"train": "4-9"}, r"data.documents.train=4-9: no such document \(x has 3\)"),
        ({"train": "2-1"}, "no such document"),
        ({"train": "0-1"}, "expected a range such as 1-100 or 121-, got '0-1'"),
        ({"train": "a"}, "expected a range"),
        ({"train": ""}, "expected a range"),
    ],
)
def test_wrong_ranges_are_told_by_name(ranges: dict[str, str], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        split_by_range(corpus(["a", "b", "c"]), ranges, "x")
