"""A bounded cache of what was computed per word. Any number of threads may share it.

It evicts the least frequently used words. Ties go to the least recently used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress, repeat
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tagger.kernels.packed_weights import Numbers
from tagger.shared_state import survive_forks

Ints = NDArray[np.int64]
_UNKNOWN = -1
_AT_ONCE = 512  # words computed together
_EVICTED = 0.1  # share of the cache evicted at least: evicting word by word would cost more than it saves
_DECAY = 0.9  # factor of all counts at each eviction, so that words of older texts leave
_PER_WORD = 200  # bytes, about, that the tables below and Python take for a word, its characters not counted


class WordCache:
    """Rows of arrays, one for each cached word.

    Threads share the arrays. A lock is held while words are looked up, computed or evicted. A row is never given to
    another word while a batch that was looked up before is still in use: see `lookup`.
    """

    def __init__(self, compute: Callable[[Sequence[str]], Sequence[Numbers]], limit: int) -> None:
        """
        Args:
            compute: from U words, U ≥ 0, to arrays of U rows; always as many arrays of the same widths.
            limit: bytes, words included. Only batches in use together may exceed it.
        """
        self._compute = compute
        self._limit = limit
        self._lock = Lock()
        self._clear()
        survive_forks(self)

    def _clear(self) -> None:
        example = self._compute([])
        self._width = sum(array.itemsize * array.shape[1] for array in example) + _PER_WORD
        room = max(1, self._limit // self._width)
        self._rows: dict[str, int] = {}
        # memory of an empty array is taken when a row is first written
        self._arrays = [np.empty((room, array.shape[1]), dtype=array.dtype) for array in example]
        self._words = np.full(room, None, dtype=object)  # of each row; None: the row is free
        self._bytes = np.zeros(room, dtype=np.int64)
        self._uses = np.zeros(room, dtype=np.float32)  # batches that had the word, decayed
        self._last = np.zeros(room, dtype=np.int64)  # number of the last batch that had it
        self._batch = 0
        self._in_use: dict[int, Ints] = {}  # rows of the batches in use, by batch number
        self._changing = False  # while rows, words and bytes may not fit together

    def after_fork(self) -> None:
        """Keep the cache in a forked child, or empty it if another thread was changing it."""
        self._lock = Lock()  # in any case: `locked()` is false while a thread that just got it waits for the GIL
        if self._changing:
            self._clear()
        self._in_use.clear()

    def __len__(self) -> int:
        return len(self._rows)

    @contextmanager
    def lookup(self, words: Sequence[str]) -> Iterator[tuple[Sequence[Numbers], Ints]]:
        """Look up N words; compute those that are new and evict others to make room for them.

        Yields:
            The arrays, each (room, …), and (N,) the row in them of each word. The rows keep their values inside the
            `with` block only.
        """
        with self._lock:
            self._batch += 1
            batch, rows, arrays = self._batch, self._rows_of(words), self._arrays
            self._in_use[batch] = rows
        try:
            yield arrays, rows
        finally:
            self._in_use.pop(batch, None)  # a fork inside the block has cleared it

    def _rows_of(self, words: Sequence[str]) -> Ints:
        rows = np.fromiter(map(self._rows.get, words, repeat(_UNKNOWN)), dtype=np.int64, count=len(words))
        new = rows == _UNKNOWN
        known = rows[~new]
        self._uses[known] += 1  # once for each word, however often the batch has it
        self._last[known] = self._batch
        if new.any():
            unknown = list(compress(words, new.tolist()))
            self._changing = True
            self._learn(list(dict.fromkeys(unknown)))
            self._changing = False
            rows[new] = np.fromiter(map(self._rows.__getitem__, unknown), dtype=np.int64, count=len(unknown))
        return rows

    def _learn(self, words: list[str]) -> None:
        sizes = np.fromiter(map(sys.getsizeof, words), dtype=np.int64, count=len(words)) + self._width
        if self._bytes.sum() + sizes.sum() > self._limit:
            self._evict(int(sizes.sum()))
        free = np.flatnonzero(self._bytes == 0)
        if len(free) < len(words):
            self._grow(len(words) - len(free))
            free = np.flatnonzero(self._bytes == 0)
        rows = free[: len(words)]
        for first in range(0, len(words), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            for array, computed in zip(self._arrays, self._compute(words[some]), strict=True):
                array[rows[some]] = computed
        self._words[rows], self._bytes[rows] = words, sizes
        self._uses[rows], self._last[rows] = 1, self._batch
        self._rows.update(zip(words, rows.tolist(), strict=True))

    def _evict(self, needed: int) -> None:
        """Free that many bytes, or as many as words take that no batch in use has."""
        may_go = (self._bytes > 0) & (self._last < self._batch)
        for rows in list(self._in_use.values()):
            may_go[rows] = False
        evictable = np.flatnonzero(may_go)
        evictable = evictable[np.lexsort((self._last[evictable], self._uses[evictable]))]
        freed = np.cumsum(self._bytes[evictable])
        total = int(self._bytes.sum())
        wanted = max(total + needed - self._limit, int(_EVICTED * total))
        evicted = evictable[: np.searchsorted(freed, wanted) + 1]
        for word in self._words[evicted].tolist():
            self._rows.pop(word, None)  # a Ctrl-C may have come between two of these steps
        self._words[evicted], self._bytes[evicted] = None, 0
        self._uses *= _DECAY

    def _grow(self, rows: int) -> None:
        """Add rows. Batches in use keep the arrays they have."""
        self._arrays = [np.concatenate([a, np.empty((rows, a.shape[1]), dtype=a.dtype)]) for a in self._arrays]
        self._words = np.concatenate([self._words, np.full(rows, None, dtype=object)])
        tables = (self._bytes, self._uses, self._last)
        self._bytes, self._uses, self._last = (np.concatenate([t, np.zeros(rows, dtype=t.dtype)]) for t in tables)
