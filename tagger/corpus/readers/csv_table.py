"""Read CSV with columns by name: a word with its tag per row, or a text with its labels per row."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from tagger.corpus.readers.account import MalformedError, ReadReport, open_bytes
from tagger.corpus.readers.csv_rows import CsvRows, Row, Separator
from tagger.corpus.readers.marks import OpenSentence
from tagger.corpus.readers.records import SPAN_FIELDS, TAG_FIELDS, TOKEN_FIELDS, RecordFields, sentences_from
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer
from tagger.errors import UserError

TOKEN_COLUMNS = (*TOKEN_FIELDS, "token", "form")
TAG_COLUMNS = ("ner_tags", "ner_tag", "ner", "tag", *TAG_FIELDS, "label", "entity", "iob", "pos")
_TEXT_COLUMNS = ("text", "sentence")
_SENTENCE_COLUMNS = ("sentence #", "sentence_id", "sentence id", "sentence_idx", "sent_id", "sentence")


@dataclass(frozen=True, kw_only=True)
class CsvLayout:
    """Names of the columns of a CSV file. None: look for the usual names in the header.

    Attributes:
        fields: columns of words, tags and text.
        sentence: the column that numbers sentences. A new value begins a sentence; an empty cell continues it.
        separator: between cells.
    """

    fields: RecordFields = field(default_factory=RecordFields)
    sentence: str | None = None
    separator: Separator = "auto"


def read_csv(
    path: Path, report: ReadReport, *, tokenizer: Tokenizer, layout: CsvLayout | None = None
) -> Iterator[Sentence]:
    """Read a CSV file. See `csv_from`.

    Raises:
        UserError: the file cannot be read, or is malformed and `on_error=stop`.
    """
    with open_bytes(path) as stream:
        yield from csv_from(stream, report, tokenizer=tokenizer, layout=layout)


def csv_from(
    stream: IO[bytes], report: ReadReport, *, tokenizer: Tokenizer, layout: CsvLayout | None = None
) -> Iterator[Sentence]:
    """Read sentences from a CSV stream in constant memory. The first row is the header.

    With a column of words, each row is a word. A sentence ends where the sentence column has a new value; without such
    a column, at a blank line or a row of empty cells. Without a column of words, or where cells hold lists, each row is
    a record, as of JSONL. Its labels are a list of tags or spans (JSON or Python), or tags with blanks between them;
    then the words of the text have blanks between them, too.

    Args:
        stream: UTF-8 bytes.
        report: counts what is read.
        tokenizer: for running text.
        layout: the columns.

    Raises:
        UserError: the header lacks a column. With `on_error=stop`: a row is malformed.
    """
    layout = layout or CsvLayout()
    rows = CsvRows(stream, report, layout.separator)
    columns: _Columns | None = None
    current = OpenSentence(report)
    for row in rows:
        columns = columns or _Columns(rows, layout, report.source)
        if columns.of_records(row):
            rows.enter()
            yield from _record(row, columns, report, tokenizer)
            continue
        if columns.begins_sentence(row) and (sentence := current.close()):
            yield sentence
        rows.enter()
        place = f"{report.source}:{row.number}"
        try:
            if row.problem:
                raise MalformedError(row.problem)
            if any(row.cells):
                current.add(place, *columns.word(row))
        except MalformedError as problem:
            current.fault(place, str(problem))
    if sentence := current.close():
        yield sentence


class _Columns:
    """Numbers of the columns in a file; None for columns that it lacks."""

    def __init__(self, rows: CsvRows, layout: CsvLayout, source: str) -> None:
        fields = self.fields = layout.fields
        self.names = rows.names
        self.tokens = self.text = None
        if fields.tokens or not fields.text:
            self.tokens = rows.column(fields.tokens, TOKEN_COLUMNS, "data.token_field")
        if self.tokens is None:
            self.text = rows.column(fields.text, _TEXT_COLUMNS, "data.text_field")
        usual = TAG_COLUMNS if self.tokens is not None else (*TAG_COLUMNS, *SPAN_FIELDS)
        self.tags = rows.column(fields.tags, usual, "data.tag_field") if fields.tagged else None
        self.sentence = rows.column(layout.sentence, _SENTENCE_COLUMNS, "data.sentence_field")
        found = ", ".join(map(repr, self.names))
        if self.tokens is None and self.text is None:
            raise UserError(
                f"{source}: no column of words or text (found {found}); set data.token_field or data.text_field"
            )
        if fields.tagged and self.tags is None:
            raise UserError(f"{source}: no column of tags (found {found}); set data.tag_field")
        self._of_records: bool | None = True if self.tokens is None else None
        self._sentence = ""

    def of_records(self, row: Row) -> bool:
        """Return whether each row is a record: it is without a column of words, or if its words are a list."""
        if self._of_records is None and self.tokens is not None and row.cells and not row.problem:
            cell = row.cells[self.tokens]
            self._of_records = len(cell) > 1 and cell.startswith("[") and cell.endswith("]")
        return bool(self._of_records)

    def begins_sentence(self, row: Row) -> bool:
        """Return whether a row is not of the sentence before it: it is empty, or has another sentence number."""
        if row.problem:
            return False
        if not any(row.cells):
            return True
        number = "" if self.sentence is None else row.cells[self.sentence]
        begins = number not in ("", self._sentence)
        self._sentence = number or self._sentence
        return begins

    def word(self, row: Row) -> tuple[str, str | None]:
        """Return the word and the tag of a row. Raises MalformedError if one is empty, or the word has a line end."""
        assert self.tokens is not None
        word = row.cells[self.tokens]
        tag = None if self.tags is None else row.cells[self.tags]
        if not word:
            raise MalformedError(f"no word in column {self.names[self.tokens]!r}; correct the row")
        if "\n" in word:
            raise MalformedError("a word with a line end; a file in which quotes do not quote is read by data=conll")
        if tag is not None and not tag.strip():
            raise MalformedError(f"no tag in column {self.names[self.tags or 0]!r}; write O for none")
        return word, tag

    def record(self, row: Row) -> dict[str, Any]:
        """Return a row as a record, as of JSONL. Raises MalformedError if a cell holds no list."""
        tags = None if self.tags is None else _listed(row.cells[self.tags], self.names[self.tags])
        if self.tokens is not None:
            found: dict[str, Any] = {"tokens": _listed(row.cells[self.tokens], self.names[self.tokens])}
        else:
            text = row.cells[self.text or 0]
            found = {"text": text}
            if tags and isinstance(tags[0], str | int):
                found["tokens"] = text.split()
        if tags is not None:
            found["tags"] = tags
        if "document" in self.names:
            found["document"] = row.cells[self.names.index("document")]
        return found


def _record(row: Row, columns: _Columns, report: ReadReport, tokenizer: Tokenizer) -> Iterator[Sentence]:
    place = f"{report.source}:{row.number}"
    if not row.cells and not row.problem:
        report.close_lines()
        return
    try:
        if row.problem:
            raise MalformedError(row.problem)
        record = columns.record(row)
    except MalformedError as problem:
        report.reject(place, str(problem))
        report.close_sentence()
        return
    fields = replace(columns.fields, tokens="tokens" if "tokens" in record else None, tags="tags", text="text")
    yield from sentences_from(record, place, row.number, report, fields=fields, tokenizer=tokenizer)


def _listed(cell: str, name: str) -> list[Any]:
    """Read a cell that holds a list in JSON or Python, or tags with blanks between them."""
    text = cell.strip()
    if not text.startswith("["):
        return text.split()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise MalformedError(f"column {name!r}: a list that is neither JSON nor Python; correct it") from None
    if not isinstance(found, list):
        raise MalformedError(f"column {name!r}: expected a list; correct it")
    return found
