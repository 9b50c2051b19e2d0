"""Turn sentences into batches, for engines that run the whole network. Features of known words are cached."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.engines.word_cache import WordCache
from tagger.features.context import Context, NoContext
from tagger.features.encoding import Batch, FeatureEncoder, WordFeatures
from tagger.model_folder.folder import ModelFolder

_CACHE_BYTES = 48 << 20


class BatchEncoder:
    """Makes batches, and caches the features of words. Threads may share one."""

    def __init__(self, folder: ModelFolder) -> None:
        config = folder.config.embeddings
        self._encoder = FeatureEncoder(config, folder.vocabularies, folder.static)
        self._longest = config.characters.max_length if config.characters else 1
        self._words = WordCache(self._encode, _CACHE_BYTES)

    def _encode(self, words: Sequence[str]) -> list[NDArray[Any]]:
        found = self._encoder.encode_words(words)
        characters = np.pad(found.characters, ((0, 0), (0, self._longest - found.characters.shape[1])))
        return [found.words[:, None], characters, found.shapes[:, None], found.affixes, found.static]

    def __call__(self, sentences: Sequence[Sequence[str]], context: Context | None = None) -> Batch:
        """Make the batch of B sentences, longest first, none empty, without gold tags.

        Args:
            sentences: their words.
            context: their contextual vectors, for a model that has them.
        """
        lengths = np.array([len(words) for words in sentences], dtype=np.int64)
        arrays, known = self._words.lookup(list(chain.from_iterable(sentences)))
        distinct, inverse = np.unique(known, return_inverse=True)
        words, characters, shapes, affixes, static = (array[distinct] for array in arrays)
        features = WordFeatures(words[:, 0], characters, shapes[:, 0], affixes, static)
        inside = np.arange(lengths[0])[None, :] < lengths[:, None]  # (B, T)
        rows = np.zeros(inside.shape, dtype=np.int64)
        rows[inside] = inverse
        numbers = np.arange(len(lengths))
        given = (context or NoContext()).take(numbers, np.arange(len(known)))
        return Batch(lengths, rows, features.take(np.arange(len(distinct))), np.zeros_like(rows), numbers, given)
