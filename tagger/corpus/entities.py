"""Entities of a tagged sentence as stretches of its text."""

from __future__ import annotations

from tagger.corpus.schemes import spans_from_tags
from tagger.corpus.sentence import Entity, Sentence


def entities(sentence: Sentence) -> list[Entity]:
    """The entities that a sentence's tags mark, in characters of its running text.

    Args:
        sentence: with tags of a span scheme. Where it has no offsets, the characters are those of its tokens joined
            by single spaces.

    Returns:
        Entities in the order of the text, half-open, with their scores where known; empty where there are no tags.
    """
    text, offsets = sentence.text, sentence.offsets
    if text is None or offsets is None:
        text, offsets = _joined(sentence.tokens)
    found = []
    for first, end, label in spans_from_tags(sentence.tags or []):
        start, stop = offsets[first][0], offsets[end - 1][1]
        score = sentence.scores[first] if sentence.scores else None
        found.append(Entity(start, stop, label, text[start:stop], score))
    return found


def _joined(tokens: list[str]) -> tuple[str, list[tuple[int, int]]]:
    offsets = []
    position = 0
    for token in tokens:
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    return " ".join(tokens), offsets
