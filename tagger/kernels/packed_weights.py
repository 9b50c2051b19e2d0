"""Weights in the layout that the compiled products read, in float32 or in fixed point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LANES = 16  # columns in a register
ROW_ONE = 1 << 13  # stands for a state of 1, or the largest number of a vector, in fixed point
ADDED_ONE = 1 << 11  # stands for 1 in a projection: up to ±16, where a tanh is ±1
_LARGEST = (1 << 15) - 1
_LARGEST_SUM = (1 << 31) - 1
_TINY = 1e-20  # avoids a division by zero

Floats = NDArray[np.float32]
Numbers = NDArray[np.float32] | NDArray[np.int16]


@dataclass(frozen=True)
class Packed:
    """Weights of both directions.

    Attributes:
        numbers: (2, 3⌈H/16⌉/b, K, 16b) float32, or (2, 3⌈H/16⌉/b, K/2, 16b, 2) int16: gate by gate, padded with zeros.
            b blocks of columns are worked on together.
        factors: (2, 3, 16⌈H/16⌉) that turn sums of products with fixed-point rows into float32; used in fixed point
            only.
    """

    numbers: Numbers
    factors: Floats

    @property
    def fixed(self) -> bool:
        """True in fixed point."""
        return self.numbers.dtype == np.int16

    @property
    def depth(self) -> int:
        """K, an even number."""
        return self.numbers.shape[2] * (2 if self.fixed else 1)

    @classmethod
    def of(cls, weights: Floats, blocks: int, *, fixed: bool) -> Packed:
        """Pack weights.

        Args:
            weights: (2, K, 3, H).
            blocks: b, 1 or 3; see `Kernels`.
            fixed: True for fixed point.
        """
        _, depth, _, hidden = weights.shape
        padded = np.pad(weights, ((0, 0), (0, depth % 2), (0, 0), (0, -hidden % LANES)))
        scales = _scales(padded) if fixed else np.ones(np.delete(padded.shape, 1), dtype=np.float32)
        numbers = np.rint(padded * scales[:, None]).astype(np.int16) if fixed else padded
        together = 2 if fixed else 1  # rows whose products one instruction adds
        in_blocks = numbers.reshape(2, padded.shape[1] // together, together, -1, blocks * LANES)
        ordered = np.ascontiguousarray(in_blocks.transpose(0, 3, 1, 4, 2))
        return cls(ordered if fixed else ordered[..., 0], (1 / (scales * ROW_ONE)).astype(np.float32))


def _scales(weights: Floats) -> Floats:
    """Choose the factors (2, 3, H) of the columns of (2, K, 3, H) in fixed point.

    They are as large as possible, so that steps are fine: a sum of K products with integers up to `ROW_ONE` must fit
    into int32.
    """
    magnitudes = np.abs(weights).astype(np.float64)
    rounding = weights.shape[1]  # rounding adds at most half of it to a column's sum
    by_sum = (_LARGEST_SUM // ROW_ONE - rounding) / np.maximum(magnitudes.sum(axis=1), _TINY)
    by_size = _LARGEST / np.maximum(magnitudes.max(axis=1), _TINY)
    return np.minimum(by_sum, by_size).astype(np.float32)
