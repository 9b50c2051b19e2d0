"""A batch as tensors on a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tagger.features.encoding import Batch, WordFeatures
from tagger.features.pieces import PieceBatch
from tagger.features.vocabulary import PAD
from tagger.model.packing import Packing


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
    """`Batch` as tensors, its N tokens packed by time.

    Attributes:
        packing: how.
        rows: (N,) each token's row in `features`.
        features: of the U distinct words.
        tags: (N,) gold tags.
        context: (N, D).
        pieces: still arrays, sentence after sentence: an encoder that is trained along makes tensors of them.
    """

    packing: Packing
    rows: Tensor
    features: TensorFeatures
    tags: Tensor
    context: Tensor
    pieces: PieceBatch | None

    @classmethod
    def of(cls, batch: Batch, device: torch.device) -> TensorBatch:
        """Copy a batch to `device`."""
        inside = np.arange(batch.rows.shape[1])[:, None] < batch.lengths  # (T, B)
        packing = Packing.of(batch.lengths, device)
        context = torch.from_numpy(batch.context.vectors).to(device)
        return cls(
            packing=packing,
            rows=torch.from_numpy(batch.rows.T[inside]).to(device),
            features=TensorFeatures.of(batch.features, device),
            tags=torch.from_numpy(batch.tags.T[inside]).to(device),
            context=context[packing.reading] if context.shape[1] else context,
            pieces=batch.context.pieces,
        )
