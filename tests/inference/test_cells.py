"""The two GRU cells against PyTorch and against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tagger.inference.cells import CellWeights, gru_cell, gru_cell_reset_before

Array = NDArray[np.float64]


def random_case(batch: int, width: int, hidden: int, seed: int = 0) -> tuple[Array, Array, CellWeights]:
    """Inputs (B, E), a state (B, H) and weights."""
    generator = np.random.default_rng(seed)
    weights = CellWeights(
        input=generator.normal(size=(3 * hidden, width)),
        hidden=generator.normal(size=(3 * hidden, hidden)),
        input_bias=generator.normal(size=3 * hidden),
        hidden_bias=generator.normal(size=3 * hidden),
    )
    return generator.normal(size=(batch, width)), generator.normal(size=(batch, hidden)), weights


@pytest.mark.parametrize(("batch", "width", "hidden"), [(1, 1, 1), (1, 5, 3), (4, 2, 6)])
def test_the_cell_is_that_of_pytorch(batch: int, width: int, hidden: int) -> None:
    inputs, state, weights = random_case(batch, width, hidden)
    cell = torch.nn.GRUCell(width, hidden, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.copy_(torch.from_numpy(weights.input))
        cell.weight_hh.copy_(torch.from_numpy(weights.hidden))
        cell.bias_ih.copy_(torch.from_numpy(weights.input_bias))
        cell.bias_hh.copy_(torch.from_numpy(weights.hidden_bias))
        expected = cell(torch.from_numpy(inputs), torch.from_numpy(state)).numpy()
    np.testing.assert_allclose(gru_cell(inputs, state, weights).state, expected, atol=1e-12)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("reset_before", [True, False])
@pytest.mark.parametrize(("width", "hidden"), [(1, 1), (4, 3)])
def test_the_cells_are_their_equations_unit_by_unit(reset_before: bool, width: int, hidden: int) -> None:
    inputs, state, weights = random_case(2, width, hidden, seed=1)
    step = (gru_cell_reset_before if reset_before else gru_cell)(inputs, state, weights)
    for x, h, reset, update, candidate, new in zip(inputs, state, *step, strict=True):

        def from_input(gate: int, unit: int, x: Array = x) -> float:
            row = gate * hidden + unit
            return sum(weights.input[row, i] * x[i] for i in range(width)) + weights.input_bias[row]

        def from_state(gate: int, unit: int, h: Array) -> float:
            row = gate * hidden + unit
            return sum(weights.hidden[row, j] * h[j] for j in range(hidden)) + weights.hidden_bias[row]

        r = np.array([sigmoid(from_input(0, i) + from_state(0, i, h)) for i in range(hidden)])
        for i in range(hidden):
            z = sigmoid(from_input(1, i) + from_state(1, i, h))
            recurrent = from_state(2, i, r * h) if reset_before else r[i] * from_state(2, i, h)
            n = math.tanh(from_input(2, i) + recurrent)
            assert reset[i] == pytest.approx(r[i])
            assert update[i] == pytest.approx(z)
            assert candidate[i] == pytest.approx(n)
            assert new[i] == pytest.approx((1 - z) * n + z * h[i])


def test_the_two_conventions_differ() -> None:
    inputs, state, weights = random_case(3, 4, 5)
    ours, theirs = gru_cell(inputs, state, weights), gru_cell_reset_before(inputs, state, weights)
    np.testing.assert_array_equal(ours.update, theirs.update)
    assert np.abs(ours.state - theirs.state).max() > 0.01


@pytest.mark.parametrize("cell", [gru_cell, gru_cell_reset_before])
def test_an_update_gate_near_one_keeps_the_past(cell: object) -> None:
    inputs, state, weights = random_case(3, 4, 5)
    weights.input_bias[5:10] = 1e3
    np.testing.assert_array_equal(cell(inputs, state, weights).state, state)  # type: ignore[operator]


@pytest.mark.parametrize("cell", [gru_cell, gru_cell_reset_before])
def test_a_reset_gate_of_zero_forgets_the_past(cell: object) -> None:
    inputs, state, weights = random_case(3, 4, 5)
    weights.input_bias[:5] = -1e3
    here, there = (cell(inputs, h, weights).candidate for h in (state, state + 1))  # type: ignore[operator]
    np.testing.assert_array_equal(here, there)
