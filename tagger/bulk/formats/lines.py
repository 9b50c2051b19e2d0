"""Write tagged documents as JSON lines, CoNLL columns and rows of tables.

The results can be encoded as UTF-8, whatever characters the documents hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from tagger.bulk.records import ID_COLUMN, BadRecord
from tagger.corpus.document import Document
from tagger.corpus.entities import entities, extent
from tagger.corpus.sentence import Entity, Sentence

_REPLACEMENT = "\ufffd"
# Half a character, which UTF-8 cannot write, and what some programs take for the end of a line.
_ESCAPED_IN_JSON = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")
_SUSPECT = re.compile("[\\s\0\ud800-\udfff]")
_BREAKS_COLUMNS = re.compile("[\0\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]")
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_DECIMALS = 4
REASON = "rejected"  # the field that says why a record was not tagged


class OutputFormat(StrEnum):
    """Format of the output; also the extension of output files."""

    JSONL = "jsonl"
    CONLL = "conll"
    HTML = "html"
    PARQUET = "parquet"
    CSV = "csv"


class Rows(NamedTuple):
    """Rows of a table, column by column."""

    ids: list[Any]  # any JSON; None where there is none
    texts: list[str]
    more: dict[str, list[Any]]  # further columns by their names, the same in all rows of a job


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """Options of writing. Scores and alternatives need documents that were tagged with them."""

    tokens: bool = False  # JSON lines also hold tokens and tags
    scores: bool = False  # write the probability of each entity or plain tag
    alternatives: bool = False  # JSON lines also hold each sentence's alternatives
    text_field: str = "text"  # the name of a record's text
    id_field: str = ID_COLUMN


def json_text(value: Any) -> str:
    """Encode a value as JSON that is fit for UTF-8 and for a line."""
    text = _ENCODE(value)
    if not text.isascii():
        text = _ESCAPED_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text


def json_field(name: str, value: Any) -> str:
    """Encode `"name": value`."""
    return f"{json_text(name)}: {json_text(value)}"


def json_line(document: Document, options: WriteOptions) -> str:
    """Write a document as a line of JSON: its own fields, its text, its entities and, if asked for, tokens and tags.

    An entity is `{"start", "end", "label", "text"}`, half-open, in characters of the record's text, and with scores
    also `"score"`. Tokens and their tags are two flat lists. They are written where `tokens` asks for them, where
    the tags are plain (then there are no entities, and scores are a third list), and where the record has a field
    `tokens`. Alternatives are a list with an object per sentence, see `_alternatives`. What is written replaces fields
    of those names; other fields come out exactly as they were written.
    """
    fields = dict(document.fields)
    if fields.get(options.text_field, "null").endswith("null"):  # none was read, or that of a record with tokens
        fields[options.text_field] = json_field(options.text_field, document.text)
    if not document.plain:
        fields["entities"] = f'"entities": [{", ".join(_entity_texts(document, options.scores))}]'
    for name, value in _found(document, options).items():
        fields[name] = json_field(name, value)
    return f"{{{', '.join(fields.values())}}}\n"


def null_line(bad: BadRecord, plain: bool, options: WriteOptions) -> str:
    """Write a record that could not be read: its fields, no entities (null), and the reason."""
    fields = dict(bad.fields) or {options.text_field: json_field(options.text_field, None)}
    fields |= {name: json_field(name, None) for name in (("tokens", "tags") if plain else ("entities",))}
    fields |= {REASON: json_field(REASON, bad.reason)}
    return f"{{{', '.join(fields.values())}}}\n"


def _found(document: Document, options: WriteOptions) -> dict[str, Any]:
    """Collect what a record says of a document beside its text and entities."""
    record: dict[str, Any] = {}
    if options.tokens or document.plain or "tokens" in document.fields:
        record["tokens"] = [token for sentence in document.sentences for token in sentence.tokens]
        record["tags"] = [tag for sentence in document.sentences for tag in sentence.tags or []]
    if options.scores and document.plain:
        found = (score for sentence in document.sentences for score in sentence.scores or [])
        record["scores"] = [round(score or 0.0, _DECIMALS) for score in found]
    if options.alternatives:
        record["alternatives"] = [_alternatives(sentence, document.plain) for sentence in document.sentences]
    return record


def table_rows(documents: Sequence[Document], options: WriteOptions, *, plain: bool = False) -> Rows:
    """Make a row per document: what its JSON line would say (see `json_line`), in columns that are always the same.

    `tokens` and `tags` are None where the line would not have them. `fields` holds the document's other fields as the
    JSON of an object, None where there are none. Half a surrogate pair becomes U+FFFD. Without documents there are
    columns too, those of `plain` tags or of entities.
    """
    columns: dict[str, list[Any]] = {}
    if not documents:
        columns = {name: [] for name in ("tokens", "tags", *_columns(Document("", [], plain), options), "fields")}
    ids = []
    for document in documents:
        found = _columns(document, options)
        written = {options.text_field, options.id_field, *found}
        others = [text for name, text in document.fields.items() if name not in written]
        found = {"tokens": None, "tags": None, **found, "fields": f"{{{', '.join(others)}}}" if others else None}
        for name, value in found.items():
            columns.setdefault(name, []).append(_whole(value))
        identity = document.fields.get(options.id_field)
        ids.append(None if identity is None else _whole(json.loads(f"{{{identity}}}")[options.id_field]))
    return Rows(ids, [_whole(document.text) for document in documents], columns)


def _columns(document: Document, options: WriteOptions) -> dict[str, Any]:
    marked = [_entity(entity, options.scores) for entity in document.entities]
    return {**({} if document.plain else {"entities": marked}), **_found(document, options)}


def _entity_texts(document: Document, scores: bool) -> Iterator[str]:
    """Encode entities, as an encoder would at several times the cost."""
    for start, end, label, text, score in document.entities:
        probability = f', "score": {round(score or 0.0, _DECIMALS)}' if scores else ""
        yield f'{{"start": {start}, "end": {end}, "label": {json_text(label)}, "text": {json_text(text)}{probability}}}'


def _whole(value: Any) -> Any:
    """Put U+FFFD in place of half characters in JSON."""
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return value


def _entity(entity: Entity, scores: bool) -> dict[str, Any]:
    record = entity._asdict()
    score = record.pop("score")
    return {**record, "score": round(score or 0.0, _DECIMALS)} if scores else record


def _alternatives(sentence: Sentence, plain: bool) -> dict[str, Any]:
    """Make `{"start", "end", "taggings": [{"score", "entities"}, …]}`; of plain tags `"tags"` in place of entities.

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
    """Write sentences as lines of token, TAB, tag, each sentence followed by an empty line.

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
