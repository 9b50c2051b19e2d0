"""Compute words' vectors in NumPy, from each embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tagger.config import AffixEmbedding, EmbeddingsConfig
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
        self._parts: list[Callable[[WordFeatures], Floats]] = []
        if config.word:
            self._parts.append(Words(tensors))
        if config.characters:
            spelling = CharCNN if config.characters.kind == "cnn" else CharGRU
            self._parts.append(spelling(tensors))
        if config.shape:
            self._parts.append(Shapes(tensors))
        if config.affixes:
            self._parts.append(Affixes(config.affixes, tensors))
        if config.static:
            self._parts.append(FineTuned(tensors) if config.static.trainable else Pretrained())

    def __call__(self, features: WordFeatures) -> Floats:
        """Compute the vectors of U words, (U, E)."""
        return np.concatenate([part(features) for part in self._parts], axis=1)


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


class Words:
    """A vector per known word."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._table = tensors[WORDS]

    def __call__(self, features: WordFeatures) -> Floats:
        return self._table[features.words]


class Shapes:
    """A vector per word shape."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._table = tensors[WORD_SHAPES]

    def __call__(self, features: WordFeatures) -> Floats:
        return self._table[features.shapes]


class Affixes:
    """A vector per prefix and suffix of each length, concatenated."""

    def __init__(self, config: AffixEmbedding, tensors: Mapping[str, Floats]) -> None:
        self._tables = [tensors[affix_table(number)] for number in range(2 * len(config.lengths))]

    def __call__(self, features: WordFeatures) -> Floats:
        columns = zip(self._tables, features.affixes.T, strict=True)
        return np.concatenate([table[column] for table, column in columns], axis=1)


class Pretrained:
    """The pretrained vectors."""

    def __call__(self, features: WordFeatures) -> Floats:
        return features.static


class FineTuned:
    """The pretrained vectors, plus a trained correction for known words."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._corrections = tensors[STATIC_CORRECTIONS]

    def __call__(self, features: WordFeatures) -> Floats:
        known = features.words > UNK
        vectors = features.static.copy()
        vectors[known] += self._corrections[features.words[known]]
        return vectors
