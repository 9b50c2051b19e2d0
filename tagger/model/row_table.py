"""An embedding table whose rows can be trained separately."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tagger.model.transfer import on_device

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RowsRead:
    """The rows of a table that a forward pass has read.

    Attributes:
        rows: (R,) row numbers, distinct, in rising order.
        values: (R, E) their values, a leaf tensor. Its gradient takes the place of the table's.
    """

    rows: Ints
    values: Tensor


class RowTable(nn.Embedding):
    """An embedding that can have gradients only for the rows that were read.

    Without `before_reading`, it is `nn.Embedding`, whose gradient is as large as the table. With it, each forward pass
    in training adds to `reads` instead, and the table gets no gradient.

    Attributes:
        before_reading: called with the rows (R,) before they are read.
        reads: reads of the forward passes; the caller clears them.
    """

    before_reading: Callable[[Ints], None] | None = None

    def __init__(self, entries: int, size: int, padding: int | None = None) -> None:
        super().__init__(entries, size, padding_idx=padding)
        self.reads: list[RowsRead] = []

    def look_up(self, numbers: Tensor, met: Ints) -> Tensor:
        """Look up rows: (U,) → (U, E).

        Args:
            numbers: row numbers.
            met: the same numbers on the CPU, in any order, perhaps with more. So there is no need to wait for a device.
        """
        if self.before_reading is None or not (self.training and torch.is_grad_enabled()):
            return self(numbers)
        rows = np.unique(met)
        self.before_reading(rows)
        (places,) = on_device([rows], numbers.device)
        values = self.weight.detach()[places].requires_grad_()
        self.reads.append(RowsRead(rows, values))
        return functional.embedding(torch.searchsorted(places, numbers.contiguous()), values)
