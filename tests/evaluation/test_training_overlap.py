"""Test scores by occurrence in training, the data card and the learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tagger.corpus.dataset import Split
from tagger.corpus.readers.account import ReadReport, Tally
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.evaluation.assessment import Background, assess
from tagger.evaluation.calibration import calibration, reliability
from tagger.evaluation.datacard import Overlap, data_card
from tagger.evaluation.learning_curve import Epoch, read_learning_curve
from tagger.evaluation.training_overlap import TrainingKnowledge, training_mentions, training_words

TRAIN = [
    Sentence(["Ada", "met", "Bo"], ["B-PER", "O", "B-PER"]),
    Sentence(["Paris", "Match", "in", "Bo"], ["B-ORG", "I-ORG", "O", "B-LOC"]),
]


def of_words(words: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Look words up in a vocabulary of the training words. Words in upper case have no vector."""
    return list(training_words(TRAIN)(words)[0]), [not word.isupper() for word in words]


def test_mentions_and_words_fall_into_their_classes() -> None:
    known = TrainingKnowledge(of_words, True, training_mentions(TRAIN), "train")
    gold = [
        (["Ada"], "PER"),  # seen with this type
        (["Paris", "Match"], "PER"),  # seen with another one
        (["Paris"], "LOC"),  # never a mention of its own
        (["New", "Paris"], "LOC"),  # a word was not in training
        (["New", "NY"], "LOC"),  # neither was this one, which has no vector either
    ]
    sentences = [Sentence(words, [f"B-{label}", *[f"I-{label}"] * (len(words) - 1)]) for words, label in gold]
    predicted = [one.tags or [] for one in sentences[:4]] + [["O", "O"]]
    found = assess(sentences, predicted, Scheme.IOB2, {}, Background(training=known)).report.seen
    assert found is not None
    assert {name: one.support for name, one in found.mentions.items()} == {"same_type": 1, "other_type": 1, "new": 3}
    assert {name: one.support for name, one in found.words.items()} == {
        "in_vocabulary": 3,
        "out_of_training": 1,
        "out_of_vectors": 0,
        "out_of_both": 1,
    }
    assert found.words["out_of_both"].recall == 0
    assert found.mentions["new"].recall == pytest.approx(2 / 3)
    assert (found.tokens["in_vocabulary"].count, found.tokens["out_of_training"].count) == (5, 2)
    assert (found.tokens["out_of_both"].count, found.tokens["out_of_both"].accuracy) == (1, 0)
    assert found.tokens["out_of_vectors"].accuracy is None


@pytest.mark.parametrize("word", ["ada", "ADA"])
def test_case_counts_when_mentions_and_words_are_looked_up(word: str) -> None:
    known = TrainingKnowledge(training_words(TRAIN), False, training_mentions(TRAIN), "train")
    found = assess([Sentence([word], ["B-PER"])], [["B-PER"]], Scheme.IOB2, {}, Background(training=known)).report.seen
    assert found is not None
    assert found.mentions["new"].support == 1
    assert found.words["out_of_training"].support == 1


def test_plain_tags_have_scores_of_tokens_only() -> None:
    known = TrainingKnowledge(of_words, True, None, "train")
    sentences = [Sentence(["Ada", "swims"], ["NOUN", "VERB"])]
    found = assess(sentences, [["NOUN", "NOUN"]], Scheme.PLAIN, {}, Background(training=known)).report.seen
    assert found is not None
    assert (found.mentions, found.words) == ({}, {})
    assert [found.tokens[name].accuracy for name in ("in_vocabulary", "out_of_training")] == [1, 0]


def test_the_data_card_counts_repeated_sentences() -> None:
    report = ReadReport("train.conll", sentences=Tally(kept=2, repaired=1, rejected=4))
    train = Split("train", [*TRAIN, TRAIN[0]], Scheme.IOB2, [report], ["a note"])
    same, other = (
        Sentence(["Ada", "met", "Bo"], ["B-PER", "O", "B-PER"]),
        Sentence(["Ada", "met", "Bo"], ["O", "O", "O"]),
    )
    test = Split("test", [same, other, Sentence(["new"], ["O"])], Scheme.IOB2, [])
    card = data_card("set", [train, test])
    assert card.overlaps == [Overlap("test", "train", sentences=2, same_tags=1)]
    first = card.splits["train"]
    assert (first.sentences, first.tokens, first.repeated) == (3, 10, 1)
    assert first.labels == {"LOC": 1, "ORG": 1, "PER": 4}
    assert (first.kept, first.repaired, first.rejected, first.notes) == (2, 1, 4, ["a note"])


def test_learning_is_read_by_epoch_and_what_was_logged_later_counts(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "csv"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(
        "dev_f1,epoch,epoch_loss,loss,lr-AdamW,step,tokens_per_second\n"
        ",,,,0.5,9,\n,0,,1.5,,9,100\n0.25,0,2.5,,,9,\n,,,,0.25,19,\n0.5,1,1.5,,,19,nan\n"
        ",,,,0.125,19,\n0.75,1,1.25,,,19,300\n"
    )
    found = read_learning_curve(tmp_path)
    assert found is not None
    assert found.score_name == "dev_f1"
    assert found.epochs == [Epoch(1, 2.5, 0.25, 0.5, 100), Epoch(2, 1.25, 0.75, 0.125, 300)]


def test_a_run_without_logs_has_no_learning_curve(tmp_path: Path) -> None:
    assert read_learning_curve(tmp_path) is None


def test_calibration_by_hand() -> None:
    right, sure = np.array([1.0, 0, 1, 0]), np.array([0.95, 0.85, 0.85, 0.15])
    found = reliability(sure, right, 2.0)
    assert [(one.count, one.right) for one in found.bins if one.count] == [(1, 0), (2, 0.5), (1, 1)]
    assert found.ece == pytest.approx((0.15 + 2 * 0.35 + 0.05) / 4)
    assert found.log_loss == pytest.approx(-np.log([0.95, 0.15, 0.85, 0.85]).mean())


def test_the_error_is_the_mean_distance_between_probability_and_share_right() -> None:
    scores, right = np.array([0.05, 0.95, 0.95, 1.0, 0.5]), np.array([0, 1, 1, 0, 1.0])
    distances = [(1, abs(0.05 - 0)), (3, abs((0.95 + 0.95 + 1) / 3 - 2 / 3)), (1, abs(0.5 - 1))]
    expected = sum(count * distance for count, distance in distances) / 5
    assert reliability(scores, right, 1.0).ece == pytest.approx(expected)


def test_thresholds_keep_what_is_sure_enough() -> None:
    right, sure = np.array([1.0, 0, 1, 0]), np.array([0.95, 0.85, 0.8, 0.15])
    found = calibration(right, sure, sure, 1.0, gold=4, wanted=(0.4, 0.6, 0.9, 1.0))
    assert found is not None
    for one in found.thresholds:
        kept = sure >= one.threshold
        assert one.kept == kept.sum()
        assert one.precision == pytest.approx(right[kept].mean() if kept.any() else 0)
        assert one.recall == right[kept].sum() / 4
    assert [one.at and one.at.threshold for one in found.wanted] == [0.0, 0.8, 0.95, 0.95]
    worse = calibration(1 - right, sure, sure, 1.0, gold=4, wanted=(0.9,))
    assert worse is not None
    assert worse.wanted[0].at is None


def test_nothing_predicted_leaves_nothing_to_judge() -> None:
    none = np.zeros(0)
    assert calibration(none, none, none, 1.0, gold=3) is None
