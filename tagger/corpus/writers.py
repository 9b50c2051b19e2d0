"""Write labelled documents in the formats of annotation tools and of training data: one table, one function each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from tagger.corpus.document import Document
from tagger.corpus.entities import extent
from tagger.corpus.readers.account import check_tag
from tagger.corpus.schemes import Scheme, convert_tags
from tagger.corpus.sentence import Entity, Sentence
from tagger.errors import UserError

_DECIMALS = 4
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_BREAKS = {ord(mark): "\ufffd" for mark in "\0\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"}


class WriteNames(NamedTuple):
    """Names of labels in the output.

    Attributes:
        predicted: labels are a model's: predictions of Label Studio, with scores.
        model: its name.
        from_name, to_name: Label Studio's names of the labels and of the text in the labelling interface.
    """

    predicted: bool = False
    model: str = ""
    from_name: str = "label"
    to_name: str = "text"


class OutputStyle(NamedTuple):
    """A format that is written: one text per document, with texts before, between and behind them.

    Attributes:
        title: its name in messages.
        record: writes the document with this number, from 1.
        extensions: of files that are written so if nothing else is asked for.
        plain: whether it can hold plain tags.
    """

    title: str
    record: Callable[[Document, int, WriteNames], str]
    extensions: tuple[str, ...] = ()
    plain: bool = False
    before: str = ""
    between: str = ""
    behind: str = ""


def documents_of(sentences: Iterable[Sentence], *, plain: bool = False) -> Iterator[Document]:
    """Put sentences that follow each other in one text together. A sentence without text is a document of its own."""
    current: Document | None = None
    for sentence in sentences:
        last = current.sentences[-1] if current else None
        follows = (
            last is not None
            and sentence.text is not None
            and (last.text, last.document, last.place) == (sentence.text, sentence.document, sentence.place)
            and extent(last)[1] <= extent(sentence)[0]
        )
        if current is not None and follows:
            current.sentences.append(sentence)
            continue
        if current is not None:
            yield current
        text = " ".join(sentence.tokens) if sentence.text is None else sentence.text
        current = Document(text, [sentence], plain)
    if current is not None:
        yield current


def written(documents: Iterable[Document], style: str, names: WriteNames | None = None) -> Iterator[str]:
    """Yield the texts that together are a file.

    Raises:
        UserError: the format has no place for plain tags, or for a label.
    """
    names, how = names or WriteNames(), OUTPUT_STYLES[style]
    yield how.before
    for number, document in enumerate(documents, start=1):
        if document.plain and not how.plain:
            raise UserError(f"{how.title} holds labelled spans, and these are plain tags; write conll, csv or jsonl")
        yield (how.between if number > 1 else "") + how.record(document, number, names)
    yield how.behind


def _tags(sentence: Sentence, document: Document) -> list[str]:
    tags = sentence.tags or ["O"] * len(sentence)
    for tag in tags:
        check_tag(tag)
    return tags if document.plain else convert_tags(tags, Scheme.IOB2)


def _conll(document: Document, number: int, names: WriteNames) -> str:
    lines = []
    for sentence in document.sentences:
        tokens = [token.translate(_BREAKS) if token.strip() else "\ufffd" for token in sentence.tokens]
        scores = sentence.scores if names.predicted else None
        columns = [tokens, _tags(sentence, document)]
        if scores:
            columns.insert(1, ["_" if one is None else f"{one:.{_DECIMALS}f}" for one in scores])
        lines += ["\t".join(row) + "\n" for row in zip(*columns, strict=True)] + ["\n"]
    return "".join(lines)


def _csv(document: Document, number: int, names: WriteNames) -> str:
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    for place, sentence in enumerate(document.sentences, start=1):
        tags = _tags(sentence, document)
        rows.writerows((f"{number}.{place}", token, tag) for token, tag in zip(sentence.tokens, tags, strict=True))
    return buffer.getvalue()


def _jsonl(document: Document, number: int, names: WriteNames) -> str:
    lines = []
    for sentence in document.sentences:
        record: dict[str, Any] = {"tokens": sentence.tokens, "tags": _tags(sentence, document)}
        if sentence.document is not None:
            record["document"] = sentence.document
        lines.append(_line(record))
    return "".join(lines)


def _doccano(document: Document, number: int, names: WriteNames) -> str:
    found = document.entities
    record: dict[str, Any] = {"text": document.text, "label": [[one.start, one.end, one.label] for one in found]}
    if names.predicted and all(one.score is not None for one in found):
        record["scores"] = [_rounded(one.score) for one in found]
    return _line(record)


def _spacy(document: Document, number: int, names: WriteNames) -> str:
    return _ENCODE([document.text, {"entities": [[one.start, one.end, one.label] for one in document.entities]}])


def _prodigy(document: Document, number: int, names: WriteNames) -> str:
    """Write a record for each sentence, as Prodigy's tokens and spans are of one text that is shown at once."""
    lines = []
    for sentence in document.sentences:
        text, offsets, found = _alone(sentence)
        behind = [start for start, _ in offsets[1:]] + [len(text)]
        tokens = [
            {"text": text[start:end], "start": start, "end": end, "id": place, "ws": text[end:follows] == " "}
            for place, ((start, end), follows) in enumerate(zip(offsets, behind, strict=True))
        ]
        starts = {start: place for place, (start, _) in enumerate(offsets)}
        ends = {end: place for place, (_, end) in enumerate(offsets)}
        spans = [
            {"start": one.start, "end": one.end, "token_start": starts[one.start], "token_end": ends[one.end]}
            | {"label": one.label}
            | ({"score": _rounded(one.score)} if names.predicted and one.score is not None else {})
            for one in found
        ]
        lines.append(_line({"text": text, "tokens": tokens, "spans": spans}))
    return "".join(lines)


def _labelstudio(document: Document, number: int, names: WriteNames) -> str:
    """Write a task. Offsets count characters, as Label Studio's do; its older releases compare the text."""
    results = []
    for place, one in enumerate(document.entities, start=1):
        result: dict[str, Any] = {"id": f"e{place}", "from_name": names.from_name, "to_name": names.to_name}
        result |= {
            "type": "labels",
            "value": {"start": one.start, "end": one.end, "text": one.text, "labels": [one.label]},
        }
        if names.predicted and one.score is not None:
            result["score"] = _rounded(one.score)
        results.append(result)
    data = {"text": document.text}
    if not names.predicted:
        return _ENCODE({"data": data, "annotations": [{"result": results}]})
    prediction: dict[str, Any] = {"model_version": names.model, "result": results}
    scores = [one.score for one in document.entities if one.score is not None]
    if scores:
        prediction["score"] = _rounded(min(scores))  # Label Studio sorts tasks by it
    return _ENCODE({"data": data, "predictions": [prediction]})


def _alone(sentence: Sentence) -> tuple[str, list[tuple[int, int]], list[Entity]]:
    """Return a sentence's own text, and the ends of its tokens and entities in it."""
    alone = sentence_alone(sentence)
    document = Document(alone.text or "", [alone])
    return document.text, alone.offsets or [], document.entities


def sentence_alone(sentence: Sentence) -> Sentence:
    """Return a sentence whose text is its own, and not that of its document."""
    if sentence.text is None or sentence.offsets is None:
        text, offsets, position = " ".join(sentence.tokens), [], 0
        for token in sentence.tokens:
            offsets.append((position, position + len(token)))
            position += len(token) + 1
    else:
        begin, end = extent(sentence)
        text, offsets = sentence.text[begin:end], [(one - begin, other - begin) for one, other in sentence.offsets]
    found = Sentence(sentence.tokens, sentence.tags, text, offsets, sentence.document, sentence.place, sentence.scores)
    found.partial = sentence.partial
    return found


def _line(record: dict[str, Any]) -> str:
    return _ENCODE(record) + "\n"


def _rounded(score: float | None) -> float:
    return round(score or 0.0, _DECIMALS)


_LIST = ("[\n", ",\n", "\n]\n")
OUTPUT_STYLES = {
    "conll": OutputStyle("columns (CoNLL)", _conll, (".conll", ".iob2", ".bio"), plain=True),
    "csv": OutputStyle("CSV", _csv, (".csv",), plain=True, before="sentence_id,token,tag\n"),
    "jsonl": OutputStyle("JSON lines", _jsonl, (".jsonl", ".ndjson"), plain=True),
    "doccano": OutputStyle("doccano's JSON lines", _doccano),
    "prodigy": OutputStyle("Prodigy's JSON lines", _prodigy),
    "labelstudio": OutputStyle("Label Studio's JSON", _labelstudio, (".json",), False, *_LIST),
    "spacy": OutputStyle("spaCy's JSON list", _spacy, (), False, *_LIST),
}
