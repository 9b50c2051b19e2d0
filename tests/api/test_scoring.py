"""`tagger.evaluate` and `tagger.compare`: sides of several kinds, and mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

import tagger
from tagger import Document, Sentence, UserError

GOLD = [["B-PER", "I-PER", "O"], ["B-LOC"]]
FOUND = [["B-PER", "I-PER", "O"], ["B-ORG"]]
WORDS = [["Ada", "Lovelace", "met"], ["London"]]


def sentences(tags: list[list[str]]) -> list[Sentence]:
    return [Sentence(words, one) for words, one in zip(WORDS, tags, strict=True)]


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [(GOLD, FOUND), (sentences(GOLD), FOUND), (GOLD, [Document("", sentences(FOUND))])],
)
def test_sides_may_be_tags_sentences_or_documents(gold: object, predicted: object) -> None:
    report = tagger.evaluate(gold, predicted)  # type: ignore[arg-type]
    assert (report.precision, report.recall, report.f1) == (0.5, 0.5, 0.5)
    assert {name: one.support for name, one in report.labels.items()} == {"PER": 1, "LOC": 1, "ORG": 0}


def test_plain_tags_are_compared_token_by_token() -> None:
    report = tagger.evaluate([["DET", "NOUN"]], [["DET", "VERB"]])
    assert report.accuracy == 0.5
    assert report.scores.kind == "tags"


def test_schemes_may_differ() -> None:
    assert tagger.evaluate([["B-PER", "I-PER", "O"]], [["B-PER", "E-PER", "O"]]).f1 == 1


@pytest.mark.extended
def test_the_report_shows_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = tagger.evaluate(sentences(GOLD), sentences(FOUND))
    report.show()
    assert "micro avg" in capsys.readouterr().out
    assert "Lovelace" in report.to_html()
    assert report.to_dict()["headline"]["value"] == 0.5
    report.save(tmp_path / "report")
    assert (tmp_path / "report" / "report.html").exists()
    assert report._repr_html_().startswith("<pre>")


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([], [], "gold: no sentence"),
        ("B-PER", GOLD, "gold: expected a list with the tags of each sentence, got a str"),
        (3, GOLD, "gold: expected a list with the tags of each sentence, got a int"),
        (["B-PER"], ["B-PER"], "gold 1: expected a list of tags"),
        ([[1]], [["O"]], "gold 1: expected a list of tags"),
        (GOLD, GOLD[:1], "predicted: 1 sentences, but gold has 2"),
        (GOLD, [["O"], ["O"]], "sentence 1: 1 predicted tags, but 3 gold ones"),
        (sentences(GOLD), [Sentence(["x", "y", "z"], ["O"] * 3), Sentence(["London"], ["O"])], "sentence 1: gold and"),
        ([Sentence(["x"])], [["O"]], "gold 1: a sentence without tags"),
    ],
)
def test_a_mistake_is_a_line(gold: object, predicted: object, message: str) -> None:
    with pytest.raises(UserError) as raised:
        tagger.evaluate(gold, predicted)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)


@pytest.mark.extended
def test_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder, predicted in zip(folders, (GOLD, FOUND), strict=True):
        tagger.evaluate(sentences(GOLD), sentences(predicted)).save(folder)
    found = tagger.compare(folders)
    assert [(one.name, one.mean) for one in found.systems] == [("a", 1.0), ("b", 0.5)]
    assert [(one.better, one.worse) for one in found.differences] == [(0, 1)]
    found.show()
    assert "difference" in capsys.readouterr().out
    assert "<html" in found.to_html()
    found.save(tmp_path / "compared")
    assert (tmp_path / "compared" / "compare.html").exists()


@pytest.mark.parametrize(
    ("runs", "message"), [("runs/a", "compare: expected a list of folders, got a str"), ([], "compare: expected two")]
)
def test_a_mistake_in_runs_is_a_line(runs: object, message: str) -> None:
    with pytest.raises(UserError) as raised:
        tagger.compare(runs)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)
