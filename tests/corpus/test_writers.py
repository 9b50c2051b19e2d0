"""Formats that are written: what is read back is what was written."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.corpus.dataset import load_split
from tagger.corpus.dataset_config import DataConfig
from tagger.corpus.document import Document
from tagger.corpus.entities import entities
from tagger.corpus.schemes import tags_from_spans
from tagger.corpus.sentence import Sentence, Span
from tagger.corpus.tokenizers import split_text, whitespace
from tagger.corpus.writers import OUTPUT_STYLES, WriteNames, documents_of, written
from tagger.errors import UserError

WORDS = st.sampled_from(["Ada", "é😀x", "👩‍🚒", "北京", "e\u0301", "x", "…", "𝒳"])
GAPS = st.sampled_from([" ", "  ", "\n", "\r\n", "\t"])
LABELS = st.sampled_from(["PER", "a-b", "é"])


@st.composite
def labelled(draw: st.DrawFn) -> Document:
    """A text with spans over whole words, also across lines."""
    pieces = draw(st.lists(st.tuples(WORDS, GAPS), min_size=1, max_size=8))
    text = "".join(word + gap for word, gap in pieces[:-1]) + pieces[-1][0]
    offsets, position = [], 0
    for word, gap in pieces:
        offsets.append((position, position + len(word)))
        position += len(word + gap)
    spans, place = [], 0
    while place < len(offsets):
        length = draw(st.integers(0, 3))
        if length:
            spans.append(Span(place, min(place + length, len(offsets)), draw(LABELS)))
        place += max(1, length)
    tokens = [text[start:end] for start, end in offsets]
    return Document(text, [Sentence(tokens, tags_from_spans(spans, len(tokens)), text=text, offsets=offsets)])


def read_back(folder: Path, content: str, style: str) -> list[Document]:
    path = folder / "written"
    path.write_bytes(content.encode())
    preset = {"conll": "columns", "doccano": "jsonl", "prodigy": "jsonl"}.get(style, style)
    names = dict.fromkeys(("train", "dev", "test"), str(path))
    config = DataConfig.from_mapping({"format": preset, "tokenizer": "whitespace", "header": "none", **names})
    return list(documents_of(load_split(config, "train").sentences))


@pytest.mark.parametrize("style", ["labelstudio", "doccano", "spacy"])
@settings(max_examples=40)
@given(documents=st.lists(labelled(), min_size=1, max_size=3))
def test_texts_and_spans_come_back(
    tmp_path_factory: pytest.TempPathFactory, style: str, documents: list[Document]
) -> None:
    found = read_back(tmp_path_factory.getbasetemp(), "".join(written(documents, style)), style)
    assert [(one.text, one.entities) for one in found] == [(one.text, one.entities) for one in documents]


@pytest.mark.parametrize("style", ["prodigy", "jsonl", "conll", "csv"])
@settings(max_examples=40)
@given(documents=st.lists(labelled(), min_size=1, max_size=3))
def test_tokens_and_tags_come_back(
    tmp_path_factory: pytest.TempPathFactory, style: str, documents: list[Document]
) -> None:
    found = read_back(tmp_path_factory.getbasetemp(), "".join(written(documents, style)), style)
    sentences = [one for document in documents for one in document.sentences]
    again = [one for document in found for one in document.sentences]
    assert [(one.tokens, one.tags) for one in again] == [(one.tokens, one.tags) for one in sentences]


@settings(max_examples=40)
@given(document=labelled())
def test_older_label_studio_counted_in_utf16(tmp_path_factory: pytest.TempPathFactory, document: Document) -> None:
    (task,) = json.loads("".join(written([document], "labelstudio")))
    ambiguous = True  # if the offsets fit as characters, too, they are read as such
    for result in task["annotations"][0]["result"]:
        value = result["value"]
        for end in ("start", "end"):
            value[end] = len(document.text[: value[end]].encode("utf-16-le")) // 2
        inside = value["end"] <= len(document.text)
        ambiguous &= inside and document.text[value["start"] : value["end"]] == value["text"]
    (found,) = read_back(tmp_path_factory.getbasetemp(), json.dumps([task]), "labelstudio")
    assert ambiguous or found.entities == document.entities


def test_predictions_have_scores_and_the_model(tmp_path: Path) -> None:
    sentence = Sentence(["Bo", "met"], ["B-PER", "O"], text="Bo met", offsets=[(0, 2), (3, 6)], scores=[0.12345, None])
    document = Document("Bo met", [sentence])
    names = WriteNames(predicted=True, model="m", from_name="ner", to_name="t")
    (task,) = json.loads("".join(written([document], "labelstudio", names)))
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"], task["data"]) == ("m", 0.1235, {"text": "Bo met"})
    (result,) = prediction["result"]
    assert (result["from_name"], result["to_name"], result["score"]) == ("ner", "t", 0.1235)
    record = json.loads("".join(written([document], "doccano", names)))
    assert record == {"text": "Bo met", "label": [[0, 2, "PER"]], "scores": [0.1235]}
    record = json.loads("".join(written([document], "prodigy", names)))
    assert record["spans"] == [
        {"start": 0, "end": 2, "token_start": 0, "token_end": 0, "label": "PER", "score": 0.1235}
    ]
    assert "".join(written([document], "conll", names)) == "Bo\t0.1235\tB-PER\nmet\t_\tO\n\n"


def test_sentences_of_a_text_are_a_document_again() -> None:
    first, second = (
        split_text(text, whitespace, str(number)) for number, text in enumerate(["Bo met\nAl", "Bo met\nAl"])
    )
    found = list(documents_of([*first, *second, Sentence(["x"]), Sentence(["x"])]))
    assert [len(one.sentences) for one in found] == [2, 2, 1, 1]
    assert [one.text for one in found] == ["Bo met\nAl", "Bo met\nAl", "x", "x"]
    assert not entities(found[2].sentences[0])


@pytest.mark.parametrize("style", OUTPUT_STYLES)
def test_plain_tags_are_refused_where_there_is_no_place_for_them(style: str) -> None:
    documents = [Document("Bo", [Sentence(["Bo"], ["PROPN"])], plain=True)]
    if OUTPUT_STYLES[style].plain:
        assert "PROPN" in "".join(written(documents, style))
    else:
        with pytest.raises(UserError, match="these are plain tags; write conll, csv or jsonl"):
            list(written(documents, style))
