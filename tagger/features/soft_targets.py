"""Soft targets: what a student learns of sentences that a teacher has tagged, beside gold tags.

The score of a linear chain is a sum over tokens and over neighbouring pairs. So the cross-entropy between a teacher's
chain and a student's depends on the teacher only through P(y_t = k) and Σ_t P(y_t-1 = i, y_t = j) (Wang et al. 2021,
arXiv:2010.05010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class TagDistribution:
    """The distribution over the taggings of a sentence of T tokens.

    Attributes:
        marginals: (T, K) P(y_t = k).
        transitions: (K, K) expected number of transitions from the row's tag to the column's.
        confidence: probability of the best path; of an ensemble, the mean of its members'.
        has_entity: whether the best path has a tag other than O; of an ensemble, that of any member.
    """

    marginals: Floats
    transitions: Floats
    confidence: float
    has_entity: bool

    def mapped(self, tags: Floats) -> TagDistribution:
        """Return the distribution over other tags.

        Args:
            tags: (K, J) 1 where the row's tag becomes the column's.
        """
        transitions = (tags.T @ self.transitions @ tags).astype(np.float32)
        return TagDistribution(self.marginals @ tags, transitions, self.confidence, self.has_entity)

    @classmethod
    def mean(cls, members: Sequence[TagDistribution]) -> TagDistribution:
        """Return the mixture of an ensemble's distributions, all with the same weight."""
        return cls(
            np.mean([one.marginals for one in members], axis=0, dtype=np.float32),
            np.mean([one.transitions for one in members], axis=0, dtype=np.float32),
            float(np.mean([one.confidence for one in members])),
            any(one.has_entity for one in members),
        )


@dataclass(frozen=True)
class SoftBatch:
    """Soft targets of a batch of B sentences with N tokens; zeros for sentences with gold tags.

    Attributes:
        marginals: (N, K) the teacher's P(y_t = k), sentence after sentence.
        transitions: (K, K) expected number of transitions from the row's tag to the column's: the sum over sentences,
            each times its weight.
        from_teacher: (B,) whether a sentence is learned from the teacher.
        weights: (B,) factors of the sentences' losses.
    """

    marginals: Floats
    transitions: Floats
    from_teacher: Bools
    weights: Floats


@dataclass(frozen=True)
class SoftTargets:
    """Soft targets of the last S sentences of a corpus, over K tags. Sentences before them have gold tags.

    Attributes:
        marginals: (N, K), sentence after sentence.
        starts: (S + 1,) number of each sentence's first token; last of all, N.
        places: (M,) row * K + column of the transitions that are above zero, sentence after sentence.
        counts: (M,) their expected numbers.
        bounds: (S + 1,) where each sentence's transitions begin; last of all, M.
        weight: factor of these sentences' losses.
    """

    marginals: NDArray[np.float16]
    starts: Ints
    places: Ints
    counts: Floats
    bounds: Ints
    weight: float = 1.0

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, numbers: Ints, lengths: Ints) -> SoftBatch:
        """Return the soft targets of some sentences.

        Args:
            numbers: the sentences, counted from the first one with soft targets; negative for those with gold tags.
            lengths: (B,) tokens of each.
        """
        tags = self.marginals.shape[1]
        soft = numbers >= 0
        marginals = np.zeros((int(lengths.sum()), tags), dtype=np.float32)
        begins = np.cumsum(lengths) - lengths
        within = []
        for begin, length, number in zip(begins, lengths, numbers, strict=True):
            if number >= 0:
                marginals[begin : begin + length] = self.marginals[self.starts[number] : self.starts[number + 1]]
                within.append(np.arange(self.bounds[number], self.bounds[number + 1]))
        pairs = np.concatenate([*within, np.zeros(0, dtype=np.int64)])
        counted = np.bincount(self.places[pairs], self.counts[pairs], minlength=tags**2)
        transitions = (self.weight * counted).astype(np.float32)
        weights = np.where(soft, np.float32(self.weight), np.float32(1))
        return SoftBatch(marginals, transitions.reshape(tags, tags), soft, weights)
