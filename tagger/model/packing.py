"""The order of a batch's tokens: packed by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tagger.features.batching import Ints
from tagger.model.transfer import on_device


@dataclass(frozen=True)
class Packing:
    """N tokens of B sentences, longest first: the first tokens of all sentences, then the second tokens, and so on.

    Attributes:
        batch_sizes: (T,) number of sentences that reach each step, in falling order; on the CPU.
        steps: (N,) step of each token.
        sentences: (N,) sentence of each token.
        before: (N - B,) position of the preceding token, for the tokens after the first step.
        last: (B,) position of each sentence's last token.
        reading: (N,) position of each token in reading order, where sentence follows sentence.
    """

    batch_sizes: Tensor
    steps: Tensor
    sentences: Tensor
    before: Tensor
    last: Tensor
    reading: Tensor

    @classmethod
    def of(cls, lengths: Ints, device: torch.device) -> Packing:
        """Pack sentences of lengths (B,), in falling order and at least 1. All but `batch_sizes` go to the device."""
        batch_sizes, numbers = packed(lengths)
        return cls(torch.from_numpy(batch_sizes), *on_device(numbers, device))

    @property
    def sizes(self) -> list[int]:
        """`batch_sizes` as a list."""
        return self.batch_sizes.tolist()


def packed(lengths: Ints) -> tuple[Ints, list[Ints]]:
    """Compute the parts of a `Packing` in its order: `batch_sizes`, and the arrays that go to a device."""
    inside = np.arange(lengths[0])[:, None] < lengths  # (T, B)
    batch_sizes = inside.sum(axis=1)
    starts = np.cumsum(batch_sizes) - batch_sizes
    steps, sentences = np.nonzero(inside)
    before = np.arange(batch_sizes[0], batch_sizes.sum()) - np.repeat(batch_sizes[:-1], batch_sizes[1:])
    last = starts[lengths - 1] + np.arange(len(lengths))
    reading = (np.cumsum(lengths) - lengths)[sentences] + steps
    return batch_sizes, [steps, sentences, before, last, reading]
