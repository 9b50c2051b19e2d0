"""The packed layers against their cells looped by hand, against PyTorch's, and against themselves mirrored."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tagger.config import GATES, Cell
from tagger.engines.numpy_layers import LAYERS
from tagger.engines.reference_cells import CellWeights, gru_cell, gru_cell_reset_before, lstm_cell, rnn_cell
from tagger.features.batching import reversed_positions
from tagger.model.recurrence import bidirectional

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
CELLS = typing.get_args(Cell)
WIDTH, HIDDEN = 5, 4
LENGTHS = [[7, 4, 4, 1], [1], [3, 3, 3], [12, 1]]
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def random_tensors(cell: Cell, seed: int = 0) -> dict[str, Floats]:
    generator = np.random.default_rng(seed)
    stacked = GATES[cell] * HIDDEN
    shapes = {"weight_ih": (stacked, WIDTH), "weight_hh": (stacked, HIDDEN), "bias_ih": stacked, "bias_hh": stacked}
    return {
        f"layer.{name}_l0{direction}": generator.normal(0, 0.7, size=shape).astype(np.float32)
        for name, shape in shapes.items()
        for direction in ("", "_reverse")
    }


def random_sentences(lengths: list[int], seed: int = 1) -> list[Floats]:
    generator = np.random.default_rng(seed)
    return [generator.normal(size=(length, WIDTH)).astype(np.float32) for length in lengths]


def run(cell: Cell, tensors: dict[str, Floats], sentences: list[Floats]) -> list[Floats]:
    """The layer's states (T, 2H) of each of the sentences, longest first, all in one batch."""
    layer = LAYERS[cell](tensors, "layer.")
    lengths = [len(sentence) for sentence in sentences]
    batch_sizes = np.array([sum(length > step for length in lengths) for step in range(lengths[0])])
    places = [(row, step) for step, count in enumerate(batch_sizes) for row in range(count)]
    packed = np.stack([sentences[row][step] for row, step in places])
    backward = reversed_positions(batch_sizes)
    states = layer.run(layer.project(packed), np.arange(len(packed)), batch_sizes, backward)
    return [states[[place[0] == row for place in places]] for row in range(len(sentences))]


def looped(cell: Cell, tensors: dict[str, Floats], sentence: Floats) -> Array:
    """The states by the readable cell in double precision, one step and one direction at a time."""
    directions = []
    for suffix in ("", "_reverse"):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = CellWeights(*(tensors[f"layer.{name}_l0{suffix}"].astype(np.float64) for name in names))
        state = memory = np.zeros((1, HIDDEN))
        states = []
        for vector in sentence[::-1] if suffix else sentence:
            if cell == "rnn":
                state = rnn_cell(vector[None], state, weights)
            elif cell == "lstm":
                step = lstm_cell(vector[None], state, memory, weights)
                state, memory = step.state, step.memory
            else:
                state = (gru_cell if cell == "gru" else gru_cell_reset_before)(vector[None], state, weights).state
            states.append(state[0])
        directions.append(states[::-1] if suffix else states)
    return np.concatenate(directions, axis=1)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_is_its_cell_step_by_step(cell: Cell, lengths: list[int]) -> None:
    tensors, sentences = random_tensors(cell), random_sentences(lengths)
    for sentence, states in zip(sentences, run(cell, tensors, sentences), strict=True):
        np.testing.assert_allclose(states, looped(cell, tensors, sentence), **CLOSE)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_is_that_of_pytorch(cell: Cell, lengths: list[int]) -> None:
    tensors, sentences = random_tensors(cell, seed=2), random_sentences(lengths, seed=3)
    module = bidirectional(cell, WIDTH, HIDDEN)
    module.load_state_dict({name.removeprefix("layer."): torch.from_numpy(value) for name, value in tensors.items()})
    for sentence, states in zip(sentences, run(cell, tensors, sentences), strict=True):
        with torch.no_grad():
            expected = module(torch.from_numpy(sentence)[None])[0][0].numpy()
        np.testing.assert_allclose(states, expected, **CLOSE)


@pytest.mark.parametrize("cell", CELLS)
def test_other_sentences_in_the_batch_change_nothing(cell: Cell) -> None:
    tensors, sentences = random_tensors(cell), random_sentences([9, 5, 5, 2])
    for sentence, states in zip(sentences, run(cell, tensors, sentences), strict=True):
        np.testing.assert_allclose(run(cell, tensors, [sentence])[0], states, **CLOSE)


@pytest.mark.parametrize("cell", CELLS)
def test_reversed_input_with_swapped_directions_gives_reversed_output(cell: Cell) -> None:
    tensors, sentences = random_tensors(cell), random_sentences([6, 4, 1])
    swapped = {name.removesuffix("_reverse"): value for name, value in tensors.items() if name.endswith("_reverse")}
    swapped |= {f"{name}_reverse": value for name, value in tensors.items() if not name.endswith("_reverse")}
    straight = run(cell, tensors, sentences)
    mirrored = run(cell, swapped, [sentence[::-1] for sentence in sentences])
    for one, other in zip(straight, mirrored, strict=True):
        np.testing.assert_allclose(np.roll(other[::-1], HIDDEN, axis=1), one, **CLOSE)


@pytest.mark.parametrize("cell", CELLS)
def test_running_twice_gives_the_same(cell: Cell) -> None:
    tensors, sentences = random_tensors(cell), random_sentences([6, 4, 1])
    before = {name: value.copy() for name, value in tensors.items()}
    for one, other in zip(run(cell, tensors, sentences), run(cell, tensors, sentences), strict=True):
        np.testing.assert_array_equal(one, other)
    for name, value in tensors.items():
        np.testing.assert_array_equal(value, before[name])
