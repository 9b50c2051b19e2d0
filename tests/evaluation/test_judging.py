"""What partly labelled sentences cannot judge is left out of scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagger.corpus.dataset import Split
from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import PartialLabels, Sentence
from tagger.errors import UserError
from tagger.evaluation.judging import Judging
from tagger.evaluation.model_scores import evaluate, evaluate_raw, score_split
from tagger.evaluation.report_files import write_report
from tagger.predict import load
from tagger.training.dev_score import dev_scores
from tests.helpers.random_models import NER_TRAIN, POS_TRAIN, random_folder

TOKENS = ["Ada", "Lee", "ran", "far", "to", "Oslo"]


@pytest.mark.parametrize(
    ("gold", "known", "predicted", "judged_gold", "judged", "note"),
    [
        # predictions at unknown tokens are left out, even if they touch only one
        (["B-PER", "I-PER", "B-_", "I-_", "O", "O"], None, ["O", "B-PER", "I-PER", "O", "B-LOC", "O"],
         ["B-PER", "I-PER", "O", "O", "O", "O"], ["O", "O", "O", "O", "B-LOC", "O"],
         "not judged: 2 tokens of unknown label, 1 predicted span at such tokens"),
        # those of labels that were not annotated
        (["B-PER", "I-PER", "O", "O", "O", "O"], {"PER"}, ["B-PER", "O", "O", "O", "O", "B-LOC"],
         ["B-PER", "I-PER", "O", "O", "O", "O"], ["B-PER", "O", "O", "O", "O", "O"],
         "not judged: 1 predicted span of labels that were not annotated there"),
        # neighbours of what is left out stay as they are
        (["O", "O", "O", "B-_", "O", "O"], None, ["B-X", "I-X", "B-X", "B-X", "B-X", "I-X"],
         ["O"] * 6, ["B-X", "I-X", "B-X", "O", "B-X", "I-X"],
         "not judged: 1 token of unknown label, 1 predicted span at such tokens"),
    ],
)  # fmt: skip
def test_spans(
    gold: list[str], known: set[str] | None, predicted: list[str], judged_gold: list[str], judged: list[str], note: str
) -> None:
    judging = Judging(Scheme.IOB2)
    sentence = Sentence(TOKENS, gold, partial=PartialLabels(known and frozenset(known)))
    found = judging.predicted(sentence, Sentence(TOKENS, predicted, scores=[0.5] * 6))
    assert judging.gold(sentence).tags == judged_gold
    assert judging.gold(sentence).partial is None
    assert found.tags == judged
    assert found.scores == [0.5] * 6
    assert sentence.tags == gold
    other = Judging(Scheme.IOB2)
    other.gold(sentence)
    other.predicted_tags(sentence, predicted)
    assert other.notes() == [note]


def test_plain_tokens_of_unknown_tag_are_left_out() -> None:
    judging = Judging(Scheme.PLAIN)
    sentence = Sentence(["a", "b", "c"], ["NOUN", "_", "VERB"], partial=PartialLabels())
    found = judging.predicted(sentence, Sentence(["a", "b", "c"], ["NOUN", "NOUN", "X"], scores=[0.1, 0.2, 0.3]))
    judged = judging.gold(sentence)
    assert (judged.tokens, judged.tags) == (["a", "c"], ["NOUN", "VERB"])
    assert (found.tokens, found.tags, found.scores) == (["a", "c"], ["NOUN", "X"], [0.1, 0.3])
    assert judging.notes() == ["not judged: 1 token of unknown label"]


def test_complete_sentences_stay_the_same_objects() -> None:
    judging = Judging(Scheme.IOB2)
    sentence, found = Sentence(["a"], ["B-_"]), Sentence(["a"], ["B-X"])
    assert judging.gold(sentence) is sentence
    assert judging.predicted(sentence, found) is found
    assert judging.notes() == []


def test_the_dev_score_leaves_out_what_cannot_be_judged() -> None:
    dev = [
        Sentence(
            TOKENS, ["B-PER", "I-PER", "O", "B-_", "O", "B-LOC"], partial=PartialLabels(frozenset({"PER", "LOC"}))
        ),
        Sentence(["Bo"], ["B-PER"]),
    ]
    predicted = {0: ["B-PER", "E-PER", "S-MISC", "S-LOC", "O", "S-LOC"], 1: ["S-PER"]}
    assert dev_scores(dev, Scheme.IOB2, predicted).headline == 1
    wrong = {**predicted, 0: ["B-PER", "E-PER", "S-LOC", "S-LOC", "O", "S-LOC"]}
    assert dev_scores(dev, Scheme.IOB2, wrong).headline == pytest.approx(2 * 3 / (3 + 4))


def test_the_dev_accuracy_leaves_out_tokens_of_unknown_tag() -> None:
    dev = [Sentence(["a", "b", "c"], ["NOUN", "_", "VERB"], partial=PartialLabels())]
    assert dev_scores(dev, Scheme.PLAIN, {0: ["NOUN", "X", "X"]}).headline == 0.5


def partly(sentences: list[Sentence], plain: bool) -> list[Sentence]:
    """The first tag of each is unknown."""
    found = []
    for sentence in sentences:
        tags = list(sentence.tags or [])
        tags[:1] = ["_" if plain else "B-_"] if tags else []
        found.append(Sentence(sentence.tokens, tags, partial=PartialLabels()))
    return [sentence for sentence in found if len(sentence)]


@pytest.mark.parametrize("plain", [False, True])
def test_reports_and_scores_judge_the_same(tmp_path: Path, plain: bool) -> None:
    folder = random_folder(scheme=Scheme.PLAIN if plain else Scheme.BIOES)
    folder.save(tmp_path / "model", "")
    model = load(tmp_path / "model")
    scheme = Scheme.PLAIN if plain else Scheme.IOB2
    sentences = partly(POS_TRAIN if plain else NER_TRAIN, plain)
    split = Split("test", sentences, scheme, [])
    found = evaluate(model, split, {})
    assert found.report.scores == score_split(model, split)
    assert any(warning.startswith("not judged: ") for warning in found.report.warnings)
    written = write_report(tmp_path / "report", found)
    assert json.loads((tmp_path / "report" / "report.json").read_text())["warnings"] == list(written.warnings)
    if plain:
        assert found.report.scores.tokens == sum(map(len, sentences)) - len(sentences)
    else:
        first = sum(span.start == 0 for tags in found.predicted for span in spans_from_tags(tags))
        assert first == 0
        with pytest.raises(UserError, match="test: its labels are only partly known; score it with input=tokens"):
            evaluate_raw(model, split, {})
