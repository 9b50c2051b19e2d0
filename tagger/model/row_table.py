"""An embedding table whose rows can be trained one by one."""

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
    """What a forward pass read of a table.

    Attributes:
        rows: (R,) distinct, in rising order.
        values: (R, E) as they were; a leaf, whose gradient stands for the table's.
    """

    rows: Ints
    values: Tensor


class RowTable(nn.Embedding):
    """An embedding that can hand out, while it is trained, its gradient for the rows that were read alone.

    By itself it is `nn.Embedding`, whose gradient is as large as the table. Where `before_reading` is set, each forward
    pass in training is noted in `reads` instead, and the table gets no gradient.

    Attributes:
        before_reading: called with the rows (R,) that are about to be read.
        reads: of the forward passes, until someone takes them away.
    """

    before_reading: Callable[[Ints], None] | None = None

    def __init__(self, entries: int, size: int, padding: int | None = None) -> None:
        super().__init__(entries, size, padding_idx=padding)
        self.reads: list[RowsRead] = []

    def look_up(self, numbers: Tensor, met: Ints) -> Tensor:
        """(U,) → (U, E).

        Args:
            numbers: which rows.
            met: on the CPU, with all of these and perhaps more, in any order: a device need not be asked.
        """
        if self.before_reading is None or not (self.training and torch.is_grad_enabled()):
            return self(numbers)
        rows = np.unique(met)
        self.before_reading(rows)
        (places,) = on_device([rows], numbers.device)
        values = self.weight.detach()[places].requires_grad_()
        self.reads.append(RowsRead(rows, values))
        return functional.embedding(torch.searchsorted(places, numbers.contiguous()), values)
