"""Fit the temperature of a decoder's probabilities to gold tags (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.decoding.decoder import Decoder

_LOWEST, _HIGHEST = 0.1, 10.0
_PRECISION = 0.005  # of log T
_GOLDEN = (math.sqrt(5) - 1) / 2


class GoldBatch(NamedTuple):
    """Emissions (N, K) and batch_sizes (T,) as in `Decoder.best_paths`, and each sentence's gold tags."""

    emissions: NDArray[np.float32]
    batch_sizes: NDArray[np.int64]
    tags: Sequence[Sequence[str]]


def fit_temperature(decoder: Decoder, batches: Sequence[GoldBatch]) -> float:
    """Find the temperature T that minimises -Σ log P(gold tags | x) + (log T)² / 2.

    The sum runs over sentences and is convex in 1/T. For a CRF it is the training loss. The second term is a standard
    normal prior of log T. It matters only with very little data, where a few sentences without a mistake would make the
    model certain of everything. Sentences with tags that the decoder does not know are left out.

    Args:
        decoder: its own temperature is ignored.
        batches: of sentences that the model was not trained on, with gold tags in any scheme.

    Returns:
        T, from 0.1 to 10; 1 without batches.
    """

    def loss(log_temperature: float) -> float:
        at = decoder.at(math.exp(log_temperature))
        found = np.concatenate([at.log_probabilities(*batch) for batch in batches])
        return 0.5 * log_temperature**2 - float(found[np.isfinite(found)].sum())

    return math.exp(_minimum(loss, math.log(_LOWEST), math.log(_HIGHEST))) if batches else 1.0


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Find the minimum of a function that has one, by golden section (Kiefer 1953)."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > _PRECISION:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2
