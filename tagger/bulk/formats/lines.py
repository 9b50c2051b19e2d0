"""Tagged documents out: JSON lines, CoNLL columns and rows of tables, each record standing for itself.

What is given can be written as UTF-8, whatever characters the documents hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from json import JSONEncoder
from typing import Any, NamedTuple

from tagger.bulk.records import ID_COLUMN
from tagger.corpus.document import Document
from tagger.corpus.entities import entities, extent
from tagger.corpus.sentence import Entity, Sentence

LineWriter = Callable[[Iterable[Document]], Iterator[str]]

_REPLACEMENT = "\ufffd"
# Half a character, which UTF-8 cannot write, and what some programs take for the end of a line.
_ESCAPED_IN_JSON = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")
_SUSPECT = re.compile("[\\s\0\ud800-\udfff]")
_BREAKS_COLUMNS = re.compile("[\0\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]")
_ENCODE = JSONEncoder(ensure_ascii=False).encode
_DECIMALS = 4


class OutputFormat(StrEnum):
    """How tagged documents are written; the name is also the extension of output files."""

    JSONL = "jsonl"
    CONLL = "conll"
    HTML = "html"
    PARQUET = "parquet"


class Rows(NamedTuple):
    """Rows of a table, column by column.

    Attributes:
        ids: any JSON; None where there is none.
        texts: the records' texts.
        more: further columns by their names, the same in all rows of a job.
    """

    ids: list[Any]
    texts: list[str]
    more: dict[str, list[Any]]


def line_writer(
    output_format: OutputFormat,
    *,
    tokens: bool = False,
    text_field: str = "text",
    scores: bool = False,
    alternatives: bool = False,
) -> LineWriter:
    """The writer of a format whose records stand for themselves: what it gives can be put together as it comes.

    Args:
        output_format: JSON lines or CoNLL columns.
        tokens: JSON lines also hold tokens and tags.
        text_field: the field of a JSON record that holds its text.
        scores: the probability of each entity or plain tag is written; documents were tagged with scores.
        alternatives: JSON lines also hold each sentence's alternatives; documents were tagged with them.
    """
    assert output_format in (OutputFormat.JSONL, OutputFormat.CONLL)
    if output_format is OutputFormat.JSONL:
        return partial(jsonl_lines, tokens=tokens, text_field=text_field, scores=scores, alternatives=alternatives)
    return partial(conll_lines, scores=scores)


def jsonl_lines(
    documents: Iterable[Document],
    *,
    tokens: bool = False,
    text_field: str = "text",
    scores: bool = False,
    alternatives: bool = False,
) -> Iterator[str]:
    """A line of JSON per document: its own fields, its text, its entities and, if asked for, its tokens and tags.

    An entity is `{"start", "end", "label", "text"}`, half-open, in characters of the record's text, and with `scores`
    also `"score"`. Tokens and their tags stand in two flat lists. They are written where `tokens` asks for them, where
    the tags are plain (then there are no entities, and scores are a third list), and where the record has a field
    `tokens`. Alternatives are a list with an object per sentence, see `_alternatives`. What is written replaces fields
    of those names.
    """
    for document in documents:
        if not (document.fields or document.plain or tokens or alternatives):
            yield _escaped(_plain_record(document, text_field, scores))
            continue
        record = {**document.fields, text_field: document.text}
        record |= _found(document, tokens=tokens, scores=scores, alternatives=alternatives)
        yield _escaped(_ENCODE(record))


def _found(document: Document, *, tokens: bool, scores: bool, alternatives: bool) -> dict[str, Any]:
    """What a record says of a document beside its text."""
    record: dict[str, Any] = {}
    if not document.plain:
        record["entities"] = [_entity(entity, scores) for entity in document.entities]
    if tokens or document.plain or "tokens" in document.fields:
        record["tokens"] = [token for sentence in document.sentences for token in sentence.tokens]
        record["tags"] = [tag for sentence in document.sentences for tag in sentence.tags or []]
    if scores and document.plain:
        found = (score for sentence in document.sentences for score in sentence.scores or [])
        record["scores"] = [round(score or 0.0, _DECIMALS) for score in found]
    if alternatives:
        record["alternatives"] = [_alternatives(sentence, document.plain) for sentence in document.sentences]
    return record


def table_rows(
    documents: Sequence[Document],
    *,
    plain: bool = False,
    tokens: bool = False,
    text_field: str = "text",
    id_field: str = ID_COLUMN,
    scores: bool = False,
    alternatives: bool = False,
) -> Rows:
    """A row per document: what its JSON line would say (see `jsonl_lines`), in columns that are always the same.

    `tokens` and `tags` are None where the line would not have them. `fields` holds the document's other fields as the
    JSON of an object, None where there are none. Half a surrogate pair becomes U+FFFD. Columns are there without
    documents too, those of `plain` tags or of entities; else the documents say which.
    """
    how = {"tokens": tokens, "scores": scores, "alternatives": alternatives}
    columns: dict[str, list[Any]] = {}
    if not documents:
        columns = {name: [] for name in ("tokens", "tags", *_found(Document("", [], plain), **how), "fields")}
    for document in documents:
        found = _found(document, **how)
        written = {text_field, id_field, *found}
        others = {name: value for name, value in document.fields.items() if name not in written}
        found = {"tokens": None, "tags": None, **found, "fields": _ENCODE(others) if others else None}
        for name, value in found.items():
            columns.setdefault(name, []).append(_whole(value))
    ids = [_whole(document.fields.get(id_field)) for document in documents]
    return Rows(ids, [_whole(document.text) for document in documents], columns)


def _whole(value: Any) -> Any:
    """JSON with U+FFFD for half characters."""
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return value


def _plain_record(document: Document, text_field: str, scores: bool) -> str:
    """The JSON of text and entities alone, as an encoder would write it at several times the cost."""
    marked = []
    for start, end, label, text, score in document.entities:
        probability = f', "score": {round(score or 0.0, _DECIMALS)}' if scores else ""
        marked.append(
            f'{{"start": {start}, "end": {end}, "label": {_ENCODE(label)}, "text": {_ENCODE(text)}{probability}}}'
        )
    return f'{{{_ENCODE(text_field)}: {_ENCODE(document.text)}, "entities": [{", ".join(marked)}]}}'


def _escaped(line: str) -> str:
    """A line of JSON fit for UTF-8, ended. What is escaped stands in strings alone: the JSON stays what it was."""
    if not line.isascii():
        line = _ESCAPED_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
    return line + "\n"


def _entity(entity: Entity, scores: bool) -> dict[str, Any]:
    record = entity._asdict()
    score = record.pop("score")
    return {**record, "score": round(score or 0.0, _DECIMALS)} if scores else record


def _alternatives(sentence: Sentence, plain: bool) -> dict[str, Any]:
    """`{"start", "end", "taggings": [{"score", "entities"}, …]}`; of plain tags `"tags"` in place of entities.

    Probabilities of whole sentences may be small: they are given to significant digits.
    """
    start, end = extent(sentence)
    taggings: list[dict[str, Any]] = []
    for tags, score in sentence.alternatives or []:
        marked = [] if plain else entities(replace(sentence, tags=tags, scores=None))
        shown = {"tags": tags} if plain else {"entities": [_entity(entity, False) for entity in marked]}
        taggings.append({"score": float(f"{score:.{_DECIMALS}g}"), **shown})
    return {"start": start, "end": end, "taggings": taggings}


def conll_lines(documents: Iterable[Document], *, scores: bool = False) -> Iterator[str]:
    """Sentences as lines of token, TAB, tag, each sentence followed by an empty line.

    With `scores` a column with the probability stands before the tag, which stays the last one: that of the entity on
    each of its tokens and `_` outside, or that of the plain tag.

    Tabs, line breaks, NUL characters and lone surrogates inside a token become U+FFFD, as do tokens that are empty or
    all white space; only tokens given in JSON can hold such.
    """
    for document in documents:
        for sentence in document.sentences:
            tokens = sentence.tokens
            if _SUSPECT.search("".join(tokens)) or not all(tokens):
                tokens = [_column(token) for token in tokens]
            columns = [tokens, sentence.tags or []]
            if scores:
                columns.insert(1, ["_" if one is None else f"{one:.{_DECIMALS}f}" for one in sentence.scores or []])
            yield "".join(["\t".join(line) + "\n" for line in zip(*columns, strict=True)]) + "\n"


def _column(token: str) -> str:
    return _BREAKS_COLUMNS.sub(_REPLACEMENT, token) if token.strip() else _REPLACEMENT
