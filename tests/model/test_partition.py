"""Which way to the partition sum is taken, and sums of terms of very different sizes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from tagger.model import partition
from tagger.model.packing import Packing
from tagger.model.partition import StepByStep, by_halves, log_partition

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "at_once", "expected"),
    [
        ("cpu", 1 << 27, "step by step"),
        ("cpu", 0, "step by step"),
        ("meta", 54, "by halves"),  # 3 steps of 2 sentences and 3 x 3 pairs of tags
        ("meta", 53, "step by step"),
    ],
)
def test_only_accelerators_with_enough_memory_go_by_halves(
    monkeypatch: pytest.MonkeyPatch, device: str, at_once: int, expected: str
) -> None:
    given = (torch.zeros(4, 3, device=device), torch.zeros(3, 3), torch.zeros(3), torch.zeros(3))
    packing = Packing.of(np.array([3, 1]), CPU)
    calls = []
    monkeypatch.setattr(partition, "by_halves", lambda *arguments: calls.append(("by halves", arguments)))
    monkeypatch.setattr(StepByStep, "apply", lambda *arguments: calls.append(("step by step", arguments)))
    monkeypatch.setattr(partition, "_AT_ONCE", at_once)
    log_partition(*given, packing)
    [(way, arguments)] = calls
    assert way == expected
    assert all(found is one for found, one in zip(arguments, (*given, packing), strict=True))


@pytest.mark.parametrize("towards", ["leaving", "reaching"])
def test_by_halves_a_tag_that_costs_much_to_leave_or_reach_still_counts(towards: str) -> None:
    """All paths count whose score is high in the end, even if the transitions alone make them negligible."""
    transitions = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    start, end = torch.zeros(3), torch.zeros(3)
    if towards == "leaving":
        transitions[0] -= 300
        start[0] = 600
    else:
        transitions[:, 0] -= 300
        end[0] = 600
    found = by_halves(torch.zeros(3, 3), transitions, start, end, Packing.of(np.array([3]), CPU))
    scores = [
        (start[path[0]] + end[path[-1]] + sum(transitions[pair] for pair in itertools.pairwise(path))).item()
        for path in itertools.product(range(3), repeat=3)
    ]
    highest = max(scores)
    assert found.item() == pytest.approx(
        highest + math.log(sum(math.exp(score - highest) for score in scores)), abs=1e-3
    )
