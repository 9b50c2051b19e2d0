"""Compare SemEval-2013's measures with nervaluate's: when they agree, and in which direction they differ."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate.evaluator import Evaluator

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.evaluation.counting import CREDITS, credited_pairs, exact_matches
from tagger.evaluation.entity_alignment import align_tags
from tagger.evaluation.estimates import CORRECT
from tests.helpers.two_sides import Side, two_sides

NAMES = {"strict": "strict", "partial": "partial", "type_only": "ent_type", "boundary_only": "exact"}


@st.composite
def legal_sides(draw: st.DrawFn) -> tuple[Side, Side]:
    """Draw gold and predicted IOB2 tags, dense enough for entities to overlap several others."""
    gold, predicted = draw(two_sides(["O", "B-X", "B-Y", "I", "I", "I"], shortest=2))
    return [_legal(tags) for tags in gold], [_legal(tags) for tags in predicted]


def _legal(tags: list[str]) -> list[str]:
    """Give each bare I the label before it, or make it O if there is none."""
    legal = ["O"]
    for tag in tags:
        legal.append(tag if tag != "I" else "O" if legal[-1] == "O" else f"I-{legal[-1][2:]}")
    return legal[1:]


def our_figures(gold: Side, predicted: Side) -> dict[str, float]:
    """Compute the amount that is right under each measure."""
    sentences = [Sentence(["a"] * len(tags), tags) for tags in gold]
    texts = list(align_tags(sentences, predicted, Scheme.IOB2, Scheme.IOB2))
    events = {name: list(credited_pairs(texts, credits)) for name, credits in CREDITS.items()}
    events["strict"] = list(exact_matches(texts))
    return {name: sum(worth for _, _, column, worth in found if column == CORRECT) for name, found in events.items()}


def nervaluate_figures(gold: Side, predicted: Side) -> dict[str, float]:
    found = Evaluator(gold, predicted, tags=["X", "Y"], loader="list").evaluate()["overall"]
    return {name: found[theirs].correct + 0.5 * found[theirs].partial for name, theirs in NAMES.items()}


def no_choice_of_partner(gold: Side, predicted: Side) -> bool:
    """Return whether every entity overlaps at most one of the other side."""
    for sides in zip(gold, predicted, strict=True):
        left, right = map(spans_from_tags, sides)
        pairs = [(one, other) for one in left for other in right if one.start < other.end and other.start < one.end]
        for partners in zip(*pairs, strict=True):
            if max(Counter(partners).values()) > 1:
                return False
    return True


@given(legal_sides())
@settings(deadline=None, max_examples=300)
def test_figures_are_those_of_nervaluate_but_for_the_choice_of_partners(sides: tuple[Side, Side]) -> None:
    ours, theirs = our_figures(*sides), nervaluate_figures(*sides)
    assert ours["strict"] == theirs["strict"]
    assert ours["boundary_only"] == theirs["boundary_only"]
    assert ours["partial"] <= theirs["partial"]
    assert ours["type_only"] >= theirs["type_only"]
    if no_choice_of_partner(*sides):
        assert ours == theirs


# the examples of docs/evaluation.md
@pytest.mark.parametrize(
    ("gold", "predicted", "measure", "ours", "theirs"),
    [
        ("B-X I-X I-X I-X B-Y", "B-Y O B-X I-X I-X", "partial", 0.5, 1.0),
        ("B-X I-X I-X", "B-Y B-X I-X", "type_only", 1, 0),
        (" ".join(["B-X", *["I-X"] * 100]), " ".join(["B-X", *["O"] * 100]), "partial", 0.5, 0),
    ],
    ids=["one partner for all measures", "the right type first", "an overlap of less than 1%"],
)
def test_where_figures_differ(gold: str, predicted: str, measure: str, ours: float, theirs: float) -> None:
    sides = [gold.split()], [predicted.split()]
    assert our_figures(*sides)[measure] == ours
    assert nervaluate_figures(*sides)[measure] == theirs
