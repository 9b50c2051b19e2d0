"""Records: what a tagging job reads as one, and how its input is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tagger.corpus.document import Document
from tagger.corpus.sentence import Sentence

Splitter = Callable[[str], list[Sentence]]

ID_COLUMN = "id"  # where none is named


class InputFormat(StrEnum):
    """What an input holds."""

    TEXT = "text"
    CONLL = "conll"
    CONLLU = "conllu"
    JSONL = "jsonl"
    PARQUET = "parquet"


class Unit(StrEnum):
    """What makes a record of running text."""

    LINE = "line"
    PARAGRAPH = "paragraph"
    FILE = "file"


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How input is read.

    Attributes:
        unit: of text, what makes a record.
        text_field: of JSONL and Parquet, the field or column that holds a record's text.
        id_column: of Parquet, the column of ids, and of JSONL the field; None: `id`, if there is one.
        token_column: of CoNLL and CoNLL-U, the tokens' column from 0 or, negative, from the end; None: the usual one.
        separator: of CoNLL, what parts columns (see `ColumnLayout`): auto, tab or blanks.
        comment_prefix: of CoNLL, lines that begin with it are comments; None: there are none.
    """

    unit: Unit = Unit.LINE
    text_field: str = "text"
    id_column: str | None = None
    token_column: int | None = None
    separator: str = "auto"
    comment_prefix: str | None = None

    @property
    def id_field(self) -> str:
        """The name of ids."""
        return self.id_column or ID_COLUMN


@dataclass(slots=True)
class Record:
    """What is read as one: running text yet to be split, or tokens as they were given.

    Attributes:
        text: the text as it was read or, where only tokens are known, these joined by single blanks.
        sentence: the tokens, where they were given.
        fields: of a JSONL or Parquet record, what was read beside its text, to be passed through.
        size: about how many characters were read.
    """

    text: str
    sentence: Sentence | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    size: int = 0

    def document(self, split: Splitter, source: str = "") -> Document:
        """The document of it.

        Args:
            split: text to sentences with offsets in it; not called where tokens were given.
            source: the name of the input it came from.
        """
        if self.sentence is None:
            return Document(self.text, split(self.text), False, self.fields, source)
        return Document(self.text, [self.sentence] if self.sentence.tokens else [], False, self.fields, source)
