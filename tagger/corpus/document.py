"""Document: a text with its sentences, the unit that is tagged and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from tagger.corpus.entities import entities, extent
from tagger.corpus.sentence import Entity, Sentence
from tagger.html.marks import MarkedSpan, notebook_text

_SHOWN = 60  # characters of the text in `repr`


@dataclass(slots=True, repr=False)
class Document:
    """A text with its sentences. In a notebook it shows as the text with its entities marked.

    >>> import tagger
    >>> doc = tagger.load("en-ner").tag("Angela Merkel visited Siemens in Munich.")
    >>> doc.entities[0].label
    'PER'
    >>> doc.to_dict()["entities"][1]
    {'start': 22, 'end': 29, 'label': 'ORG', 'text': 'Siemens'}

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

    def to_dict(self) -> dict[str, Any]:
        """Return the document as content for JSON.

        Returns:
            `text`; `entities`, each with `start`, `end`, `label`, `text`; and `sentences`, each with `start`, `end`,
            `tokens`, `tags` and, if known, the tokens' `offsets`. Start and end are half-open, in characters of
            `text`. Scores and alternatives are there if the document was tagged with them: `score` of an entity,
            `scores` of a sentence's tokens, and `alternatives`, each with `tags` and `score`.
        """
        return {
            "text": self.text,
            "entities": [_without_none(entity._asdict()) for entity in self.entities],
            "sentences": [_sentence(sentence) for sentence in self.sentences],
        }

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= _SHOWN else f"{self.text[: _SHOWN - 1]}…"
        count, one, many = (len(self.entities), "entity", "entities")
        if self.plain:
            count, one, many = (len(self.sentences), "sentence", "sentences")
        what = f"{count} {one if count == 1 else many}"
        return f"Document({text!r}, {what})"

    def _repr_html_(self) -> str:
        return notebook_text(self.text, _marked(self))


def _marked(document: Document) -> list[MarkedSpan]:
    """List what is marked in a notebook: entities or, where tags are plain, every token with its tag."""
    if not document.plain:
        return [MarkedSpan(one.start, one.end, one.label, one.score) for one in document.entities]
    return [
        MarkedSpan(start, end, tag, score)
        for sentence in document.sentences
        for (start, end), tag, score in zip(
            sentence.offsets or [], sentence.tags or [], sentence.scores or repeat(None), strict=False
        )
    ]


def _sentence(sentence: Sentence) -> dict[str, Any]:
    start, end = extent(sentence)
    alternatives = sentence.alternatives
    return _without_none({
        "start": start,
        "end": end,
        "tokens": list(sentence.tokens),
        "offsets": sentence.offsets and [list(one) for one in sentence.offsets],
        "tags": sentence.tags and list(sentence.tags),
        "scores": sentence.scores and list(sentence.scores),
        "alternatives": alternatives and [{"tags": list(one.tags), "score": one.score} for one in alternatives],
    })  # fmt: skip


def _without_none(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}
