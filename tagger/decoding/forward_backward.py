"""Probabilities of tags and spans by the forward–backward algorithm (Rabiner 1989).

Works on sentences packed by time, in double precision.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
NO_TAG = -1
_LOST = 1e-280  # a smaller sum of exponentials may lack terms that float64 cannot hold
_SCORES_AT_ONCE = 1 << 22


class Lattice:
    """All taggings of packed sentences. A tagging y with score s(y) has the probability exp(s(y) / temperature) / Z.

    Forward and backward sums are kept as logarithms α and β, less one number per token, so that no sentence is too
    long. The probability P(y_t = k) is the softmax of α_t + β_t over k.

    Attributes:
        log_partition: (B,) log Z, less constants that no probability depends on.
    """

    def __init__(
        self,
        emissions: Floats,
        batch_sizes: Ints,
        *,
        transitions: Floats,
        start: Floats,
        end: Floats,
        temperature: float = 1.0,
    ) -> None:
        """
        Args:
            emissions: (N, K) packed by time.
            batch_sizes: (T,) sentences at each time step, in falling order.
            transitions: (K, K) scores from row to column; minus infinity where forbidden, as in the next two.
            start, end: (K,) scores of the first and the last tag.
            temperature: divides all scores.
        """
        scaled = emissions.astype(np.float64) / temperature
        self._emissions = scaled - scaled.max(axis=1, keepdims=True)  # a constant per token is in every path
        self._transitions = transitions.astype(np.float64) / temperature
        self._start, self._end = start.astype(np.float64) / temperature, end.astype(np.float64) / temperature
        self._batch_sizes = batch_sizes
        self._begins = np.concatenate([[0], np.cumsum(batch_sizes)])  # of each time step
        self._steps = [slice(*bounds) for bounds in zip(self._begins[:-1], self._begins[1:], strict=True)]
        self._sentence = np.concatenate([np.arange(count) for count in batch_sizes])  # (N,)
        self._lengths = np.bincount(self._sentence)  # (B,)
        self._last = self._begins[self._lengths - 1] + np.arange(batch_sizes[0])  # (B,) each sentence's last token
        self._alpha, self._shift = self._forward()
        self._after: tuple[Doubles, Doubles] | None = None  # what `_backward` returns, once computed
        self.log_partition: Doubles = np.bincount(self._sentence, weights=self._shift) + _log_sum(
            self._alpha[self._last] + self._end
        )

    def marginals(self) -> Doubles:
        """Compute (N, K) P(y_t = k | x), the probability of each tag at each token, packed as the emissions are."""
        beta, through = self._backward()
        return np.exp(self._alpha + beta - through[:, None])

    def transition_counts(self) -> Doubles:
        """Compute (B, K, K) Σ_t P(y_t-1 = i, y_t = j | x), the expected number of transitions from i to j."""
        beta, _ = self._backward()
        tags = len(self._transitions)
        counts = np.zeros((self._batch_sizes[0], tags, tags))
        at_once = max(1, _SCORES_AT_ONCE // tags**2)
        for before, now in pairwise(self._steps):
            after = beta[now] + self._emissions[now]  # (n, K)
            for first in range(0, len(after), at_once):
                some = slice(first, first + at_once)
                pairs = self._alpha[before][: len(after)][some, :, None] + self._transitions + after[some, None, :]
                pairs = np.exp(pairs - pairs.max(axis=(1, 2), keepdims=True))
                counts[: len(after)][some] += pairs / pairs.sum(axis=(1, 2), keepdims=True)
        return counts

    def log_probability(self, path: Ints) -> Doubles:
        """Compute (B,) log P(y | x) of one tagging per sentence.

        Args:
            path: (N,) tag numbers, packed as the emissions are.
        """
        scores = self._emissions[np.arange(len(path)), path]
        later = np.arange(self._batch_sizes[0], len(path))
        before = later - np.repeat(self._batch_sizes[:-1], self._batch_sizes[1:])
        scores[later] += self._transitions[path[before], path[later]]
        total = np.bincount(self._sentence, weights=scores)
        first = path[: self._batch_sizes[0]]
        return total + self._start[first] + self._end[path[self._last]] - self.log_partition

    def spans(self, sentence: Ints, start: Ints, lengths: Ints, tags: Ints, longer: Ints) -> Doubles:
        """Compute (S,) the probability of each span: that of all taggings that have it, with its tags and no longer.

        P is the sum over paths with y_start..y_end-1 = the span's tags and y_end ≠ the tag that would lengthen it.

        Args:
            sentence: (S,) the number of each span's sentence.
            start: (S,) its first token.
            lengths: (S,) its number of tokens, all inside the sentence.
            tags: (sum of lengths,) the numbers of its tags, one span's after the other's.
            longer: (S,) the tag that would lengthen the span if it followed; NO_TAG if there is none.
        """
        beta, through = self._backward()
        first = np.cumsum(lengths) - lengths  # where each span's tags begin
        number = np.repeat(np.arange(len(lengths)), lengths)
        step = start[number] + np.arange(len(tags)) - first[number]
        place = self._begins[step] + sentence[number]  # the packed tokens of all spans
        inner = np.delete(np.arange(len(tags)), first)
        gains = self._transitions[tags[inner - 1], tags[inner]] + self._emissions[place[inner], tags[inner]]
        inside = np.bincount(number[inner], weights=gains - self._shift[place[inner]], minlength=len(lengths))
        last = first + lengths - 1
        at, tag = place[last], tags[last]
        # (S,) log-sum of all ways to continue after a span's last token, relative to all paths through that token
        after = np.empty(len(lengths))
        ends = step[last] + 1 == self._lengths[sentence]
        after[ends] = self._end[tag[ends]] - through[at[ends]]
        on = ~ends
        following = self._begins[step[last][on] + 1] + sentence[on]
        ways = self._transitions[tag[on]] + self._emissions[following] + beta[following]  # (S, K)
        rows = np.flatnonzero(longer[on] != NO_TAG)
        ways[rows, longer[on][rows]] = -np.inf
        after[on] = _log_sum(ways) - self._shift[following] - through[following]
        return np.exp(np.minimum(self._alpha[place[first], tags[first]] + inside + after, 0))

    def _forward(self) -> tuple[Doubles, Doubles]:
        """Compute α (N, K), log-sums of the paths up to each token that end in each tag, and (N,) what was subtracted.

        The number subtracted at a token makes its largest α zero.
        """
        into = _LogProduct(self._transitions)
        alpha, shift = np.empty_like(self._emissions), np.empty(len(self._emissions))
        reached = np.broadcast_to(self._start, (self._batch_sizes[0], len(self._start)))
        for number, now in enumerate(self._steps):
            if number:
                reached = into(alpha[self._steps[number - 1]][: self._batch_sizes[number]])
            reached = reached + self._emissions[now]
            shift[now] = largest = reached.max(axis=1)
            alpha[now] = reached - largest[:, None]
        return alpha, shift

    def _backward(self) -> tuple[Doubles, Doubles]:
        """Compute β (N, K), log-sums of the paths after each token, and (N,) log Σ exp(α + β) over its tags.

        It is computed once. `functools.cached_property` would not do: in Python 3.11 one lock serves all objects of the
        class, so that threads wait for each other, and a process forked meanwhile waits forever.
        """
        if self._after is not None:
            return self._after
        out_of = _LogProduct(self._transitions.T)
        beta = np.empty_like(self._emissions)
        beta[self._last] = self._end
        for number in range(len(self._steps) - 2, -1, -1):
            following = self._steps[number + 1]
            found = out_of(beta[following] + self._emissions[following])
            beta[self._steps[number]][: len(found)] = found - found.max(axis=1, keepdims=True)
        self._after = beta, _log_sum(self._alpha + beta)
        return self._after


class _LogProduct:
    """log Σ_i exp(a_i + scores_ij) as a matrix product of exponentials: K² multiplications, not K² exponentials.

    Results that are so small that terms may be lost are computed again by logarithms.
    """

    def __init__(self, scores: Doubles) -> None:
        """Take (K, K) scores, not all of them minus infinity."""
        self._scores = scores
        self._largest = scores.max()
        self._factors = np.exp(scores - self._largest)

    def __call__(self, logs: Doubles) -> Doubles:
        """Map (n, K) a to (n, K). Every row of a has a finite element."""
        largest = logs.max(axis=1, keepdims=True)
        sums = np.exp(logs - largest) @ self._factors
        with np.errstate(divide="ignore"):
            found = np.log(sums) + largest + self._largest
        rows, columns = np.nonzero(sums < _LOST)
        at_once = max(1, _SCORES_AT_ONCE // len(self._scores))
        for begin in range(0, len(rows), at_once):
            row, column = rows[begin : begin + at_once], columns[begin : begin + at_once]
            found[row, column] = _log_sum(logs[row] + self._scores[:, column].T)
        return found


def _log_sum(logs: Doubles) -> Doubles:
    """Compute log Σ exp over the last axis, (n, K) → (n,); minus infinity where all are."""
    largest = np.maximum(logs.max(axis=1), np.finfo(np.float64).min)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(logs - largest[:, None]).sum(axis=1)) + largest
