"""The document: a text with its sentences, as it is tagged and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tagger.corpus.entities import entities
from tagger.corpus.sentence import Entity, Sentence


@dataclass(slots=True)
class Document:
    """A text with its sentences.

    Attributes:
        text: the text as it was read or, where only tokens are known, these joined by single blanks.
        sentences: in order, none of them empty; offsets, where given, count in `text`.
        plain: the sentences' tags are plain (parts of speech) and mark no entities.
        fields: of a JSONL or Parquet record, what was read beside its text, to be passed through.
        source: the name of the input it came from.
    """

    text: str
    sentences: list[Sentence]
    plain: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    source: str = ""

    @property
    def entities(self) -> list[Entity]:
        """The entities that the tags mark, in characters of `text`, half-open; none where tags are plain or missing."""
        if self.plain:
            return []
        return [entity for sentence in self.sentences for entity in entities(sentence)]
