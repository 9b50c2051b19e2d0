"""How far a score could be chance: bootstrap intervals and a paired test, over sentences or whole documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]  # numbers of things; exact up to 2**24
Ints = NDArray[np.int64]

RESAMPLES = 1000
SWAPS = 10_000
LEVEL = 0.95
_AT_ONCE = 4_000_000  # numbers in memory for a stretch of resamples
_COLUMNS = 512


class Interval(NamedTuple):
    """Between these two values lie the middle 95% of what resampling gave."""

    low: float
    high: float


class Bootstrap:
    """Draws as many units as there are, with replacement, again and again (Efron 1979), always the same for a seed.

    Attributes:
        units: how many units there are.
        resamples: how often they are drawn.
        seed: of the draw.
    """

    def __init__(self, units: Sequence[int] | Ints, *, resamples: int = RESAMPLES, seed: int = 1) -> None:
        """`units` tells of each of the S sentences to which unit it belongs, counted from 0."""
        self._unit = np.asarray(units, dtype=np.int64)
        self.units = int(self._unit.max(initial=-1)) + 1
        self.resamples, self.seed = resamples, seed

    def totals(self, counts: Counts) -> Counts:
        """(R, C) the sums of (S, C) counts in each resample."""
        totals = np.zeros((self.resamples, counts.shape[1]), dtype=np.float32)
        for first in range(0, counts.shape[1], _COLUMNS):
            block = counts[:, first : first + _COLUMNS]
            by_unit = np.zeros((self.units, block.shape[1]), dtype=np.float32)
            np.add.at(by_unit, self._unit, block)
            for rows, weights in self._weights():
                totals[rows, first : first + _COLUMNS] = weights @ by_unit
        return totals

    def distinct(self, sentences: Ints, things: Ints) -> Floats:
        """(R,) how many distinct things stand in each resample.

        Args:
            sentences: (N,) numbers of sentences.
            things: (N,) which thing stands there.
        """
        if not len(things):
            return np.zeros(self.resamples)
        order = np.argsort(things, kind="stable")
        begins = np.flatnonzero(np.diff(things[order], prepend=-1))
        units = self._unit[sentences[order]]
        found = np.zeros(self.resamples)
        for rows, weights in self._weights(len(things)):
            found[rows] = (np.add.reduceat(weights[:, units], begins, axis=1) > 0).sum(axis=1)
        return found

    def _weights(self, width: int = 0) -> Iterator[tuple[slice, Counts]]:
        """Rows of resamples, and (rows, units) how often each unit was drawn."""
        generator = np.random.default_rng(self.seed)
        step = max(1, _AT_ONCE // max(1, self.units, width))
        for first in range(0, self.resamples, step):
            rows = min(step, self.resamples - first)
            drawn = generator.integers(0, max(1, self.units), size=(rows, self.units))
            drawn += np.arange(rows)[:, None] * self.units
            weights = np.bincount(drawn.ravel(), minlength=rows * self.units).reshape(rows, self.units)
            yield slice(first, first + rows), weights.astype(np.float32)


def interval(values: Floats | Counts) -> Interval:
    """The middle 95% of (R,) values."""
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Interval(float(low), float(high))


def ratio(part: Floats | Counts, whole: Floats | Counts) -> Floats:
    """part / whole, and 0 for 0 / 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0, dtype=np.float64)


def f1(precision: Floats, recall: Floats) -> Floats:
    """Their harmonic mean, 0 where both are."""
    return ratio(2 * precision * recall, precision + recall)


def paired_test(one: Floats, other: Floats, *, swaps: int = SWAPS, seed: int = 1) -> float:
    """How often chance alone makes two systems' micro F1 differ as much as they do: approximate randomisation.

    The two systems' outputs are swapped, sentence by sentence, by the toss of a coin; p is the share of such swaps, the
    actual outputs included, in which F1 differs at least as much (Noreen 1989; Yeh 2000, "More accurate tests for the
    statistical significance of result differences").

    Args:
        one, other: (S, 3) correct, predicted and gold entities of each sentence.
        swaps: how often.
        seed: of the coin.

    Returns:
        p, two-sided: at least 1 / (swaps + 1).
    """
    both, difference = one.sum(axis=0) + other.sum(axis=0), one - other
    actual = abs(_distance(both, difference.sum(axis=0)))
    differing = difference[np.any(difference != 0, axis=1)]
    generator = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // max(1, len(differing)))
    as_much = 0
    for first in range(0, swaps, step):
        rows = min(step, swaps - first)
        signs = 2.0 * generator.integers(0, 2, size=(rows, len(differing))) - 1
        as_much += int((np.abs(_distance(both, signs @ differing)) >= actual - 1e-12).sum())
    return (as_much + 1) / (swaps + 1)


def _distance(both: Floats, difference: Floats) -> Floats:
    """F1 of the one side less that of the other, from the sum and the difference of their counts (…, 3)."""
    one, other = both + difference, both - difference
    return ratio(2 * one[..., 0], one[..., 1] + one[..., 2]) - ratio(2 * other[..., 0], other[..., 1] + other[..., 2])
