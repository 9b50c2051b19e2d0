"""Compare bootstrap intervals and the paired test with loops and enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.evaluation import estimates
from tagger.evaluation.estimates import Bootstrap, interval, paired_test, ratio


def draws(bootstrap: Bootstrap) -> list[list[int]]:
    """Count how often each resample contains each unit, from counts that identify the units."""
    return bootstrap.totals(np.eye(bootstrap.units, dtype=np.float32)).astype(int).tolist()


def test_a_resample_holds_as_many_units_as_there_are_and_the_seed_decides_which() -> None:
    first, same, other = (draws(Bootstrap(range(7), resamples=50, seed=seed)) for seed in (1, 1, 2))
    assert all(sum(row) == 7 for row in first)
    assert first == same != other
    assert 0.25 < np.mean(np.array(first) == 0) < 0.45  # (1 - 1/7)**7 = 0.34


def test_the_seed_is_1_unless_another_is_chosen() -> None:
    assert draws(Bootstrap(range(7), resamples=20)) == draws(Bootstrap(range(7), resamples=20, seed=1))
    assert Bootstrap(range(7)).seed == 1
    counts = np.random.default_rng(0).integers(0, 4, size=(2, 30, 3)).astype(float)
    assert paired_test(*counts) == paired_test(*counts, seed=1) != paired_test(*counts, seed=2)


def test_totals_are_sums_of_what_was_drawn_documents_whole() -> None:
    units = [0, 0, 1, 2, 2, 2]
    counts = np.arange(12, dtype=np.float32).reshape(6, 2)
    bootstrap = Bootstrap(units, resamples=20)
    names = np.zeros((6, 3), dtype=np.float32)
    names[[0, 2, 3], [0, 1, 2]] = 1  # one sentence of each document
    drawn = bootstrap.totals(names)
    expected = [[sum(row[units[s]] * counts[s, c] for s in range(6)) for c in range(2)] for row in drawn.tolist()]
    assert bootstrap.totals(counts).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=12))
def test_distinct_things_count_once_in_a_resample(places: list[tuple[int, int]]) -> None:
    bootstrap = Bootstrap(range(5), resamples=30)
    things = sorted({thing for _, thing in places})
    rows = np.array([things.index(thing) for _, thing in places], dtype=np.int64)
    found = bootstrap.distinct(np.array([sentence for sentence, _ in places], dtype=np.int64), rows)
    assert found.tolist() == [len({thing for unit, thing in places if row[unit]}) for row in draws(bootstrap)]


def test_small_stretches_of_resamples_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draws(Bootstrap(range(9), resamples=40))
    monkeypatch.setattr(estimates, "_AT_ONCE", 30)
    assert draws(Bootstrap(range(9), resamples=40)) == whole


def test_an_interval_holds_the_middle() -> None:
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))
    assert ratio(np.array([0.0, 1.0]), np.array([0.0, 4.0])).tolist() == [0, 0.25]


def f1(counts: np.ndarray) -> float:
    return 2 * counts[0] / (counts[1] + counts[2]) if counts[1] + counts[2] else 0.0


def exact_p(one: np.ndarray, other: np.ndarray) -> float:
    """Compute the share of all possible swaps in which F1 differs at least as much."""
    actual = abs(f1(one.sum(axis=0)) - f1(other.sum(axis=0)))
    ways = list(product((False, True), repeat=len(one)))
    as_much = 0
    for way in ways:
        swap = np.array(way)[:, None]
        a, b = np.where(swap, other, one).sum(axis=0), np.where(swap, one, other).sum(axis=0)
        as_much += abs(f1(a) - f1(b)) >= actual - 1e-12
    return as_much / len(ways)


@pytest.mark.parametrize("seed", range(5))
def test_the_paired_test_comes_near_to_all_swaps_enumerated(seed: int) -> None:
    generator = np.random.default_rng(seed)
    gold = generator.integers(1, 4, size=8)
    sides = []
    for _ in range(2):
        correct = generator.binomial(gold, 0.3 + 0.4 * len(sides))
        sides.append(np.stack([correct, correct + generator.integers(0, 2, size=8), gold], axis=1).astype(float))
    assert paired_test(sides[0], sides[1], swaps=20_000) == pytest.approx(exact_p(sides[0], sides[1]), abs=0.02)


def test_equal_systems_do_not_differ() -> None:
    side = np.array([[1.0, 2.0, 1.0], [0.0, 1.0, 3.0]])
    assert paired_test(side, side) == 1


@pytest.mark.parametrize("swaps", [1, 19, 99])
def test_p_counts_the_actual_outputs_and_is_never_0(swaps: int) -> None:
    right, wrong = np.array([[1.0, 1, 1]] * 60), np.array([[0.0, 1, 1]] * 60)
    assert paired_test(right, wrong, swaps=swaps) == 1 / (swaps + 1)
