"""Convert running text with labelled character spans, as annotation tools write it, to tagged sentences."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from tagger.corpus.readers.account import MalformedError, ReadReport
from tagger.corpus.schemes import tags_from_spans
from tagger.corpus.sentence import Sentence, Span
from tagger.corpus.tokenizers import CharSpan, Tokenizer

OVERLAPPING = "spans that overlap others (data.overlap)"
Overlap = Literal["stop", "longest", "first", "outermost", "innermost"]


class Annotation(NamedTuple):
    """A labelled span of text: characters `start` to `end - 1`."""

    start: int
    end: int
    label: str


@dataclass
class ReadSentence:
    """A sentence, descriptions of the repairs to its annotations, and the number of those that were left out."""

    sentence: Sentence
    repairs: list[str] = field(default_factory=list)
    overlapping: int = 0


def deliver(sentences: Sequence[ReadSentence], report: ReadReport) -> Iterator[Sentence]:
    """Close the record that is open in `report`, and yield its sentences. Yields none if the record is dropped."""
    if not sentences:
        report.close_lines()
    for read in sentences:
        for repair in read.repairs:
            report.repair(f"{read.sentence.place}: {repair}")
        report.ignore(read.sentence.place, OVERLAPPING, read.overlapping)
        if not report.close_sentence():
            return
        yield read.sentence


def tag_text(
    text: str,
    annotations: Sequence[Annotation] | None,
    tokenizer: Tokenizer,
    *,
    place: str,
    document: str | None,
    overlap: Overlap = "stop",
) -> list[ReadSentence]:
    """Tokenise `text` and convert annotations to IOB2 tags.

    An annotation that begins or ends inside a token, or at white space, is extended or trimmed to whole tokens. This
    counts as a repair. If an annotation spans several sentences, they are joined.

    Args:
        text: running text. Offsets of the sentences refer to it.
        annotations: in any order. None gives sentences without tags.
        tokenizer: splits the text into sentences and tokens.
        place, document: stored in the sentences.
        overlap: which of the annotations that share a token to keep; see `without_overlap`.

    Raises:
        MalformedError: an annotation is outside the text, is empty or covers no token. With `overlap=stop`: it
            overlaps another one.
    """
    sentences = list(tokenizer(text))
    if annotations is None:
        return [ReadSentence(_sentence(text, tokens, None, place, document)) for tokens in sentences]
    tokens = [token for sentence in sentences for token in sentence]
    ordered = _checked(annotations, text, overlap)
    spans = _token_spans(ordered, tokens, text)
    kept = _disjoint(spans, tokens, text) if overlap == "stop" else without_overlap(spans, overlap)
    left_out = [spans[number].start for number in sorted({*range(len(spans))} - {*kept})]
    ordered, spans = [ordered[number] for number in kept], [spans[number] for number in kept]
    tags = tags_from_spans(spans, len(tokens))
    fitted = _fitted(ordered, spans, tokens)
    return [
        ReadSentence(
            _sentence(text, tokens[start:end], tags[start:end], place, document),
            [fitted[position] for position in range(start, end) if position in fitted],
            sum(start <= position < end for position in left_out),
        )
        for start, end in _boundaries(sentences, spans)
    ]


def _sentence(text: str, tokens: list[CharSpan], tags: list[str] | None, place: str, document: str | None) -> Sentence:
    words = [text[start:end] for start, end in tokens]
    return Sentence(words, tags, text=text, offsets=tokens, document=document, place=place)


def without_overlap(spans: Sequence[Span], overlap: Overlap) -> list[int]:
    """Choose spans that share no token. Returns their numbers, in the order of the text.

    Args:
        spans: in any order.
        overlap: `longest` keeps the longest of those that share a token, of equals the first. `first` keeps the one
            that begins first, of equals the longest. `outermost` leaves out spans inside others, `innermost` those
            around others; of spans that cross, they keep the first. Of the same tokens twice, the first is kept.
    """
    numbers: Sequence[int] = range(len(spans))
    if overlap in ("outermost", "innermost"):
        numbers = _unnested(spans, outermost=overlap == "outermost")

    def rank(number: int) -> tuple[int, int]:
        start, end, _ = spans[number]
        return (start - end, start) if overlap == "longest" else (start, start - end)

    kept: list[int] = []
    taken: set[int] = set()
    for number in sorted(numbers, key=rank):
        inside = range(spans[number].start, spans[number].end)
        if taken.isdisjoint(inside):
            kept.append(number)
            taken.update(inside)
    return sorted(kept, key=lambda number: spans[number].start)


def _unnested(spans: Sequence[Span], *, outermost: bool) -> list[int]:
    """Return the numbers of spans that are inside no other; with `outermost=False`, of those around no other."""
    sign = 1 if outermost else -1
    # sorted so that the spans around (or inside) a span come before it
    order = sorted(range(len(spans)), key=lambda number: (sign * spans[number].start, -sign * spans[number].end))
    kept: list[int] = []
    reach: int | None = None  # of the ends so far, the farthest, or with `outermost=False` the nearest
    for _, same in groupby(order, key=lambda number: spans[number][:2]):
        numbers = list(same)
        end = sign * spans[numbers[0]].end
        if reach is None or end > reach:
            kept += numbers
        reach = end if reach is None else max(reach, end)
    return kept


def _checked(annotations: Sequence[Annotation], text: str, overlap: Overlap) -> list[Annotation]:
    """Sort annotations. Raises MalformedError if one is outside the text or, with `stop`, overlaps another."""
    ordered = sorted(annotations, key=lambda annotation: annotation[: 3 if overlap == "stop" else 2])
    for annotation in ordered:
        start, end, label = annotation
        if not 0 <= start < end <= len(text):
            raise MalformedError(
                f"label {label!r} at {start}-{end}: expected 0 <= start < end <= {len(text)}, the text's length in "
                "characters; correct the offsets"
            )
    for before, after in pairwise(ordered if overlap == "stop" else ()):
        if after.start < before.end:
            raise MalformedError(
                f"labels {before.label!r} at {before.start}-{before.end} and {after.label!r} at "
                f"{after.start}-{after.end} overlap; keep one of them, or set data.overlap=longest"
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
        spans.append(Span(first, behind, label))
    return spans


def _disjoint(spans: Sequence[Span], tokens: Sequence[CharSpan], text: str) -> Sequence[int]:
    """Return the numbers of all spans, in order. Raises MalformedError if two share a token."""
    for before, after in pairwise(spans):
        if before.end > after.start:
            token = text[slice(*tokens[after.start])]
            raise MalformedError(f"labels {before.label!r} and {after.label!r} share token {token!r}; keep one of them")
    return range(len(spans))


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
