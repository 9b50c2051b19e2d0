"""BRAT's standoff."""

from pathlib import Path

import pytest

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.brat import read_brat
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError

SYNTOK = get_tokenizer("syntok")
TEXT = "Ada 😀 met Bo\r\nin New York."
ANN = "T1\tPER 0 3\tAda\nT2\tPER 10 12\tBo\nT3\tLOC 17 25\tNew York\n"


def read(path: Path, on_error: OnError = OnError.STOP) -> tuple[list[Sentence], ReadReport]:
    report = ReadReport(str(path), on_error)
    return list(read_brat(path, report, tokenizer=SYNTOK)), report


def write(folder: Path, name: str, text: str = TEXT, annotations: str | None = ANN) -> Path:
    path = folder / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    if annotations is not None:
        path.with_suffix(".ann").write_bytes(annotations.encode())
    return path


def test_a_folder_is_read_in_order_and_each_text_is_a_document(tmp_path: Path) -> None:
    write(tmp_path, "b/one", "Al ran.", "T1\tPER 0 2\tAl\n")
    write(tmp_path, "a")
    write(tmp_path, "c", annotations=None)
    found, report = read(tmp_path)
    assert [sentence.document for sentence in found] == ["a", "b/one"]
    assert [tag for tag in found[0].tags or [] if tag != "O"] == ["B-PER", "B-PER", "B-LOC", "I-LOC"]
    assert report.skipped == {"texts without annotations": 1}
    assert (report.lines.kept, report.lines.rejected) == (2, 1)


@pytest.mark.parametrize("suffix", [".txt", ".ann"])
def test_a_file_stands_for_its_pair(tmp_path: Path, suffix: str) -> None:
    (sentence,), _ = read(write(tmp_path, "a").with_suffix(suffix))
    assert sentence.document == "a"


def test_what_is_no_entity_is_counted(tmp_path: Path) -> None:
    more = "R1\tx Arg1:T1 Arg2:T2\nE1\tx:T1\nA1\tx T1\nM1\tx T1\nN1\tx T1\n#1\tNote T1\tx\n*\tEquiv T1 T2\n"
    more += "T9\tPER 0 3;10 12\tAda Bo\n"
    (sentence,), report = read(write(tmp_path, "a", annotations=ANN + more))
    assert (sentence.tags or []).count("B-PER") == 2
    assert report.ignored == {
        **{"relations": 2, "events": 1, "attributes": 2, "normalisations": 1, "notes": 1},
        "entities of several fragments": 1,
    }


def test_fragments_that_a_line_end_parts_are_one_entity(tmp_path: Path) -> None:
    (sentence,), report = read(write(tmp_path, "a", "New\nYork", "T1\tLOC 0 3;4 8\tNew York\n"))
    assert (sentence.tags, report.ignored) == (["B-LOC", "I-LOC"], {})


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        ("T1\tPER 0 2\tAda\n", r"characters 0-2 are 'Ad', not 'Ada'; correct the offsets"),
        ("T1\tPER 0\tAda\n", r"line 1: expected T1, TAB, label"),
        (f"T1\tPER 0 {'9' * 50}\tAda\n", r"line 1: offsets that are too long"),
        ("T1\tPER 0 3\tAda\nT2\tX 0 3\tAda\n", r"overlap; keep one of them, or set data.overlap"),
    ],
)
def test_faults_stop_or_are_counted(tmp_path: Path, annotations: str, problem: str) -> None:
    write(tmp_path, "a", annotations=annotations)
    write(tmp_path, "b")
    with pytest.raises(UserError, match=problem):
        read(tmp_path)
    found, report = read(tmp_path, OnError.SKIP)
    assert ([sentence.document for sentence in found], report.sentences.rejected) == (["b"], 1)


def test_an_empty_folder_and_a_missing_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no .txt file in this folder"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"no such file"):
        read(write(tmp_path, "a", annotations=None))
