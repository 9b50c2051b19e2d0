"""Lay out word pieces of sentences in the windows that a transformer reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Pieces = tuple[int, ...]  # the numbers of a word's pieces, at least one


class Surroundings(NamedTuple):
    """The special pieces before and after a text, and the padding number of short rows."""

    before: Pieces
    after: Pieces
    padding: int


class Window(NamedTuple):
    """A range of words, `start` to `end`, half-open. Vectors of words `first` to `last` are taken from it."""

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class PieceBatch:
    """The pieces of N words, sentence after sentence, in W windows of at most P pieces.

    Attributes:
        ids: (W, P) numbers of pieces.
        inside: (W, P) False at padding.
        places: (M,) positions in `ids.reshape(-1)` of the pieces of words.
        words: (M,) the word of each such piece, 0 to N - 1; every word has at least one.
        count: N.
    """

    ids: Ints
    inside: Bools
    places: Ints
    words: Ints
    count: int


def windows(lengths: Sequence[int], capacity: int) -> list[Window]:
    """Cut a sentence into overlapping windows. Take each word from the window where it is furthest from an edge.

    Args:
        lengths: pieces of each of T words, none above `capacity`.
        capacity: pieces that a window holds.

    Returns:
        Windows from left to right. Neighbours overlap by at most half of the capacity. Each word is taken from
        exactly one.
    """
    if not lengths:
        return []
    ends = [0, *accumulate(lengths)]  # ends[t]: pieces before word t
    cut: list[tuple[int, int]] = []
    start = end = 0
    while end < len(lengths):
        while end < len(lengths) and ends[end + 1] - ends[start] <= capacity:
            end += 1
        cut.append((start, end))
        start = next(word for word in range(start + 1, end + 1) if ends[end] - ends[word] <= capacity // 2)
    taken = [0]
    for (_, left_end), (right_start, _) in pairwise(cut):
        middle = (ends[right_start] + ends[left_end]) / 2
        nearest = min(range(right_start, left_end + 1), key=lambda word: abs(ends[word] - middle))
        taken.append(max(taken[-1], nearest))
    taken.append(len(lengths))
    return [Window(*stretch, *bounds) for stretch, bounds in zip(cut, pairwise(taken), strict=True)]


def lay_out(sentences: Sequence[Sequence[Pieces]], around: Surroundings, capacity: int) -> PieceBatch:
    """Put sentences' pieces into windows.

    Args:
        sentences: the pieces of each word; of a word longer than `capacity` the first ones are used.
        around: the special pieces of each window.
        capacity: pieces of words that a window holds.
    """
    rows: list[Pieces] = []
    places: list[tuple[int, int]] = []  # row and column
    words: list[int] = []
    count = 0
    for sentence in sentences:
        clipped = [pieces[:capacity] for pieces in sentence]
        for window in windows([len(pieces) for pieces in clipped], capacity):
            row = list(around.before)
            for word in range(window.start, window.end):
                if window.first <= word < window.last:
                    places += [(len(rows), len(row) + piece) for piece in range(len(clipped[word]))]
                    words += [count + word] * len(clipped[word])
                row += clipped[word]
            rows.append((*row, *around.after))
        count += len(sentence)
    longest = max(map(len, rows), default=0)
    ids = np.full((len(rows), longest), around.padding, dtype=np.int64)
    for number, filled in enumerate(rows):
        ids[number, : len(filled)] = filled
    lengths = np.array([len(filled) for filled in rows], dtype=np.int64)
    flat = np.array(places, dtype=np.int64).reshape(-1, 2)
    return PieceBatch(
        ids=ids,
        inside=np.arange(longest) < lengths[:, None],
        places=flat[:, 0] * longest + flat[:, 1],
        words=np.array(words, dtype=np.int64),
        count=count,
    )
