"""Convert records with named fields (JSONL, Hugging Face data sets) to sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tagger.corpus.readers.account import MalformedError, ReadReport, check_tag
from tagger.corpus.readers.annotations import Annotation, Overlap, ReadSentence, deliver, tag_text
from tagger.corpus.readers.marks import locate
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer

T = TypeVar("T")
TOKEN_FIELDS = ("tokens", "words", "word")
TAG_FIELDS = ("ner_tags", "tags", "labels", "pos_tags", "upos")
TEXT_FIELD = "text"
SPAN_FIELDS = ("label", "labels", "entities", "spans")
_ANSWERS = {"reject": "records that were rejected", "ignore": "records that were ignored"}  # of Prodigy
_START_KEYS = ("start", "start_offset")
_END_KEYS = ("end", "end_offset")


@dataclass(frozen=True, kw_only=True)
class RecordFields:
    """Names of the fields of a record. None: the first of the usual names that the record has.

    Attributes:
        tokens: a list of tokens.
        tags: one tag per token. In records with running text, labelled spans.
        text: running text, if the record has no tokens.
        tag_names: the tag of each number, if tags are numbers.
        tagged: False ignores tags and spans, and yields sentences without tags.
        overlap: which of spans that share a token to keep; see `annotations.without_overlap`.
    """

    tokens: str | None = None
    tags: str | None = None
    text: str | None = None
    tag_names: tuple[str, ...] | None = None
    tagged: bool = True
    overlap: Overlap = "stop"


def sentences_from(
    record: object, place: str, number: int, report: ReadReport, *, fields: RecordFields, tokenizer: Tokenizer
) -> Iterator[Sentence]:
    """Yield the sentences of one record. A record with tokens is one sentence. Running text is split by the tokenizer.

    The field `document` names the document. Without it, running text is a document of its own, named by `number`.
    Records of Prodigy whose `answer` is `reject` or `ignore` are left out and counted. A pair of a text and an object
    with `entities`, as spaCy had them, is a record too.

    Args:
        record: field values by name.
        place: its `file:line`, for messages.
        number: number of the record, counted from 1.
        report: counts what is read. The record is its open line.
        fields: names of the fields.
        tokenizer: for running text.

    Raises:
        UserError: with `on_error=stop`: the record is malformed.
    """
    if isinstance(record, Sequence) and len(record) == 2 and isinstance(record[1], Mapping):
        record = {**record[1], "text": record[0]}
    answer = record.get("answer") if isinstance(record, Mapping) else None
    if isinstance(answer, str) and answer in _ANSWERS:
        report.leave_out(place, f"its answer is {answer}; left out", _ANSWERS[answer])
        report.close_sentence()
        return
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
    if fields.tokens or not fields.text:  # if only the text field is set, tokenise the text even if there are tokens
        token_field = _field(record, fields.tokens, TOKEN_FIELDS, "data.token_field")
    if token_field is not None and _are_objects(record[token_field]):
        return _read_token_objects(record, record[token_field], place, document or str(number), fields)
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
        usual = ("spans", *SPAN_FIELDS) if "answer" in record else SPAN_FIELDS  # Prodigy's `label` may be the text's
        span_field = _field(record, fields.tags, usual, "data.tag_field")
        if span_field is None and "answer" not in record:
            raise MalformedError(f"no labelled spans {_found(record)}; set data.tag_field")
        annotations = [] if span_field is None else _annotations(record[span_field], span_field)
    document = document or str(number)
    return tag_text(text, annotations, tokenizer, place=place, document=document, overlap=fields.overlap)


def _are_objects(tokens: object) -> bool:
    return isinstance(tokens, (list, tuple)) and bool(tokens) and isinstance(tokens[0], Mapping)


def _read_token_objects(
    record: Mapping[str, Any], tokens: Sequence[Any], place: str, document: str, fields: RecordFields
) -> list[ReadSentence]:
    """Read a record of Prodigy: tokens as objects with their ends in the text, and spans. It is one sentence."""
    text = record.get(fields.text or TEXT_FIELD)
    if not isinstance(text, str):
        raise MalformedError("tokens are objects, and there is no text; set data.text_field")
    check_encodable(text)
    spans: list[tuple[int, int]] = []
    done = 0
    for number, token in enumerate(tokens):
        where = f"tokens[{number}]"
        found = token if isinstance(token, Mapping) else {}
        start, end, _ = make_annotation(found.get("start"), found.get("end"), "-", where)
        if not done <= start <= end <= len(text) or text[start:end] != found.get("text", text[start:end]):
            raise MalformedError(f"{where}: {start}-{end} are not its characters in the text; correct the offsets")
        done = end
        if text[start:end].strip():  # spaCy has tokens of white space
            spans.append((start, end))
    annotations = None
    if fields.tagged:
        span_field = _field(record, fields.tags, ("spans", *SPAN_FIELDS), "data.tag_field")
        if span_field is None and "answer" not in record:
            raise MalformedError(f"no labelled spans {_found(record)}; set data.tag_field")
        annotations = [] if span_field is None else _annotations(record[span_field], span_field)

    def given(_: str) -> Iterator[list[tuple[int, int]]]:
        if spans:
            yield spans

    return tag_text(text, annotations, given, place=place, document=document, overlap=fields.overlap)


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
    """Return tags as strings, after checking them."""
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
    """Parse spans: `[start, end, label]`, `{"start", "end", "label"}`, as in doccano's relation export, or as of GATE.

    GATE writes the spans of each label, as `{"indices": [start, end]}`.
    """
    if isinstance(spans, Mapping):
        found = [(label, span) for label, some in spans.items() if isinstance(some, list) for span in some]
        pairs = [(span.get("indices") if isinstance(span, Mapping) else None, label) for label, span in found]
        if pairs and all(isinstance(ends, list) and len(ends) == 2 for ends, _ in pairs):
            spans = [[*(ends or ()), label] for ends, label in pairs]
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
    """Check values read from a file and build an annotation. `where` names their field in messages.

    Raises:
        MalformedError: offsets are not whole numbers, or the label is not text, empty, or has control characters.
    """
    if not isinstance(start, int) or not isinstance(end, int) or isinstance(start, bool) or isinstance(end, bool):
        raise MalformedError(f"{where}: expected whole numbers as start and end, found {start!r} and {end!r}")
    if not isinstance(label, str) or not label.strip():
        raise MalformedError(f"{where}: expected a label, found {label!r}")
    check_encodable(label)
    check_tag(label.strip())
    return Annotation(start, end, label.strip())


def check_encodable(text: str) -> None:
    """Refuse half surrogate pairs. JSON can contain them, but they cannot be encoded as UTF-8 for output.

    Raises:
        MalformedError: the text contains one.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError(f"half a surrogate pair (U+{ord(text[error.start]):04X}); remove it") from None


def _field(record: Mapping[str, Any], name: str | None, usual: tuple[str, ...], setting: str) -> str | None:
    """Return the name of a field: the one that is set, or the first usual one in the record. A set one must exist."""
    if name is None:
        return next((candidate for candidate in usual if record.get(candidate) is not None), None)
    if name not in record:
        raise MalformedError(f"no field {name!r} {_found(record)}; set {setting}")
    return name


def _list_of(kind: type[T], value: object) -> list[T] | None:
    """Return `value` as a list of `kind`, or None if it is anything else. An empty list fits every kind."""
    if not isinstance(value, (list, tuple)):
        return None
    items = [item for item in value if isinstance(item, kind) and not isinstance(item, bool)]
    return items if len(items) == len(value) else None


def _found(record: Mapping[str, Any]) -> str:
    return f"(found {', '.join(map(repr, record)) or 'no fields'})"


def _kind(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
