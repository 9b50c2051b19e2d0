"""Convert the tags of a sentence to entities: labelled spans of its text."""

from __future__ import annotations

from tagger.corpus.schemes import OUTSIDE, spans_from_tags
from tagger.corpus.sentence import Entity, Sentence


def entities(sentence: Sentence) -> list[Entity]:
    """Return the entities that a sentence's tags mark, in characters of its text.

    Args:
        sentence: with tags of a span scheme. If it has no offsets, characters refer to its tokens joined by single
            spaces.

    Returns:
        Half-open entities in the order of the text, with scores if known. Empty if there are no tags.
    """
    if not sentence.tags or sentence.tags.count(OUTSIDE) == len(sentence.tags):  # a fast path for most sentences
        return []
    text, offsets = _text_and_offsets(sentence)
    found = []
    for first, end, label in spans_from_tags(sentence.tags):
        start, stop = offsets[first][0], offsets[end - 1][1]
        score = sentence.scores[first] if sentence.scores else None
        found.append(Entity(start, stop, label, text[start:stop], score))
    return found


def extent(sentence: Sentence) -> tuple[int, int]:
    """Return the start and end of a sentence of at least one token, in the same characters as `entities`."""
    _, offsets = _text_and_offsets(sentence)
    return offsets[0][0], offsets[-1][1]


def _text_and_offsets(sentence: Sentence) -> tuple[str, list[tuple[int, int]]]:
    if sentence.text is None or sentence.offsets is None:
        return _joined(sentence.tokens)
    return sentence.text, sentence.offsets


def _joined(tokens: list[str]) -> tuple[str, list[tuple[int, int]]]:
    offsets = []
    position = 0
    for token in tokens:
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    return " ".join(tokens), offsets
