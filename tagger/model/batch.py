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
    """Return a good number of tokens per batch without gradients. A GPU needs more work at once."""
    return _TOKENS_ON_GPU if device.type == "cuda" else _TOKENS


@dataclass(frozen=True)
class TensorFeatures:
    """`WordFeatures` as tensors: words (U,), characters (U, C), shapes (U,), affixes (U, 2L), static (U, D).

    Attributes:
        arrays: the same features on the CPU, which can be read without waiting for a device.
        spelled: (M,) positions of the characters in `characters`, flattened to U * C.
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
        """Copy features to a device."""
        return cls(features, *on_device(_arrays(features), device))


@dataclass(frozen=True)
class TensorSoftTargets:
    """`SoftBatch` as tensors: marginals (N, K) packed by time, transitions (K, K), from_teacher (B,), weights (B,)."""

    marginals: Tensor
    transitions: Tensor
    from_teacher: Tensor
    weights: Tensor


@dataclass(frozen=True)
class TensorBatch:
    """`Batch` as tensors, its N tokens packed by time.

    Attributes:
        packing: the order of the tokens.
        rows: (N,) row of each token in `features`.
        features: features of the U distinct words.
        tags: (N,) gold tags.
        context: (N, D) contextual vectors.
        pieces: word pieces as arrays, sentence by sentence. A fine-tuned encoder makes tensors of them.
        soft: a teacher's soft targets, if some sentences have them.
        allowed: (N, K) whether each token may have each tag. None: only its gold tag.
    """

    packing: Packing
    rows: Tensor
    features: TensorFeatures
    tags: Tensor
    context: Tensor
    pieces: PieceBatch | None
    soft: TensorSoftTargets | None = None
    allowed: Tensor | None = None

    @classmethod
    def of(cls, batch: Batch, device: torch.device) -> TensorBatch:
        """Copy a batch to a device in one go."""
        inside = np.arange(batch.rows.shape[1])[:, None] < batch.lengths  # (T, B)
        batch_sizes, numbers = packed(batch.lengths)
        of_words = _arrays(batch.features)
        of_tokens: list[NDArray[Any]] = [batch.rows.T[inside], batch.tags.T[inside], batch.context.vectors]
        of_tokens += [] if batch.allowed is None else [batch.allowed]
        soft = batch.soft
        targets = [] if soft is None else [soft.marginals, soft.transitions, soft.from_teacher, soft.weights]
        tensors = iter(on_device(numbers + of_words + of_tokens + targets, device))
        packing = Packing(torch.from_numpy(batch_sizes), *islice(tensors, len(numbers)))
        features = TensorFeatures(batch.features, *islice(tensors, len(of_words)))
        rows, tags, context, *allowed = islice(tensors, len(of_tokens))
        marginals, *rest = tensors if targets else (None,)
        return cls(
            packing=packing,
            rows=rows,
            features=features,
            tags=tags,
            context=context[packing.reading] if context.shape[1] else context,
            pieces=batch.context.pieces,
            soft=None if marginals is None else TensorSoftTargets(marginals[packing.reading], *rest),
            allowed=allowed[0][packing.reading] if allowed else None,
        )


def _arrays(features: WordFeatures) -> list[NDArray[Any]]:
    """List the arrays of a `TensorFeatures` in its order. Positions are found here, to not wait for a device."""
    return [
        *(features.words, features.characters, features.shapes, features.affixes, features.static),
        np.flatnonzero(features.characters != PAD),
    ]
