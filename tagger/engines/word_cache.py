"""What was computed for the words met, kept within a number of bytes: of those used least, the longest unused go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import compress, repeat

import numpy as np
from numpy.typing import NDArray

from tagger.kernels.packed_weights import Numbers

Ints = NDArray[np.int64]
_UNKNOWN = -1
_AT_ONCE = 512  # words computed together
_LEAST_FORGOTTEN = 0.1  # share of what is kept: to forget word by word would cost more than it saves
_FADING = 0.9  # of what was counted before words are forgotten, so that yesterday's words make way for today's
_PER_WORD = 200  # bytes, about, that the tables below and Python's need for a word, its characters not counted


class WordCache:
    """Rows of arrays, one for each word met lately.

    Attributes:
        arrays: what was computed, each (room, …); the rows that `rows` gave last stand in them.
    """

    def __init__(self, compute: Callable[[Sequence[str]], Sequence[Numbers]], limit: int) -> None:
        """
        Args:
            compute: gives for U words, of any number, the same arrays each time, (U, …) each.
            limit: bytes, words and all; held unless one batch alone has more.
        """
        self._compute = compute
        self._limit = limit
        self._rows: dict[str, int] = {}
        example = compute([])
        self._width = sum(array.itemsize * array.shape[1] for array in example) + _PER_WORD
        room = max(1, limit // self._width)
        self.arrays = [np.empty((room, array.shape[1]), dtype=array.dtype) for array in example]  # no memory until used
        self._words = np.full(room, None, dtype=object)  # of each row; None: the row is free
        self._bytes = np.zeros(room, dtype=np.int64)
        self._uses = np.zeros(room, dtype=np.float32)  # batches that had the word, faded
        self._last = np.zeros(room, dtype=np.int64)  # the batch that had it last
        self._batch = 0

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, words: Sequence[str]) -> Ints:
        """(N,) the row of each word. Words that are new are computed, and others forgotten to make room for them."""
        self._batch += 1
        rows = np.fromiter(map(self._rows.get, words, repeat(_UNKNOWN)), dtype=np.int64, count=len(words))
        new = rows == _UNKNOWN
        known = rows[~new]
        self._uses[known] += 1  # once for each word, however often it stands there
        self._last[known] = self._batch
        if new.any():
            unknown = list(compress(words, new.tolist()))
            self._learn(list(dict.fromkeys(unknown)))
            rows[new] = np.fromiter(map(self._rows.__getitem__, unknown), dtype=np.int64, count=len(unknown))
        return rows

    def _learn(self, words: list[str]) -> None:
        sizes = np.fromiter(map(sys.getsizeof, words), dtype=np.int64, count=len(words)) + self._width
        if self._bytes.sum() + sizes.sum() > self._limit:
            self._forget(int(sizes.sum()))
        free = np.flatnonzero(self._bytes == 0)
        if len(free) < len(words):
            self._grow(len(words) - len(free))
            free = np.flatnonzero(self._bytes == 0)
        rows = free[: len(words)]
        for first in range(0, len(words), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            for array, computed in zip(self.arrays, self._compute(words[some]), strict=True):
                array[rows[some]] = computed
        self._words[rows], self._bytes[rows] = words, sizes
        self._uses[rows], self._last[rows] = 1, self._batch
        self._rows.update(zip(words, rows.tolist(), strict=True))

    def _forget(self, needed: int) -> None:
        """Make room for so many bytes, as far as words that are not in this batch take it."""
        left = np.flatnonzero((self._bytes > 0) & (self._last < self._batch))
        left = left[np.lexsort((self._last[left], self._uses[left]))]
        freed = np.cumsum(self._bytes[left])
        total = int(self._bytes.sum())
        wanted = max(total + needed - self._limit, int(_LEAST_FORGOTTEN * total))
        gone = left[: np.searchsorted(freed, wanted) + 1]
        for word in self._words[gone].tolist():
            del self._rows[word]
        self._words[gone], self._bytes[gone] = None, 0
        self._uses *= _FADING

    def _grow(self, rows: int) -> None:
        """Room for more rows."""
        self.arrays = [np.concatenate([a, np.empty((rows, a.shape[1]), dtype=a.dtype)]) for a in self.arrays]
        self._words = np.concatenate([self._words, np.full(rows, None, dtype=object)])
        tables = (self._bytes, self._uses, self._last)
        self._bytes, self._uses, self._last = (np.concatenate([t, np.zeros(rows, dtype=t.dtype)]) for t in tables)
