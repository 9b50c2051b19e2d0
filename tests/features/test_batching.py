"""Batches: every sentence once, within the budget, the same for the same seed, shared evenly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.features.batching import (
    Ints,
    far_longer,
    length_batches,
    reversed_positions,
    time_steps,
    training_batches,
    validation_batches,
)

LENGTHS = st.lists(st.integers(0, 40), max_size=60)
BUDGETS = st.integers(1, 100)


@pytest.mark.parametrize(
    ("lengths", "found", "limit"),
    [
        ([20] * 99 + [100_000], [99], 1000),
        ([20] * 97 + [5000, 100_000, 1000], [98, 97], 1000),
        ([300] * 99 + [3000], [], 3000),
        ([300] * 99 + [3001], [99], 3000),
        ([100_000], [], 1_000_000),
    ],
)
def test_sentences_far_longer_than_the_rest_are_found_longest_first(
    lengths: list[int], found: list[int], limit: int
) -> None:
    longer = far_longer(lengths, budget=100)
    assert (longer.numbers, longer.limit) == (found, limit)
    rest = [length for number, length in enumerate(lengths) if number not in found]
    assert longer.steps == longer.all_steps - time_steps(np.array(rest), budget=100)


def test_an_epoch_takes_a_step_for_each_token_of_each_batchs_longest_sentence() -> None:
    assert time_steps(np.array([5, 3, 3, 1, 0, 100]), budget=6) == 100 + 5 + 3 + 1


def numbers(batches: list[Ints]) -> list[int]:
    return [int(number) for batch in batches for number in batch]


def non_empty(lengths: list[int]) -> list[int]:
    return [number for number, length in enumerate(lengths) if length]


@given(LENGTHS, BUDGETS)
def test_length_batches_hold_every_sentence_once_longest_first(lengths: list[int], budget: int) -> None:
    batches = length_batches(np.array(lengths, dtype=np.int64), budget)
    ordered = numbers(batches)
    assert sorted(ordered) == non_empty(lengths)
    assert [lengths[number] for number in ordered] == sorted(filter(None, lengths), reverse=True)
    assert all(len(batch) == 1 or sum(lengths[number] for number in batch) <= budget for batch in batches)
    assert all(len(batch) for batch in batches)


@given(LENGTHS, BUDGETS)
def test_length_batches_are_full(lengths: list[int], budget: int) -> None:
    batches = length_batches(np.array(lengths, dtype=np.int64), budget)
    for batch, following in itertools.pairwise(batches):
        assert sum(lengths[number] for number in batch) + lengths[following[0]] > budget


@given(LENGTHS.filter(any), BUDGETS, st.integers(0, 3))
def test_one_process_gets_every_sentence_once_within_the_budget(lengths: list[int], budget: int, seed: int) -> None:
    (batches,) = training_batches(np.array(lengths), budget, seed=seed, epoch=0)
    assert sorted(numbers(batches)) == non_empty(lengths)
    assert all(len(batch) == 1 or sum(lengths[number] for number in batch) <= budget for batch in batches)


@given(LENGTHS.filter(any), BUDGETS, st.integers(0, 3), st.integers(1, 4))
def test_all_epochs_have_as_many_batches_and_every_sentence_once(
    lengths: list[int], budget: int, seed: int, processes: int
) -> None:
    if len(non_empty(lengths)) < processes:
        return
    counts = set()
    for epoch in range(6):
        shares = training_batches(np.array(lengths), budget, seed=seed, epoch=epoch, processes=processes)
        assert sorted(number for share in shares for number in numbers(share)) == non_empty(lengths)
        counts |= {len(share) for share in shares}
    assert len(counts) == 1


def test_where_an_epoch_needs_a_batch_more_the_budget_grows_by_little() -> None:
    lengths = np.random.default_rng(1).integers(1, 40, size=3394)
    largest = [
        max(int(lengths[batch].sum()) for batch in training_batches(lengths, 600, seed=1, epoch=epoch)[0])
        for epoch in range(10)
    ]
    assert max(largest) > 600, "no such epoch"
    assert max(largest) < 620


@given(LENGTHS, BUDGETS, st.integers(1, 5))
def test_processes_share_every_sentence_evenly(lengths: list[int], budget: int, processes: int) -> None:
    array = np.array(lengths, dtype=np.int64)
    if len(non_empty(lengths)) < processes:
        with pytest.raises(ValueError, match="cannot be shared"):
            training_batches(array, budget, seed=1, epoch=0, processes=processes)
        return
    shares = training_batches(array, budget, seed=1, epoch=0, processes=processes)
    assert len(shares) == processes
    assert len({len(share) for share in shares}) == 1
    assert all(len(batch) for share in shares for batch in share)
    assert sorted(number for share in shares for number in numbers(share)) == non_empty(lengths)


@given(LENGTHS, BUDGETS, st.integers(1, 5))
def test_validation_shares_every_sentence_evenly(lengths: list[int], budget: int, processes: int) -> None:
    if len(non_empty(lengths)) < processes:
        return
    shares = validation_batches(np.array(lengths, dtype=np.int64), budget, processes=processes)
    assert len({len(share) for share in shares}) == 1
    assert all(len(batch) for share in shares for batch in share)
    assert sorted(number for share in shares for number in numbers(share)) == non_empty(lengths)


def test_the_budget_holds_wherever_batches_can_be_halved() -> None:
    lengths = np.full(90, 10)
    shares = training_batches(lengths, 200, seed=0, epoch=0, processes=4)  # 5 batches of 20 sentences at most
    assert all(10 * len(batch) <= 200 for share in shares for batch in share)


def test_long_sentences_that_cannot_be_halved_are_joined() -> None:
    shares = training_batches(np.full(5, 100), 10, seed=0, epoch=0, processes=2)
    assert sorted(len(batch) for share in shares for batch in share) == [1, 1, 1, 2]


def as_lists(shares: list[list[Ints]]) -> list[list[list[int]]]:
    return [[batch.tolist() for batch in share] for share in shares]


@pytest.mark.parametrize("processes", [1, 2])
def test_seed_and_epoch_decide_the_order(processes: int) -> None:
    lengths = np.random.default_rng(0).integers(0, 30, size=200)
    epochs = {
        (seed, epoch): as_lists(training_batches(lengths, 100, seed=seed, epoch=epoch, processes=processes))
        for seed in (1, 2)
        for epoch in (0, 1)
    }
    for (seed, epoch), batches in epochs.items():
        again = training_batches(lengths, 100, seed=seed, epoch=epoch, processes=processes)
        assert as_lists(again) == batches
    assert len({str(batches) for batches in epochs.values()}) == 4


def test_a_batch_holds_sentences_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, size=2000)
    (batches,) = training_batches(lengths, 500, seed=0, epoch=0)
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert padded < 1.3 * lengths.sum()  # in the order of the corpus it would be almost twice the sum


@pytest.mark.parametrize("lengths", [[1], [4], [3, 3, 3], [5, 4, 2, 2, 1]])
def test_reversed_positions_lead_from_each_end(lengths: list[int]) -> None:
    batch_sizes = np.array([sum(length > step for length in lengths) for step in range(lengths[0])])
    places = [(sentence, step) for step in range(lengths[0]) for sentence in range(batch_sizes[step])]
    expected = [places.index((sentence, lengths[sentence] - 1 - step)) for sentence, step in places]
    assert reversed_positions(batch_sizes).tolist() == expected
