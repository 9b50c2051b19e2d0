"""Convert running text with labelled character spans, as annotation tools write it, to tagged sentences."""

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
    """A labelled span of text: characters `start` to `end - 1`."""

    start: int
    end: int
    label: str


@dataclass
class ReadSentence:
    """A sentence, and descriptions of the repairs to its annotations."""

    sentence: Sentence
    repairs: list[str] = field(default_factory=list)


def deliver(sentences: Sequence[ReadSentence], report: ReadReport) -> Iterator[Sentence]:
    """Close the record that is open in `report`, and yield its sentences. Yields none if the record is dropped."""
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
    """Tokenise `text` and convert annotations to IOB2 tags.

    An annotation that begins or ends inside a token, or at white space, is extended or trimmed to whole tokens. This
    counts as a repair. If an annotation spans several sentences, they are joined.

    Args:
        text: running text. Offsets of the sentences refer to it.
        annotations: in any order. None gives sentences without tags.
        tokenizer: splits the text into sentences and tokens.
        place, document: stored in the sentences.

    Raises:
        MalformedError: an annotation is outside the text, is empty, covers no token, or overlaps another one.
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
    """Sort annotations. Raises MalformedError if one is outside the text or overlaps another."""
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
    """Return the token span that each annotation touches."""
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
    """Describe the annotations that were fitted to tokens, by their first token."""
    repairs = {}
    for annotation, span in zip(ordered, spans, strict=True):
        start, end = tokens[span.start][0], tokens[span.end - 1][1]
        if (annotation.start, annotation.end) != (start, end):
            place = f"{annotation.label!r} at {annotation.start}-{annotation.end}"
            repairs[span.start] = f"{place} fitted to the tokens it touches, {start}-{end}"
    return repairs


def _boundaries(sentences: list[list[CharSpan]], spans: list[Span]) -> list[tuple[int, int]]:
    """Return the half-open token range of each sentence, after joining sentences that share a span."""
    inside = {position for start, end, _ in spans for position in range(start + 1, end)}
    cuts = [0]
    for sentence in sentences:
        cuts.append(cuts[-1] + len(sentence))
    kept = [cut for cut in cuts if cut not in inside]
    return list(pairwise(kept))
