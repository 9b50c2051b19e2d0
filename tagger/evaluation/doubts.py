"""Find labels that are probably wrong, by the probabilities of models that have not seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagger.corpus.schemes import Scheme, convert_tags, spans_from_tags
from tagger.corpus.sentence import Sentence, Span
from tagger.predict import Tagger

_LEAST = 1e-6


@dataclass(frozen=True)
class Doubt:
    """A sentence whose labels are doubted.

    Attributes:
        sentence: with its labels.
        predicted: the same with a model's.
        score: 1 - P of the least probable of its tags, under a model that has not seen it.
        changes: spans that only one of the two has: the span, whether it is the labels', and its doubt.
    """

    sentence: Sentence
    predicted: Sentence
    score: float
    changes: list[tuple[Span, bool, float]]


def doubts(model: Tagger, sentences: Sequence[Sentence]) -> list[Doubt]:
    """Doubt the labels of sentences that the model was not trained on. Those on which it agrees are left out.

    The score of a sentence is that of its least probable tag (Wang & Mueller 2022, arXiv:2210.03920).

    Args:
        sentences: with tags as read; those without tokens are passed over. What is not known is not doubted.
    """
    scheme = model.folder.scheme
    numbers = {tag: number for number, tag in enumerate(model.folder.vocabularies.tags)}
    whole = [sentence for sentence in sentences if sentence.tokens and sentence.partial is None]
    found = []
    tagged = model.tag_sentences(whole, scores=True)
    for sentence, predicted, chances in zip(whole, tagged, model.distributions(whole), strict=True):
        tags = convert_tags(sentence.tags or [], scheme)
        rows = [numbers.get(tag, -1) for tag in tags]
        own = np.array([chances.marginals[place, row] if row >= 0 else _LEAST for place, row in enumerate(rows)])
        changes = _changes(sentence, predicted, own, plain=scheme is Scheme.PLAIN)
        if changes:
            found.append(Doubt(sentence, replace(predicted, partial=None), float(1 - own.min()), changes))
    return sorted(found, key=lambda one: -one.score)


def _changes(
    sentence: Sentence, predicted: Sentence, own: np.ndarray, *, plain: bool
) -> list[tuple[Span, bool, float]]:
    sides = [_spans(one, plain=plain) for one in (sentence, predicted)]
    changes = [
        (span, number == 0, float(1 - own[span.start : span.end].min()))
        for number, side in enumerate(sides)
        for span in side
        if span not in sides[1 - number]
    ]
    return sorted(changes, key=lambda one: (one[0].start, not one[1]))


def _spans(sentence: Sentence, *, plain: bool) -> list[Span]:
    tags = sentence.tags or []
    return [Span(place, place + 1, tag) for place, tag in enumerate(tags)] if plain else spans_from_tags(tags)
