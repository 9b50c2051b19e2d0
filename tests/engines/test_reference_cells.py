"""The cells against PyTorch and against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tagger.engines.reference_cells import CellWeights, gru_cell, gru_cell_reset_before, lstm_cell, rnn_cell

Array = NDArray[np.float64]
SIZES = [(1, 1, 1), (1, 5, 3), (4, 2, 6)]  # B, E, H


def random_case(batch: int, width: int, hidden: int, seed: int = 0, gates: int = 3) -> tuple[Array, Array, CellWeights]:
    """Inputs (B, E), a state (B, H) and weights."""
    generator = np.random.default_rng(seed)
    weights = CellWeights(
        input=generator.normal(size=(gates * hidden, width)),
        hidden=generator.normal(size=(gates * hidden, hidden)),
        input_bias=generator.normal(size=gates * hidden),
        hidden_bias=generator.normal(size=gates * hidden),
    )
    return generator.normal(size=(batch, width)), generator.normal(size=(batch, hidden)), weights


def load(cell: torch.nn.RNNCellBase, weights: CellWeights) -> torch.nn.RNNCellBase:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict({name: torch.from_numpy(value) for name, value in zip(names, weights, strict=True)})
    return cell


@pytest.mark.parametrize(("batch", "width", "hidden"), SIZES)
def test_the_gru_is_that_of_pytorch(batch: int, width: int, hidden: int) -> None:
    inputs, state, weights = random_case(batch, width, hidden)
    cell = load(torch.nn.GRUCell(width, hidden, dtype=torch.float64), weights)
    with torch.no_grad():
        expected = cell(torch.from_numpy(inputs), torch.from_numpy(state)).numpy()
    np.testing.assert_allclose(gru_cell(inputs, state, weights).state, expected, atol=1e-12)


@pytest.mark.parametrize(("batch", "width", "hidden"), SIZES)
def test_the_rnn_is_that_of_pytorch(batch: int, width: int, hidden: int) -> None:
    inputs, state, weights = random_case(batch, width, hidden, gates=1)
    cell = load(torch.nn.RNNCell(width, hidden, dtype=torch.float64), weights)
    with torch.no_grad():
        expected = cell(torch.from_numpy(inputs), torch.from_numpy(state)).numpy()
    np.testing.assert_allclose(rnn_cell(inputs, state, weights), expected, atol=1e-12)


@pytest.mark.parametrize(("batch", "width", "hidden"), SIZES)
def test_the_lstm_is_that_of_pytorch(batch: int, width: int, hidden: int) -> None:
    inputs, state, weights = random_case(batch, width, hidden, gates=4)
    memory = np.random.default_rng(5).normal(size=state.shape)
    cell = load(torch.nn.LSTMCell(width, hidden, dtype=torch.float64), weights)
    with torch.no_grad():
        expected = cell(torch.from_numpy(inputs), (torch.from_numpy(state), torch.from_numpy(memory)))
    step = lstm_cell(inputs, state, memory, weights)
    np.testing.assert_allclose(step.state, expected[0].numpy(), atol=1e-12)
    np.testing.assert_allclose(step.memory, expected[1].numpy(), atol=1e-12)


@pytest.mark.parametrize(("width", "hidden"), [(1, 1), (4, 3)])
def test_the_lstm_is_its_equations_unit_by_unit(width: int, hidden: int) -> None:
    inputs, state, weights = random_case(2, width, hidden, seed=1, gates=4)
    memory = np.random.default_rng(5).normal(size=state.shape)
    step = lstm_cell(inputs, state, memory, weights)
    for row, (x, h, m) in enumerate(zip(inputs, state, memory, strict=True)):
        for unit in range(hidden):
            sums = [
                sum(weights.input[place, i] * x[i] for i in range(width))
                + sum(weights.hidden[place, j] * h[j] for j in range(hidden))
                + weights.input_bias[place]
                + weights.hidden_bias[place]
                for place in range(unit, 4 * hidden, hidden)
            ]
            into, forget, output = sigmoid(sums[0]), sigmoid(sums[1]), sigmoid(sums[3])
            kept = forget * m[unit] + into * math.tanh(sums[2])
            assert step.input[row, unit] == pytest.approx(into)
            assert step.forget[row, unit] == pytest.approx(forget)
            assert step.output[row, unit] == pytest.approx(output)
            assert step.candidate[row, unit] == pytest.approx(math.tanh(sums[2]))
            assert step.memory[row, unit] == pytest.approx(kept)
            assert step.state[row, unit] == pytest.approx(output * math.tanh(kept))


def test_gates_of_an_lstm_keep_and_forget() -> None:
    inputs, state, weights = random_case(3, 4, 5, gates=4)
    memory = np.random.default_rng(5).normal(size=state.shape)
    weights.input_bias[:5], weights.input_bias[5:10] = -1e3, 1e3  # nothing in, nothing forgotten
    np.testing.assert_array_equal(lstm_cell(inputs, state, memory, weights).memory, memory)
    weights.input_bias[5:10] = -1e3
    assert not lstm_cell(inputs, state, memory, weights).memory.any()


def test_an_rnn_squashes_a_sum() -> None:
    weights = CellWeights(np.array([[2.0]]), np.array([[-1.0]]), np.array([0.5]), np.array([0.25]))
    assert rnn_cell(np.array([[1.0]]), np.array([[3.0]]), weights).item() == pytest.approx(math.tanh(2 - 3 + 0.75))


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
