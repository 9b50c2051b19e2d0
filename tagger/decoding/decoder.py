"""Turn emissions into tags. Validation, evaluation and tagging use this one decoder."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.schemes import Scheme, convert_tags, may_follow, spans_from_tags, tags_from_spans
from tagger.corpus.sentence import Span, Tagging
from tagger.decoding.forward_backward import NO_TAG, Lattice
from tagger.decoding.k_best import NO_PATH, n_best_paths
from tagger.features.batching import packed_positions, sentence_lengths
from tagger.kernels.compiled import padded
from tagger.kernels.loader import kernels
from tagger.tensor_shapes import CRF

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
FORBIDDEN = np.float32(-np.inf)
_SCORES_AT_ONCE = 1 << 16  # so that they stay in the processor's cache
_TO_IOB2 = {"S": "B", "E": "I"}


class Decoder:
    """Viterbi over the tag sequences that the scheme allows, and their probabilities.

    With a CRF's scores the best path is the CRF's. Without them (softmax) it is the legal path with the largest sum of
    emissions; for plain tags that is each token's best tag. Probabilities are a CRF's in both cases: without its scores
    they are the softmax over all legal sequences.
    """

    def __init__(
        self,
        tags: Sequence[str],
        scheme: Scheme,
        *,
        transitions: Floats | None = None,
        start: Floats | None = None,
        end: Floats | None = None,
        temperature: float = 1.0,
    ) -> None:
        """
        Args:
            tags: the K tags in output order.
            scheme: their scheme: IOB2, BIOES or PLAIN.
            transitions: (K, K) scores from row to column; zeros by default.
            start, end: (K,) scores of the first and the last tag; zeros by default.
            temperature: divides all scores before they become probabilities. Paths do not depend on it.
        """
        self.tags, self.scheme, self.temperature = list(tags), scheme, temperature
        count = len(self.tags)
        between = np.array([[may_follow(scheme, before, after) for after in tags] for before in tags], dtype=bool)
        begin = np.array([may_follow(scheme, None, tag) for tag in tags], dtype=bool)
        finish = np.array([may_follow(scheme, tag, None) for tag in tags], dtype=bool)
        zeros = np.zeros(count, dtype=np.float32)
        scores = np.zeros((count, count), dtype=np.float32) if transitions is None else transitions
        allowed = np.where(between, scores, FORBIDDEN)
        self._into = np.ascontiguousarray(allowed.T)  # (K, K): row = the tag arrived at
        self._out_of = allowed[:, :, None]  # (K, K, 1): row = the tag left
        self._start = np.where(begin, zeros if start is None else start, FORBIDDEN)
        self._end = np.where(finish, zeros if end is None else end, FORBIDDEN)
        self._free = not (self._into.any() or self._start.any() or self._end.any())  # each token's best tag is best
        self._padded = {"out_of": padded(allowed), "start": padded(self._start), "end": padded(self._end)}
        written = self.tags if scheme is Scheme.PLAIN else [_TO_IOB2.get(tag[0], tag[0]) + tag[1:] for tag in self.tags]
        self._written = np.array(written, dtype=object)
        self._numbers = {tag: number for number, tag in enumerate(self.tags)}

    @classmethod
    def of(
        cls, tags: Sequence[str], scheme: Scheme, tensors: Mapping[str, Floats], temperature: float = 1.0
    ) -> Decoder:
        """Make the decoder of a model from its tensors: with the CRF's scores, if there are any."""
        crf = {argument: tensors[name] for argument, name in CRF._asdict().items() if name in tensors}
        return cls(tags, scheme, **crf, temperature=temperature)

    def at(self, temperature: float) -> Decoder:
        """Return the same decoder with another temperature."""
        other = copy.copy(self)
        other.temperature = temperature
        return other

    def decode(self, emissions: Floats, batch_sizes: Ints) -> list[list[str]]:
        """Return the best legal tags of each sentence, longest first, in IOB2 or plain.

        Args:
            emissions, batch_sizes: as in `best_paths`.
        """
        return _by_sentence(self._written[self.best_paths(emissions, batch_sizes)], batch_sizes)

    def scores(self, emissions: Floats, batch_sizes: Ints, tags: Sequence[Sequence[str]]) -> list[list[float | None]]:
        """Return the probability of the tags that `decode` returned for these arguments, a number per token.

        Returns:
            For plain tags, the probability of each token's tag. Otherwise the probability of the span on each of its
            tokens (see `span_probabilities`), and None on tokens outside.
        """
        if self.scheme is Scheme.PLAIN:
            rows = _by_sentence(np.arange(len(emissions)), batch_sizes)
            marginals = self.lattice(emissions, batch_sizes).marginals()
            numbers = [[self._numbers[tag] for tag in sentence] for sentence in tags]
            return [marginals[row, number].tolist() for row, number in zip(rows, numbers, strict=True)]
        scores: list[list[float | None]] = [[None] * len(sentence) for sentence in tags]
        spans = [spans_from_tags(sentence) for sentence in tags]
        probabilities = self.span_probabilities(emissions, batch_sizes, spans)
        for row, within, found in zip(scores, spans, probabilities, strict=True):
            for (start, end, _), probability in zip(within, found, strict=True):
                row[start:end] = [probability] * (end - start)
        return scores

    def span_probabilities(
        self, emissions: Floats, batch_sizes: Ints, spans: Sequence[Sequence[Span]]
    ) -> list[list[float]]:
        """Return the probability of any spans: that of all legal tag sequences with exactly this span and label.

        Args:
            emissions, batch_sizes: as in `best_paths`.
            spans: of each sentence, longest first. The scheme must not be that of plain tags.
        """
        sentences, known = [], []
        numbers: list[int] = []
        for sentence, within in enumerate(spans):
            for span in within:
                length = span.end - span.start
                tags = tags_from_spans([Span(0, length, span.label)], length, self.scheme)
                known.append(all(tag in self._numbers for tag in tags))
                if known[-1]:
                    sentences.append((sentence, span.start, length, self._numbers.get(f"I-{span.label}", NO_TAG)))
                    numbers += [self._numbers[tag] for tag in tags]
        probabilities = np.zeros(len(known))
        if sentences:
            number, start, lengths, longer = np.array(sentences).T
            lattice = self.lattice(emissions, batch_sizes)
            probabilities[np.array(known)] = lattice.spans(number, start, lengths, np.array(numbers), longer)
        found = iter(probabilities.tolist())
        return [[next(found) for _ in within] for within in spans]

    def alternatives(self, emissions: Floats, batch_sizes: Ints, count: int) -> list[list[Tagging]]:
        """Return the `count` best taggings of each sentence with their probabilities, best first; fewer if not so many
        are legal.

        The first is what `decode` returns. `n_best_paths` defines the order of equals.
        """
        paths = n_best_paths(
            emissions, batch_sizes, into=self._into, start=self._start, end=self._end, count=count
        )  # (N, count)
        lattice = self.lattice(emissions, batch_sizes)
        found: list[list[Tagging]] = [[] for _ in range(batch_sizes[0])]
        for path in paths.T:
            there = path[: batch_sizes[0]] != NO_PATH  # (B,)
            whole = np.where(path == NO_PATH, paths[:, 0], path)
            tags = _by_sentence(self._written[whole], batch_sizes)
            probabilities = np.exp(np.minimum(lattice.log_probability(whole), 0)).tolist()
            for number in np.flatnonzero(there).tolist():
                found[number].append(Tagging(tags[number], probabilities[number]))
        return found

    def log_probabilities(
        self, emissions: Floats, batch_sizes: Ints, tags: Sequence[Sequence[str]]
    ) -> NDArray[np.float64]:
        """Compute (B,) log P(tags | x) of tags in any scheme; minus infinity where one is not known.

        Args:
            emissions, batch_sizes: as in `best_paths`.
            tags: of each sentence, longest first.
        """
        own = [convert_tags(sentence, self.scheme) for sentence in tags]
        known = np.array([all(tag in self._numbers for tag in sentence) for sentence in own])
        path = np.empty(len(emissions), dtype=np.int64)
        for row, sentence in zip(_by_sentence(np.arange(len(emissions)), batch_sizes), own, strict=True):
            path[row] = [self._numbers.get(tag, 0) for tag in sentence]
        return np.where(known, self.lattice(emissions, batch_sizes).log_probability(path), -np.inf)

    def lattice(self, emissions: Floats, batch_sizes: Ints) -> Lattice:
        """Return all legal taggings of a batch, with their probabilities at this decoder's temperature."""
        return Lattice(
            emissions,
            batch_sizes,
            transitions=self._into.T,
            start=self._start,
            end=self._end,
            temperature=self.temperature,
        )

    def best_paths(self, emissions: Floats, batch_sizes: Ints) -> Ints:
        """Find the tags of the best legal path (Viterbi 1967). Ties go to the tag with the lower number.

        Args:
            emissions: (N, K) packed by time: the first tokens of all sentences, longest sentence first, then the
                second tokens of those that have one, and so on.
            batch_sizes: (T,) sentences at each time step, in falling order.

        Returns:
            (N,) tag numbers, packed in the same way.
        """
        if self._free:
            return emissions.argmax(axis=1)
        if (compiled := kernels()) is not None:
            return compiled.best_paths(emissions, batch_sizes, **self._padded)
        begins = np.cumsum(batch_sizes) - batch_sizes
        reached = self._reached(emissions, batch_sizes)
        path = np.empty(len(emissions), dtype=np.int64)
        tags = np.empty(0, dtype=np.int64)  # at the next step, of the sentences that have one
        for step in range(len(batch_sizes) - 1, -1, -1):
            longer, now = len(tags), slice(begins[step], begins[step] + batch_sizes[step])
            scores = reached[now]
            scores[:longer] += self._into[tags]
            scores[longer:] += self._end
            path[now] = tags = scores.argmax(axis=1)
        return path

    def _reached(self, emissions: Floats, batch_sizes: Ints) -> Floats:
        """Compute (N, K) the score of the best path up to each token that ends in each tag, relative to the best."""
        reached = np.empty_like(emissions)
        best = np.ascontiguousarray((self._start + emissions[: batch_sizes[0]]).T)  # (K, n): sentences side by side
        done = 0
        for step, count in enumerate(batch_sizes.tolist()):
            now = slice(done, done + count)
            if step:
                best = self._best_into(best[:, :count])
                best += emissions[now].T
                # only differences count; sums over a long sentence would lose them to float32's rounding
                best -= best.max(axis=0)
            reached[now] = best.T
            done += count
        return reached

    def _best_into(self, best: Floats) -> Floats:
        """Extend the best paths (K, n) that end in each tag by one tag, before its emission: (K, n)."""
        tags, sentences = best.shape
        arrived = np.empty(best.shape, dtype=np.float32)
        at_once = max(1, _SCORES_AT_ONCE // tags**2)
        for first in range(0, sentences, at_once):
            some = slice(first, first + at_once)
            ways = best[:, None, some] + self._out_of  # (K from, K to, n)
            ways.max(axis=0, out=arrived[:, some])
        return arrived


def _by_sentence(values: NDArray[Any], batch_sizes: Ints) -> list[list[Any]]:
    """Split (N,) values packed by time into a list per sentence."""
    table = np.empty_like(values)
    table[packed_positions(batch_sizes)] = values
    flat = table.tolist()
    ends = np.cumsum(sentence_lengths(batch_sizes)).tolist()
    return [flat[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def batch_sizes_of(lengths: Ints) -> Ints:
    """Count the sentences (T,) at each time step.

    Args:
        lengths: (B,) in falling order, each at least 1.
    """
    return np.searchsorted(-lengths, -np.arange(1, lengths[0] + 1), side="right")
