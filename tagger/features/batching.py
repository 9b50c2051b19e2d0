"""Group sentences of similar length into batches by a token budget, and share batches among processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_REST, _TIMES_LONGER, _LONG = 0.95, 10, 1000  # these define "far longer than the rest"


def length_batches(lengths: Ints, budget: int) -> list[Ints]:
    """Cut sentences, longest first, into batches of at most `budget` tokens. A longer sentence is its own batch.

    Args:
        lengths: (S,) tokens per sentence; empty sentences are left out.
        budget: tokens per batch.

    Returns:
        Sentence numbers by batch, each batch in falling order of length.
    """
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    return _cut(order, lengths, budget)


def training_batches(
    lengths: Ints, budget: int, *, seed: int, epoch: int, processes: int = 1, count: int | None = None
) -> list[list[Ints]]:
    """Make one epoch's batches for each process. Every sentence is in exactly one batch of one process.

    Sentences are shuffled, then sorted by length with some noise. So batches are of similar length and differ between
    epochs. Then the batches are shuffled. The same arguments give the same batches.

    All processes get equally many batches, the same number in every epoch. If there are too few, the batches with the
    most sentences are halved. If there are too many, the budget is raised a little.

    Args:
        lengths: (S,) tokens per sentence; empty sentences are left out.
        budget: tokens per batch.
        seed, epoch: determine the order.
        processes: how many processes share the epoch.
        count: batches of each process; None for as many as the first epoch of these sentences needs.

    Returns:
        A list of batches for each process, each batch an array of sentence numbers.

    Raises:
        ValueError: fewer non-empty sentences than processes.
    """
    if count is None:
        count = _even_count(_cut(_noisy_order(lengths, seed, 0)[0], lengths, budget), processes)
    else:
        count *= processes
    order, random = _noisy_order(lengths, seed, epoch)
    batches = _cut(order, lengths, budget)
    while len(batches) > count:
        budget += max(1, budget // 100)
        batches = _cut(order, lengths, budget)
    batches = _halved(batches, count)
    mixed = [batches[index] for index in random.permutation(len(batches))]
    return [mixed[process::processes] for process in range(processes)]


def validation_batches(lengths: Ints, budget: int, *, processes: int = 1) -> list[list[Ints]]:
    """Make equally many batches for each process. Every non-empty sentence is in exactly one batch of one process.

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
        numbers: of these sentences, longest first.
        limit: tokens; longer sentences are among them.
        steps: time steps that they add to an epoch.
        all_steps: time steps of an epoch with them.
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
    """Return the lengths of sentences packed by time, (B,), in falling order.

    Args:
        batch_sizes: (T,) sentences that reach each time step.
    """
    return np.searchsorted(-batch_sizes, -np.arange(1, batch_sizes[0] + 1), side="right")


def packed_positions(batch_sizes: Ints) -> Ints:
    """Map tokens packed by time to their positions in sentences written one after the other.

    Args:
        batch_sizes: (T,) sentences that reach each time step, in falling order.

    Returns:
        (N,). Entry k, at step t of sentence i, is t plus the number of tokens in the sentences before i.
    """
    if batch_sizes[0] == 1:
        return np.arange(len(batch_sizes))
    steps, sentences = _places(batch_sizes)
    lengths = sentence_lengths(batch_sizes)
    return (np.cumsum(lengths) - lengths)[sentences] + steps


def reversed_positions(batch_sizes: Ints) -> Ints:
    """Map tokens packed by time to the packed positions of the same sentences read backwards.

    Args:
        batch_sizes: (T,) sentences that reach each time step, in falling order.

    Returns:
        (N,). Entry k, at step t of sentence i, is the position of that sentence's token `length - 1 - t`. The map is
        its own inverse.
    """
    if batch_sizes[0] == 1:
        return np.arange(len(batch_sizes) - 1, -1, -1)
    steps, sentences = _places(batch_sizes)
    starts = np.cumsum(batch_sizes) - batch_sizes
    return starts[sentence_lengths(batch_sizes)[sentences] - 1 - steps] + sentences


def _places(batch_sizes: Ints) -> tuple[Ints, Ints]:
    """Return the step and the sentence of each token packed by time, (N,) each."""
    steps = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    return steps, np.arange(len(steps)) - (np.cumsum(batch_sizes) - batch_sizes)[steps]


def _noisy_order(lengths: Ints, seed: int, epoch: int) -> tuple[Ints, np.random.Generator]:
    """Order non-empty sentences roughly by length. Also return the epoch's random generator."""
    random = np.random.default_rng((seed, epoch))
    noise = random.uniform(0.85, 1.15, size=len(lengths))
    order = np.argsort(-lengths * noise, kind="stable")
    return order[lengths[order] > 0], random


def _even_count(batches: list[Ints], processes: int) -> int:
    """Return the number of batches that divides evenly among processes: a few more, if sentences suffice."""
    sentences = sum(map(len, batches))
    if sentences < processes:
        raise ValueError(f"{sentences} sentences cannot be shared among {processes} processes")
    return min(-(-len(batches) // processes), sentences // processes) * processes


def _halved(batches: list[Ints], count: int) -> list[Ints]:
    """Halve the batches with the most sentences until there are `count`."""
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
