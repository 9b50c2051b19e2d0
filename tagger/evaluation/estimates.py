"""Estimate precision, recall and F1 with bootstrap intervals, and test the difference of two systems.

Resampling is over sentences or whole documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]  # numbers of things; exact up to 2**24
Ints = NDArray[np.int64]

RESAMPLES = 1000
SWAPS = 10_000
LEVEL = 0.95
_AT_ONCE = 4_000_000  # numbers in memory at a time
_COLUMNS = 512
CORRECT, PREDICTED, GOLD = range(3)
Event = tuple[int, str, int, float]  # number of the sentence, label, one of the three above, amount


class Interval(NamedTuple):
    """A range that holds the middle 95% of resampled values."""

    low: float
    high: float


class Bootstrap:
    """Bootstrap over units (Efron 1979). A resample draws as many units as there are, with replacement.

    The same seed gives the same resamples.
    """

    def __init__(self, units: Sequence[int] | Ints, *, resamples: int = RESAMPLES, seed: int = 1) -> None:
        """Set up the resamples. `units` has the number of the unit of each of S sentences, from 0."""
        self._unit = np.asarray(units, dtype=np.int64)
        self.units = int(self._unit.max(initial=-1)) + 1
        self.resamples, self.seed = resamples, seed

    def totals(self, counts: Counts) -> Counts:
        """Sum (S, C) counts over each resample: (R, C)."""
        totals = np.zeros((self.resamples, counts.shape[1]), dtype=np.float32)
        for first in range(0, counts.shape[1], _COLUMNS):
            block = counts[:, first : first + _COLUMNS]
            by_unit = np.zeros((self.units, block.shape[1]), dtype=np.float32)
            np.add.at(by_unit, self._unit, block)
            for rows, weights in self._weights():
                totals[rows, first : first + _COLUMNS] = weights @ by_unit
        return totals

    def distinct(self, sentences: Ints, things: Ints) -> Floats:
        """Count the distinct things in each resample, (R,). Occurrences are given as (N,) sentences and (N,) things."""
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
        """Yield rows of resamples, and (rows, units) how often each unit was drawn."""
        generator = np.random.default_rng(self.seed)
        step = max(1, _AT_ONCE // max(1, self.units, width))
        for first in range(0, self.resamples, step):
            rows = min(step, self.resamples - first)
            drawn = generator.integers(0, max(1, self.units), size=(rows, self.units))
            drawn += np.arange(rows)[:, None] * self.units
            weights = np.bincount(drawn.ravel(), minlength=rows * self.units).reshape(rows, self.units)
            yield slice(first, first + rows), weights.astype(np.float32)


@dataclass(frozen=True)
class Estimate:
    """Precision, recall and F1 with counts and 95% intervals; `interval` is that of F1.

    Scores are fractions of 1, and 0 for 0 / 0. `support` is the number in the gold data. `predicted` and `correct` are
    None for a mean. Partly right ones count in part.
    """

    precision: float
    recall: float
    f1: float
    support: int
    predicted: int | None
    correct: float | None
    interval: Interval
    precision_interval: Interval
    recall_interval: Interval


@dataclass(frozen=True)
class ScoreSet:
    """Scores under one matching criterion: over all types together, as unweighted mean over types, and by type."""

    micro: Estimate
    macro: Estimate | None = None
    types: Mapping[str, Estimate] = field(default_factory=dict)


class Tally:
    """Turn counts per sentence into estimates. All estimates share one bootstrap over S sentences."""

    def __init__(self, bootstrap: Bootstrap, sentences: int) -> None:
        self._bootstrap, self._sentences = bootstrap, sentences

    def score_set(self, events: Iterable[Event]) -> ScoreSet:
        """Estimate micro, macro and per-label scores from counted events."""
        names, counts = self._counted(events)
        if not names:
            return ScoreSet(_NOTHING, _NOTHING)
        resampled = self._bootstrap.totals(counts.reshape(self._sentences, -1)).reshape(-1, len(names), 3)
        totals = counts.sum(axis=0, dtype=np.float64)  # (L, 3)
        types = {name: _estimate(totals[row], resampled[:, row]) for row, name in enumerate(names)}
        return ScoreSet(_estimate(totals.sum(axis=0), resampled.sum(axis=1)), _macro(totals, resampled), types)

    def groups(self, events: Iterable[Event], names: Sequence[str]) -> dict[str, Estimate]:
        """Estimate each named group, in this order. Groups without events get zeros."""
        found = self.score_set(events).types
        return {name: found.get(name, _NOTHING) for name in names}

    def share(self, part: Sequence[int], whole: Sequence[int]) -> tuple[float | None, Interval | None]:
        """Estimate the share of `part` in `whole`, both (S,) counts. Return None where the whole is 0."""
        counts = np.array([part, whole], dtype=np.float32).T
        right, total = counts.sum(axis=0, dtype=np.float64)
        if not total:
            return None, None
        resampled = self._bootstrap.totals(counts)
        return float(right / total), interval(ratio(resampled[:, 0], resampled[:, 1]))

    def distinct(self, things: Sequence[set[tuple[int, str]]]) -> Estimate:
        """Estimate a score over the distinct correct, predicted and gold things, given by sentence and name."""
        totals, resampled = [], []
        for side in things:
            numbers: dict[str, int] = {}
            ordered = sorted(side)
            rows = np.array([numbers.setdefault(thing, len(numbers)) for _, thing in ordered], dtype=np.int64)
            totals.append(len(numbers))
            places = np.array([sentence for sentence, _ in ordered], dtype=np.int64)
            resampled.append(self._bootstrap.distinct(places, rows))
        return _estimate(np.array(totals, dtype=np.float64), np.stack(resampled, axis=-1))

    def _counted(self, events: Iterable[Event]) -> tuple[list[str], Counts]:
        """Return the sorted labels and the (S, L, 3) counts."""
        listed = list(events)
        names = sorted({label for _, label, _, _ in listed})
        rows = {name: row for row, name in enumerate(names)}
        counts = np.zeros((self._sentences, len(names), 3), dtype=np.float32)
        if listed:
            sentences, labels, columns, amounts = zip(*listed, strict=True)
            np.add.at(counts, (list(sentences), [rows[label] for label in labels], list(columns)), amounts)
        return names, counts


def interval(values: Floats | Counts) -> Interval:
    """Return the range of the middle 95% of (R,) values."""
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Interval(float(low), float(high))


def ratio(part: Floats | Counts, whole: Floats | Counts) -> Floats:
    """Compute part / whole, with 0 for 0 / 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0, dtype=np.float64)


def f1(precision: Floats, recall: Floats) -> Floats:
    """Compute the harmonic mean, with 0 where both are 0."""
    return ratio(2 * precision * recall, precision + recall)


def paired_test(one: Floats, other: Floats, *, swaps: int = SWAPS, seed: int = 1) -> float:
    """Test whether the micro F1 of two systems differs by more than chance, by approximate randomisation.

    Each swap exchanges the two outputs of every sentence with probability 1/2. p is the share of swaps, counting the
    actual outputs as one, in which F1 differs at least as much as it does (Noreen 1989; Yeh 2000, "More accurate tests
    for the statistical significance of result differences").

    Args:
        one, other: (S, 3) correct, predicted and gold entities of each sentence.

    Returns:
        The two-sided p, at least 1 / (swaps + 1).
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
    """Compute the difference of two F1 scores from the sum and the difference of their (…, 3) counts."""
    one, other = both + difference, both - difference
    return ratio(2 * one[..., 0], one[..., 1] + one[..., 2]) - ratio(2 * other[..., 0], other[..., 1] + other[..., 2])


def _scores(counts: NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Compute precision, recall and F1 of (…, 3) counts."""
    precision = ratio(counts[..., CORRECT], counts[..., PREDICTED])
    recall = ratio(counts[..., CORRECT], counts[..., GOLD])
    return precision, recall, f1(precision, recall)


def _estimate(totals: Floats, resampled: NDArray[np.floating]) -> Estimate:
    """Build an estimate from (3,) counts and the (R, 3) counts of resamples."""
    precision, recall, harmonic = (float(value) for value in _scores(totals))
    intervals = [interval(values) for values in _scores(resampled)]
    correct = float(totals[CORRECT])
    return Estimate(
        precision,
        recall,
        harmonic,
        support=round(float(totals[GOLD])),
        predicted=round(float(totals[PREDICTED])),
        correct=int(correct) if correct.is_integer() else correct,
        interval=intervals[2],
        precision_interval=intervals[0],
        recall_interval=intervals[1],
    )


def _macro(totals: Floats, resampled: NDArray[np.floating]) -> Estimate:
    """Average over labels, from (L, 3) counts and (R, L, 3) resampled ones. Every label counts in every resample."""
    precision, recall, harmonic = (float(values.mean()) for values in _scores(totals))
    intervals = [interval(values.mean(axis=1)) for values in _scores(resampled)]
    support = round(float(totals[:, GOLD].sum()))
    return Estimate(precision, recall, harmonic, support, None, None, intervals[2], intervals[0], intervals[1])


_NOTHING = _estimate(np.zeros(3), np.zeros((1, 3)))
