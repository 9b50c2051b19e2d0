"""Compute the distribution over the taggings of a sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.schemes import OUTSIDE
from tagger.decoding.decoder import Decoder
from tagger.features.batching import packed_positions, sentence_lengths
from tagger.features.soft_targets import TagDistribution

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def distributions(
    decoder: Decoder, emissions: Floats, batch_sizes: Ints, *, best_path_alone: bool = False
) -> list[TagDistribution]:
    """Compute the distribution of each sentence, longest first, at the decoder's temperature.

    Args:
        decoder: of a model of K tags.
        emissions: (N, K) packed by time.
        batch_sizes: (T,) sentences at each time step, in falling order.
        best_path_alone: give all probability to the best path (hard labels).
    """
    lattice = decoder.lattice(emissions, batch_sizes)
    path = decoder.best_paths(emissions, batch_sizes)
    confidence = np.exp(lattice.log_probability(path))
    marginals = np.empty(emissions.shape, dtype=np.float32)
    best = np.empty(len(path), dtype=np.int64)
    reading = packed_positions(batch_sizes)
    best[reading] = path
    lengths = sentence_lengths(batch_sizes)
    ends = np.cumsum(lengths)
    sentences = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    outside = decoder.tags.index(OUTSIDE) if OUTSIDE in decoder.tags else -1
    if best_path_alone:
        tags = np.eye(len(decoder.tags), dtype=np.float32)
        marginals = tags[best]
        transitions = np.stack([counted(best[one], len(tags)) for one in sentences])
    else:
        marginals[reading] = lattice.marginals()
        transitions = lattice.transition_counts().astype(np.float32)
    return [
        TagDistribution(
            marginals[one], transitions[number], float(confidence[number]), bool((best[one] != outside).any())
        )
        for number, one in enumerate(sentences)
    ]


def counted(path: Ints, tags: int) -> Floats:
    """Count the transitions of one path (T,) between K tags, (K, K)."""
    counts = np.zeros((tags, tags), dtype=np.float32)
    np.add.at(counts, (path[:-1], path[1:]), 1)
    return counts
