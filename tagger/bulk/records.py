"""Records: the units that a job reads, tags and writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tagger.corpus.document import Document
from tagger.corpus.sentence import Sentence

Splitter = Callable[[str], list[Sentence]]

ID_COLUMN = "id"  # where none is named


class InputFormat(StrEnum):
    """Format of an input."""

    TEXT = "text"
    CONLL = "conll"
    CONLLU = "conllu"
    JSONL = "jsonl"
    PARQUET = "parquet"
    CSV = "csv"


class Unit(StrEnum):
    """Unit of running text that makes a record."""

    LINE = "line"
    PARAGRAPH = "paragraph"
    FILE = "file"


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Options of reading."""

    unit: Unit = Unit.LINE  # text: what makes a record
    text_field: str = "text"  # JSONL, Parquet and CSV: the field or column of a record's text
    id_column: str | None = None  # Parquet: the column of ids; JSONL: the field; None: `id`, if there is one
    token_column: int | None = None  # CoNLL and CoNLL-U: from 0, or negative from the end; None: the usual one
    separator: str = "auto"  # CoNLL and CSV: of columns (see `ColumnLayout` and `CsvRows`)
    comment_prefix: str | None = None  # CoNLL: the beginning of comment lines; None: there are none

    @property
    def id_field(self) -> str:
        """The name of ids."""
        return self.id_column or ID_COLUMN


@dataclass(slots=True)
class Record:
    """Running text that has yet to be split, or given tokens.

    Attributes:
        text: the text as it was read or, where only tokens are known, these joined by single blanks.
        sentence: the given tokens.
        fields: JSONL and Parquet: each field by its name, as JSON text `"name": value`. JSONL fields are kept exactly
            as they were written, the text's among them.
        size: about how many characters were read.
        row: CSV: the row as it was read, without its line end.
    """

    text: str
    sentence: Sentence | None = None
    fields: dict[str, str] = field(default_factory=dict)
    size: int = 0
    row: str = ""

    def document(self, split: Splitter, source: str = "") -> Document:
        """Make the document.

        Args:
            split: text to sentences with offsets; not called where tokens were given.
            source: name of the input.
        """
        if self.sentence is None:
            return Document(self.text, split(self.text), False, self.fields, source, self.row)
        return Document(self.text, [self.sentence] if self.sentence.tokens else [], False, self.fields, source)


@dataclass(slots=True)
class BadRecord:
    """A malformed record."""

    place: int  # number of its line, or of its row, from 1 in what was read
    reason: str  # the fault and its remedy
    raw: str = ""  # the text of the record as it was read; bytes that are no UTF-8 are shown as `\xff`
    fields: dict[str, str] = field(default_factory=dict)  # as in `Record`
    size: int = 0  # about how many characters were read
