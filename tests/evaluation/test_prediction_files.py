"""Test reading predictions of other systems together with the gold file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tagger.corpus.readers.account import ReadReport
from tagger.corpus.readers.columns import columns_from
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.evaluation.assessment import assess
from tagger.evaluation.prediction_files import Aligned, read_aligned, read_three_columns
from tagger.evaluation.scores import score

Read = Callable[[str, str], Aligned]
DATA = Path(os.environ.get("TAGGER_DATA", Path(__file__).parents[3] / "shared" / "data"))
WNUT17 = DATA / "wnut17"
# precision, recall, F1, surface F1 in percent and differing words, from SUBMISSIONS.md beside the files
SUBMISSIONS = {
    "arcada": (47.40, 34.57, 39.98, 37.77, 0),
    "drexel_cci": (50.39, 17.79, 26.30, 25.26, 0),
    "flytxt": (47.92, 31.97, 38.35, 36.31, 0),
    "mic-cis.txt": (40.97, 33.83, 37.06, 34.25, 1283),
    "sjtu_adapt.txt": (50.21, 33.83, 40.42, 37.62, 0),
    "spinningbytes.txt": (47.09, 35.96, 40.78, 39.33, 0),
    "uh_ritual": (57.54, 32.90, 41.86, 40.24, 0),
}


@pytest.fixture
def read(in_tmp_path: Path) -> Read:
    """Write both sides and read them aligned, under the names GOLD and PRED."""

    def read(gold: str, predicted: str) -> Aligned:
        Path("GOLD").write_bytes(gold.encode())
        Path("PRED").write_bytes(predicted.encode())
        return read_aligned(Path("GOLD"), Path("PRED"))

    return read


@pytest.mark.parametrize("name", SUBMISSIONS)
@pytest.mark.skipif(not WNUT17.is_dir(), reason="shared data wnut17 not present")
def test_the_shared_task_submissions_score_as_published(name: str) -> None:
    aligned = read_aligned(WNUT17 / "emerging.test.annotated", WNUT17 / "submissions" / name)
    report = assess(aligned.sentences, aligned.predicted, aligned.scheme, {}).report.as_dict()
    micro = report["entities"]["micro"]
    found = (micro["precision"], micro["recall"], micro["f1"], report["surface"]["f1"])
    assert (*(round(100 * value, 2) for value in found), aligned.differing_words) == SUBMISSIONS[name]
    assert (report["sentences"]["count"], report["tokens"]["count"]) == (1287, 23394)


@pytest.mark.parametrize(
    "predicted",
    [
        "EU\tB-ORG\nsays\tO\n\nno\tO\n",
        "EU B-ORG\r\nsays O\r\n\r\nno O",
        "EU   B-ORG \nsays O\n \t \nno\tO\n\n\n",
        "\ufeffEU NNP B-ORG\nsays VBZ O\n\nno UH O\n",
    ],
    ids=["tabs", "CRLF without final newline", "runs of blanks", "byte-order mark and a column more"],
)
def test_line_ends_separators_and_columns_may_differ(read: Read, predicted: str) -> None:
    aligned = read("EU\t-\tB-ORG\nsays\t-\tO\n\nno\t-\tO\n", predicted)
    assert [sentence.tokens for sentence in aligned.sentences] == [["EU", "says"], ["no"]]
    assert [sentence.place for sentence in aligned.sentences] == ["GOLD:1", "GOLD:4"]
    assert aligned.gold == aligned.predicted == [["B-ORG", "O"], ["O"]]
    assert (aligned.scheme, aligned.differing_words, aligned.warnings) == (Scheme.IOB2, 0, [])


def test_words_may_hold_blanks_where_tabs_part_the_columns(read: Read) -> None:
    aligned = read("New York\tB-LOC\n\u00a0\tO\n# 1\tO\n", "New York\tB-LOC\n\u00a0\tO\n# 1\tO\n")
    assert aligned.sentences[0].tokens == ["New York", "\u00a0", "# 1"]


def test_document_marks_and_comments_are_no_words(read: Read) -> None:
    gold = "# sent_id = 1\n-DOCSTART-\tO\n\nEU\tB-ORG\n\n# sent_id = 2\nno\tO\n"
    aligned = read(gold, "\n\n\nEU\tB-ORG\n\n# x\nno\tO\n")
    assert [sentence.tokens for sentence in aligned.sentences] == [["EU"], ["no"]]


def test_a_line_opens_a_document_where_it_does_for_training(tmp_path: Path) -> None:
    content = b"a\tO\tO\n-DOCSTART- 1\tO\tO\nb\tO\tO\n-DOCSTART-ed\tO\tO\n"
    (tmp_path / "three.conll").write_bytes(content)
    expected = list(columns_from(io.BytesIO(content), ReadReport("x")))
    found = read_three_columns(tmp_path / "three.conll").sentences
    assert [one.tokens for one in found] == [one.tokens for one in expected] == [["a"], ["b", "-DOCSTART-ed"]]


def test_documents_are_separated_by_the_marks_of_the_gold_file(read: Read) -> None:
    gold = "a O\n\n-DOCSTART- O\n\nb O\n\nc O\n\n-DOCSTART- -X- O\n\nd O\n"
    aligned = read(gold, "a O\n\n\n\nb O\n\nc O\n\n\n\nd O\n")
    assert [sentence.document for sentence in aligned.sentences] == [None, "1", "1", "2"]


def test_differing_words_are_counted_and_the_first_is_shown(read: Read) -> None:
    aligned = read("&\tO\ngt\tB-X\n", "&\tO\nget\tB-X\n")
    assert aligned.differing_words == 1
    assert "1 of 2 words differ" in aligned.warnings[0]
    assert "PRED:2: 'get' for 'gt'" in aligned.warnings[0]
    aligned = read("a O\n\nb O\nc B-X\n", "x O\n\nb O\ny B-X\n")
    assert aligned.differing_words == 2
    assert aligned.warnings == [
        "2 of 3 words differ from the gold file (the first at PRED:1: 'x' for 'a'); scored line by line anyway"
    ]


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ("a O\nx O\n", "a O\n\nx O\n", "PRED:2: a blank line where GOLD:2 has the word 'x'; the files must align"),
        ("a O\n\nx O\n", "a O\nx O\n", "GOLD:2: a blank line where PRED:2 has the word 'x'; the files must align"),
        ("a O\nb O\n\nx O\n", "a O\nb O\n\n", "PRED:2: the file ends here, but GOLD:4 has the word 'x'"),
        ("a O\n", "a O\n\n\nx O\n", "GOLD:1: the file ends here, but PRED:4 has the word 'x'"),
        ("a O\n", "O\n", "PRED:1: 1 of 2 columns; expected a word and a tag, separated by blanks"),
        ("a\tO\nb O\n", "a O\nb O\n", "GOLD:2: 1 of 2 columns; expected a word and a tag, separated by a TAB"),
        ("a\tO\n", "a\t\n", "PRED:1: an empty tag column"),
        ("a\tO\n", "a\tB-P\rR\n", "PRED:1: tag or label 'B-P\\rR' holds a control character (U+000D)"),
        ("\n\n", "a O\n", "GOLD: no words"),
        ("a O\n", "", "PRED: no words"),
        ("a O\nb B-X\n", "a DT\nb NN\n", "GOLD: entity tags ('B-X') where PRED has plain tags"),
        ("a DT\nb NN\n", "a O\nb U-X\n", "PRED: entity tags ('U-X') where GOLD has plain tags"),
    ],
)
def test_what_does_not_align_is_refused_with_the_place(read: Read, gold: str, predicted: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        read(gold, predicted)
    assert message in str(error.value)


def test_invalid_bytes_and_missing_files_are_refused(tmp_path: Path) -> None:
    gold, predicted = tmp_path / "gold", tmp_path / "pred"
    gold.write_text("a O\n")
    with pytest.raises(UserError, match="pred: no such file"):
        read_aligned(gold, predicted)
    predicted.write_bytes(b"\xff O\n")
    with pytest.raises(UserError, match="pred:1: invalid UTF-8") as error:
        read_aligned(gold, predicted)
    assert "on_error" not in str(error.value)


def test_plain_tags_align_too(read: Read) -> None:
    aligned = read("a DT\nb NN\n", "a DT\nb VB\n")
    assert aligned.scheme is Scheme.PLAIN
    assert score(aligned.gold, aligned.predicted, aligned.scheme).headline == 0.5


def test_labels_without_prefixes_count_as_entities_if_most_tags_are_outside(read: Read) -> None:
    aligned = read("a PER\nb O\nc O\n", "a PER\nb PER\nc O\n")  # the predictions alone would look like plain tags
    assert aligned.scheme is Scheme.IO
    assert list(score(aligned.gold, aligned.predicted, aligned.scheme).types) == ["PER"]


def test_labels_without_prefixes_beside_gold_tags_that_are_all_outside_are_entities_if_few_in_both(read: Read) -> None:
    assert read("a O\nb O\nc O\n", "a PER\nb PER\nc O\n").scheme is Scheme.IO
    assert read("a O\n", "a NN\n").scheme is Scheme.PLAIN
    assert read("a NN\n", "a O\n").scheme is Scheme.PLAIN


def test_the_separator_is_that_of_the_first_line_that_is_no_comment(read: Read) -> None:
    tabs = "\n# New York\nNew York\tB-LOC\n"
    assert read(tabs, tabs).sentences[0].tokens == ["New York"]
    blanks = "a O\nb\tO\n# O\n"
    assert read(blanks, blanks).sentences[0].tokens == ["a", "b", "#"]


def test_blanks_around_a_tag_are_no_part_of_it(read: Read) -> None:
    aligned = read("a\tB-X \n", "a\t B-X\n")
    assert aligned.gold == aligned.predicted == [["B-X"]]


def test_bare_tags_of_labels_without_prefixes_are_labels(read: Read) -> None:
    aligned = read("a B\nb LOC\nc O\nd O\ne O\n", "a B\nb O\nc O\nd O\ne O\n")
    assert (aligned.scheme, aligned.warnings) == (Scheme.IO, [])


@pytest.mark.parametrize("predicted", ["a B\nb E\nc O\nd O\n", "a B-_\nb E-_\nc O\nd O\n"])
def test_bare_bioes_tags_are_entities_of_one_type_on_either_side(read: Read, predicted: str) -> None:
    aligned = read("a B\nb E\nc O\nd S\n", predicted)
    assert aligned.scheme is Scheme.BIOES
    assert "GOLD: bare tags B, E, S read as spans of one type without a name (_)" in aligned.warnings
    scores = score(aligned.gold, aligned.predicted, aligned.scheme)
    assert {name: prf.support for name, prf in scores.types.items()} == {"_": 2}
    assert (scores.micro.precision, scores.micro.recall, scores.accuracy) == (1.0, 0.5, 0.75)


def test_a_side_without_entities_is_warned_of(read: Read) -> None:
    assert read("a B-X\n", "a O\n").warnings == ["PRED: no entities, every tag is O"]
    assert read("a O\n", "a B-X\n").warnings == ["GOLD: no entities, every tag is O"]


def test_one_file_may_hold_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "three.conll"
    path.write_text("EU NNP B-ORG O\nsays VBZ O O\n\nno UH O B-ORG\n")
    aligned = read_three_columns(path)
    assert (aligned.gold, aligned.predicted) == ([["B-ORG", "O"], ["O"]], [["O", "O"], ["B-ORG"]])
    assert [sentence.tokens for sentence in aligned.sentences] == [["EU", "says"], ["no"]]
    assert [sentence.place for sentence in aligned.sentences] == [f"{path}:1", f"{path}:4"]
    path.write_text("EU B-ORG\n")
    with pytest.raises(
        UserError, match=r"three\.conll:1: 2 of 3 columns; expected a word, its gold tag and its predicted"
    ):
        read_three_columns(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a B O\nb E O\nc O O\n", "three.conll (gold column): bare tags B, E read as spans of one type"),
        ("a O B\nb O E\nc O O\n", "three.conll (predicted column): bare tags B, E read as spans of one type"),
        ("a O B-X\n", "three.conll (gold column): no entities, every tag is O"),
        ("a B-X O\n", "three.conll (predicted column): no entities, every tag is O"),
    ],
)
def test_warnings_name_the_column(in_tmp_path: Path, content: str, message: str) -> None:
    Path("three.conll").write_text(content)
    assert any(warning.startswith(message) for warning in read_three_columns(Path("three.conll")).warnings)


def test_documents_of_a_file_with_both_sides_are_told_apart(in_tmp_path: Path) -> None:
    Path("three.conll").write_text("-DOCSTART- -X- O O\n\na O B-X\n\nb O O\n-DOCSTART- -X- O O\n\nc O O\n")
    found = read_three_columns(Path("three.conll")).sentences
    assert [sentence.document for sentence in found] == ["1", "1", "2"]
