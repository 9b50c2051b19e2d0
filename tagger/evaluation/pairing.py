"""Which predicted entity stands for which gold one, and how the two differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from tagger.corpus.sentence import Span


class Kind(StrEnum):
    """What became of an entity."""

    CORRECT = "correct"
    WRONG_TYPE = "wrong_type"  # the same boundaries, another label
    WRONG_BOUNDARY = "wrong_boundary"  # the same label, an overlap
    WRONG_BOTH = "wrong_both"  # an overlap only
    MISSING = "missing"  # a gold entity without a partner
    SPURIOUS = "spurious"  # a predicted one without a partner


class Pair(NamedTuple):
    """A gold entity and the predicted one beside it; one of the two is None where there is no partner."""

    kind: Kind
    gold: Span | None
    predicted: Span | None


_Fits = Callable[[Span, Span], bool]


def pair_up(gold: Iterable[Span], predicted: Iterable[Span]) -> list[Pair]:
    """Lay the two sides of a sentence beside each other; every entity is in exactly one pair.

    First go those that are the same, then those of the same boundaries, then overlapping ones of the same label, then
    overlapping ones; of several that overlap, the first that is still free. Thus

        gold = correct + wrong type + wrong boundary + wrong both + missing
        predicted = correct + wrong type + wrong boundary + wrong both + spurious.

    Args:
        gold, predicted: spans, none of which overlaps another of its own side.

    Returns:
        Pairs in the order in which they stand in the sentence.
    """
    left, right = sorted(gold), sorted(predicted)
    pairs: list[Pair] = []
    for kind, fits in _ROUNDS:
        found = list(_matched(left, right, fits))
        pairs += [Pair(kind, one, other) for one, other in found]
        taken, given = {one for one, _ in found}, {other for _, other in found}
        left, right = [one for one in left if one not in taken], [other for other in right if other not in given]
    pairs += [Pair(Kind.MISSING, one, None) for one in left]
    pairs += [Pair(Kind.SPURIOUS, None, other) for other in right]
    return sorted(pairs, key=_place)


def _matched(gold: list[Span], predicted: list[Span], fits: _Fits) -> Iterator[tuple[Span, Span]]:
    """As many pairs as can be: from left to right, each with the first that fits and is free."""
    free = list(predicted)
    first = 0  # what ends before the gold entity has no partner any more
    for one in gold:
        while first < len(free) and free[first].end <= one.start:
            first += 1
        for number in range(first, len(free)):
            if free[number].start >= one.end:
                break
            if fits(one, free[number]):
                yield one, free.pop(number)
                break


def _same_place(one: Span, other: Span) -> bool:
    return one[:2] == other[:2]


def _same_label(one: Span, other: Span) -> bool:
    return one.label == other.label


def _always(one: Span, other: Span) -> bool:
    return True


_ROUNDS: tuple[tuple[Kind, _Fits], ...] = (
    (Kind.CORRECT, Span.__eq__),
    (Kind.WRONG_TYPE, _same_place),
    (Kind.WRONG_BOUNDARY, _same_label),
    (Kind.WRONG_BOTH, _always),
)


def _place(pair: Pair) -> tuple[int, int]:
    span = pair.gold or pair.predicted
    assert span is not None
    return span[:2]
