"""spaCy's training data."""

import json
from pathlib import Path

import pytest

from tagger.corpus.entities import entities
from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.spacy_docs import read_spacy
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError

SYNTOK = get_tokenizer("syntok")


def read(path: Path, on_error: OnError = OnError.STOP) -> tuple[list[Sentence], ReadReport]:
    report = ReadReport(str(path), on_error)
    return list(read_spacy(path, report, tokenizer=SYNTOK)), report


@pytest.mark.parametrize("attrs", [None, ["ORTH", "ENT_IOB", "ENT_TYPE", "SENT_START"]])
@pytest.mark.parametrize("split", [True, False])
def test_a_docbin_gives_what_spacy_put_in(tmp_path: Path, attrs: list[str] | None, split: bool) -> None:
    spacy = pytest.importorskip("spacy")
    tokens = pytest.importorskip("spacy.tokens")
    pipeline = spacy.blank("en")
    if split:
        pipeline.add_pipe("sentencizer")
    texts = ["Ada 😀 Lovelace left.  She\nsaw New York.", "", "Nothing here"]
    docs = [pipeline(text) for text in texts]
    docs[0].ents = [
        tokens.Span(docs[0], number, end, label) for number, end, label in [(0, 1, "PER"), (2, 3, "X"), (9, 11, "LOC")]
    ]
    bins = tokens.DocBin(docs=docs) if attrs is None else tokens.DocBin(attrs=attrs, docs=docs)
    path = tmp_path / "a.spacy"
    bins.to_disk(path)
    found, report = read(path)
    assert [(one.text, one.label, one.start) for sentence in found for one in entities(sentence)] == [
        (one.text, one.label_, one.start_char) for one in docs[0].ents
    ]
    assert [token for sentence in found for token in sentence.tokens] == [
        token.text for doc in docs for token in doc if not token.is_space
    ]
    assert found[0].text == texts[0]
    assert [sentence.document for sentence in found] == ["1", "1", "3"]
    assert report.lines.read == 3


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_list_of_texts_with_entities(tmp_path: Path, wrapped: bool) -> None:
    pairs = [["Ada met Bo", {"entities": [[0, 3, "PER"]]}], None, ["Al ran", {"entities": []}]]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"classes": ["PER"], "annotations": pairs} if wrapped else pairs))
    found, report = read(path)
    assert [sentence.tags for sentence in found] == [["B-PER", "O", "O"], ["O", "O"]]
    assert report.skipped == {"texts that nobody annotated": 1}
    assert report.lines.read == 3


@pytest.mark.parametrize("content", [b"\x78\x9cxx", b"\x78\x9c\x03\x00\x00\x00\x00\x01", b"[1", b"{}", b"7", b""])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.spacy"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"take a .spacy file, or a JSON list"):
        read(path)
