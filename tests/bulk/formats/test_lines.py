"""Writers give what was tagged, whatever characters it holds."""

from __future__ import annotations

import io
import json
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk.formats.html import HtmlPage
from tagger.bulk.formats.lines import WriteOptions, conll_lines, json_field, json_line
from tagger.corpus.document import Document
from tagger.corpus.readers.account import ReadReport
from tagger.corpus.readers.columns import columns_from
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer, split_text

_ANY_TEXT = st.text(st.characters())  # lone surrogates, NUL and other control characters too


def document_of(text: str, tags: list[str], **rest: Any) -> Document:
    sentences = split_text(text, get_tokenizer("whitespace"))
    left = list(tags)
    for sentence in sentences:
        sentence.tags, left = left[: len(sentence)], left[len(sentence) :]
    return Document(text, sentences, **rest)


def written(output_format: str, *documents: Document, **options: Any) -> str:
    if output_format == "html":
        page, counts = HtmlPage(["PER", "LOC"], **options), Counter[str]()
        paragraphs = [page.section(one.source) + page.paragraph(one, counts) for one in documents]
        pieces = [page.head(), *paragraphs, page.end(counts)]
    elif output_format == "conll":
        pieces = list(conll_lines(documents, **options))
    else:
        pieces = [json_line(one, WriteOptions(**options)) for one in documents]
    return b"".join(piece.encode("utf-8") for piece in pieces).decode()


def record_of(*documents: Document, **options: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(written("jsonl", *documents, **options))
    return record


def as_read(fields: dict[str, Any]) -> dict[str, str]:
    return {name: json_field(name, value) for name, value in fields.items()}


ADA = document_of("Ada Lovelace met Bob", ["B-PER", "I-PER", "O", "B-PER"], source="notes/a.txt")


def test_jsonl_has_text_and_entities() -> None:
    assert record_of(ADA) == {
        "text": "Ada Lovelace met Bob",
        "entities": [
            {"start": 0, "end": 12, "label": "PER", "text": "Ada Lovelace"},
            {"start": 17, "end": 20, "label": "PER", "text": "Bob"},
        ],
    }


def test_jsonl_tokens_are_flat_lists() -> None:
    record = record_of(document_of("Ada\nmet Bob", ["B-PER", "O", "B-PER"]), tokens=True)
    assert (record["tokens"], record["tags"]) == (["Ada", "met", "Bob"], ["B-PER", "O", "B-PER"])


def test_jsonl_of_plain_tags_has_tokens_and_tags_and_no_entities() -> None:
    record = record_of(document_of("Ada runs", ["PROPN", "VERB"], plain=True))
    assert record == {"text": "Ada runs", "tokens": ["Ada", "runs"], "tags": ["PROPN", "VERB"]}


def test_jsonl_passes_fields_through_in_their_order() -> None:
    fields = {"id": 1, "body": "x", "text": [1.5, None, {"ü": "\ud800"}], "entities": "old"}
    record = record_of(document_of("x", ["O"], fields=as_read(fields)), text_field="body")
    assert list(record) == ["id", "body", "text", "entities"]
    assert record == {**fields, "entities": []}


def test_jsonl_does_not_change_how_fields_were_written() -> None:
    fields = {"id": '"id":1e999', "a": '"a" : 0.10', "text": '"text":"\\u0078"'}
    line = written("jsonl", document_of("x", ["O"], fields=fields))
    assert line == '{"id":1e999, "a" : 0.10, "text":"\\u0078", "entities": []}\n'


def test_jsonl_replaces_old_tags_where_tokens_were_given() -> None:
    fields = {"tokens": ["Ada", "x"], "tags": ["O", "B-OLD"]}
    record = record_of(Document("Ada x", [Sentence(["Ada", "x"], ["B-PER", "O"])], fields=as_read(fields)))
    assert record["tags"] == ["B-PER", "O"]


def test_jsonl_leaves_unicode_as_it_is() -> None:
    assert "Zoë 北京 😀" in written("jsonl", document_of("Zoë 北京 😀", ["O", "O", "O"]))


@given(text=_ANY_TEXT)
def test_jsonl_of_any_text_reads_back(text: str) -> None:
    line = written("jsonl", Document(text, []))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["text"] == text


def test_conll_is_token_tab_tag_and_an_empty_line() -> None:
    document = document_of("Ada met\nBob", ["B-PER", "O", "B-PER"])
    assert written("conll", document, Document("", []), document_of("x", ["O"])) == (
        "Ada\tB-PER\nmet\tO\n\nBob\tB-PER\n\nx\tO\n\n"
    )


@pytest.mark.parametrize(
    ("token", "expected"),
    [("a\tb", "a\ufffdb"), ("a\r\nb", "a\ufffd\ufffdb"), ("", "\ufffd"), (" ", "\ufffd"), ("New York", "New York")],
)
def test_conll_survives_odd_tokens(token: str, expected: str) -> None:
    assert written("conll", Document("", [Sentence([token], ["O"])])) == f"{expected}\tO\n\n"


@given(sentences=st.lists(st.lists(_ANY_TEXT.filter(lambda token: token != "-DOCSTART-"), min_size=1)))
def test_conll_of_any_tokens_reads_back_with_as_many(sentences: list[list[str]]) -> None:
    document = Document("", [Sentence(tokens, ["O"] * len(tokens)) for tokens in sentences])
    lines = written("conll", document)
    assert lines.count("\n") == len(lines.splitlines()) == sum(len(tokens) + 1 for tokens in sentences)
    read = columns_from(io.BytesIO(lines.encode()), ReadReport("out"))
    assert [len(sentence) for sentence in read] == [len(tokens) for tokens in sentences]


class _Page(HTMLParser):
    """What a reader of the page sees in paragraphs, the labels beside marks apart."""

    def __init__(self) -> None:
        super().__init__()
        self.paragraphs: list[str] = []
        self.marks: list[tuple[str, str]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "p":
            self.paragraphs.append("")
        elif tag == "mark":
            self.marks.append(("", ""))

    def handle_endtag(self, tag: str) -> None:
        while self.tags.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "p" in self.tags and "small" not in self.tags:
            self.paragraphs[-1] += data
        if "mark" in self.tags:
            text, label = self.marks[-1]
            self.marks[-1] = (text, label + data) if "small" in self.tags else (text + data, label)


def page_of(*documents: Document) -> _Page:
    page = _Page()
    page.feed(written("html", *documents))
    page.close()
    return page


def test_html_marks_entities_in_the_whole_text_and_ends_with_a_legend() -> None:
    page = page_of(ADA)
    assert page.paragraphs == ["Ada Lovelace met Bob"]
    assert page.marks == [("Ada Lovelace", "PER"), ("Bob", "PER"), ("PER", "")]


def test_html_has_a_heading_per_source() -> None:
    page = written("html", ADA, document_of("x", ["O"], source="<b>"))
    assert page.count("<h2>") == 2
    assert "<h2>&lt;b&gt;</h2>" in page
    assert page.count("<!DOCTYPE html>") == 1


def test_html_marks_every_token_of_plain_tags() -> None:
    page = page_of(document_of("Ada runs", ["PROPN", "O"], plain=True))
    assert page.marks[:2] == [("Ada", "PROPN"), ("runs", "O")]


def test_html_needs_nothing_else() -> None:
    page = written("html", ADA)
    assert "<script" not in page
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page


@given(text=st.text(st.sampled_from("<>&\"'=/ aA\0\x1b\x85\ud800\u202e")), label=st.sampled_from(["PER", "<i>", '"x']))
def test_html_shows_any_text_and_label_harmlessly(text: str, label: str) -> None:
    document = document_of(text, [f"B-{label}"] * len(text.split()))
    page = page_of(document)
    safe = page.paragraphs[0]
    assert len(safe) == len(text)
    assert all(
        shown in (character, "\ufffd") or ord(shown) >= 0x2400 for shown, character in zip(safe, text, strict=True)
    )
    assert [mark[1] for mark in page.marks[:-1]] == [label] * len(text.split())
    assert not any(ord(character) < 0x20 and character != "\n" for character in written("html", document))


def test_html_of_nothing_is_a_page() -> None:
    assert written("html").endswith("</html>\n")
