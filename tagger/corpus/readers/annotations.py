"""Running text with labelled stretches of characters, as annotation tools write it, made into tagged sentences."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from tagger.corpus.readers.account import MalformedError, ReadReport
from tagger.corpus.schemes import tags_from_spans
from tagger.corpus.sentence import Sentence, Span
from tagger.corpus.tokenizers import CharSpan, Tokenizer


class Annotation(NamedTuple):
    """A labelled stretch of text: characters `start` to `end - 1`."""

    start: int
    end: int
    label: str


@dataclass
class ReadSentence:
    """A sentence with what had to be mended in its annotations."""

    sentence: Sentence
    repairs: list[str] = field(default_factory=list)


def deliver(sentences: Sequence[ReadSentence], report: ReadReport) -> Iterator[Sentence]:
    """Close the record that is open in `report` and give its sentences; none, if the record is to be dropped."""
    if not sentences:
        report.close_lines()
    for read in sentences:
        for repair in read.repairs:
            report.repair(f"{read.sentence.place}: {repair}")
        if not report.close_sentence():
            return
        yield read.sentence


def tag_text(
    text: str, annotations: Sequence[Annotation] | None, tokenizer: Tokenizer, *, place: str, document: str | None
) -> list[ReadSentence]:
    """Tokenize `text` and turn annotations into IOB2 tags.

    An annotation that begins or ends inside a token, or at white space, is fitted to whole tokens, which counts as a
    repair. Sentences that an annotation reaches across are joined: the annotation knows better than the tokenizer.

    Args:
        text: running text; the sentences' offsets count in it.
        annotations: in any order; None gives sentences without tags.
        tokenizer: splits the text into sentences and tokens.
        place, document: handed to the sentences.

    Raises:
        MalformedError: an annotation lies outside the text, is empty, covers no token, or overlaps another one.
    """
    sentences = list(tokenizer(text))
    if annotations is None:
        return [ReadSentence(_sentence(text, tokens, None, place, document)) for tokens in sentences]
    tokens = [token for sentence in sentences for token in sentence]
    ordered = _checked(annotations, text)
    spans = _token_spans(ordered, tokens, text)
    tags = tags_from_spans(spans, len(tokens))
    fitted = _fitted(ordered, spans, tokens)
    return [
        ReadSentence(
            _sentence(text, tokens[start:end], tags[start:end], place, document),
            [fitted[position] for position in range(start, end) if position in fitted],
        )
        for start, end in _boundaries(sentences, spans)
    ]


def _sentence(text: str, tokens: list[CharSpan], tags: list[str] | None, place: str, document: str | None) -> Sentence:
    words = [text[start:end] for start, end in tokens]
    return Sentence(words, tags, text=text, offsets=tokens, document=document, place=place)


def _checked(annotations: Sequence[Annotation], text: str) -> list[Annotation]:
    """The annotations in order, each inside the text and none overlapping another."""
    ordered = sorted(annotations)
    for annotation in ordered:
        start, end, label = annotation
        if not 0 <= start < end <= len(text):
            raise MalformedError(
                f"label {label!r} at {start}-{end}: expected 0 <= start < end <= {len(text)}, the text's length in "
                "characters; correct the offsets"
            )
    for before, after in pairwise(ordered):
        if after.start < before.end:
            raise MalformedError(
                f"labels {before.label!r} at {before.start}-{before.end} and {after.label!r} at "
                f"{after.start}-{after.end} overlap; keep one of them"
            )
    return ordered


def _token_spans(ordered: list[Annotation], tokens: list[CharSpan], text: str) -> list[Span]:
    """The tokens that each annotation touches."""
    starts, ends = [start for start, _ in tokens], [end for _, end in tokens]
    spans: list[Span] = []
    for start, end, label in ordered:
        first, behind = bisect_right(ends, start), bisect_left(starts, end)
        if first >= behind:
            raise MalformedError(f"label {label!r} at {start}-{end} covers no token ({text[start:end]!r}); remove it")
        if spans and spans[-1].end > first:
            token = text[tokens[first][0] : tokens[first][1]]
            raise MalformedError(f"labels {spans[-1].label!r} and {label!r} share token {token!r}; keep one of them")
        spans.append(Span(first, behind, label))
    return spans


def _fitted(ordered: list[Annotation], spans: list[Span], tokens: list[CharSpan]) -> dict[int, str]:
    """What to tell of the annotations that do not begin and end where tokens do, by their first token."""
    told = {}
    for annotation, span in zip(ordered, spans, strict=True):
        start, end = tokens[span.start][0], tokens[span.end - 1][1]
        if (annotation.start, annotation.end) != (start, end):
            place = f"{annotation.label!r} at {annotation.start}-{annotation.end}"
            told[span.start] = f"{place} fitted to the tokens it touches, {start}-{end}"
    return told


def _boundaries(sentences: list[list[CharSpan]], spans: list[Span]) -> list[tuple[int, int]]:
    """First token and token behind the last of each sentence, those joined that a span reaches across."""
    inside = {position for start, end, _ in spans for position in range(start + 1, end)}
    cuts = [0]
    for sentence in sentences:
        cuts.append(cuts[-1] + len(sentence))
    kept = [cut for cut in cuts if cut not in inside]
    return list(pairwise(kept))
