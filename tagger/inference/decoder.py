"""From emissions to tags: the one decoder of validation, evaluation and tagging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.schemes import Scheme, may_follow

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
FORBIDDEN = np.float32(-np.inf)
_SCORES_AT_ONCE = 1 << 22  # of hundreds of labels, all sentences' at once would take gigabytes
_TO_IOB2 = {"S": "B", "E": "I"}


class Decoder:
    """Viterbi over the tag sequences that the scheme allows.

    With a CRF's scores the best path is that of the CRF; without (softmax) it is the legal path of the highest summed
    emissions, which for plain tags is each token's best tag.
    """

    def __init__(
        self,
        tags: Sequence[str],
        scheme: Scheme,
        *,
        transitions: Floats | None = None,
        start: Floats | None = None,
        end: Floats | None = None,
    ) -> None:
        """
        Args:
            tags: the K tags in output order.
            scheme: their scheme: IOB2, BIOES or PLAIN.
            transitions: (K, K) scores from row to column; zeros by default.
            start, end: (K,) scores of the first and the last tag; zeros by default.
        """
        self.tags = list(tags)
        count = len(self.tags)
        between = np.array([[may_follow(scheme, before, after) for after in tags] for before in tags], dtype=bool)
        begin = np.array([may_follow(scheme, None, tag) for tag in tags], dtype=bool)
        finish = np.array([may_follow(scheme, tag, None) for tag in tags], dtype=bool)
        zeros = np.zeros(count, dtype=np.float32)
        scores = np.zeros((count, count), dtype=np.float32) if transitions is None else transitions
        self._into = np.ascontiguousarray(np.where(between, scores, FORBIDDEN).T)  # (K, K): row = the tag arrived at
        self._start = np.where(begin, zeros if start is None else start, FORBIDDEN)
        self._end = np.where(finish, zeros if end is None else end, FORBIDDEN)
        self._free = not (self._into.any() or self._start.any() or self._end.any())

        written = self.tags if scheme is Scheme.PLAIN else [_TO_IOB2.get(tag[0], tag[0]) + tag[1:] for tag in self.tags]
        self._written = np.array(written, dtype=object)

    @classmethod
    def of(cls, tags: Sequence[str], scheme: Scheme, tensors: Mapping[str, Floats]) -> Decoder:
        """The decoder of a model's tensors, by the names of `TaggerModel.state_dict()`: with the CRF's, if any."""
        crf = {name: tensors[f"crf.{name}"] for name in ("transitions", "start", "end") if f"crf.{name}" in tensors}
        return cls(tags, scheme, **crf)

    def decode(self, emissions: Floats, running: Ints) -> list[list[str]]:
        """The best legal tags of each sentence, longest first, as they are given out: IOB2 or plain.

        Args:
            emissions, running: as `best_paths` takes them.
        """
        written = self._written[self.best_paths(emissions, running)]  # (N,)
        inside = np.arange(running[0])[None, :] < running[:, None]  # (T, B)
        table = np.empty(inside.shape, dtype=object)
        table[inside] = written
        return [column[:length].tolist() for column, length in zip(table.T, inside.sum(axis=0), strict=True)]

    def best_paths(self, emissions: Floats, running: Ints) -> Ints:
        """The best legal tag of every token (Viterbi 1967; ties go to the tag of the lower number).

        Args:
            emissions: (N, K) packed by time: the first tokens of all sentences, longest sentence first, then the
                second tokens of those that have one, and so on.
            running: (T,) sentences that reach each time step, in falling order.

        Returns:
            (N,) tag numbers, packed in the same way.
        """
        if self._free:
            return emissions.argmax(axis=1)
        starts = np.concatenate([[0], np.cumsum(running)])
        best = self._start + emissions[: running[0]]  # (B, K) of the best path that ends in each tag
        came_from = np.empty(emissions.shape, dtype=np.int16)
        for step in range(1, len(running)):
            now = slice(starts[step], starts[step + 1])
            came_from[now], reached = self._best_before(best[: running[step]])
            reached += emissions[now]
            # only differences count; sums over a long sentence would lose them to float32's rounding
            best[: running[step]] = reached - reached.max(axis=1, keepdims=True)
        tag = (best + self._end).argmax(axis=1)  # (B,) at each sentence's last token
        path = np.empty(len(emissions), dtype=np.int64)
        for step in range(len(running) - 1, -1, -1):
            count = running[step]
            path[starts[step] : starts[step + 1]] = tag[:count]
            if step:
                tag[:count] = came_from[starts[step] : starts[step + 1]][np.arange(count), tag[:count]]
        return path

    def _best_before(self, best: Floats) -> tuple[Ints, Floats]:
        """The best tag before each tag, and the score of the path over it, from the scores of all tags: (n, K) each."""
        at_once = max(1, _SCORES_AT_ONCE // best.shape[1] ** 2)
        before, reached = np.empty(best.shape, dtype=np.int64), np.empty_like(best)
        for first in range(0, len(best), at_once):
            some = slice(first, first + at_once)
            scores = best[some, None, :] + self._into  # (n, K to, K from)
            before[some] = back = scores.argmax(axis=2)
            reached[some] = np.take_along_axis(scores, back[:, :, None], axis=2)[:, :, 0]
        return before, reached


def running_sentences(lengths: Ints) -> Ints:
    """(T,) how many of the sentences reach each time step.

    Args:
        lengths: (B,) in falling order, each at least 1.
    """
    return np.searchsorted(-lengths, -np.arange(1, lengths[0] + 1), side="right")
