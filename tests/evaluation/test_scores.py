"""Compare scores with hand counts, brute force and seqeval."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import astuple

import pytest
from hypothesis import given, settings
from seqeval.metrics import accuracy_score, f1_score

from tagger.corpus.schemes import Scheme, convert_tags, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.scores import PRF, Scores, gold_tags, readable_tags, score, score_entities
from tests.helpers.two_sides import Side, two_sides

LABELS = ["PER", "LOC", "a-b", "_"]
TAGS = ["O", "O", "B", "I", *(f"{prefix}-{label}" for prefix in "BIES" for label in LABELS)]
BILOU_TAGS = ["O", *(f"{prefix}-{label}" for prefix in "BILU" for label in LABELS)]


def by_spans(gold: list[list[str]], predicted: list[list[str]]) -> Scores:
    return score_entities(map(set, map(spans_from_tags, gold)), map(set, map(spans_from_tags, predicted)))


def assert_same(found: Scores, expected: Scores) -> None:
    assert list(found.types) == list(expected.types)
    for one, other in zip(
        [found.micro, found.macro, *found.types.values()],
        [expected.micro, expected.macro, *expected.types.values()],
        strict=True,
    ):
        assert astuple(one) == pytest.approx(astuple(other))


def test_entity_scores_of_a_hand_counted_example() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC", "O"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["B-LOC", "B-LOC", "O"]]
    scores = score(gold, predicted, Scheme.IOB2)
    assert scores.types == {
        "LOC": PRF(1 / 2, 1 / 2, 1 / 2, 2),
        "ORG": PRF(0, 0, 0, 0),
        "PER": PRF(1, 1, 1, 1),
    }
    assert astuple(scores.micro) == pytest.approx((2 / 4, 2 / 3, 4 / 7, 3))
    assert astuple(scores.macro) == pytest.approx((1.5 / 3, 1.5 / 3, 1.5 / 3, 3))
    assert (scores.accuracy, scores.sentences, scores.tokens) == (5 / 7, 2, 7)
    assert (scores.headline, scores.headline_name) == (scores.micro.f1, "micro F1")


@given(two_sides(TAGS))
@settings(deadline=None)
def test_seqeval_and_our_counts_agree_on_legal_and_illegal_tags(sides: tuple[Side, Side]) -> None:
    gold, predicted = sides
    scores = score(gold, predicted, Scheme.IOB2)
    assert_same(scores, by_spans(gold, predicted))
    assert scores.micro.f1 == pytest.approx(f1_score(gold, predicted, zero_division=0))
    if any(gold):
        bare = {"B": "B-_", "I": "I-_"}  # spelled differently, the same tag
        spelled = [[[bare.get(tag, tag) for tag in tags] for tags in side] for side in sides]
        assert scores.accuracy == pytest.approx(accuracy_score(*spelled))


@given(two_sides(BILOU_TAGS))
@settings(deadline=None)
def test_bilou_is_scored_by_its_meaning(sides: tuple[Side, Side]) -> None:
    gold, predicted = sides
    scores = score(gold, predicted, Scheme.BILOU)
    assert_same(scores, by_spans(gold, predicted))
    in_iob2 = [[convert_tags(tags, Scheme.IOB2) for tags in side] for side in sides]
    assert_same(scores, score(in_iob2[0], in_iob2[1], Scheme.IOB2))


def test_labels_without_prefix_are_entities_whatever_their_first_letter() -> None:
    gold = [["ORG", "ORG", "O", "B", "O", "O"]]
    predicted = [["ORG", "ORG", "O", "O", "PER", "O"]]
    scores = score(gold, predicted, Scheme.IO)
    assert {name: prf.support for name, prf in scores.types.items()} == {"B": 1, "ORG": 1, "PER": 0}
    assert scores.micro.f1 == pytest.approx(1 / 2)


def test_sides_in_different_schemes_compare_by_meaning() -> None:
    sides = [["I-PER", "I-PER", "O"]], [["B-PER", "E-PER", "O"]]
    scores = score(*sides, Scheme.IOB1, Scheme.BIOES)
    assert (scores.micro.f1, scores.accuracy) == (1, 1)
    assert score(*sides, Scheme.IOB1).accuracy == pytest.approx(1 / 3)


@pytest.mark.parametrize("label", ["micro avg", "macro avg", "weighted avg", ":micro avg"])
def test_a_type_named_like_an_average_has_its_own_score(label: str) -> None:
    scores = score([[f"B-{label}", "B-PER", "B-PER"]], [[f"B-{label}", "O", "O"]], Scheme.IOB2)
    assert scores.types == {label: PRF(1, 1, 1, 1), "PER": PRF(0, 0, 0, 2)}
    assert scores.micro == PRF(1, pytest.approx(1 / 3), pytest.approx(1 / 2), 3)
    assert scores.macro == PRF(1 / 2, 1 / 2, 1 / 2, 3)


@pytest.mark.parametrize("tags", [[], [[]], [["O", "O"]]])
def test_nothing_to_find_and_nothing_found_scores_zero_without_warnings(tags: list[list[str]]) -> None:
    scores = score(tags, tags, Scheme.IOB2)
    assert (scores.micro, scores.macro, scores.types) == (PRF(), PRF(), {})
    assert scores.accuracy == (1.0 if any(tags) else None)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("gold", "predicted", "support"), [("B-X", "O", 1), ("O", "B-X", 0), ("B", "I", 1)])
def test_0_of_0_is_0_without_a_warning(gold: str, predicted: str, support: int) -> None:
    scores = score([[gold]], [[predicted]], Scheme.IOB2)
    if gold != "B":  # which both sides have, though they spell it otherwise
        assert scores.micro == scores.macro == PRF(0, 0, 0, support)


def test_entities_of_texts_count_the_texts_unless_other_numbers_are_given() -> None:
    sides: list[set[tuple[int, int, str]]] = [{(0, 3, "PER"), (5, 7, "LOC")}, set()]
    found = score_entities(sides, [{(0, 3, "PER"), (5, 8, "LOC")}, {(1, 2, "PER")}])
    assert found == Scores(
        "entities",
        PRF(1 / 3, 1 / 2, pytest.approx(2 / 5), 2),
        PRF(1 / 4, 1 / 2, pytest.approx(1 / 3), 2),
        {"LOC": PRF(0, 0, 0, 1), "PER": PRF(1 / 2, 1, pytest.approx(2 / 3), 1)},
        None,
        2,
        0,
    )
    given = score_entities(sides, sides, sentences=5, tokens=7)
    assert (given.sentences, given.tokens) == (5, 7)
    with pytest.raises(ValueError, match="zip"):
        score_entities(sides, sides[:1])


@given(two_sides(["NOUN", "VERB", "O"]))
def test_plain_tags_match_a_brute_force_count(sides: tuple[Side, Side]) -> None:
    scores = score(*sides, Scheme.PLAIN)
    gold, predicted = [tag for tags in sides[0] for tag in tags], [tag for tags in sides[1] for tag in tags]
    pairs = list(zip(gold, predicted, strict=True))
    assert set(scores.types) == set(gold + predicted)
    for tag, prf in scores.types.items():
        right = pairs.count((tag, tag))
        assert prf.precision == (right / predicted.count(tag) if tag in predicted else 0)
        assert prf.recall == (right / gold.count(tag) if tag in gold else 0)
        assert prf.f1 == pytest.approx(2 * right / (gold.count(tag) + predicted.count(tag)))
    accuracy = sum(g == p for g, p in pairs) / len(pairs) if pairs else 0.0
    assert (scores.headline, scores.headline_name) == (accuracy, "accuracy")
    assert scores.micro.f1 == pytest.approx(accuracy)
    assert (scores.kind, scores.sentences, scores.tokens) == ("tags", len(sides[0]), len(gold))


@pytest.mark.parametrize(("gold", "predicted"), [([["O"]], []), ([["O"], ["O", "O"]], [["O"], ["O"]])])
def test_sides_of_different_length_are_refused(gold: list[list[str]], predicted: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="shorter"):
        score(gold, predicted, Scheme.IOB2)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([], "dev.conll: no sentences"),
        ([Sentence([], [])], "dev.conll: no sentences"),
        ([Sentence(["a"], ["O"]), Sentence(["b"], place="dev.conll:3")], "dev.conll:3: no gold tags"),
    ],
    ids=["empty", "no tokens", "no tags"],
)
def test_gold_data_without_tokens_or_tags_are_refused(sentences: list[Sentence], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        gold_tags(sentences, "dev.conll")


def test_gold_tags_of_no_named_source_are_those_of_the_gold_data() -> None:
    with pytest.raises(UserError, match=r"^gold data: no sentences"):
        gold_tags([])
    with pytest.raises(UserError, match=r"^gold data: no gold tags"):
        gold_tags([Sentence(["a"])])


def test_gold_tags_are_those_of_each_sentence() -> None:
    assert gold_tags([Sentence([], []), Sentence(["a", "b"], ["B-X", "O"])]) == [[], ["B-X", "O"]]


@pytest.mark.parametrize(
    ("scheme", "tags", "expected"),
    [
        (Scheme.BILOU, "B-X I-X L-X U-Y O", "B-X I-X E-X S-Y O"),
        (Scheme.BIOES, "B-X I-X E-X S-Y O", "B-X I-X E-X S-Y O"),
        (Scheme.IO, "ORG B O I-X", "I-ORG I-B O I-X"),
        (Scheme.IOB2, "B I O B-X", "B-_ I-_ O B-X"),
        (Scheme.BILOU, "U L", "S-_ E-_"),
        (Scheme.IOB2, "B-X X-Y", "B-X I-X-Y"),
    ],
)
def test_readable_tags_begin_with_letters_that_seqeval_knows(scheme: Scheme, tags: str, expected: str) -> None:
    assert readable_tags(tags.split(), scheme) == expected.split()


def test_seqeval_is_imported_only_when_entities_are_scored() -> None:
    code = (
        "import sys, tagger.evaluation.prediction_files, tagger.evaluation.running_text, tagger.evaluation.report\n"
        "from tagger.evaluation.scores import score; from tagger.corpus.schemes import Scheme\n"
        "score([['NOUN']], [['VERB']], Scheme.PLAIN)\n"
        "assert 'seqeval' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
