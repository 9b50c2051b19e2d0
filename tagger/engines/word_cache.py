"""A bounded cache of what was computed per word. Any number of threads may share it.

When it is full, it keeps the most frequently used words that fill three quarters of it. Ties go to the most recent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import compress, repeat
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.shared_state import survive_forks

Ints = NDArray[np.int64]
_UNKNOWN = -1
_AT_ONCE = 512  # words computed together
_KEPT = 0.75  # share of the limit that is still filled after words were evicted
_DECAY = 0.75  # factor of all counts then, so that words of older texts leave
_PER_WORD = 200  # bytes, about, that the tables below and Python take for a word, its characters not counted


class _Table(NamedTuple):
    """Cached words in the order of their rows. A word keeps its row as long as the table is in use."""

    rows: dict[str, int]
    arrays: list[NDArray[Any]]
    uses: NDArray[np.float32]  # batches that had the word, decayed
    sizes: Ints  # bytes


class WordCache:
    """Rows of arrays, one for each cached word.

    Threads share the arrays. A lock is held while words are looked up, computed or evicted. Eviction makes new arrays,
    so that batches that were looked up before keep theirs.
    """

    def __init__(self, compute: Callable[[Sequence[str]], Sequence[NDArray[Any]]], limit: int) -> None:
        """
        Args:
            compute: from U words, U ≥ 0, to arrays of U rows; always as many arrays of the same widths.
            limit: bytes, words included. Only a batch with more words may exceed it.
        """
        self._compute, self._limit = compute, limit
        self._columns = [(array.shape[1], array.dtype) for array in compute([])]
        self._width = sum(dtype.itemsize * width for width, dtype in self._columns) + _PER_WORD
        self._table = self._new_table(0)
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Use a new lock in a forked child: another thread may have held it. The table is whole at any time."""
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._table.rows)

    def lookup(self, words: Sequence[str]) -> tuple[list[NDArray[Any]], Ints]:
        """Look up N words; compute those that are new and evict others to make room for them.

        Returns:
            The arrays, each (room, …), and (N,) the row in them of each word.
        """
        with self._lock:
            rows = self._find(words)
            if (rows == _UNKNOWN).any():
                unknown = list(dict.fromkeys(compress(words, (rows == _UNKNOWN).tolist())))
                if self._table.sizes[: len(self)].sum() + sum(map(self._size, unknown)) > self._limit:
                    self._table = self._shrunk(len(words))
                    unknown = [word for word in dict.fromkeys(words) if word not in self._table.rows]
                self._learn(unknown)
                rows = self._find(words)
            self._table.uses[rows] += 1  # once for each word, however often the batch has it
            return self._table.arrays, rows

    def _find(self, words: Sequence[str]) -> Ints:
        return np.fromiter(map(self._table.rows.get, words, repeat(_UNKNOWN)), dtype=np.int64, count=len(words))

    def _size(self, word: str) -> int:
        return sys.getsizeof(word) + self._width

    def _learn(self, words: list[str]) -> None:
        known, arrays, uses, sizes = self._table
        for first in range(0, len(words), _AT_ONCE):
            some, begin = words[first : first + _AT_ONCE], len(known)
            for array, computed in zip(arrays, self._compute(some), strict=True):
                array[begin : begin + len(some)] = computed
            uses[begin : begin + len(some)], sizes[begin : begin + len(some)] = 0, list(map(self._size, some))
            known.update(zip(some, range(begin, begin + len(some)), strict=True))  # last: now the rows are in use

    def _new_table(self, rows: int) -> _Table:
        """Make an empty table with room for the words within the limit, and for at least this many."""
        room = max(1, self._limit // self._width, rows)
        # memory of an empty array is taken when a row is first written
        arrays: list[NDArray[Any]] = [np.empty((room, width), dtype) for width, dtype in self._columns]
        return _Table({}, arrays, np.empty(room, np.float32), np.empty(room, np.int64))

    def _shrunk(self, new: int) -> _Table:
        """Return a table of the words used most that fill `_KEPT` of the limit, with room for new ones."""
        words, arrays, uses, sizes = self._table
        order = np.argsort(uses[: len(words)], kind="stable")[::-1]
        kept = np.sort(order[np.cumsum(sizes[order]) <= _KEPT * self._limit])
        table = self._new_table(len(kept) + new)
        names = list(words)
        table.rows.update(zip([names[row] for row in kept.tolist()], range(len(kept)), strict=True))
        for array, before in zip(table.arrays, arrays, strict=True):
            array[: len(kept)] = before[kept]
        table.uses[: len(kept)], table.sizes[: len(kept)] = uses[kept] * _DECAY, sizes[kept]
        return table
