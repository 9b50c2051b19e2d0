"""Probabilities of tags and spans: forward and backward (Rabiner 1989) over packed sentences, in double precision."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
NO_TAG = -1
_LOST = 1e-280  # below this a sum of exponentials may lack terms that float64 could not hold
_SCORES_AT_ONCE = 1 << 22


class Lattice:
    """All taggings of packed sentences. With score s(y), a tagging y has probability exp(s(y) / temperature) / Z.

    Everything is kept relative to each token's best, so that no sentence is too long: with α̂ and β̂ the logarithms of
    the forward and backward sums less a number per token, P(y_t = k) is the softmax of α̂_t + β̂_t over k.
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
            batch_sizes: (T,) sentences that reach each time step, in falling order.
            transitions: (K, K) scores from row to column; minus infinity where forbidden, as in the next two.
            start, end: (K,) scores of the first and the last tag.
            temperature: what all scores are divided by.
        """
        scaled = emissions.astype(np.float64) / temperature
        self._emissions = scaled - scaled.max(axis=1, keepdims=True)  # a constant per token is in every path
        self._transitions = transitions.astype(np.float64) / temperature
        self._start, self._end = start.astype(np.float64) / temperature, end.astype(np.float64) / temperature
        self._running = batch_sizes
        self._begins = np.concatenate([[0], np.cumsum(batch_sizes)])  # where each time step begins
        self._steps = [slice(*bounds) for bounds in zip(self._begins[:-1], self._begins[1:], strict=True)]
        self._sentence = np.concatenate([np.arange(count) for count in batch_sizes])  # (N,)
        self._lengths = np.bincount(self._sentence)  # (B,)
        self._last = self._begins[self._lengths - 1] + np.arange(batch_sizes[0])  # (B,) each sentence's last token

    @cached_property
    def tokens(self) -> Doubles:
        """(N, K) P(y_t = k | x): the probability of each tag at each token, packed as the emissions are."""
        forward, _ = self._forward
        return np.exp(forward + self._backward - self._sums[:, None])

    @cached_property
    def log_partition(self) -> Doubles:
        """(B,) log Z, less the constants that no probability depends on."""
        forward, taken = self._forward
        return np.bincount(self._sentence, weights=taken) + _log_sum(forward[self._last] + self._end)

    def log_probability(self, path: Ints) -> Doubles:
        """(B,) log P(y | x) of one tagging per sentence.

        Args:
            path: (N,) tag numbers, packed as the emissions are.
        """
        scores = self._emissions[np.arange(len(path)), path]
        later = np.arange(self._running[0], len(path))
        before = later - np.repeat(self._running[:-1], self._running[1:])
        scores[later] += self._transitions[path[before], path[later]]
        total = np.bincount(self._sentence, weights=scores)
        return total + self._start[path[: self._running[0]]] + self._end[path[self._last]] - self.log_partition

    def spans(self, sentence: Ints, start: Ints, lengths: Ints, tags: Ints, longer: Ints) -> Doubles:
        """(S,) the total probability of all taggings in which a span stands, with its tags and not going on.

        P = Σ of the paths with y_start..y_end-1 = the span's tags and y_end ≠ the tag that would lengthen it.

        Args:
            sentence: (S,) number of the sentence that each of S spans stands in.
            start: (S,) its first token.
            lengths: (S,) how many tokens it has, all inside the sentence.
            tags: (sum of lengths,) the numbers of its tags, one span's after the other's.
            longer: (S,) the tag that behind the span would make it longer; NO_TAG where there is none.
        """
        forward, taken = self._forward
        first = np.cumsum(lengths) - lengths  # where each span's tags begin
        number = np.repeat(np.arange(len(lengths)), lengths)
        step = start[number] + np.arange(len(tags)) - first[number]
        place = self._begins[step] + sentence[number]  # the packed tokens of all spans
        inner = np.delete(np.arange(len(tags)), first)
        gains = self._transitions[tags[inner - 1], tags[inner]] + self._emissions[place[inner], tags[inner]]
        inside = np.bincount(number[inner], weights=gains - taken[place[inner]], minlength=len(lengths))
        last = first + lengths - 1
        left = self._left(sentence, step[last], place[last], tags[last], longer)
        return np.exp(np.minimum(forward[place[first], tags[first]] + inside + left, 0))

    def _left(self, sentence: Ints, step: Ints, place: Ints, tags: Ints, longer: Ints) -> Doubles:
        """(S,) log-sum of all ways on from a span's last token, relative to all paths at that token."""
        _, taken = self._forward
        ends = step + 1 == self._lengths[sentence]
        left = np.empty(len(step))
        left[ends] = self._end[tags[ends]] - self._sums[place[ends]]
        on = ~ends
        behind = self._begins[step[on] + 1] + sentence[on]
        ways = self._transitions[tags[on]] + self._emissions[behind] + self._backward[behind]  # (S, K)
        rows = np.flatnonzero(longer[on] != NO_TAG)
        ways[rows, longer[on][rows]] = -np.inf
        left[on] = _log_sum(ways) - taken[behind] - self._sums[behind]
        return left

    @cached_property
    def _forward(self) -> tuple[Doubles, Doubles]:
        """(N, K) log-sums of the paths up to each token that end in each tag, less (N,) what was taken off there."""
        into = _LogProduct(self._transitions)
        sums, taken = np.empty_like(self._emissions), np.empty(len(self._emissions))
        reached = np.broadcast_to(self._start, (self._running[0], len(self._start)))
        for number, now in enumerate(self._steps):
            if number:
                reached = into(sums[self._steps[number - 1]][: self._running[number]])
            reached = reached + self._emissions[now]
            taken[now] = largest = reached.max(axis=1)
            sums[now] = reached - largest[:, None]
        return sums, taken

    @cached_property
    def _backward(self) -> Doubles:
        """(N, K) log-sums of the paths behind each token, from each tag; less a constant but at a sentence's end."""
        out_of = _LogProduct(self._transitions.T)
        sums = np.empty_like(self._emissions)
        sums[self._last] = self._end
        for number in range(len(self._steps) - 2, -1, -1):
            behind = self._steps[number + 1]
            found = out_of(sums[behind] + self._emissions[behind])
            sums[self._steps[number]][: len(found)] = found - found.max(axis=1, keepdims=True)
        return sums

    @cached_property
    def _sums(self) -> Doubles:
        """(N,) log-sum of all paths through each token, less the same constants."""
        forward, _ = self._forward
        return _log_sum(forward + self._backward)


class _LogProduct:
    """log Σ_i exp(a_i + scores_ij) as a matrix product of exponentials: K² multiplications, not K² exponentials.

    The few results that come out so small that terms may have been lost are computed again by logarithms.
    """

    def __init__(self, scores: Doubles) -> None:
        """`scores` is (K, K), not all of them minus infinity."""
        self._scores = scores
        self._largest = scores.max()
        self._factors = np.exp(scores - self._largest)

    def __call__(self, logs: Doubles) -> Doubles:
        """(n, K) a → (n, K); every row of a has a finite element."""
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
    """log Σ exp over the last axis, (n, K) → (n,); minus infinity where all are."""
    largest = np.maximum(logs.max(axis=1), np.finfo(np.float64).min)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(logs - largest[:, None]).sum(axis=1)) + largest
