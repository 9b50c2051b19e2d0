"""Test the report's plots and tables for empty groups and for models without pretrained vectors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.evaluation.assessment import Background, assess
from tagger.evaluation.page import score_plots
from tagger.evaluation.page.plots import Plot
from tagger.evaluation.training_overlap import TrainingKnowledge, training_mentions, training_words

TRAIN = [Sentence(["Ada", "met", "Bo", "in", "Lima"], ["B-PER", "O", "B-PER", "O", "B-LOC"])]
TEST = [Sentence(["Ada", "met", "Cy"], ["B-PER", "O", "B-PER"]), Sentence(["Lima", "and", "Ada"], ["O", "O", "O"])]
PREDICTED = [["B-PER", "O", "O"], ["O", "O", "B-LOC"]]


def drawn(*, vectors: bool) -> dict[str, Plot]:
    """Draw the plots of overlap with training. One of the two gold entities is found."""
    known = TrainingKnowledge(training_words(TRAIN), vectors, training_mentions(TRAIN), "the train split")
    report = assess(TEST, PREDICTED, Scheme.IOB2, {}, Background(training=known)).report
    return {plot.name: plot for plot in score_plots.seen(report)}


def test_a_group_that_the_gold_data_lack_has_no_f1_and_no_dot() -> None:
    plot = drawn(vectors=True)["mentions"]
    rows = {row[0]: row[1:] for row in plot.rows}
    assert rows["seen, other type"] == ["0.0", "–", "–", "–", "0", "1"], "Ada was predicted to be a place"
    assert rows["not seen"][:3] == ["0.0", "0.0", "0.0"], "one was there to be found"
    assert "not seen (1)" in plot.svg
    assert "seen, other type" not in plot.svg


def test_a_group_that_nothing_is_in_has_no_scores() -> None:
    rows = {row[0]: row[1:] for row in drawn(vectors=True)["words"].rows}
    assert rows["without vector"] == ["–", "–", "–", "–", "0", "0"]


@pytest.mark.parametrize(
    ("vectors", "named"),
    [
        (True, ["known words", "new, with vector", "without vector", "new, without vector"]),
        (False, ["known words", "new words"]),
    ],
)
def test_without_vectors_no_word_is_said_to_have_one(vectors: bool, named: list[str]) -> None:
    plots = drawn(vectors=vectors)
    assert [row[0] for row in plots["words"].rows] == named
    assert [row[0] for row in plots["tokens"].rows] == named[:2]


def test_without_a_group_that_anything_is_in_there_is_no_picture() -> None:
    known = TrainingKnowledge(training_words(TRAIN), False, training_mentions(TRAIN), "the train split")
    plain = [replace(sentence, tags=["O"] * len(sentence)) for sentence in TEST]
    report = assess(plain, [["O", "O", "O"]] * 2, Scheme.IOB2, {}, Background(training=known)).report
    assert [plot.name for plot in score_plots.seen(report)] == ["tokens"]
