"""Compute words' vectors in NumPy, from each embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tagger.config import EmbeddingsConfig
from tagger.engines.numpy_layers import GRULayer
from tagger.features.batching import reversed_positions
from tagger.features.encoding import WordFeatures
from tagger.features.vocabulary import PAD, UNK
from tagger.kernels.loader import kernels
from tagger.tensor_shapes import (
    CHARACTER_FILTERS,
    CHARACTER_GRU,
    CHARACTERS,
    STATIC_CORRECTIONS,
    WORD_SHAPES,
    WORDS,
    affix_table,
)

Floats = NDArray[np.float32]
_CHARACTERS_AT_ONCE = 2048  # few enough to stay in the processor's cache
_ELEMENTS_AT_ONCE = 1 << 22  # of the largest array that is made for characters


class WordVectors:
    """The configured embeddings of words, concatenated."""

    def __init__(self, config: EmbeddingsConfig, tensors: Mapping[str, Floats]) -> None:
        parts: list[Callable[[WordFeatures], Floats]] = []
        if config.word:
            parts.append(lambda features: tensors[WORDS][features.words])
        if config.characters:
            parts.append(CharCNN(tensors) if config.characters.kind == "cnn" else CharGRU(tensors))
        if config.shape:
            parts.append(lambda features: tensors[WORD_SHAPES][features.shapes])
        for number in range(2 * len(config.affixes.lengths) if config.affixes else 0):
            parts.append(partial(_affix, tensors[affix_table(number)], number))
        if config.static:
            corrections = tensors[STATIC_CORRECTIONS] if config.static.trainable else None
            parts.append(lambda features: _static(features, corrections))
        self._parts = parts

    def __call__(self, features: WordFeatures) -> Floats:
        """Compute the vectors of U words, (U, E)."""
        return np.concatenate([part(features) for part in self._parts], axis=1)


def _affix(table: Floats, number: int, features: WordFeatures) -> Floats:
    """Look up the vector of each word's affix with this number: prefixes by length, then suffixes."""
    return table[features.affixes[:, number]]


def _static(features: WordFeatures, corrections: Floats | None) -> Floats:
    """Return the pretrained vectors, plus trained corrections for known words."""
    if corrections is None:
        return features.static
    known = features.words > UNK
    vectors = features.static.copy()
    vectors[known] += corrections[features.words[known]]
    return vectors


class CharCNN:
    """The character convolution, as one table look-up and one sum per kernel position."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        kernel = tensors[CHARACTER_FILTERS.weight]  # (F, S, W)
        table = tensors[CHARACTERS]  # (V, S)
        # the product of each character's vector with each filter, for each position of the kernel; zero for padding
        self._contribution = np.ascontiguousarray(np.stack([table @ place.T for place in np.moveaxis(kernel, 2, 0)]))
        self._contribution[:, PAD] = 0  # (W, V, F)
        self._bias = tensors[CHARACTER_FILTERS.bias]

    def __call__(self, features: WordFeatures) -> Floats:
        if (compiled := kernels()) is not None:
            return compiled.convolved(features.characters, self._contribution, self._bias)
        width, _, filters = self._contribution.shape
        lengths = (features.characters != PAD).sum(axis=1)
        result = np.zeros((len(features), filters), dtype=np.float32)
        order = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]  # no empty word
        padded = np.pad(features.characters, ((0, 0), (width // 2, width // 2)), constant_values=PAD)
        most = max(_CHARACTERS_AT_ONCE, int(lengths.max(initial=0)))
        rooms = [np.empty((most, filters), dtype=np.float32) for _ in range(2)]
        first = 0
        while first < len(order):
            words = order[first : first + most // lengths[order[first]]]
            words = words[: most // lengths[words[-1]]]
            length = lengths[words[-1]]
            characters = padded[words, : length + width - 1]
            filtered, more = (room[: len(words) * length].reshape(len(words), length, filters) for room in rooms)
            np.take(self._contribution[0], characters[:, :length], axis=0, out=filtered, mode="clip")
            for place in range(1, width):
                np.take(self._contribution[place], characters[:, place : place + length], axis=0, out=more, mode="clip")
                filtered += more
            filtered[features.characters[words, :length] == PAD] = -np.inf
            result[words] = filtered.max(axis=1) + self._bias
            first += len(words)
        return np.maximum(result, 0, out=result)


class CharGRU:
    """The last states of a bidirectional GRU over a word's characters."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._layer = GRULayer(tensors, CHARACTER_GRU, independent=True)
        self._projections = self._layer.project(tensors[CHARACTERS])  # (V, 6H)

    def __call__(self, features: WordFeatures) -> Floats:
        lengths = (features.characters != PAD).sum(axis=1)
        hidden = self._layer.hidden_size
        result = np.zeros((len(features), 2 * hidden), dtype=np.float32)
        order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]  # no empty word
        at_once = max(1, _ELEMENTS_AT_ONCE // (features.characters.shape[1] * 3 * hidden))
        for first in range(0, len(order), at_once):
            words = order[first : first + at_once]
            steps = np.arange(lengths[words[0]])
            inside = steps[:, None] < lengths[words]  # (C, u)
            batch_sizes = inside.sum(axis=1)
            characters = features.characters[words, : len(steps)].T[inside]  # packed by time
            backward = reversed_positions(batch_sizes)
            states = self._layer.run(self._projections, characters, batch_sizes, backward)
            result[words, :hidden] = states[backward[: len(words)], :hidden]  # at each word's last character
            result[words, hidden:] = states[: len(words), hidden:]  # at its first
        return result
