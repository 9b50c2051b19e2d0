"""Test the files that an evaluation writes."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation import report_files
from tagger.evaluation.assessment import Assessment, Background, assess
from tagger.evaluation.markdown import as_markdown, as_table
from tagger.evaluation.prediction_files import read_three_columns
from tagger.evaluation.report import unknown_label_warnings
from tagger.evaluation.report_files import report_page, write_predictions, write_report
from tagger.files import written_whole
from tagger.html import rendering

GOLD = [["B-PER", "I-PER", "O"], ["B-a|b"]]
PREDICTED = [["B-PER", "I-PER", "O"], ["B-LOC"]]
SENTENCES = [Sentence(["Ann", "Lee", "!"], GOLD[0]), Sentence(["x\ty"], GOLD[1])]


@pytest.fixture
def found() -> Assessment:
    scored = {"model": "runs/a_b", "split": "test"}
    return assess(SENTENCES, PREDICTED, Scheme.IOB2, scored, Background(warnings=["a *warning*"]))


def of(gold: list[list[str]], predicted: list[list[str]], scheme: Scheme = Scheme.IOB2) -> Assessment:
    """Assess sentences given as their tags. The words are made up."""
    return assess([Sentence([f"w{n}" for n in range(len(tags))], tags) for tags in gold], predicted, scheme, {})


def test_json_holds_unrounded_fractions_under_the_promised_keys(found: Assessment, tmp_path: Path) -> None:
    write_report(tmp_path / "out", found)
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["format"] == 2
    scores = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2, "predicted": 2, "correct": 1}
    assert report["entities"]["micro"].items() >= scores.items()
    assert report["entities"]["macro"]["f1"] == pytest.approx(1 / 3, abs=1e-15)
    assert report["entities"]["types"]["PER"].items() >= {"precision": 1.0, "recall": 1.0, "f1": 1.0}.items()
    assert (report["tokens"]["accuracy"], report["tokens"]["count"]) == (0.75, 4)
    assert report["scored"] == {"model": "runs/a_b", "split": "test"}
    assert (report["headline"]["name"], report["headline"]["value"]) == ("micro F1", 0.5)


def test_plain_tags_are_reported_under_tags() -> None:
    report = of([["DT", "NN"]], [["DT", "VB"]], Scheme.PLAIN).report.as_dict()
    assert report["entities"] is None
    assert (report["headline"]["name"], report["headline"]["value"]) == ("accuracy", 0.5)
    assert list(report["tags"]["types"]) == ["DT", "NN", "VB"]


def test_the_printed_table_is_that_of_seqeval(found: Assessment) -> None:
    expected = classification_report(GOLD, PREDICTED, digits=4, zero_division=0).rstrip().splitlines()
    assert expected.pop().startswith("weighted avg")
    table = as_table(found.report.scores).splitlines()
    assert table[: len(expected)] == expected
    assert table[-1].split() == ["accuracy", "0.7500", "4"]


def test_markdown_shows_labels_and_paths_as_they_are(found: Assessment) -> None:
    text = as_markdown(found.report)
    assert text.startswith("# Micro F1 0.5000 (")
    assert "| a\\|b | 0.0000 | 0.0000 | 0.0000 | 0.0000–0.0000 | 1 |" in text
    assert "| model | runs/a\\_b |" in text
    assert "- a \\*warning\\*" in text
    assert "support 0" in text


def test_reports_of_entities_say_how_partners_are_chosen(found: Assessment) -> None:
    plain = of([["DT"]], [["NN"]], Scheme.PLAIN).report
    assert "nervaluate chooses partners for each measure" in as_markdown(found.report)
    assert "nervaluate" not in as_markdown(plain)


def test_a_label_cannot_steer_the_terminal() -> None:
    report = of([["\x1b[2J"]], [["\u202eX"]], Scheme.PLAIN).report
    (warning,) = unknown_label_warnings({"\x1b[2J": 1}, [])
    for shown in (as_table(report.scores), as_markdown(report), warning):
        assert "␛[2J" in shown.replace("\\", "")
        assert not set(shown) & {"\x1b", "\u202e"}


def test_markup_in_a_label_is_escaped() -> None:
    assert "&lt;img src=x&gt;" in as_markdown(of([["B-<img src=x>"]], [["O"]]).report)


def test_tokens_that_would_break_a_line_are_substituted_and_warned_of(found: Assessment, tmp_path: Path) -> None:
    report = write_report(tmp_path, found)
    lines = (tmp_path / "predictions.conll").read_text(encoding="utf-8").split("\n")
    assert lines == ["Ann\tB-PER\tB-PER", "Lee\tI-PER\tI-PER", "!\tO\tO", "", "x␉y\tB-a|b\tB-LOC", "", ""]
    assert report.warnings[0] == "a *warning*"
    assert report.warnings[1].startswith("1 line of predictions.conll")
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["warnings"] == report.warnings


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_without_what_the_page_is_made_with_the_rest_is_written_and_the_page_is_not(
    missing: str, found: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(tmp_path, found)
    assert report_page(tmp_path).name == "report.html"
    monkeypatch.setitem(sys.modules, missing, None)
    rendering._environment.cache_clear()
    report = write_report(tmp_path, found)
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.conll", "report.json", "report.md"}
    assert report_page(tmp_path).name == "report.md"
    assert "pip install 'gru-tagger[report]'" in report.warnings[-1]


words = st.text(st.one_of(st.characters(codec=None), st.sampled_from("\t\n\r\x85\u2028 #-\ud800")), max_size=4)
tags = st.sampled_from(["O", "O", "B-PER", "I-PER", "B-LOC"])


@given(st.lists(st.lists(st.tuples(words, tags, tags), min_size=1, max_size=5), min_size=1, max_size=4))
@settings(deadline=None)
def test_written_predictions_read_back_to_the_same_tags(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[tuple[str, str, str]]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "predictions.conll"
    sentences = [Sentence([word for word, _, _ in row], [gold for _, gold, _ in row]) for row in rows]
    predicted = [[tag for _, _, tag in row] for row in rows]
    with written_whole(path) as stream:
        write_predictions(stream, sentences, predicted)
    aligned = read_three_columns(path)
    assert aligned.gold == [sentence.tags for sentence in sentences]
    assert aligned.predicted == predicted
    assert len(path.read_text(encoding="utf-8").splitlines()) == sum(map(len, rows)) + len(rows)


def test_labels_unknown_to_the_model_are_listed(found: Assessment) -> None:
    assert unknown_label_warnings(found.report.scores.support, {"PER", "LOC"}) == [
        "label a|b: in the gold data 1 time, unknown to the model: counted as missed"
    ]


def test_many_labels_unknown_to_the_model_are_one_warning() -> None:
    gold = {f"L{number}": 2 for number in range(9)} | {"PER": 4, "never": 0}
    assert unknown_label_warnings(gold, {"PER"}, "the dev split") == [
        "9 labels (L0, L1, L2, L3, L4, …): in the dev split 18 times, unknown to the model: counted as missed"
    ]


def test_all_files_are_written_or_none(found: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_report(tmp_path, found)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(report_files, "as_markdown", full)
    with pytest.raises(UserError, match="cannot write: No space left on device"):
        write_report(tmp_path, of(GOLD, [["O", "O", "O"], ["O"]]))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_unwritable_folder_is_one_line(found: Assessment, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_report(tmp_path / "file", found)


def test_lone_surrogates_in_labels_do_not_stop_the_report(tmp_path: Path) -> None:
    write_report(tmp_path, of([["B-\ud800"]], [["B-\ud800"]]))
    assert list(json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["entities"]["types"]) == ["\ud800"]
