"""Estimate precision, recall and F1 with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tagger.evaluation.resampling import Bootstrap, Counts, Floats, Interval, f1, interval, ratio

CORRECT, PREDICTED, GOLD = range(3)
Event = tuple[int, str, int, float]  # number of the sentence, label, one of the three above, amount


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
