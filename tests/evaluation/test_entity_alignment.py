"""Test how gold and predicted entities are paired."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.schemes import spans_from_tags
from tagger.corpus.sentence import Span
from tagger.evaluation.entity_alignment import Kind, pair_entities
from tests.helpers.two_sides import tags_of

TAGS = st.lists(st.sampled_from(tags_of("BI", ("X", "Y"))), min_size=7, max_size=7)


def spans(tags: str) -> list[Span]:
    return spans_from_tags(tags.split())


@pytest.mark.parametrize(
    ("gold", "predicted", "kinds"),
    [
        ("B-X I-X O", "B-X I-X O", [Kind.CORRECT]),
        ("B-X I-X O", "B-Y I-Y O", [Kind.WRONG_TYPE]),
        ("B-X I-X O", "O B-X O", [Kind.WRONG_BOUNDARY]),
        ("B-X I-X O", "O B-Y O", [Kind.WRONG_BOTH]),
        ("B-X I-X O", "O O B-X", [Kind.MISSING, Kind.SPURIOUS]),
        ("B-X I-X I-X", "B-Y O B-X", [Kind.WRONG_BOUNDARY, Kind.SPURIOUS]),
        ("B-X B-X O", "B-X I-X O", [Kind.WRONG_BOUNDARY, Kind.MISSING]),
    ],
)
def test_kinds_by_hand(gold: str, predicted: str, kinds: list[Kind]) -> None:
    assert sorted(pair.kind for pair in pair_entities(spans(gold), spans(predicted))) == sorted(kinds)


@given(TAGS, TAGS)
def test_every_entity_is_in_one_pair(gold: list[str], predicted: list[str]) -> None:
    left, right = spans_from_tags(gold), spans_from_tags(predicted)
    pairs = pair_entities(left, right)
    assert sorted(pair.gold for pair in pairs if pair.gold) == left
    assert sorted(pair.predicted for pair in pairs if pair.predicted) == right
    kinds = Counter(pair.kind for pair in pairs)
    both = kinds[Kind.CORRECT] + kinds[Kind.WRONG_TYPE] + kinds[Kind.WRONG_BOUNDARY] + kinds[Kind.WRONG_BOTH]
    assert (len(left), len(right)) == (both + kinds[Kind.MISSING], both + kinds[Kind.SPURIOUS])


@given(TAGS, TAGS)
def test_as_many_entities_as_can_be_are_paired_in_each_round(gold: list[str], predicted: list[str]) -> None:
    left, right = spans_from_tags(gold), spans_from_tags(predicted)
    kinds = Counter(pair.kind for pair in pair_entities(left, right))
    assert kinds[Kind.CORRECT] == len(set(left) & set(right))
    assert kinds[Kind.CORRECT] + kinds[Kind.WRONG_TYPE] == len({one[:2] for one in left} & {one[:2] for one in right})
    assert kinds[Kind.CORRECT] + kinds[Kind.WRONG_BOUNDARY] == largest_matching(left, right)


@given(TAGS, TAGS)
def test_nothing_is_missing_beside_something_spurious(gold: list[str], predicted: list[str]) -> None:
    pairs = pair_entities(spans_from_tags(gold), spans_from_tags(predicted))
    missing = [pair.gold for pair in pairs if pair.kind is Kind.MISSING and pair.gold]
    spurious = [pair.predicted for pair in pairs if pair.kind is Kind.SPURIOUS and pair.predicted]
    assert not any(one.start < other.end and other.start < one.end for one in missing for other in spurious)


def largest_matching(left: list[Span], right: list[Span]) -> int:
    """Find the largest number of pairs of overlapping entities of one label, by trying every order."""
    if len(left) > len(right):
        left, right = right, left
    orders = permutations(right, len(left))
    return max(sum(map(_fit, left, order)) for order in orders)


def _fit(one: Span, other: Span) -> bool:
    return one.label == other.label and one.start < other.end and other.start < one.end
