"""Networks that take packed tokens, run on padded sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tagger.model.encoder import RecurrentEncoder
from tagger.model.packing import Packing


def padded_run(encoder: RecurrentEncoder, values: Tensor, lengths: Sequence[int]) -> Tensor:
    """(B, T, E) → (B, T, W), the sentences longest first; zeros beyond a sentence's end."""
    packing = Packing.of(np.array(lengths), values.device)
    inside = torch.arange(values.shape[1])[:, None] < torch.tensor(lengths)  # (T, B)
    return padded(encoder(values.transpose(0, 1)[inside], packing), packing)


def padded(values: Tensor, packing: Packing) -> Tensor:
    """(N, …) → (B, T, …), zeros beyond a sentence's end."""
    inside = torch.arange(len(packing.last)) < packing.batch_sizes[:, None]  # (T, B)
    found = values.new_zeros(*inside.shape, *values.shape[1:])
    found[inside] = values
    return found.transpose(0, 1)
