"""A batch as tensors on a device."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagger.features.encoding import Batch, WordFeatures
from tagger.features.pieces import PieceBatch
from tagger.features.vocabulary import PAD
from tagger.model.packing import Packing, packed
from tagger.model.transfer import on_device

_TOKENS, _TOKENS_ON_GPU = 4096, 16384


def tokens_for(device: torch.device) -> int:
    """How many tokens a batch had best have where no gradients are wanted: a GPU has more to do at once."""
    return _TOKENS_ON_GPU if device.type == "cuda" else _TOKENS


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
        """Copy features to `device`."""
        return cls(features, *on_device(_arrays(features), device))


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
        """Copy a batch to `device`, all at once."""
        inside = np.arange(batch.rows.shape[1])[:, None] < batch.lengths  # (T, B)
        batch_sizes, numbers = packed(batch.lengths)
        of_words = _arrays(batch.features)
        of_tokens: list[NDArray[Any]] = [batch.rows.T[inside], batch.tags.T[inside], batch.context.vectors]
        there = iter(on_device(numbers + of_words + of_tokens, device))
        packing = Packing(torch.from_numpy(batch_sizes), *islice(there, len(numbers)))
        features = TensorFeatures(batch.features, *islice(there, len(of_words)))
        rows, tags, context = there
        return cls(
            packing=packing,
            rows=rows,
            features=features,
            tags=tags,
            context=context[packing.reading] if context.shape[1] else context,
            pieces=batch.context.pieces,
        )


def _arrays(features: WordFeatures) -> list[NDArray[Any]]:
    """What a `TensorFeatures` holds, in its order; counted here, as a device would be waited for."""
    return [
        *(features.words, features.characters, features.shapes, features.affixes, features.static),
        np.flatnonzero(features.characters != PAD),
    ]
