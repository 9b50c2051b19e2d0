"""Score predictions from running text. Their tokens may differ from gold; entities are compared by characters."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tagger.corpus.entities import entities
from tagger.corpus.schemes import Scheme, tags_from_spans
from tagger.corpus.sentence import Sentence, Span
from tagger.errors import UserError
from tagger.evaluation.entity_alignment import AlignedText, Side, side_from_tags
from tagger.evaluation.scores import Scores, gold_tags, readable_tags, score_entities


@dataclass
class RawText:
    """A running text with its gold sentences, in order."""

    text: str
    sentences: list[Sentence] = field(default_factory=list)


@dataclass(frozen=True)
class RawScores:
    """Scores of entities by characters, without token accuracy, and the entities of both sides, text by text.

    `predicted` are the predicted entities as IOB2 tags on the gold tokens, per gold sentence, for display.
    """

    scores: Scores
    predicted: list[list[str]]
    compared: list[AlignedText]
    warnings: list[str]


def raw_texts(gold: Sequence[Sentence]) -> list[RawText]:
    """Group gold sentences by their running texts.

    Neighbouring sentences belong to one text if their `text` and `document` are the same and their offsets rise. If the
    offsets start again, the same text begins a second time.

    Raises:
        UserError: a sentence has no running text or no tags, or there are no sentences.
    """
    gold_tags(gold)
    texts: list[RawText] = []
    for sentence in gold:
        if sentence.text is None or sentence.offsets is None:
            raise UserError(
                f"{sentence.place or 'gold data'}: no running text, which input=raw needs; "
                "evaluate on the tokens instead"
            )
        if not texts or not _continues(texts[-1].sentences[-1], sentence):
            texts.append(RawText(sentence.text))
        texts[-1].sentences.append(sentence)
    return texts


def score_raw(texts: Sequence[RawText], predicted: Sequence[Sequence[Sentence]], scheme: Scheme) -> RawScores:
    """Score tagged sentences of any tokenisation against the gold sentences of the same texts.

    An entity is right if its first and last character and its label are right. A gold sentence may be missing because
    it was rejected on reading. Predicted entities there are left out and counted in a warning.

    Args:
        predicted: the tagged sentences of each text, with offsets in it.
        scheme: of the gold tags. Predicted tags may be in any span scheme.

    Raises:
        UserError: the gold tags are plain.
        ValueError: a predicted sentence belongs to another text.
    """
    if scheme is Scheme.PLAIN:
        raise UserError("input=raw compares entities, and the gold tags are plain; evaluate on the tokens instead")
    tags: list[list[str]] = []
    compared: list[AlignedText] = []
    outside = moved = sentence = 0
    for text, sentences in zip(texts, predicted, strict=True):
        if any(sentence.text != text.text or sentence.offsets is None for sentence in sentences):
            raise ValueError(f"predicted sentences are not of the text {text.text[:40]!r}")
        found = sorted(_spans(sentences))
        text_tags, covered, fitting = _on_gold_tokens(text.sentences, found)
        tags += text_tags
        sides = [side_from_tags(one.tags or [], scheme, one.offsets or []) for one in text.sentences]
        gold = Side([span for side in sides for span in side.spans], [span for side in sides for span in side.strict])
        words = [word for one in text.sentences for word in one.offsets or []]
        spans = sorted(covered)  # read strictly they are the same: a tagger's predictions never break their scheme
        place = text.sentences[0].place
        compared.append(AlignedText(text.text, words, gold, Side(spans, spans), sentence, place))
        sentence += len(text.sentences)
        outside += len(found) - len(covered)
        moved += len(covered) - fitting
    gold_spans = [set(text.gold.spans) for text in compared]
    predicted_spans = [set(text.predicted.spans) for text in compared]
    scores = score_entities(gold_spans, predicted_spans, sentence, sum(len(text.words) for text in compared))
    return RawScores(scores, tags, compared, list(_warnings(outside, moved)))


def _continues(before: Sentence, after: Sentence) -> bool:
    if before.text != after.text or before.document != after.document:
        return False
    return not before.offsets or not after.offsets or before.offsets[-1][1] <= after.offsets[0][0]


def _spans(sentences: Iterable[Sentence]) -> set[Span]:
    """Return the entities of tagged sentences, in characters."""
    readable = (replace(sentence, tags=readable_tags(sentence.tags or [], Scheme.IOB2)) for sentence in sentences)
    return {Span(*entity[:3]) for sentence in readable for entity in entities(sentence)}


def _on_gold_tokens(sentences: Sequence[Sentence], spans: Sequence[Span]) -> tuple[list[list[str]], set[Span], int]:
    """Project spans, in the order of the text, onto the tokens of its gold sentences.

    Returns:
        IOB2 tags of the gold tokens that the spans touch, per sentence; the spans inside a sentence; and how many of
        them begin and end with tokens.
    """
    tags = []
    covered: set[Span] = set()
    fitting: set[Span] = set()
    span_starts, span_ends = [span.start for span in spans], [span.end for span in spans]
    for sentence in sentences:
        starts, ends = [start for start, _ in sentence.offsets or []], [end for _, end in sentence.offsets or []]
        projected: list[Span] = []
        inside = spans[bisect_right(span_ends, starts[0]) : bisect_left(span_starts, ends[-1])] if starts else []
        for span in inside:
            first, last = bisect_right(ends, span.start), bisect_left(starts, span.end)
            first = max(first, projected[-1].end) if projected else first
            if first < last:
                projected.append(Span(first, last, span.label))
                if (starts[first], ends[last - 1]) == (span.start, span.end):
                    fitting.add(span)
        covered.update(inside)
        tags.append(tags_from_spans(projected, len(starts)))
    return tags, covered, len(fitting)


def _warnings(outside: int, moved: int) -> Iterator[str]:
    if outside:
        yield f"predicted entities outside all gold sentences: {outside:,}; they are not scored"
    if moved:
        yield (
            f"predicted entities that do not begin and end with gold tokens: {moved:,}; they are scored as "
            "they are, and predictions.conll shows them on the gold tokens they touch"
        )
