"""Pair gold and predicted entities and name how each pair differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from tagger.corpus.sentence import Span


class Kind(StrEnum):
    """Kinds of matches and errors."""

    CORRECT = "correct"
    WRONG_TYPE = "wrong_type"  # the same boundaries, another label
    WRONG_BOUNDARY = "wrong_boundary"  # the same label, an overlap
    WRONG_BOTH = "wrong_both"  # an overlap only
    MISSING = "missing"  # a gold entity without a partner
    SPURIOUS = "spurious"  # a predicted entity without a partner


class Pair(NamedTuple):
    """A gold entity and its predicted partner. One of the two is None where there is no partner."""

    kind: Kind
    gold: Span | None
    predicted: Span | None


_Match = Callable[[Span, Span], bool]


def pair_entities(gold: Iterable[Span], predicted: Iterable[Span]) -> list[Pair]:
    """Pair the gold and predicted entities of a sentence. Every entity is in exactly one pair.

    Pairs are made in four rounds: equal entities, the same boundaries, an overlap with the same label, any overlap. If
    several candidates overlap, the first free one is taken. So

        gold = correct + wrong type + wrong boundary + wrong both + missing
        predicted = correct + wrong type + wrong boundary + wrong both + spurious.

    Args:
        gold, predicted: spans. Spans of one side do not overlap.

    Returns:
        Pairs in the order of the sentence.
    """
    left, right = sorted(gold), sorted(predicted)
    pairs: list[Pair] = []
    for kind, matches in _ROUNDS:
        found = list(_match(left, right, matches))
        pairs += [Pair(kind, one, other) for one, other in found]
        taken, given = {one for one, _ in found}, {other for _, other in found}
        left, right = [one for one in left if one not in taken], [other for other in right if other not in given]
    pairs += [Pair(Kind.MISSING, one, None) for one in left]
    pairs += [Pair(Kind.SPURIOUS, None, other) for other in right]
    return sorted(pairs, key=_place)


def _match(gold: list[Span], predicted: list[Span], matches: _Match) -> Iterator[tuple[Span, Span]]:
    """Pair each gold entity, from left to right, with the first free predicted one that matches."""
    free = list(predicted)
    first = 0  # earlier ones end before the gold entity, so they cannot match any more
    for one in gold:
        while first < len(free) and free[first].end <= one.start:
            first += 1
        for number in range(first, len(free)):
            if free[number].start >= one.end:
                break
            if matches(one, free[number]):
                yield one, free.pop(number)
                break


def _same_place(one: Span, other: Span) -> bool:
    return one[:2] == other[:2]


def _same_label(one: Span, other: Span) -> bool:
    return one.label == other.label


def _any_overlap(one: Span, other: Span) -> bool:
    return True


_ROUNDS: tuple[tuple[Kind, _Match], ...] = (
    (Kind.CORRECT, Span.__eq__),
    (Kind.WRONG_TYPE, _same_place),
    (Kind.WRONG_BOUNDARY, _same_label),
    (Kind.WRONG_BOTH, _any_overlap),
)


def _place(pair: Pair) -> tuple[int, int]:
    span = pair.gold or pair.predicted
    assert span is not None
    return span[:2]
