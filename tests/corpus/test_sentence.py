"""The sentence and its entities."""

import pytest

from tagger.corpus.entities import entities
from tagger.corpus.sentence import Entity, Sentence


def test_a_sentence_is_as_long_as_its_tokens() -> None:
    assert len(Sentence(["a", "b"])) == 2


def test_place_is_no_part_of_what_a_sentence_is() -> None:
    assert Sentence(["a"], ["O"], place="x:1") == Sentence(["a"], ["O"], place="y:2")


@pytest.mark.parametrize("fields", [{"tags": ["O"]}, {"offsets": [(0, 1)]}])
def test_tags_and_offsets_are_as_many_as_tokens(fields: dict) -> None:
    with pytest.raises(AssertionError):
        Sentence(["a", "b"], **fields)


def test_entities_are_stretches_of_the_running_text() -> None:
    text = "To  New York."
    sentence = Sentence(
        ["To", "New", "York", "."], ["O", "B-LOC", "I-LOC", "O"], text, [(0, 2), (4, 7), (8, 12), (12, 13)]
    )
    assert entities(sentence) == [Entity(4, 12, "LOC", "New York")]


def test_entities_without_text_count_in_the_joined_tokens() -> None:
    assert entities(Sentence(["in", "New", "York"], ["O", "I-LOC", "I-LOC"])) == [Entity(3, 11, "LOC", "New York")]
