"""DocRED's JSON: sentences with mentions as tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tagger.corpus.dataset import DataConfig, load_split
from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.docred import read_docred
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError

SENTENCES = [["Ada", "Lee", "left", "New", "York", "."], ["She", "sang", "."]]


def mention(sentence: int, start: int, end: int, label: str) -> dict[str, Any]:
    return {"name": "a name", "sent_id": sentence, "pos": [start, end], "type": label}


def document(*entities: list[dict[str, Any]], **others: Any) -> dict[str, Any]:
    return {"title": "Ada Lee", "sents": SENTENCES, "vertexSet": list(entities), **others}


ADA, YORK = mention(0, 0, 2, "PER"), mention(0, 3, 5, "LOC")


def read(folder: Path, *documents: Any, on_error: OnError = OnError.STOP) -> tuple[list[Sentence], ReadReport]:
    path = folder / "docred.json"
    path.write_text(json.dumps(list(documents)))
    report = ReadReport(str(path), on_error)
    return list(read_docred(path, report)), report


def test_mentions_become_tags_and_the_title_the_document(tmp_path: Path) -> None:
    sentences, report = read(tmp_path, document([YORK], [ADA, mention(1, 0, 1, "PER")]))
    assert [sentence.tokens for sentence in sentences] == SENTENCES
    assert [sentence.tags for sentence in sentences] == [
        ["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O"],
        ["B-PER", "O", "O"],
    ]
    assert {sentence.document for sentence in sentences} == {"Ada Lee"}
    assert sentences[1].place.endswith("docred.json:document 1, sentence 1")
    assert (report.sentences.kept, report.lines.kept) == (2, 1)
    assert not report.places


@pytest.mark.parametrize(
    ("mentions", "tags", "left_out"),
    [
        ([ADA, ADA], ["B-PER", "I-PER", "O", "O", "O", "O"], 0),
        ([mention(0, 1, 2, "PER"), ADA], ["B-PER", "I-PER", "O", "O", "O", "O"], 1),
        ([mention(0, 0, 2, "ORG"), ADA], ["B-ORG", "I-ORG", "O", "O", "O", "O"], 1),
        ([mention(0, 1, 3, "X"), mention(0, 2, 5, "Y"), ADA], ["B-PER", "I-PER", "B-Y", "I-Y", "I-Y", "O"], 1),
        ([mention(0, 0, 1, "X"), mention(0, 1, 2, "X"), mention(0, 0, 6, "W")], ["B-W", *["I-W"] * 5], 2),
    ],
)
def test_of_overlapping_mentions_the_longest_is_kept(
    tmp_path: Path, mentions: list[dict[str, Any]], tags: list[str], left_out: int
) -> None:
    sentences, report = read(tmp_path, document(mentions))
    assert sentences[0].tags == tags
    assert len(report.places) == left_out
    assert all("overlaps another; left out" in place for place in report.places)
    assert (report.sentences.repaired, report.sentences.kept) == ((1, 1) if left_out else (0, 2))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("a text", "expected a document"),
        (document(title=3), "title: expected text, found 3"),
        (document(sents=[]), "sents: expected a list of sentences"),
        (document(sents=[["a"], []]), r"sents\[1\]: expected a list of tokens"),
        (document(sents=[["a", 1]]), r"sents\[0\]: expected a list of tokens"),
        (document(sents=[["\ud800"]]), "half a surrogate pair"),
        (document(vertexSet=None), "vertexSet: expected a list of entities"),
        (document(vertexSet=[{}]), "vertexSet: expected a list of entities"),
        (document(["x"]), r"vertexSet\[0\]: expected a mention"),
        (document([mention(2, 0, 1, "X")]), "sent_id 2 is none of the 2 sentences"),
        (document([mention(-1, 0, 1, "X")]), "sent_id -1 is none of"),
        (document([mention(True, 0, 1, "X")]), "sent_id True is none of"),
        (document([mention(0, 0, 7, "X")]), r"pos \[0, 7\] is not inside the 6 tokens of sentence 0"),
        (document([mention(0, 1, 1, "X")]), r"pos \[1, 1\] is not inside"),
        (document([{**ADA, "pos": [0]}]), r"pos \[0\]: expected the first token"),
        (document([{**ADA, "pos": "01"}]), "pos '01': expected the first token"),
        (document([{**ADA, "type": " "}]), "expected a type, found ' '"),
        (document([{**ADA, "type": "a\tb"}]), "control character"),
    ],
)
def test_a_malformed_document_is_named_or_skipped(tmp_path: Path, wrong: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"docred.json:document 2: .*{message}"):
        read(tmp_path, document([ADA]), wrong)
    sentences, report = read(tmp_path, document([ADA]), wrong, document([YORK]), on_error=OnError.SKIP)
    assert len(sentences) == 4
    assert (report.sentences.kept, report.sentences.rejected) == (4, 1)
    assert (report.lines.kept, report.lines.rejected) == (2, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "no JSON"), ("{}", "expected a list of documents, found dict"), ("[" * 100_000, "nested too deeply")],
)
def test_another_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(UserError, match=f"other.json: {message}.*; take a file of DocRED"):
        list(read_docred(path, ReadReport(str(path))))


def test_data_settings_read_it(tmp_path: Path) -> None:
    read(tmp_path, document([ADA]))
    config = DataConfig(format="docred", dir=str(tmp_path), test="docred.json")
    assert load_split(config, "test").labels() == {"PER": 1}
