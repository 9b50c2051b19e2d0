"""Weights as the compiled products read them, in float32 or in fixed point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LANES = 16  # columns that are worked on side by side
ROW_ONE = 1 << 13  # in fixed point, what a state of 1, or the largest number of a vector, is stored as
ADDED_ONE = 1 << 11  # what an addition of 1 to a gate is: up to ±16, where a tanh has long been ±1
_LARGEST = (1 << 15) - 1
_LARGEST_SUM = (1 << 31) - 1
_TINY = 1e-20  # as good as nothing

Floats = NDArray[np.float32]
Numbers = NDArray[np.float32] | NDArray[np.int16]


@dataclass(frozen=True)
class Packed:
    """Weights of both directions.

    Attributes:
        numbers: (2, 3⌈H/16⌉/b, K, 16b) float32, or (2, 3⌈H/16⌉/b, K/2, 16b, 2) int16, where b blocks of columns are
            worked on together: gate by gate, with zeros beyond the weights' own rows and columns.
        factors: (2, 3, 16⌈H/16⌉) what sums of products with rows that are stored times `ROW_ONE` are multiplied by; for
            fixed point alone.
    """

    numbers: Numbers
    factors: Floats

    @property
    def fixed(self) -> bool:
        return self.numbers.dtype == np.int16

    @property
    def depth(self) -> int:
        """K, which is even."""
        return self.numbers.shape[2] * (2 if self.fixed else 1)

    @classmethod
    def of(cls, weights: Floats, blocks: int, *, fixed: bool) -> Packed:
        """
        Args:
            weights: (2, K, 3, H).
            blocks: b, 1 or 3; see `Kernels`.
            fixed: whether in fixed point.
        """
        _, depth, _, hidden = weights.shape
        padded = np.pad(weights, ((0, 0), (0, depth % 2), (0, 0), (0, -hidden % LANES)))
        scales = _scales(padded) if fixed else np.ones(np.delete(padded.shape, 1), dtype=np.float32)
        numbers = np.rint(padded * scales[:, None]).astype(np.int16) if fixed else padded
        together = 2 if fixed else 1  # rows whose products are added at once
        in_blocks = numbers.reshape(2, padded.shape[1] // together, together, -1, blocks * LANES)
        ordered = np.ascontiguousarray(in_blocks.transpose(0, 3, 1, 4, 2))
        return cls(ordered if fixed else ordered[..., 0], (1 / (scales * ROW_ONE)).astype(np.float32))


def _scales(weights: Floats) -> Floats:
    """(2, 3, H) what each column of (2, K, 3, H) can be multiplied by.

    The larger, the finer; but a sum of K products with integers up to `ROW_ONE` must not leave int32.
    """
    magnitudes = np.abs(weights).astype(np.float64)
    rounding = weights.shape[1]  # half of it, at most, is what rounding can add to a column's sum
    by_sum = (_LARGEST_SUM // ROW_ONE - rounding) / np.maximum(magnitudes.sum(axis=1), _TINY)
    by_size = _LARGEST / np.maximum(magnitudes.max(axis=1), _TINY)
    return np.minimum(by_sum, by_size).astype(np.float32)
