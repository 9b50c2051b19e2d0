"""Which sentences go together: batches of similar length by a token budget, shared among processes; their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_REST, _TIMES_LONGER, _LONG = 0.95, 10, 1000  # sentences are far longer than the rest from here on


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
    many, and the same number in all epochs: where there are too few, those of most sentences are halved; where an epoch
    would need more than the first one, its budget is raised a little.

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
    count = _even_count(_cut(_noisy_order(lengths, seed, 0)[0], lengths, budget), processes)
    order, random = _noisy_order(lengths, seed, epoch)
    batches = _cut(order, lengths, budget)
    while len(batches) > count:
        budget += max(1, budget // 100)
        batches = _cut(order, lengths, budget)
    batches = _halved(batches, count)
    mixed = [batches[index] for index in random.permutation(len(batches))]
    return [mixed[process::processes] for process in range(processes)]


def validation_batches(lengths: Ints, budget: int, *, processes: int = 1) -> list[list[Ints]]:
    """Batches for each process, equally many, every non-empty sentence in exactly one batch of one process.

    Args:
        lengths: (S,) tokens per sentence.
        budget: tokens per batch.
        processes: how many processes share them.

    Raises:
        ValueError: fewer non-empty sentences than processes.
    """
    batches = length_batches(lengths, budget)
    count = _even_count(batches, processes)
    while len(batches) > count:
        budget += max(1, budget // 100)
        batches = length_batches(lengths, budget)
    batches = _halved(batches, count)
    return [batches[process::processes] for process in range(processes)]


class FarLonger(NamedTuple):
    """Sentences far longer than the rest, and what they cost.

    Attributes:
        numbers: which they are, longest first.
        limit: the most tokens that a sentence may have not to be one of them.
        steps: how many time steps they add to an epoch.
        all_steps: how many an epoch has with them.
    """

    numbers: list[int]
    limit: int
    steps: int
    all_steps: int


def far_longer(lengths: Sequence[int], budget: int) -> FarLonger:
    """Find sentences ten times as long as 95 % of all, and of more than 1,000 tokens.

    Args:
        lengths: tokens per sentence, of at least one.
        budget: tokens per batch.
    """
    array = np.asarray(lengths, dtype=np.int64)
    limit = max(_LONG, _TIMES_LONGER * int(np.quantile(array, _REST, method="lower")))
    order = np.argsort(-array, kind="stable")
    found = order[array[order] > limit]
    all_steps = time_steps(array, budget)
    return FarLonger(found.tolist(), limit, all_steps - time_steps(np.delete(array, found), budget), all_steps)


def time_steps(lengths: Ints, budget: int) -> int:
    """Count the steps that a recurrent layer takes one after the other in an epoch: each batch's longest sentence.

    Args:
        lengths: (S,) tokens per sentence.
        budget: tokens per batch.
    """
    return sum(int(lengths[batch[0]]) for batch in length_batches(lengths, budget))


def sentence_lengths(batch_sizes: Ints) -> Ints:
    """(B,) tokens of each sentence, in falling order.

    Args:
        batch_sizes: (T,) sentences that reach each time step.
    """
    return np.searchsorted(-batch_sizes, -np.arange(1, batch_sizes[0] + 1), side="right")


def packed_positions(batch_sizes: Ints) -> Ints:
    """Of sentences one after the other, where the tokens stand that come k-th when they are packed by time.

    Args:
        batch_sizes: (T,) sentences that reach each time step, in falling order.

    Returns:
        (N,), whose entry k, which stands at step t of sentence i, is t more than the tokens of the sentences before i.
    """
    if batch_sizes[0] == 1:
        return np.arange(len(batch_sizes))
    steps, sentences = _places(batch_sizes)
    lengths = sentence_lengths(batch_sizes)
    return (np.cumsum(lengths) - lengths)[sentences] + steps


def reversed_positions(batch_sizes: Ints) -> Ints:
    """Of sentences packed by time, the packed position of each one's tokens from its last to its first.

    Args:
        batch_sizes: (T,) sentences that reach each time step, in falling order.

    Returns:
        (N,), whose entry k, which stands at step t of sentence i, is the position of that sentence's token
        `length - 1 - t`. Taken twice, it leads back.
    """
    if batch_sizes[0] == 1:
        return np.arange(len(batch_sizes) - 1, -1, -1)
    steps, sentences = _places(batch_sizes)
    starts = np.cumsum(batch_sizes) - batch_sizes
    return starts[sentence_lengths(batch_sizes)[sentences] - 1 - steps] + sentences


def _places(batch_sizes: Ints) -> tuple[Ints, Ints]:
    """(N,) the step and (N,) the sentence of each token packed by time."""
    steps = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    return steps, np.arange(len(steps)) - (np.cumsum(batch_sizes) - batch_sizes)[steps]


def _noisy_order(lengths: Ints, seed: int, epoch: int) -> tuple[Ints, np.random.Generator]:
    """The sentences that have tokens, roughly by length, and the source of what else is random in an epoch."""
    random = np.random.default_rng((seed, epoch))
    noise = random.uniform(0.85, 1.15, size=len(lengths))
    order = np.argsort(-lengths * noise, kind="stable")
    return order[lengths[order] > 0], random


def _even_count(batches: list[Ints], processes: int) -> int:
    """How many batches there are to be for each process to get as many: a few more, if sentences are enough."""
    sentences = sum(map(len, batches))
    if sentences < processes:
        raise ValueError(f"{sentences} sentences cannot be shared among {processes} processes")
    return min(-(-len(batches) // processes), sentences // processes) * processes


def _halved(batches: list[Ints], count: int) -> list[Ints]:
    """The batches, those of most sentences halved until there are `count`."""
    while len(batches) < count:
        largest = max(range(len(batches)), key=lambda index: len(batches[index]))
        whole = batches[largest]
        batches = [*batches[:largest], *batches[largest + 1 :], whole[::2], whole[1::2]]
    return batches


def _cut(order: Ints, lengths: Ints, budget: int) -> list[Ints]:
    ends = np.cumsum(lengths[order])  # of the tokens up to each sentence
    batches, start, before = [], 0, 0
    while start < len(order):
        stop = max(start + 1, int(np.searchsorted(ends, before + budget, side="right")))
        batches.append(order[start:stop])
        start, before = stop, int(ends[stop - 1])
    return batches
