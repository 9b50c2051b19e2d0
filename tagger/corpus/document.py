"""Document: a text with its sentences, the unit that is tagged and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tagger.corpus.entities import entities
from tagger.corpus.sentence import Entity, Sentence


@dataclass(slots=True)
class Document:
    """A text with its sentences.

    Attributes:
        text: the text as read. If only tokens are known, the tokens joined by single spaces.
        sentences: in order, none empty. Their offsets, if any, refer to `text`.
        plain: tags are plain (such as parts of speech) and mark no entities.
        fields: other fields of a JSONL or Parquet record, passed through to the output.
        source: name of the input.
        row: the row of CSV that it was read from, without its line end.
    """

    text: str
    sentences: list[Sentence]
    plain: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    row: str = ""

    @property
    def entities(self) -> list[Entity]:
        """Entities marked by the tags, as half-open characters of `text`. Empty if tags are plain or missing."""
        if self.plain:
            return []
        return [entity for sentence in self.sentences for entity in entities(sentence)]
