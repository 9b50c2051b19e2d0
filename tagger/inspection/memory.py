"""Compute how long a state keeps what it has read: products of its keep gate over later words.

The state of a GRU's unit is h_t = (1 - z_t) n_t + z_t h_{t-1}. From the zero state at the start this gives

    h_t = Σ over s ≤ t of (1 - z_s) z_{s+1} z_{s+2} … z_t n_s.

So the state is a weighted mean of the candidates n_s of all words read so far. The weights sum to 1 if the zero state's
weight is included. The same holds for the memory cell of an LSTM, with the forget gate for z and the input gate for
1 - z, but there the weights need not sum to 1. This is the direct way only: a candidate also depends on the states
before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
LONGEST = 0.1  # the share of units that counts as slow


@dataclass(frozen=True)
class Memory:
    """Shares of each word s (row) that are left at each word t (column), (T, T). Zero where t was read before s.

    Attributes:
        kept: product of the keep gate over the words read after s up to t, mean over the units; 1 where t is s.
        kept_longest: the same, mean over the tenth of the units that keep most there.
        share: weight of s's candidate in the state at t, mean over the units.
    """

    kept: Doubles
    kept_longest: Doubles
    share: Doubles

    def by_distance(self) -> Doubles:
        """Average `kept` over all pairs of words at each distance: (T,)."""
        later, earlier = self.kept.diagonal, self.kept.T.diagonal  # one of the two is zero in either direction
        return np.array([(later(gap) + (earlier(gap) if gap else 0)).mean() for gap in range(len(self.kept))])


def direction_memory(gates: Mapping[str, Floats], *, backward: bool) -> Memory | None:
    """Compute the memory of one direction of a layer. Return None for a cell without a keep gate.

    Args:
        gates: values of the direction, as in `LayerTrace`.
        backward: whether the direction reads from the last word to the first.
    """
    if "update" in gates:
        keep, write = gates["update"], 1 - gates["update"]
    elif "forget" in gates:
        keep, write = gates["forget"], gates["input"]
    else:
        return None
    if backward:
        keep, write = keep[::-1], write[::-1]
    longest = ceil(LONGEST * keep.shape[1])
    tables = np.zeros((3, len(keep), len(keep)))
    for word in range(len(keep)):
        left = np.cumprod(np.concatenate([np.ones_like(keep[:1]), keep[word + 1 :]]), axis=0)  # (T - word, H)
        of_longest = np.sort(left, axis=1)[:, -longest:]
        means = left.mean(axis=1), of_longest.mean(axis=1), (left * write[word]).mean(axis=1)
        tables[:, word, word:] = means
    return Memory(*(tables[:, ::-1, ::-1] if backward else tables))
