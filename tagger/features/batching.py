"""Which sentences go together: batches of similar length by a token budget, shared among processes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def length_batches(lengths: Ints, budget: int) -> list[Ints]:
    """Cut sentences, longest first, into batches of at most `budget` tokens; a longer sentence is a batch of its own.

    Args:
        lengths: (S,) tokens per sentence; empty sentences are left out.
        budget: tokens per batch.

    Returns:
        Sentence numbers by batch, each batch in falling order of length.
    """
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    return _cut(order, lengths, budget)


def training_batches(lengths: Ints, budget: int, *, seed: int, epoch: int, processes: int = 1) -> list[list[Ints]]:
    """One epoch's batches for each process: every sentence in exactly one batch of one process.

    Sentences are shuffled, then sorted by length with some noise, so that batches are of similar length and differ from
    epoch to epoch, and the batches are shuffled. The same arguments give the same batches. All processes get equally
    many: where the count does not divide, the batches of most sentences are halved.

    Args:
        lengths: (S,) tokens per sentence; empty sentences are left out.
        budget: tokens per batch.
        seed, epoch: what the order depends on.
        processes: how many processes share the epoch.

    Returns:
        A list of batches for each process, each batch an array of sentence numbers.

    Raises:
        ValueError: fewer non-empty sentences than processes.
    """
    random = np.random.default_rng((seed, epoch))
    noise = random.uniform(0.85, 1.15, size=len(lengths))
    order = np.argsort(-lengths * noise, kind="stable")
    order = order[lengths[order] > 0]
    if len(order) < processes:
        raise ValueError(f"{len(order)} sentences cannot be shared among {processes} processes")
    batches = _cut(order, lengths, budget)
    while len(batches) % processes:
        largest = max(range(len(batches)), key=lambda index: len(batches[index]))
        whole = batches.pop(largest)
        batches += [whole[::2], whole[1::2]]
    mixed = [batches[index] for index in random.permutation(len(batches))]
    return [mixed[process::processes] for process in range(processes)]


def _cut(order: Ints, lengths: Ints, budget: int) -> list[Ints]:
    batches, start, tokens = [], 0, 0
    for position, number in enumerate(order):
        if position > start and tokens + lengths[number] > budget:
            batches.append(order[start:position])
            start, tokens = position, 0
        tokens += int(lengths[number])
    if start < len(order):
        batches.append(order[start:])
    return batches
