"""Turn sentences into batches, for engines that run the whole network. Features of known words are cached."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.features.context import Context, NoContext
from tagger.features.encoding import Batch, FeatureEncoder, WordFeatures

Ints = NDArray[np.int64]

_MOST_WORDS = 1 << 15


class BatchEncoder:
    """Makes batches, and caches the features of up to 32,768 words. Threads may share one."""

    def __init__(self, encoder: FeatureEncoder) -> None:
        self._encoder = encoder
        self._lock = Lock()
        self._rows: dict[str, int] = {}
        self._known = encoder.encode_words([])  # the first len(_rows) rows are in use

    def __call__(self, sentences: Sequence[Sequence[str]], context: Context | None = None) -> Batch:
        """Make the batch of B sentences, longest first, none empty, without gold tags.

        Args:
            sentences: their words.
            context: their contextual vectors, for a model that has them.
        """
        lengths = np.array([len(words) for words in sentences], dtype=np.int64)
        words = list(chain.from_iterable(sentences))
        with self._lock:
            self._remember(words)
            known = np.fromiter(map(self._rows.__getitem__, words), dtype=np.int64, count=len(words))  # (N,)
            distinct, inverse = np.unique(known, return_inverse=True)
            features = self._known.take(distinct)
        inside = np.arange(lengths[0])[None, :] < lengths[:, None]  # (B, T)
        rows = np.zeros(inside.shape, dtype=np.int64)
        rows[inside] = inverse
        numbers = np.arange(len(lengths))
        given = (context or NoContext()).take(numbers, np.arange(len(words)))
        return Batch(lengths, rows, features, np.zeros_like(rows), numbers, given)

    def _remember(self, words: Sequence[str]) -> None:
        """Cache the features of all words. If there are too many with those cached, drop these."""
        new = [word for word in dict.fromkeys(words) if word not in self._rows]
        if len(self._rows) + len(new) > _MOST_WORDS:
            self._rows, new = {}, list(dict.fromkeys(words))
            self._known = self._encoder.encode_words([])
        if not new:
            return
        used, added = len(self._rows), self._encoder.encode_words(new)
        columns = ((getattr(self._known, name), getattr(added, name)) for name in WordFeatures.__dataclass_fields__)
        self._known = WordFeatures(*(_put(kept, used, values) for kept, values in columns))
        self._rows.update(zip(new, range(used, used + len(new)), strict=True))


def _put(array: NDArray[Any], used: int, values: NDArray[Any]) -> NDArray[Any]:
    """Write `values` after the first `used` rows of an array. Enlarge it with zeros if needed."""
    rows, *widths = np.maximum((used + len(values), *array.shape[1:]), values.shape)
    if rows > len(array) or tuple(widths) != array.shape[1:]:
        grown = np.zeros((max(rows, 2 * len(array)), *widths), dtype=array.dtype)
        grown[(slice(used), *map(slice, array.shape[1:]))] = array[:used]
        array = grown
    now = slice(used, used + len(values))
    array[now] = 0
    array[(now, *map(slice, values.shape[1:]))] = values
    return array
