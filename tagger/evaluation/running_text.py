"""Scoring from running text: the predictions have tokens of their own, entities are compared by characters."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from tagger.corpus.entities import entities
from tagger.corpus.schemes import Scheme, tags_from_spans
from tagger.corpus.sentence import Sentence, Span
from tagger.errors import UserError
from tagger.evaluation.entity_alignment import Compared, Side, side_of
from tagger.evaluation.scores import CharacterSpan, Scores, gold_tags, readable_tags, score_entities


@dataclass
class RawText:
    """A running text and the gold sentences that stand in it, in their order."""

    text: str
    sentences: list[Sentence] = field(default_factory=list)


@dataclass(frozen=True)
class RawScores:
    """Scores by characters.

    Attributes:
        scores: of entities as (start, end, label) in characters; no token accuracy.
        predicted: the predicted entities as IOB2 tags on the gold tokens, per gold sentence, for showing.
        compared: both sides' entities, text by text.
        warnings: what a reader of scores and tags should know, a line each.
    """

    scores: Scores
    predicted: list[list[str]]
    compared: list[Compared]
    warnings: list[str]


def raw_texts(gold: Sequence[Sentence]) -> list[RawText]:
    """Put gold sentences back into their running texts.

    Neighbouring sentences belong to one text if their `text` and `document` are the same and their offsets go on; the
    same text twice in a row (offsets start anew) is two texts.

    Raises:
        UserError: a sentence has no running text or no tags, or there are none.
    """
    gold_tags(gold)
    texts: list[RawText] = []
    for sentence in gold:
        if sentence.text is None or sentence.offsets is None:
            raise UserError(
                f"{sentence.place or 'gold data'}: no running text, which input=raw needs; "
                "evaluate on the tokens instead"
            )
        if not texts or not _goes_on(texts[-1].sentences[-1], sentence):
            texts.append(RawText(sentence.text))
        texts[-1].sentences.append(sentence)
    return texts


def score_raw(texts: Sequence[RawText], predicted: Sequence[Sequence[Sentence]], scheme: Scheme) -> RawScores:
    """Score tagged sentences of whatever tokenisation against the gold sentences of the same texts.

    An entity is right if its first and last character and its label are. Predicted entities in stretches of a text
    that no gold sentence covers (sentences rejected on reading) are left out, and counted in a warning.

    Args:
        texts: the gold side.
        predicted: for each text its sentences, with tags, and with offsets in that same text.
        scheme: of the gold tags. Predicted tags may be in any span scheme.

    Raises:
        UserError: the gold tags are plain.
        ValueError: predicted sentences are not those of `texts`.
    """
    if scheme is Scheme.PLAIN:
        raise UserError("input=raw compares entities, and the gold tags are plain; evaluate on the tokens instead")
    predicted_spans, tags = [], []
    compared: list[Compared] = []
    outside = moved = sentence = 0
    for text, sentences in zip(texts, predicted, strict=True):
        if any(sentence.text != text.text or sentence.offsets is None for sentence in sentences):
            raise ValueError(f"predicted sentences are not of the text {text.text[:40]!r}")
        found = sorted(_character_spans(sentences, Scheme.IOB2))
        text_tags, covered, fitting = _on_gold_tokens(text.sentences, found)
        predicted_spans.append(covered)
        tags += text_tags
        compared.append(_compared(text, covered, scheme, sentence))
        sentence += len(text.sentences)
        outside += len(found) - len(covered)
        moved += len(covered) - len(fitting)
    gold_spans = [{(span.start, span.end, span.label) for span in text.gold.spans} for text in compared]
    words = sum(len(text.words) for text in compared)
    scores = score_entities(gold_spans, predicted_spans, sentence, words)
    return RawScores(scores, tags, compared, _warnings(outside, moved))


def _compared(text: RawText, predicted: Iterable[CharacterSpan], scheme: Scheme, sentence: int) -> Compared:
    """A text's entities side by side; those predicted by a tagger are written rightly."""
    sides = [side_of(one.tags or [], scheme, one.offsets or []) for one in text.sentences]
    gold = Side([span for side in sides for span in side.spans], [span for side in sides for span in side.strict])
    found = sorted(Span(*span) for span in predicted)
    words = [word for one in text.sentences for word in one.offsets or []]
    return Compared(text.text, words, gold, Side(found, found), sentence, text.sentences[0].place)


def _goes_on(before: Sentence, after: Sentence) -> bool:
    if before.text != after.text or before.document != after.document:
        return False
    return not before.offsets or not after.offsets or before.offsets[-1][1] <= after.offsets[0][0]


def _character_spans(sentences: Iterable[Sentence], scheme: Scheme) -> set[CharacterSpan]:
    readable = (replace(sentence, tags=readable_tags(sentence.tags or [], scheme)) for sentence in sentences)
    return {entity[:3] for sentence in readable for entity in entities(sentence)}


def _on_gold_tokens(
    sentences: Sequence[Sentence], spans: Sequence[CharacterSpan]
) -> tuple[list[list[str]], set[CharacterSpan], set[CharacterSpan]]:
    """IOB2 tags of the gold tokens that `spans` touch, the spans that stand in a sentence, and those that fit tokens.

    `spans` are in the order of the text and do not overlap.
    """
    tags = []
    covered: set[CharacterSpan] = set()
    fitting: set[CharacterSpan] = set()
    span_starts, span_ends = [span[0] for span in spans], [span[1] for span in spans]
    for sentence in sentences:
        starts, ends = [start for start, _ in sentence.offsets or []], [end for _, end in sentence.offsets or []]
        laid: list[Span] = []
        inside = spans[bisect_right(span_ends, starts[0]) : bisect_left(span_starts, ends[-1])] if starts else []
        for start, end, label in inside:
            first, last = bisect_right(ends, start), bisect_left(starts, end)
            first = max(first, laid[-1].end) if laid else first
            if first < last:
                laid.append(Span(first, last, label))
                if (starts[first], ends[last - 1]) == (start, end):
                    fitting.add((start, end, label))
        covered.update(inside)
        tags.append(tags_from_spans(laid, len(starts)))
    return tags, covered, fitting


def _warnings(outside: int, moved: int) -> list[str]:
    warnings = []
    if outside:
        warnings.append(f"predicted entities where no gold sentence stands: {outside:,}; they are not scored")
    if moved:
        warnings.append(
            f"predicted entities that do not begin and end with gold tokens: {moved:,}; the scores take them as they "
            "are, predictions.conll shows them on the gold tokens they touch"
        )
    return warnings
