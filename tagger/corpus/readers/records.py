"""Records with named fields (JSONL, Hugging Face data sets) made into sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tagger.corpus.readers.account import MalformedError, ReadReport, check_tag
from tagger.corpus.readers.annotations import Annotation, ReadSentence, deliver, tag_text
from tagger.corpus.readers.marks import locate
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer

T = TypeVar("T")
TOKEN_FIELDS = ("tokens", "words", "word")
TAG_FIELDS = ("ner_tags", "tags", "labels", "pos_tags", "upos")
TEXT_FIELD = "text"
SPAN_FIELDS = ("label", "labels", "entities", "spans")
_START_KEYS = ("start", "start_offset")
_END_KEYS = ("end", "end_offset")


@dataclass(frozen=True, kw_only=True)
class RecordFields:
    """Which fields of a record hold what. None takes the first of the usual names that the record has.

    Attributes:
        tokens: a list of tokens.
        tags: a tag per token or, of a record with running text, its labelled spans.
        text: running text, where the record has no tokens.
        tag_names: what number n stands for, where tags are numbers.
        tagged: False leaves tags and spans alone and gives sentences without tags.
    """

    tokens: str | None = None
    tags: str | None = None
    text: str | None = None
    tag_names: tuple[str, ...] | None = None
    tagged: bool = True


def sentences_from(
    record: object, place: str, number: int, report: ReadReport, *, fields: RecordFields, tokenizer: Tokenizer
) -> Iterator[Sentence]:
    """The sentences of one record: one where it has tokens, as many as the tokenizer finds where it has running text.

    A `document` field names their document; otherwise running text is a document of its own, named by `number`.

    Args:
        record: field values by name.
        place: where it stands (`file:line`), for messages.
        number: counted from 1 over all records.
        report: the account, in which the record is the open line.
        fields: which fields hold what.
        tokenizer: for running text.

    Raises:
        UserError: with `on_error=stop`, where the record is malformed.
    """
    try:
        yield from deliver(_read(record, place, number, fields, tokenizer), report)
    except MalformedError as problem:
        report.reject(place, str(problem))
        report.close_sentence()


def _read(record: object, place: str, number: int, fields: RecordFields, tokenizer: Tokenizer) -> list[ReadSentence]:
    if not isinstance(record, Mapping):
        raise MalformedError(f"expected an object with named fields, found {_kind(record)}")
    document = record.get("document")
    if document is not None and not isinstance(document, str):
        document = str(document)
    token_field = None
    if fields.tokens or not fields.text:  # who names the text alone wants it tokenised
        token_field = _field(record, fields.tokens, TOKEN_FIELDS, "data.token_field")
    if token_field is not None:
        return _read_tokens(record, token_field, place, document, fields)
    text_field = _field(record, fields.text, (TEXT_FIELD,), "data.text_field")
    if text_field is None:
        raise MalformedError(f"neither tokens nor text {_found(record)}; set data.token_field or data.text_field")
    text = record[text_field]
    if not isinstance(text, str):
        raise MalformedError(f"field {text_field!r}: expected text, found {_kind(text)}")
    check_encodable(text)
    annotations = None
    if fields.tagged:
        span_field = _field(record, fields.tags, SPAN_FIELDS, "data.tag_field")
        if span_field is None:
            raise MalformedError(f"no labelled spans {_found(record)}; set data.tag_field")
        annotations = _annotations(record[span_field], span_field)
    return tag_text(text, annotations, tokenizer, place=place, document=document or str(number))


def _read_tokens(
    record: Mapping[str, Any], token_field: str, place: str, document: str | None, fields: RecordFields
) -> list[ReadSentence]:
    tokens = _list_of(str, record[token_field])
    if tokens is None:
        raise MalformedError(f"field {token_field!r}: expected a list of tokens, found {_kind(record[token_field])}")
    check_encodable("".join(tokens))
    tags, repairs = None, []
    if fields.tagged:
        tag_field = _field(record, fields.tags, TAG_FIELDS, "data.tag_field")
        if tag_field is None:
            raise MalformedError(f"no tags {_found(record)}; set data.tag_field")
        written = _named(record[tag_field], tag_field, fields.tag_names)
        tags = [tag.strip() for tag in written]
        repairs = [f"blanks around tag {tag!r} removed" for tag, kept in zip(written, tags, strict=True) if tag != kept]
        for tag in dict.fromkeys(tags):
            check_tag(tag)
        if len(tags) != len(tokens):
            raise MalformedError(f"{len(tokens)} tokens but {len(tags)} tags; give each token one tag")
    if not tokens:
        return []
    text = record.get(fields.text or TEXT_FIELD)
    offsets = locate(tokens, text) if isinstance(text, str) else None
    text = None if offsets is None else text
    sentence = Sentence(list(tokens), tags, text=text, offsets=offsets, document=document, place=place)
    return [ReadSentence(sentence, repairs)]


def _named(tags: object, tag_field: str, names: tuple[str, ...] | None) -> list[str]:
    """Tags as strings."""
    written = _list_of(str, tags)
    if written is not None:
        if not all(tag.strip() for tag in written):
            raise MalformedError(f"field {tag_field!r} holds an empty tag; write O for none")
        check_encodable("".join(written))
        return written
    numbers = _list_of(int, tags)
    if numbers is None:
        raise MalformedError(f"field {tag_field!r}: expected a list of tags, found {_kind(tags)}; set data.tag_field")
    if names is None:
        raise MalformedError(f"field {tag_field!r} holds numbers; set data.tag_names to the tags in their order")
    outside = [number for number in numbers if not 0 <= number < len(names)]
    if outside:
        raise MalformedError(f"field {tag_field!r}: {outside[0]} is none of the {len(names)} tags; set data.tag_names")
    return [names[number] for number in numbers]


def _annotations(spans: object, span_field: str) -> list[Annotation]:
    """Spans written `[start, end, label]`, `{"start", "end", "label"}` or as doccano's relation export has them."""
    if not isinstance(spans, Sequence) or isinstance(spans, str):
        raise MalformedError(f"field {span_field!r}: expected spans, found {_kind(spans)}; set data.tag_field")
    return [_annotation(span, f"{span_field}[{position}]") for position, span in enumerate(spans)]


def _annotation(span: object, where: str) -> Annotation:
    if isinstance(span, Mapping):
        start = next((span[key] for key in _START_KEYS if key in span), None)
        end = next((span[key] for key in _END_KEYS if key in span), None)
        label = span.get("label")
    elif isinstance(span, Sequence) and not isinstance(span, str) and len(span) == 3:
        start, end, label = span
    else:
        raise MalformedError(f"{where}: expected [start, end, label] or an object with them, found {_kind(span)}")
    return make_annotation(start, end, label, where)


def make_annotation(start: object, end: object, label: object, where: str) -> Annotation:
    """An annotation out of values read from a file, `where` being their field.

    Raises:
        MalformedError: offsets are no whole numbers, or the label is no text, empty or holds control characters.
    """
    if not isinstance(start, int) or not isinstance(end, int) or isinstance(start, bool) or isinstance(end, bool):
        raise MalformedError(f"{where}: expected whole numbers as start and end, found {start!r} and {end!r}")
    if not isinstance(label, str) or not label.strip():
        raise MalformedError(f"{where}: expected a label, found {label!r}")
    check_encodable(label)
    check_tag(label.strip())
    return Annotation(start, end, label.strip())


def check_encodable(text: str) -> None:
    """Turn away half surrogate pairs: JSON can write them, but no file or terminal takes them later.

    Raises:
        MalformedError: there is one.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError(f"half a surrogate pair (U+{ord(text[error.start]):04X}); remove it") from None


def _field(record: Mapping[str, Any], name: str | None, usual: tuple[str, ...], setting: str) -> str | None:
    """The name of a record's field: the one set, which must be there, or the first usual one that is there."""
    if name is None:
        return next((candidate for candidate in usual if record.get(candidate) is not None), None)
    if name not in record:
        raise MalformedError(f"no field {name!r} {_found(record)}; set {setting}")
    return name


def _list_of(kind: type[T], value: object) -> list[T] | None:
    """`value` as a list of `kind`, or None if it is something else. An empty list is a list of anything."""
    if not isinstance(value, (list, tuple)):
        return None
    items = [item for item in value if isinstance(item, kind) and not isinstance(item, bool)]
    return items if len(items) == len(value) else None


def _found(record: Mapping[str, Any]) -> str:
    return f"(found {', '.join(map(repr, record)) or 'no fields'})"


def _kind(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
