"""Read DocRED and Re-DocRED: documents with entity mentions, in JSON (Yao et al. 2019; Tan et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tagger.corpus.readers.account import MalformedError, ReadReport, check_tag
from tagger.corpus.readers.annotations import ReadSentence, deliver
from tagger.corpus.readers.json_list import read_json_list
from tagger.corpus.readers.records import check_encodable
from tagger.corpus.schemes import tags_from_spans
from tagger.corpus.sentence import Sentence, Span

_ADVICE = "take a file of DocRED or Re-DocRED, such as dev_revised.json"


def read_docred(path: Path, report: ReadReport) -> Iterator[Sentence]:
    """Read the sentences of all documents, with their mentions as IOB2 tags. The whole file is held in memory.

    A document counts as a line. Its title is the document id. Of mentions that overlap the longest is kept, of equally
    long ones the first. Each of the others counts as a repair.

    Args:
        path: a list of documents with `title`, `sents` (lists of tokens) and `vertexSet` (entities, each a list of
            mentions with `sent_id`, `pos` and `type`).
        report: counts what is read.

    Raises:
        UserError: the file cannot be read or is not a JSON list. With `on_error=stop`: a document is malformed.
    """
    for number, document in enumerate(read_json_list(path, "documents", _ADVICE), start=1):
        place = f"{path}:document {number}"
        report.line()
        try:
            sentences = _sentences(document, place)
        except MalformedError as problem:
            report.reject(place, str(problem))
            report.close_sentence()
        else:
            yield from deliver(sentences, report)


def _sentences(document: object, place: str) -> list[ReadSentence]:
    if not isinstance(document, Mapping):
        raise MalformedError("expected a document (an object) with title, sents and vertexSet")
    title = document.get("title")
    if not isinstance(title, str):
        raise MalformedError(f"title: expected text, found {title!r}")
    check_encodable(title)
    token_lists = _token_lists(document.get("sents"))
    mentions: list[list[Span]] = [[] for _ in token_lists]
    entities = document.get("vertexSet")
    if not isinstance(entities, list) or not all(isinstance(entity, list) for entity in entities):
        raise MalformedError("vertexSet: expected a list of entities, each a list of mentions")
    for number, entity in enumerate(entities):
        for mention in entity:
            sentence, span = _mention(mention, f"vertexSet[{number}]", token_lists)
            mentions[sentence].append(span)
    return [
        _tagged(tokens, spans, f"{place}, sentence {number}", title)
        for number, (tokens, spans) in enumerate(zip(token_lists, mentions, strict=True))
    ]


def _token_lists(sentences: object) -> list[list[str]]:
    if not isinstance(sentences, list) or not sentences:
        raise MalformedError("sents: expected a list of sentences")
    for number, tokens in enumerate(sentences):
        if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
            raise MalformedError(f"sents[{number}]: expected a list of tokens")
        check_encodable("".join(tokens))
    return sentences


def _mention(mention: object, where: str, sentences: Sequence[Sequence[str]]) -> tuple[int, Span]:
    """Return the sentence and the span of a mention."""
    if not isinstance(mention, Mapping):
        raise MalformedError(f"{where}: expected a mention with sent_id, pos and type, found {mention!r:.40}")
    sentence: Any = mention.get("sent_id")
    label, position = mention.get("type"), mention.get("pos")
    if not _is_index(sentence) or sentence >= len(sentences):
        raise MalformedError(f"{where}: sent_id {sentence!r:.40} is none of the {len(sentences)} sentences")
    length = len(sentences[sentence])
    if not isinstance(position, list) or len(position) != 2 or not all(map(_is_index, position)):
        raise MalformedError(f"{where}: pos {position!r:.40}: expected the first token and the one after the last")
    start, end = position
    if not start < end <= length:
        raise MalformedError(f"{where}: pos [{start}, {end}] is not inside the {length} tokens of sentence {sentence}")
    if not isinstance(label, str) or not label.strip():
        raise MalformedError(f"{where}: expected a type, found {label!r:.40}")
    check_encodable(label)
    check_tag(label.strip())
    return sentence, Span(start, end, label.strip())


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _tagged(tokens: list[str], mentions: Sequence[Span], place: str, title: str) -> ReadSentence:
    """Keep the longest of overlapping mentions. Equal ones are one mention."""
    kept: list[Span] = []
    repairs = []
    free = [True] * len(tokens)
    for span in sorted(dict.fromkeys(mentions), key=lambda one: one.start - one.end):
        if all(free[span.start : span.end]):
            kept.append(span)
            free[span.start : span.end] = [False] * (span.end - span.start)
        else:
            words = " ".join(tokens[span.start : span.end])
            repairs.append(f"mention {words!r} ({span.label}) overlaps another; left out")
    return ReadSentence(Sentence(tokens, tags_from_spans(kept, len(tokens)), document=title, place=place), repairs)
