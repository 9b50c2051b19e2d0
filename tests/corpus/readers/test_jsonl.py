"""JSONL records."""

import io
import json
import re
from pathlib import Path

import pytest

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.jsonl import jsonl_from, read_jsonl
from tagger.corpus.readers.records import RecordFields
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError

TEXT = "Bo met Al.\nIn Rome."


def read(*lines: object, on_error: OnError = OnError.STOP, **fields: object) -> tuple[list[Sentence], ReadReport]:
    report = ReadReport("file", on_error)
    content = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    found = jsonl_from(
        io.BytesIO(content),
        report,
        tokenizer=get_tokenizer("syntok"),
        fields=RecordFields(**fields),  # type: ignore[arg-type]
    )
    return list(found), report


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        ({"tokens": ["a", "b"], "tags": ["O", "B-X"]}, {}),
        ({"words": ["a", "b"], "ner_tags": ["O", "B-X"]}, {}),
        ({"tokens": ["a", "b"], "labels": ["O", "B-X"], "id": 7}, {}),
        ({"t": ["a", "b"], "y": ["O", "B-X"], "tags": "other"}, {"tokens": "t", "tags": "y"}),
        ({"tokens": ["a", "b"], "tags": [0, 1]}, {"tag_names": ("O", "B-X")}),
    ],
)
def test_records_of_tokens_and_tags(record: dict, fields: dict) -> None:
    (sentence,), report = read(record, **fields)
    assert (sentence.tokens, sentence.tags, sentence.place) == (["a", "b"], ["O", "B-X"], "file:1")
    assert report.sentences.kept == report.lines.kept == 1


@pytest.mark.parametrize("array", ['[{"tokens": ["a"], "tags": ["O"]}]', "[", ' [{"tokens": ["a"],'])
def test_an_array_is_told_how_to_become_lines(array: str) -> None:
    with pytest.raises(
        UserError, match=r"^file:1: .*; write one JSON object a line, as jq -c '\.\[\]' FILE does of an"
    ):
        read(array)


@pytest.mark.parametrize(
    "record",
    [
        {"text": TEXT, "label": [[0, 2, "PER"], [14, 18, "LOC"]]},
        {"text": TEXT, "labels": [{"start": 14, "end": 18, "label": "LOC"}, {"start": 0, "end": 2, "label": "PER"}]},
        {"text": TEXT, "entities": [{"id": 1, "start_offset": 0, "end_offset": 2, "label": "PER"}, [14, 18, "LOC"]]},
        {"text": TEXT, "spans": [[0, 2, " PER "], [14, 18, "LOC"]], "relations": []},
    ],
)
def test_records_of_text_and_spans_give_the_sentences_of_the_text(record: dict) -> None:
    (first, second), report = read(record)
    assert (first.tokens, first.tags) == (["Bo", "met", "Al", "."], ["B-PER", "O", "O", "O"])
    assert (second.tokens, second.tags) == (["In", "Rome", "."], ["O", "B-LOC", "O"])
    assert second.offsets == [(11, 13), (14, 18), (18, 19)]
    assert first.text == second.text == TEXT
    assert first.document == second.document == "1"
    assert (report.sentences.kept, report.lines.kept) == (2, 1)


def test_tokens_are_located_in_the_text_beside_them() -> None:
    found, _ = read(
        {"tokens": ["a", "b"], "tags": ["O", "O"], "text": "a  b"},
        {"tokens": ["a", "b"], "tags": ["O", "O"], "text": "other"},
    )
    assert [sentence.offsets for sentence in found] == [[(0, 1), (3, 4)], None]


def test_a_named_text_field_is_preferred_to_tokens() -> None:
    (sentence,), _ = read({"tokens": ["a-b"], "body": "a-b", "label": []}, text="body")
    assert sentence.tokens == ["a", "-", "b"]


def test_a_document_field_names_the_document() -> None:
    found, _ = read(
        {"document": "x", "tokens": ["a"], "tags": ["O"]},
        {"document": 3, "text": "a", "label": []},
        {"tokens": ["a"], "tags": ["O"]},
    )
    assert [sentence.document for sentence in found] == ["x", "3", None]


def test_tags_are_left_alone_where_they_are_not_wanted() -> None:
    found, _ = read({"tokens": ["a"]}, {"text": "b", "label": "junk"}, tagged=False)
    assert [(sentence.tokens, sentence.tags) for sentence in found] == [(["a"], None), (["b"], None)]


def test_a_widened_span_counts_as_a_repair_of_its_sentence() -> None:
    found, report = read({"text": TEXT, "label": [[0, 1, "PER"], [14, 18, "LOC"]]})
    assert len(found) == 2
    assert (report.sentences.kept, report.sentences.repaired, report.lines.repaired) == (1, 1, 1)
    assert report.places == ["file:1: 'PER' at 0-1 fitted to the tokens it touches, 0-2"]


def test_blanks_around_a_tag_are_a_repair() -> None:
    (sentence,), report = read({"tokens": ["a", "b"], "tags": [" B-X\n", "O"]})
    assert sentence.tags == ["B-X", "O"]
    assert (report.sentences.repaired, report.lines.repaired) == (1, 1)
    assert report.places == ["file:1: blanks around tag ' B-X\\n' removed"]


def test_blank_lines_and_empty_records_hold_no_sentence() -> None:
    found, report = read("", {"tokens": [], "tags": []}, " ", {"text": "\n", "label": []})
    assert found == []
    assert (report.sentences.read, report.lines.kept) == (0, 4)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{oops", "no JSON: .*; write one JSON object a line"),
        ('{"tokens": ["a"], "tags": [' + "9" * 5000 + "]}", "no JSON"),
        ("[" * 100_000, "nested too deeply"),
        (["a"], "expected an object with named fields, found"),
        ({"a": 1}, r"neither tokens nor text \(found 'a'\); set data.token_field or data.text_field"),
        ({"tokens": ["a"]}, "no tags .*; set data.tag_field"),
        ({"text": "a"}, "no labelled spans .*; set data.tag_field"),
        ({"tokens": "a b", "tags": []}, "field 'tokens': expected a list of tokens, found 'a b'"),
        ({"tokens": ["a", 1], "tags": ["O", "O"]}, "expected a list of tokens"),
        ({"tokens": ["a"], "tags": ["O", "O"]}, "1 tokens but 2 tags"),
        ({"tokens": ["a"], "tags": [""]}, "holds an empty tag"),
        ({"tokens": ["a"], "tags": [0]}, "holds numbers; set data.tag_names"),
        ({"tokens": ["a"], "tags": [True]}, "expected a list of tags"),
        ({"tokens": ["a"], "tags": [None]}, "expected a list of tags"),
        ({"text": 3, "label": []}, "field 'text': expected text, found 3"),
        ({"text": "a", "label": "X"}, "expected spans, found 'X'"),
        ({"text": "a", "label": [[0, 1]]}, r"label\[0\]: expected \[start, end, label\]"),
        ({"text": "a", "label": [["0", 1, "X"]]}, "expected whole numbers as start and end, found '0' and 1"),
        ({"text": "a", "label": [[False, True, "X"]]}, "expected whole numbers"),
        ({"text": "a", "label": [[0, 1, ""]]}, "expected a label, found ''"),
        ({"text": "a", "label": [{"start": 0, "label": "X"}]}, "found 0 and None"),
        ({"text": "a b", "label": [[0, 2, "X"], [1, 3, "Y"]]}, "overlap"),
        ('{"tokens": ["\\ud800"], "tags": ["O"]}', r"half a surrogate pair \(U\+D800\)"),
    ],
)
def test_a_malformed_record_stops_the_run_by_place_or_is_skipped(line: object, problem: str) -> None:
    good = {"tokens": ["a"], "tags": ["O"]}
    with pytest.raises(UserError, match=rf"file:2: .*{problem}"):
        read(good, line)
    found, report = read(good, line, good, on_error=OnError.SKIP)
    assert len(found) == 2
    assert (report.sentences.kept, report.sentences.rejected, report.lines.rejected) == (2, 1, 1)


def test_bad_bytes_drop_the_whole_record_not_just_its_first_sentence() -> None:
    report = ReadReport("file", OnError.SKIP)
    content = json.dumps({"text": TEXT, "label": []}).encode().replace(b"Rome", b"R\xffme")
    fields = RecordFields()
    found = jsonl_from(io.BytesIO(content), report, tokenizer=get_tokenizer("syntok"), fields=fields)
    assert list(found) == []
    assert report.sentences.rejected == 1


@pytest.mark.parametrize(("tag", "names"), [(2, ("O", "B-X")), (-1, ("O",))])
def test_a_number_without_a_name_is_malformed(tag: int, names: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=f"{tag} is none of the {len(names)} tags; set data.tag_names"):
        read({"tokens": ["a"], "tags": [tag]}, tag_names=names)


@pytest.mark.parametrize("label", ["P\tR", "P\nR", "P\r\nR", "P\0R", "P\x85R"])
@pytest.mark.parametrize("spans", [True, False])
def test_a_label_with_control_characters_is_refused_by_name(label: str, spans: bool) -> None:
    record = {"text": "Bo", "label": [[0, 2, label]]} if spans else {"tokens": ["Bo"], "tags": [label]}
    with pytest.raises(UserError, match=re.escape(f"file:1: tag or label {label!r} holds a control character")):
        read(record)


def test_a_file_is_read_by_path(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"tokens": ["a"], "tags": ["O"]}')
    (sentence,) = read_jsonl(path, ReadReport(str(path)), tokenizer=get_tokenizer("whitespace"))
    assert sentence.place == f"{path}:1"


PRODIGY = {
    "text": "Ada  met\nBo",
    "tokens": [
        {"text": "Ada", "start": 0, "end": 3, "id": 0, "ws": True},
        {"text": " ", "start": 4, "end": 5, "id": 1, "ws": False},
        {"text": "met", "start": 5, "end": 8, "id": 2, "ws": False},
        {"text": "\n", "start": 8, "end": 9, "id": 3, "ws": False},
        {"text": "Bo", "start": 9, "end": 11, "id": 4, "ws": False},
    ],
    "spans": [{"start": 9, "end": 11, "token_start": 4, "token_end": 4, "label": "PER"}],
    "answer": "accept",
}


def read_records(*records: object, fields: RecordFields | None = None) -> tuple[list[Sentence], ReadReport]:
    report = ReadReport("file")
    content = "".join(json.dumps(record) + "\n" for record in records).encode()
    return list(jsonl_from(io.BytesIO(content), report, tokenizer=get_tokenizer("syntok"), fields=fields)), report


def test_prodigys_tokens_and_spans() -> None:
    (sentence,), _ = read_records(PRODIGY)
    assert (sentence.tokens, sentence.tags) == (["Ada", "met", "Bo"], ["O", "O", "B-PER"])
    assert sentence.text == PRODIGY["text"]


def test_prodigys_rejected_and_ignored_records_are_left_out_and_counted() -> None:
    found, report = read_records(
        PRODIGY, {**PRODIGY, "answer": "reject"}, {**PRODIGY, "answer": "ignore"}, {"text": "Al", "answer": "accept"}
    )
    assert [sentence.tokens for sentence in found] == [["Ada", "met", "Bo"], ["Al"]]
    assert report.skipped == {"records that were rejected": 1, "records that were ignored": 1}
    assert (report.sentences.kept, report.sentences.rejected, report.lines.read) == (2, 2, 4)


@pytest.mark.parametrize("change", [{"start": 1}, {"start": None}, {"text": "Bo"}, {"end": 99}])
def test_prodigys_tokens_have_to_fit_the_text(change: dict) -> None:
    tokens = [{**PRODIGY["tokens"][0], **change}, *PRODIGY["tokens"][1:]]  # type: ignore[index,dict-item]
    with pytest.raises(UserError, match=r"file:1: tokens\[0\]: "):
        read_records({**PRODIGY, "tokens": tokens})


@pytest.mark.parametrize(
    "record",
    [
        ["Ada met Bo", {"entities": [[0, 3, "PER"]]}],
        {"text": "Ada met Bo", "entities": {"PER": [{"indices": [0, 3]}], "LOC": []}},
    ],
)
def test_pairs_as_of_spacy_and_entities_as_of_gate(record: object) -> None:
    (sentence,), _ = read_records(record)
    assert sentence.tags == ["B-PER", "O", "O"]


def test_spans_that_overlap_are_chosen_and_counted() -> None:
    spans = {"text": "Ada met Bo", "label": [[0, 10, "X"], [0, 3, "PER"]]}
    (sentence,), report = read_records(spans, fields=RecordFields(overlap="innermost"))
    assert (sentence.tags, report.ignored.total()) == (["B-PER", "O", "O"], 1)
