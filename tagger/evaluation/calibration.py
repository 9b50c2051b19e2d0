"""How far probabilities can be believed: reliability, calibration error, and what a threshold would leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 10
WANTED = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # precisions that a threshold is sought for
_STEPS = 50  # thresholds shown
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Bin:
    """Predictions with a probability from `low` to `high`: how many, their mean, and the share that is right."""

    low: float
    high: float
    count: int
    probability: float | None
    right: float | None


@dataclass(frozen=True)
class Reliability:
    """How probabilities fit at a temperature.

    Attributes:
        temperature: what scores were divided by.
        ece: the expected calibration error over ten bins of equal width (Guo et al. 2017).
        log_loss: the mean of -log of the probability given to what came true: being right, or not.
        probability: the mean probability.
        right: the share that is right.
        bins: by rising probability.
    """

    temperature: float
    ece: float
    log_loss: float
    probability: float
    right: float
    bins: Sequence[Bin]


@dataclass(frozen=True)
class Threshold:
    """What is left where predictions less probable than `threshold` are left out."""

    threshold: float
    kept: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Wanted:
    """The least threshold from which on the precision is reached; None where none reaches it."""

    precision: float
    at: Threshold | None


@dataclass(frozen=True)
class Calibration:
    """How sure the model is.

    Attributes:
        count: how many predictions were judged.
        before, after: at temperature 1, and at the model's own.
        thresholds: at the model's own temperature.
        wanted: thresholds for precisions.
    """

    count: int
    before: Reliability
    after: Reliability
    thresholds: Sequence[Threshold]
    wanted: Sequence[Wanted]


def calibration(
    right: Floats, before: Floats, after: Floats, temperature: float, gold: int, wanted: Sequence[float] = WANTED
) -> Calibration | None:
    """Judge predictions by their probabilities; None where there are none.

    Args:
        right: (P,) 1 where a prediction is right, else 0.
        before, after: (P,) its probability at temperature 1 and at `temperature`.
        temperature: the model's own.
        gold: how many there were to find.
        wanted: precisions to find thresholds for.
    """
    if not len(right):
        return None
    ordered = _Ordered(right, after, gold)
    return Calibration(
        len(right),
        reliability(before, right, 1.0),
        reliability(after, right, temperature),
        [ordered.at(step / _STEPS) for step in range(_STEPS)],
        [Wanted(precision, ordered.reaching(precision)) for precision in wanted],
    )


def reliability(probabilities: Floats, right: Floats, temperature: float) -> Reliability:
    """How (P,) probabilities fit (P,) being right, P at least 1."""
    number = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    bins = []
    error = 0.0
    for index in range(BINS):
        there = number == index
        count = int(there.sum())
        mean = float(probabilities[there].mean()) if count else None
        share = float(right[there].mean()) if count else None
        bins.append(Bin(index / BINS, (index + 1) / BINS, count, mean, share))
        if mean is not None and share is not None:
            error += count / len(right) * abs(mean - share)
    given = np.maximum(np.where(right == 1, probabilities, 1 - probabilities), _SMALLEST)
    return Reliability(
        temperature, error, float(-np.log(given).mean()), float(probabilities.mean()), float(right.mean()), bins
    )


class _Ordered:
    """Predictions by falling probability."""

    def __init__(self, right: Floats, probabilities: Floats, gold: int) -> None:
        order = np.argsort(-probabilities, kind="stable")
        self._rising = probabilities[order][::-1]
        self._found = np.concatenate([[0.0], np.cumsum(right[order])])
        self._gold = gold

    def at(self, threshold: float) -> Threshold:
        kept = len(self._rising) - int(np.searchsorted(self._rising, threshold, side="left"))
        found = float(self._found[kept])
        precision = found / kept if kept else 0.0
        recall = found / self._gold if self._gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if found else 0.0
        return Threshold(threshold, kept, precision, recall, f1)

    def reaching(self, precision: float) -> Threshold | None:
        """The least threshold, 0 or one of the predictions' own probabilities, that gives this precision."""
        for threshold in (0.0, *np.unique(self._rising).tolist()):
            found = self.at(threshold)
            if found.precision >= precision:
                return found
        return None
