"""Find the n best paths: Viterbi that keeps n paths into each tag instead of one (Schwartz and Chow 1990)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
NO_PATH = -1
_SCORES_AT_ONCE = 1 << 22


def n_best_paths(emissions: Floats, batch_sizes: Ints, *, into: Floats, start: Floats, end: Floats, count: int) -> Ints:
    """Find the `count` best legal paths of each sentence, best first, all of them different.

    Sums are computed as in `Decoder.best_paths`, so that the first path is the same. Of two paths with equal scores,
    the one whose last tag has the lower number comes first. If that is the same tag, the tag before it decides, and so
    on.

    Args:
        emissions: (N, K) packed by time.
        batch_sizes: (T,) sentences at each time step, in falling order.
        into: (K, K) scores to the row's tag from the column's; minus infinity where forbidden, as in the next two.
        start, end: (K,) scores of the first and the last tag.
        count: at least 1.

    Returns:
        (N, count) tag numbers packed in the same way; NO_PATH if a sentence has fewer legal paths.
    """
    begins = np.concatenate([[0], np.cumsum(batch_sizes)])
    best = np.full((batch_sizes[0], emissions.shape[1], count), -np.inf, dtype=np.float32)
    best[:, :, 0] = start + emissions[: batch_sizes[0]]
    came_from = np.empty((*emissions.shape, count), dtype=np.int32)
    for step in range(1, len(batch_sizes)):
        now = slice(begins[step], begins[step + 1])
        came_from[now], reached = _merged(best[: batch_sizes[step]], into)
        reached += emissions[now, :, None]
        best[: batch_sizes[step]] = reached - reached[:, :, :1].max(axis=1, keepdims=True)
    origin = _merged(best, end[None, :])[0][:, 0]  # (B, count): tag * count + rank among the paths that end in it
    paths = np.empty((len(emissions), count), dtype=np.int64)
    for step in range(len(batch_sizes) - 1, -1, -1):
        now = slice(begins[step], begins[step + 1])
        current = origin[: batch_sizes[step]]
        tag, rank = np.divmod(current, count)
        paths[now] = np.where(current == NO_PATH, NO_PATH, tag)
        if step:
            back = came_from[now][np.arange(len(current))[:, None], tag, rank]
            origin[: batch_sizes[step]] = np.where(current == NO_PATH, NO_PATH, back)
    return paths


def _merged(best: Floats, into: Floats) -> tuple[NDArray[np.int32], Floats]:
    """Choose the n best of all paths into each of J tags: their origins, as tag * n + rank, and their scores.

    Args:
        best: (B, K, n) scores of the n best paths that end in each tag, falling.
        into: (J, K).

    Returns:
        (B, J, n) each; NO_PATH and minus infinity after the last path.
    """
    sentences, tags, count = best.shape
    origin = np.empty((sentences, len(into), count), dtype=np.int32)
    reached = np.empty((sentences, len(into), count), dtype=np.float32)
    at_once = max(1, _SCORES_AT_ONCE // (len(into) * tags))
    for first in range(0, sentences, at_once):
        some = slice(first, first + at_once)
        _merge(best[some], into, origin[some], reached[some])
    origin[reached == -np.inf] = NO_PATH
    return origin, reached


def _merge(best: Floats, into: Floats, origin: NDArray[np.int32], reached: Floats) -> None:
    """Merge K falling lists: n times take the largest first element and advance its list."""
    sentences, _, count = best.shape
    lists = np.concatenate([best, np.full_like(best[:, :, :1], -np.inf)], axis=2)  # ends each list
    leading = best[:, None, :, 0] + into  # (n, J, K)
    ranks = np.zeros(leading.shape, dtype=np.int32)
    sentence, row = np.arange(sentences)[:, None], np.arange(len(into))[None, :]
    for place in range(count):
        tag = leading.argmax(axis=2)  # (n, J)
        rank = ranks[sentence, row, tag]
        reached[:, :, place] = leading[sentence, row, tag]
        origin[:, :, place] = tag * count + rank
        rank = np.minimum(rank + 1, count)
        ranks[sentence, row, tag] = rank
        leading[sentence, row, tag] = lists[sentence, tag, rank] + into[row, tag]
