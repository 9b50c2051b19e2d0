"""A batch as tensors on a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tagger.features.encoding import Batch, WordFeatures
from tagger.features.pieces import PieceBatch
from tagger.features.vocabulary import PAD


@dataclass(frozen=True)
class TensorFeatures:
    """`WordFeatures` as tensors: words (U,), characters (U, C), shapes (U,), affixes (U, 2L), static (U, D).

    Attributes:
        arrays: the features as they were, on the CPU, where asking does not wait for a device.
        spelled: (M,) where in the U * C places of `characters`, row after row, there is a character.
    """

    arrays: WordFeatures
    words: Tensor
    characters: Tensor
    shapes: Tensor
    affixes: Tensor
    static: Tensor
    spelled: Tensor

    @classmethod
    def of(cls, features: WordFeatures, device: torch.device) -> TensorFeatures:
        """Copy features to `device`. What is there to count is counted before, as a device would be waited for."""
        arrays = (
            *(features.words, features.characters, features.shapes, features.affixes, features.static),
            np.flatnonzero(features.characters != PAD),
        )
        return cls(features, *(torch.from_numpy(array).to(device) for array in arrays))


@dataclass(frozen=True)
class TensorBatch:
    """`Batch` as tensors. `lengths` (B,) stays on the CPU, where packing wants it; `mask` is derived from it.

    `pieces` are still arrays: an encoder that is trained along makes tensors of them.
    """

    lengths: Tensor
    rows: Tensor
    features: TensorFeatures
    tags: Tensor
    mask: Tensor  # (B, T) True inside a sentence
    context: Tensor  # (N, D)
    pieces: PieceBatch | None

    @classmethod
    def of(cls, batch: Batch, device: torch.device) -> TensorBatch:
        """Copy a batch to `device`."""
        lengths = torch.from_numpy(batch.lengths)
        return cls(
            lengths=lengths,
            rows=torch.from_numpy(batch.rows).to(device),
            features=TensorFeatures.of(batch.features, device),
            tags=torch.from_numpy(batch.tags).to(device),
            mask=(torch.arange(batch.rows.shape[1])[None, :] < lengths[:, None]).to(device),
            context=torch.from_numpy(batch.context.vectors).to(device),
            pieces=batch.context.pieces,
        )
