"""Agreement of annotators, against figures from the literature, scikit-learn and hand counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from tagger.corpus.document import Document
from tagger.corpus.sentence import Sentence
from tagger.evaluation.agreement import agreement, cohen, fleiss

# Fleiss 1971 as worked out in the literature: 10 items, 14 raters, 5 categories; kappa 0.210
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_fleiss_kappa_of_the_known_example() -> None:
    rows = [[str(label) for label, count in enumerate(counts) for _ in range(count)] for counts in FLEISS]
    assert fleiss(rows) == pytest.approx(0.210, abs=0.0005)


@given(st.lists(st.tuples(st.sampled_from("OAB"), st.sampled_from("OAB")), min_size=1, max_size=30))
def test_cohens_kappa_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    found = cohen(pairs)
    if found is None:
        assert len({label for pair in pairs for label in pair}) == 1
    else:
        assert found == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


def document(text: str, *tags: str) -> Document:
    return Document(text, [Sentence(text.split(), list(tags))])


def test_spans_tokens_and_places_of_three_annotators() -> None:
    one = [document("Ada met Bo", "B-P", "O", "B-P"), document("x", "O")]
    two = [document("Ada met Bo", "B-P", "O", "B-Q")]
    three = [document("y", "O"), document("Ada met Bo", "B-P", "I-P", "O")]
    found = agreement({"a": one, "b": two, "c": three})
    assert (found.texts, found.others, found.tokens) == (1, 2, 3)
    assert [pair.f1 for pair in found.pairs] == [0.5, 0.0, 0.0]
    assert found.pairs[0].labels == {"P": pytest.approx(2 / 3), "Q": 0.0}
    places = [(one.text[one.start : one.end], one.label, one.has, one.lacks) for one in found.places]
    assert places == [
        ("Ada", "P", ("a", "b"), ("c",)),
        ("Ada met", "P", ("c",), ("a", "b")),
        ("Bo", "P", ("a",), ("b", "c")),
        ("Bo", "Q", ("b",), ("a", "c")),
    ]


def test_those_who_agree_have_one_and_a_text_that_occurs_twice_is_matched_by_order() -> None:
    both = [document("Bo ran", "B-P", "O"), document("Bo ran", "O", "O")]
    (pair,) = agreement({"a": both, "b": both}).pairs
    assert (pair.f1, pair.kappa) == (1.0, 1.0)
    (pair,) = agreement({"a": both, "b": both[::-1]}).pairs
    assert pair.f1 == 0.0
