"""Compare probabilities with outcomes: reliability, calibration error, and the effect of a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 10
TARGET_PRECISIONS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # default precisions to find thresholds for
_STEPS = 50  # number of thresholds in the report
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Bin:
    """Predictions with a probability from `low` to `high`: number, mean probability, and share that is right."""

    low: float
    high: float
    count: int
    probability: float | None
    right: float | None


@dataclass(frozen=True)
class Reliability:
    """Agreement of probabilities with outcomes at one temperature.

    Attributes:
        ece: the expected calibration error over ten bins of equal width (Guo et al. 2017).
        log_loss: mean of -log p, where p is the probability given to the outcome (right or wrong).
        probability, right: the mean probability, and the share that is right.
    """

    temperature: float
    ece: float
    log_loss: float
    probability: float
    right: float
    bins: Sequence[Bin]


@dataclass(frozen=True)
class Threshold:
    """Scores of the predictions that are at least as probable as `threshold`."""

    threshold: float
    kept: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class TargetPrecision:
    """A target precision and the lowest threshold that reaches it. `at` is None where none does."""

    precision: float
    at: Threshold | None


@dataclass(frozen=True)
class Calibration:
    """Calibration of `count` predictions at temperature 1 (before) and at the model's own (after).

    `thresholds` are scores by threshold at the model's own temperature, and `wanted` those for the target precisions.
    """

    count: int
    before: Reliability
    after: Reliability
    thresholds: Sequence[Threshold]
    wanted: Sequence[TargetPrecision]


def calibration(
    right: Floats,
    before: Floats,
    after: Floats,
    temperature: float,
    gold: int,
    wanted: Sequence[float] = TARGET_PRECISIONS,
) -> Calibration | None:
    """Compare the probabilities of predictions with whether they are right. Return None without predictions.

    Args:
        right: (P,) 1 where a prediction is right, else 0.
        before, after: (P,) its probability at temperature 1 and at `temperature`.
        temperature: the model's own.
        gold: number of gold entities or tags.
        wanted: target precisions to find thresholds for.
    """
    if not len(right):
        return None
    order = np.argsort(-after, kind="stable")
    rising = after[order][::-1]
    right_so_far = np.concatenate([[0.0], np.cumsum(right[order])])

    def at(threshold: float) -> Threshold:
        kept = len(rising) - int(np.searchsorted(rising, threshold, side="left"))
        found = float(right_so_far[kept])
        precision = found / kept if kept else 0.0
        recall = found / gold if gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if found else 0.0
        return Threshold(threshold, kept, precision, recall, f1)

    possible = [at(threshold) for threshold in (0.0, *np.unique(rising).tolist())]
    return Calibration(
        len(right),
        reliability(before, right, 1.0),
        reliability(after, right, temperature),
        [at(step / _STEPS) for step in range(_STEPS)],
        [TargetPrecision(goal, next((one for one in possible if one.precision >= goal), None)) for goal in wanted],
    )


def reliability(probabilities: Floats, right: Floats, temperature: float) -> Reliability:
    """Compare (P,) probabilities with (P,) outcomes, 1 for right and 0 for wrong. P is at least 1."""
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
