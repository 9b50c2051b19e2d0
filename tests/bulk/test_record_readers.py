"""Documents are read whole, in order and unchanged, and what is wrong with input is told in one line."""

from __future__ import annotations

import gzip
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk.record_readers import read_fields, read_records
from tagger.bulk.records import BadRecord, InputFormat, ReadOptions, Record, Unit
from tagger.corpus.document import Document
from tagger.corpus.readers.account import MalformedError
from tagger.corpus.sentence import Entity, Sentence
from tagger.corpus.tokenizers import get_tokenizer, split_text, whitespace
from tagger.errors import UserError

_SPLIT = partial(split_text, tokenizer=whitespace)
_CONLLU_REST = "\t_" * 8


def read(content: bytes | str, kind: str = "text", **options: Any) -> list[Document]:
    raw = content.encode() if isinstance(content, str) else content
    documents = []
    for record in read_records(raw, "in", InputFormat(kind), ReadOptions(**options)):
        if isinstance(record, BadRecord):
            raise UserError(f"in:{record.place}: {record.reason}")
        documents.append(record.document(_SPLIT, "in"))
    return documents


def texts(content: bytes | str, kind: str = "text", **options: Any) -> list[str]:
    return [document.text for document in read(content, kind, **options)]


def tokens(documents: list[Document]) -> list[list[str]]:
    return [sentence.tokens for document in documents for sentence in document.sentences]


def test_every_line_is_a_record_also_an_empty_one() -> None:
    assert texts("a b\r\n\n  \nc\x0bd\u2028e") == ["a b", "", "  ", "c\x0bd\u2028e"]


def test_paragraphs_keep_inner_line_ends_and_lose_blank_lines() -> None:
    content = "\n\na\r\nb\r\n\r\n \nc\n\n"
    assert texts(content, unit=Unit.PARAGRAPH) == ["a\r\nb", "c"]


@pytest.mark.parametrize("content", ["a\r\n\nb\n\n", "a\r", "\n", "a\nb", "a\r\r\n\r"])
def test_a_file_is_one_record_without_any_change(content: str) -> None:
    assert texts(content, unit=Unit.FILE) == [content]


@pytest.mark.parametrize("unit", list(Unit))
def test_a_byte_order_mark_is_no_part_of_the_text(unit: Unit) -> None:
    assert texts(b"\xef\xbb\xbfa", unit=unit) == ["a"]
    assert texts(b"\xef\xbb\xbf", unit=unit) == texts(b"", unit=unit) == []
    assert texts(b"\xef\xbb\xbf\n", unit=unit) == texts(b"\n", unit=unit)


@given(content=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_lines_joined_are_the_file(content: str) -> None:
    ends_removed = [line.removesuffix("\r") for line in content.removeprefix("\ufeff").split("\n")]
    assert [*texts(content), *([""] if content.endswith("\n") else [])] == ends_removed or content == "\ufeff"


def test_offsets_count_in_the_record_across_lines() -> None:
    [document] = read("A b\n\n  c", unit=Unit.FILE)
    spans = [span for sentence in document.sentences for span in sentence.offsets or []]
    assert [document.text[start:end] for start, end in spans] == ["A", "b", "c"]


def test_conll_sentences_are_records_of_joined_tokens_without_their_tags() -> None:
    documents = read("Ada B-PER\nmet O\n\nBob B-PER\n", "conll")
    assert [document.text for document in documents] == ["Ada met", "Bob"]
    assert all(sentence.tags is None for document in documents for sentence in document.sentences)


def test_conll_options_reach_the_reader() -> None:
    content = "## note\nO\tNew York\n"
    found = read(content, "conll", token_column=-1, separator="tab", comment_prefix="##")
    assert tokens(found) == [["New York"]]


def test_conllu_text_is_used_where_its_words_are_found_in_it() -> None:
    content = (
        f"# text = Ada, hi\n1\tAda{_CONLLU_REST}\n2\t,{_CONLLU_REST}\n3\thi{_CONLLU_REST}\n\n1\tBob{_CONLLU_REST}\n"
    )
    documents = read(content, "conllu")
    assert [document.text for document in documents] == ["Ada, hi", "Bob"]
    assert tokens(documents) == [["Ada", ",", "hi"], ["Bob"]]


def test_jsonl_keeps_fields_and_splits_text() -> None:
    [document] = read('{"id": 7, "text": "Ada met", "x": null}\n\n', "jsonl")
    assert (document.text, document.fields["id"]) == ("Ada met", '"id": 7')
    assert tokens([document]) == [["Ada", "met"]]


def test_jsonl_tokens_are_taken_as_given() -> None:
    documents = read('{"tokens": ["New York", "", "x"]}\n{"text": null, "tokens": []}', "jsonl")
    assert tokens(documents) == [["New York", "", "x"]]
    assert [document.text for document in documents] == ["New York  x", ""]


def test_jsonl_text_field_can_be_named() -> None:
    assert texts('{"body": "b", "text": 3}', "jsonl", text_field="body") == ["b"]


BAD = [
    ("text", b"ok\n\xff\n", "in:2: invalid UTF-8 (byte 0xff at column 1)"),
    ("text", b"a\0b", "in:1: a NUL character"),
    ("conll", b"a B\nc\n", "in:2: 1 column where the first line has 2"),
    (
        "conllu",
        b"1\ta\n",
        "in:1: expected 10 columns separated by TABs, found 2; correct the line, or set --input-format",
    ),
    ("jsonl", b"{}\n", "in:1: no field 'text' or 'tokens' (found none); name the text's field with --text-field"),
    ("jsonl", b'\n{"text": 1}', "in:2: field 'text' holds a number, not text"),
    ("jsonl", b'{"tokens": ["a", 1]}', "in:1: field 'tokens' is not a list of strings"),
    ("jsonl", b"[1]", "in:1: expected a JSON object, found a list"),
    ("jsonl", b'{"text": ', "in:1: no JSON ("),
    (
        "jsonl",
        b'[{"text": "a"},\n',
        "in:1: no JSON (Expecting value at column 16); write one JSON object a line, as jq -c",
    ),
    ("jsonl", gzip.compress(b"{}", mtime=0), "in: compressed with gzip, not text; decompress it first"),
    ("jsonl", b"[" * 100_000, "in:1: nested too deeply"),
    ("jsonl", b'{"text": ' + b"1" * 5000 + b"}", "in:1: field 'text' holds a number, not text"),
    ("jsonl", b'{"text": "a", "x": [NaN]}', "in:1: NaN is no JSON; write a number or null"),
    ("jsonl", b'{"text": "a", "x": -Infinity}', "in:1: -Infinity is no JSON; write a number or null"),
    ("jsonl", b'{"text": "a", "text": "b"}', "in:1: field 'text' occurs twice; leave one out"),
    ("jsonl", b'{"text": "a"} x', "in:1: no JSON (Extra data at column 15)"),
    ("jsonl", b'{"text" "a"}', "in:1: no JSON (Expecting ':' delimiter at column 9)"),
    ("jsonl", b'{"text": "a" "b"}', "in:1: no JSON (Expecting ',' delimiter at column 14)"),
    ("jsonl", b'{"text": "a",}', "in:1: no JSON ("),
]


@pytest.mark.parametrize(("kind", "content", "message"), BAD)
def test_bad_input_is_reported_in_one_line(kind: str, content: bytes, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(content, kind)
    assert str(caught.value).startswith(message)
    assert "data." not in str(caught.value)


def test_a_column_that_is_not_there_names_the_option() -> None:
    with pytest.raises(UserError, match="--token-column"):
        read("a b\n", "conll", token_column=5)
    with pytest.raises(UserError, match="--token-column"):
        read(f"1\ta{_CONLLU_REST}\n", "conllu", token_column=12)


@pytest.mark.parametrize(
    ("content", "kind", "unit"),
    [
        ("", "text", Unit.LINE),
        ("", "text", Unit.FILE),
        ("\n \n", "text", Unit.PARAGRAPH),
        ("\n\n", "conll", Unit.LINE),
        ("\n", "jsonl", Unit.LINE),
    ],
)
def test_what_is_empty_or_blank_has_no_records(content: str, kind: str, unit: Unit) -> None:
    assert read(content, kind, unit=unit) == []


FIELDS = [
    '"a": 1e999',
    '"a": 0.1000000000000000055511151231257827',
    '"a": ' + "7" * 5000,
    '"a":1.0',
    '"\\u0061" :  {"x": 1E+2, "x": [-0]}',
    '"a": "\\ud83d\\ude00 \\u00e9 é"',
]


@pytest.mark.parametrize("field", FIELDS)
def test_fields_keep_the_text_that_they_had(field: str) -> None:
    [record] = read_records(f'{{{field}, "text":"b"}}'.encode(), "in", InputFormat.JSONL, ReadOptions())
    assert isinstance(record, Record)
    assert record.fields == {"a": field, "text": '"text":"b"'}


@given(value=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_an_object_is_read_as_the_json_module_reads_it(value: Any) -> None:
    line = json.dumps({"text": "x", "a": value, "": 0})
    values, fields = read_fields(line)
    assert json.loads("{" + ",".join(fields.values()) + "}") == json.loads(line)
    assert list(values) == ["text", "a", ""]


@given(text=st.text(st.sampled_from('{}[]",:\\ a1e-.ntu\t\x00')))
def test_what_the_json_module_refuses_is_refused(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        expected = None
    try:
        values, _ = read_fields(text)
    except MalformedError:
        values = None  # type: ignore[assignment]
    if values is not None or (isinstance(expected, dict) and text.count('"') < 4):
        assert isinstance(expected, dict)
        assert values is not None
        assert values.keys() == expected.keys()


@pytest.mark.parametrize(
    ("kind", "content", "places", "good"),
    [
        ("text", b"a\n\xff\nb\n", [(2, "\\xff")], ["a", "b"]),
        ("jsonl", b'{"text": "a"}\n{\n{"text": "b"}\n', [(2, "{")], ["a", "b"]),
        ("conll", b"a O\n\nb\nc\n\nd O\n", [(3, "b\nc\n")], ["a", "d"]),
        ("conll", b"a O\n\nb\n", [(3, "b")], ["a"]),
        ("conllu", b"1\ta\n\n1\tb" + _CONLLU_REST.encode(), [(1, "1\ta\n")], ["b"]),
    ],
)
def test_a_bad_record_is_returned_in_its_place_with_what_was_read(
    kind: str, content: bytes, places: list[tuple[int, str]], good: list[str]
) -> None:
    found = list(read_records(content, "in", InputFormat(kind), ReadOptions()))
    assert [(one.place, one.raw) for one in found if isinstance(one, BadRecord)] == places
    assert [one.text for one in found if isinstance(one, Record)] == good


def test_the_first_line_of_content_is_not_taken_for_the_beginning_of_a_packed_file() -> None:
    found = list(read_records(b"b O\n", "in", InputFormat.CONLL, ReadOptions(), head=b"PK\x03\x04 O\n"))
    assert [one.text for one in found if isinstance(one, Record)] == ["b"]


def test_a_bad_paragraph_is_left_out_as_a_whole() -> None:
    found = list(read_records(b"a\nb\0\nc\n\nd\n", "in", InputFormat.TEXT, ReadOptions(unit=Unit.PARAGRAPH)))
    assert [type(one) for one in found] == [BadRecord, Record]
    assert isinstance(found[0], BadRecord)
    assert (found[0].place, found[0].raw) == (2, "a\nb\0\nc\n")


def test_entities_count_in_the_text_of_the_document() -> None:
    first, second = split_text("Ada met\nNew York", whitespace)
    first.tags, second.tags = ["B-PER", "O"], ["B-LOC", "I-LOC"]
    document = Document("Ada met\nNew York", [first, second])
    assert document.entities == [Entity(0, 3, "PER", "Ada"), Entity(8, 16, "LOC", "New York")]


def test_plain_tags_mark_no_entities() -> None:
    assert Document("run", [Sentence(["run"], ["B-V"])], plain=True).entities == []


def test_syntok_keeps_the_text_of_a_record() -> None:
    text = "Don't re-read it.\r\n\r\n  It's done...\t(Really.)"
    split = partial(split_text, tokenizer=get_tokenizer("syntok"))
    [record] = read_records(text.encode(), "in", InputFormat.TEXT, ReadOptions(unit=Unit.FILE))
    assert isinstance(record, Record)
    document = record.document(split, "in")
    assert document.text == text
    assert "".join(token for sentence in document.sentences for token in sentence.tokens) == "".join(text.split())
