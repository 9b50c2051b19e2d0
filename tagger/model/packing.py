"""How the tokens of a batch follow each other: packed by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tagger.features.batching import Ints
from tagger.model.transfer import on_device


@dataclass(frozen=True)
class Packing:
    """N tokens of B sentences, longest first: the first tokens of all, then the second tokens, and so on.

    Attributes:
        running: (T,) sentences that reach each step, in falling order; on the CPU.
        steps: (N,) at which step each token stands.
        sentences: (N,) which sentence each token is of.
        before: (N - B,) of the tokens after the first step, the position of the one before.
        last: (B,) the position of each sentence's last token.
        reading: (N,) the place of each token where sentence follows sentence.
    """

    running: Tensor
    steps: Tensor
    sentences: Tensor
    before: Tensor
    last: Tensor
    reading: Tensor

    @classmethod
    def of(cls, lengths: Ints, device: torch.device) -> Packing:
        """From the sentences' lengths (B,) in falling order, each at least 1; all but `running` goes to `device`."""
        running, numbers = packed(lengths)
        return cls(torch.from_numpy(running), *on_device(numbers, device))

    @property
    def sizes(self) -> list[int]:
        """`running` as a list."""
        return self.running.tolist()


def packed(lengths: Ints) -> tuple[Ints, list[Ints]]:
    """What a `Packing` holds, in its order: `running`, and what goes to a device."""
    inside = np.arange(lengths[0])[:, None] < lengths  # (T, B)
    running = inside.sum(axis=1)
    starts = np.cumsum(running) - running
    steps, sentences = np.nonzero(inside)
    before = np.arange(running[0], running.sum()) - np.repeat(running[:-1], running[1:])
    last = starts[lengths - 1] + np.arange(len(lengths))
    reading = (np.cumsum(lengths) - lengths)[sentences] + steps
    return running, [steps, sentences, before, last, reading]
