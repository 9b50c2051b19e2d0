"""Targets: the readers of labelled data. What they give is whole, and the account of it adds up."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.annotations import Overlap
from tagger.corpus.readers.brat import read_brat
from tagger.corpus.readers.columns import ColumnLayout, columns_from
from tagger.corpus.readers.conllu import conllu_from
from tagger.corpus.readers.csv_table import CsvLayout, csv_from
from tagger.corpus.readers.docred import read_docred
from tagger.corpus.readers.huggingface import read_huggingface
from tagger.corpus.readers.jsonl import jsonl_from
from tagger.corpus.readers.labelstudio import read_labelstudio
from tagger.corpus.readers.parallel import read_parallel
from tagger.corpus.readers.records import RecordFields
from tagger.corpus.readers.spacy_docs import read_spacy
from tagger.corpus.readers.webanno import webanno_from
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.evaluation.prediction_files import read_aligned, read_three_columns
from tests.fuzz.places import written
from tests.fuzz.told import check_line, choices, told_in_a_line

_ON_ERROR = (OnError.SKIP, OnError.STOP)
_LAYOUTS = (
    ColumnLayout(),
    ColumnLayout(tag_column=None, comment_prefix="#"),
    ColumnLayout(token_column=1, tag_column=3, separator="blanks"),
    ColumnLayout(token_column=-1, tag_column=0, separator="tab", comment_prefix="# "),
)
_FIELDS = (
    RecordFields(),
    RecordFields(tagged=False),
    RecordFields(tag_names=("O", "B-X", "I-X")),
    RecordFields(text="text", tags="label"),
)
_OVERLAPS: tuple[Overlap, ...] = ("stop", "longest", "first", "outermost", "innermost")
_BETWEEN = b"\n====\n"  # two files in one input
_SYNTOK = get_tokenizer("syntok")


def columns(data: bytes) -> None:
    """Column files."""
    (on_error, layout), content = choices(data, 2, len(_LAYOUTS))
    report = ReadReport("file", _ON_ERROR[on_error])
    with told_in_a_line():
        check(columns_from(io.BytesIO(content), report, layout=_LAYOUTS[layout]), report, _lines(content))


def conllu(data: bytes) -> None:
    """CoNLL-U."""
    (on_error, tag_column), content = choices(data, 2, 3)
    report = ReadReport("file", _ON_ERROR[on_error])
    found = conllu_from(io.BytesIO(content), report, tag_column=(3, None, -1)[tag_column])
    with told_in_a_line():
        check(found, report, _lines(content))


def jsonl(data: bytes) -> None:
    """JSON lines."""
    (on_error, fields), content = choices(data, 2, len(_FIELDS))
    report = ReadReport("file", _ON_ERROR[on_error])
    found = jsonl_from(io.BytesIO(content), report, tokenizer=_SYNTOK, fields=_FIELDS[fields])
    with told_in_a_line():
        check(found, report, _lines(content))


def labelstudio(data: bytes) -> None:
    """Label Studio's exports."""
    (on_error, annotator), content = choices(data, 2, 5)
    report = ReadReport("file", _ON_ERROR[on_error])
    how: dict[str, Any] = {"annotator": ("agreed", "first", "latest", "1", "agreed")[annotator]}
    how |= {"tagged": annotator != 4, "overlap": _OVERLAPS[annotator]}
    with told_in_a_line():
        found = read_labelstudio(written(content), report, tokenizer=_SYNTOK, **how)
        check(found, report, None)
        assert report.lines.read == len(json.loads(content.decode("utf-8-sig")))


def csv(data: bytes) -> None:
    """CSV."""
    (on_error, fields), content = choices(data, 2, len(_FIELDS))
    report = ReadReport("file", _ON_ERROR[on_error])
    found = csv_from(io.BytesIO(content), report, tokenizer=_SYNTOK, layout=CsvLayout(fields=_FIELDS[fields]))
    with told_in_a_line():
        check(found, report, _lines(content) + (content == b"\xef\xbb\xbf"))


def webanno(data: bytes) -> None:
    """WebAnno TSV 3."""
    (on_error, overlap), content = choices(data, 2, len(_OVERLAPS))
    report = ReadReport("file", _ON_ERROR[on_error])
    found = webanno_from(io.BytesIO(content), report, overlap=_OVERLAPS[overlap])
    with told_in_a_line():
        check(found, report, _lines(content))


def brat(data: bytes) -> None:
    """A text and its annotations in BRAT's standoff."""
    (on_error, overlap), content = choices(data, 2, len(_OVERLAPS))
    text, _, annotations = content.partition(_BETWEEN)
    written(annotations, "file.ann")
    report = ReadReport("file", _ON_ERROR[on_error])
    with told_in_a_line():
        check(read_brat(written(text, "file.txt"), report, tokenizer=_SYNTOK, overlap=_OVERLAPS[overlap]), report, 1)


def spacy_docs(data: bytes) -> None:
    """spaCy's training data; a DocBin's content is compressed here."""
    (on_error, compressed, overlap), content = choices(data, 2, 2, len(_OVERLAPS))
    report = ReadReport("file", _ON_ERROR[on_error])
    path = written(zlib.compress(content, 1) if compressed else content, "file.spacy")
    with told_in_a_line():
        check(read_spacy(path, report, tokenizer=_SYNTOK, overlap=_OVERLAPS[overlap]), report, None)


def docred(data: bytes) -> None:
    """DocRED's documents."""
    (on_error,), content = choices(data, 2)
    report = ReadReport("file", _ON_ERROR[on_error])
    with told_in_a_line():
        check(read_docred(written(content), report), report, None)
        assert report.lines.read == len(json.loads(content.decode("utf-8-sig")))


def parallel(data: bytes) -> None:
    """Two parallel files."""
    (on_error, alone), content = choices(data, 2, 2)
    first, _, second = content.partition(_BETWEEN)
    tags = None if alone else written(second, "tags")
    report = ReadReport("file", _ON_ERROR[on_error])
    with told_in_a_line():
        check(
            read_parallel(written(first, "tokens"), tags, report),
            report,
            _lines(first) + (0 if alone else _lines(second)),
        )


def huggingface(data: bytes) -> None:
    """A data set's records, given as JSON lines; those that are none are left out."""
    (on_error, fields), content = choices(data, 2, len(_FIELDS))
    records = list(_json_values(content))
    report = ReadReport("set", _ON_ERROR[on_error])
    with told_in_a_line():
        found = read_huggingface(_Records(records), report, tokenizer=_SYNTOK, fields=_FIELDS[fields])
        check(found, report, len(records))


def aligned(data: bytes) -> None:
    """Files of predictions: one with both sides, or two that follow each other."""
    (apart,), content = choices(data, 2)
    first, _, second = content.partition(_BETWEEN)
    with told_in_a_line():
        if apart:
            found = read_aligned(written(first, "gold"), written(second, "predicted"))
        else:
            found = read_three_columns(written(first))
        assert found.sentences
        for sentence, tags in zip(found.sentences, found.predicted, strict=True):
            assert len(sentence.tokens) == len(tags) > 0
            assert all(tags)
            assert all(sentence.tags or [])
        for warning in found.warnings:
            check_line(warning)


def check(sentences: Iterable[Sentence], report: ReadReport, lines: int | None) -> None:
    """Whole sentences that can be written, whose offsets are true, and an account that adds up to what was there."""
    found = list(sentences)
    assert len(found) == report.sentences.kept + report.sentences.repaired
    assert lines is None or report.lines.read == lines
    for sentence in found:
        assert sentence.tokens
        assert sentence.tags is None or all(tag == tag.strip() != "" for tag in sentence.tags)
        "".join([*sentence.tokens, *(sentence.tags or [])]).encode()
        for token, (start, end) in zip(sentence.tokens, sentence.offsets or [], strict=sentence.offsets is not None):
            assert (sentence.text or "")[start:end] == token
    for place in report.places:
        check_line(place)


class _Records:
    """What `datasets` gives: records that can be gone through, and no features known."""

    features: Any = None

    def __init__(self, records: list[Any]) -> None:
        self._records = records

    def __iter__(self) -> Iterator[Any]:
        return iter(self._records)


def _json_values(content: bytes) -> Iterator[Any]:
    for line in content.split(b"\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _lines(content: bytes) -> int:
    return content.count(b"\n") + (content not in (b"", b"\xef\xbb\xbf") and not content.endswith(b"\n"))
