"""The reset-before GRU as a trainable layer, and how all layers begin."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tagger.config import GATES, Cell
from tagger.engines.reference_cells import CellWeights, gru_cell_reset_before
from tagger.model.recurrence import ResetBeforeGRU, bidirectional

CELLS = typing.get_args(Cell)
WIDTH, HIDDEN = 3, 4


def random_layer() -> ResetBeforeGRU:
    torch.manual_seed(0)
    layer = ResetBeforeGRU(WIDTH, HIDDEN).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.7)
    return layer


def looped(layer: ResetBeforeGRU, sentence: Tensor) -> np.ndarray:
    """States (T, 2H) by the readable cell, one step and one direction at a time."""
    directions = []
    for suffix in ("", "_reverse"):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = CellWeights(*(layer.get_parameter(f"{name}_l0{suffix}").detach().numpy() for name in names))
        state, states = np.zeros((1, HIDDEN)), []
        for vector in sentence.numpy()[::-1] if suffix else sentence.numpy():
            state = gru_cell_reset_before(vector[None], state, weights).state
            states.append(state[0])
        directions.append(states[::-1] if suffix else states)
    return np.concatenate(directions, axis=1)


@pytest.mark.parametrize("lengths", [[5, 3, 3, 1], [2], [4, 4]], ids=str)
def test_the_reset_before_layer_is_its_cell_step_by_step(lengths: list[int]) -> None:
    layer = random_layer()
    values = torch.randn(len(lengths), lengths[0], WIDTH, dtype=torch.float64)
    packed, last = layer(pack_padded_sequence(values, torch.tensor(lengths), batch_first=True))
    assert last is None
    states, _ = pad_packed_sequence(packed, batch_first=True)
    for row, length in enumerate(lengths):
        expected = looped(layer, values[row, :length])
        np.testing.assert_allclose(states[row, :length].detach().numpy(), expected, atol=1e-12)


def test_the_reset_before_layer_takes_sentences_of_one_length_unpacked() -> None:
    layer = random_layer()
    values = torch.randn(3, 6, WIDTH, dtype=torch.float64)
    packed, _ = layer(pack_padded_sequence(values, torch.tensor([6, 6, 6]), batch_first=True))
    torch.testing.assert_close(layer(values)[0], pad_packed_sequence(packed, batch_first=True)[0])


def test_the_reset_before_layer_has_the_parameters_of_pytorch_s_gru() -> None:
    theirs = nn.GRU(WIDTH, HIDDEN, batch_first=True, bidirectional=True)
    shapes = [{name: tuple(p.shape) for name, p in layer.named_parameters()} for layer in (random_layer(), theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("lengths", [[4, 2, 1], [3, 3]], ids=str)
def test_gradients_of_the_reset_before_layer_are_those_of_finite_differences(lengths: list[int]) -> None:
    layer = random_layer()
    names = [name for name, _ in layer.named_parameters()]
    sizes = torch.tensor(lengths)
    values = torch.randn(len(lengths), lengths[0], WIDTH, dtype=torch.float64, requires_grad=True)

    def run(values: Tensor, *parameters: Tensor) -> Tensor:
        packed = pack_padded_sequence(values, sizes, batch_first=True)
        states, _ = torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (packed,))
        return states.data

    assert torch.autograd.gradcheck(run, (values, *layer.parameters()))


@pytest.mark.parametrize("cell", CELLS)
def test_a_new_layer_s_gates_are_orthogonal_and_its_biases_zero_but_for_the_forget_gate(cell: Cell) -> None:
    torch.manual_seed(1)
    for name, parameter in bidirectional(cell, WIDTH, HIDDEN).named_parameters():
        gates = parameter.detach().chunk(GATES[cell])
        if "weight_hh" in name:
            for gate in gates:
                torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN))
        elif "weight_ih" in name:
            assert all(gate.all() and gate.abs().max() <= (6 / (WIDTH + HIDDEN)) ** 0.5 for gate in gates)
        else:
            forget = 1 if cell == "lstm" else None
            ones = [bool((gate == 1).all()) for gate in gates]
            assert ones == [number == forget and "bias_ih" in name for number in range(len(gates))]
            assert all(one or not gate.any() for one, gate in zip(ones, gates, strict=True))
