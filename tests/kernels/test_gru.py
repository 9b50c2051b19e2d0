"""The compiled GRU in float32 and in fixed point: against integers summed by NumPy, and against the cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tagger.config import Cell, EncoderConfig
from tagger.engines import numpy_layers
from tagger.engines.numpy_engine import NumpyEngine
from tagger.engines.numpy_layers import FixedPointGRULayer, GRULayer
from tagger.engines.reference_cells import CellWeights, gru_cell
from tagger.errors import UserError
from tagger.features.batching import reversed_positions
from tagger.kernels.compiled import Kernels
from tagger.kernels.packed_weights import ADDED_ONE, ROW_ONE, Packed
from tests.helpers.random_models import random_folder

Floats = NDArray[np.float32]
WIDTH = 5
KINDS = [GRULayer, FixedPointGRULayer]


class Loaded:
    """A loader that found kernels, or none."""

    problem = "there is no compiler"

    def __init__(self, found: Kernels | None) -> None:
        self._found = found

    def __call__(self) -> Kernels | None:
        return self._found


@pytest.fixture
def kernels(loaded: Kernels, monkeypatch: pytest.MonkeyPatch) -> Kernels:
    monkeypatch.setattr(numpy_layers, "kernels", Loaded(loaded))
    return loaded


def random_tensors(hidden: int, scale: float = 0.4) -> dict[str, Floats]:
    generator = np.random.default_rng(hidden)
    shapes = {"weight_ih": (3 * hidden, WIDTH), "weight_hh": (3 * hidden, hidden), "bias_ih": 3 * hidden}
    return {
        f"{name}_l0{direction}": generator.normal(0, scale, size=shape).astype(np.float32)
        for name, shape in {**shapes, "bias_hh": 3 * hidden}.items()
        for direction in ("", "_reverse")
    }


def states(layer: GRULayer, sentences: list[Floats]) -> list[Floats]:
    """(T, 2H) of each of the sentences, longest first, all in one batch."""
    batch_sizes = np.array([sum(len(one) > step for one in sentences) for step in range(len(sentences[0]))])
    places = [(row, step) for step, count in enumerate(batch_sizes) for row in range(count)]
    packed = np.stack([sentences[row][step] for row, step in places])
    found = layer.run(layer.project(packed), np.arange(len(packed)), batch_sizes, reversed_positions(batch_sizes))
    return [found[[place[0] == row for place in places]] for row in range(len(sentences))]


def by_the_cell(tensors: dict[str, Floats], sentence: Floats) -> NDArray[np.float64]:
    directions = []
    for suffix in ("", "_reverse"):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = CellWeights(*(tensors[f"{name}_l0{suffix}"].astype(np.float64) for name in names))
        state, met = np.zeros((1, weights.hidden.shape[1])), []
        for vector in sentence[::-1] if suffix else sentence:
            state = gru_cell(vector[None], state, weights).state
            met.append(state[0])
        directions.append(met[::-1] if suffix else met)
    return np.concatenate(directions, axis=1)


def random_sentences(lengths: list[int]) -> list[Floats]:
    generator = np.random.default_rng(1)
    return [generator.normal(size=(length, WIDTH)).astype(np.float32) for length in lengths]


@pytest.mark.parametrize("hidden", [1, 15, 16, 17, 40])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("kernels")
def test_states_are_the_cells(kind: type[GRULayer], hidden: int) -> None:
    tensors, sentences = random_tensors(hidden), random_sentences([9, 7, 7, 7, 4, 4, 3, 3, 2, 1, 1])
    tolerance = 1e-5 if kind is GRULayer else 3e-3
    for sentence, found in zip(sentences, states(kind(tensors, ""), sentences), strict=True):
        np.testing.assert_allclose(found, by_the_cell(tensors, sentence), atol=tolerance)


@pytest.mark.usefixtures("kernels")
def test_what_is_added_beyond_the_largest_that_is_stored_saturates_alike() -> None:
    tensors, sentences = random_tensors(20), random_sentences([8, 3])
    for name, tensor in tensors.items():
        tensor *= 300 if name.startswith("weight_ih") else 0.5
    assert np.abs(GRULayer(tensors, "").project(sentences[0])).max() > 100
    found, exact = (np.concatenate(states(kind(tensors, ""), sentences)) for kind in (FixedPointGRULayer, GRULayer))
    assert (np.abs(found - exact) < 3e-3).mean() > 0.98  # few gates are between open and shut
    assert np.abs(found).max() <= 1


@pytest.mark.parametrize("count", range(1, 18))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("kernels")
def test_other_sentences_change_no_bit(kind: type[GRULayer], count: int) -> None:
    layer, sentences = kind(random_tensors(20), ""), random_sentences([4] * count)
    for sentence, together in zip(sentences, states(layer, sentences), strict=True):
        np.testing.assert_array_equal(states(layer, [sentence])[0], together)


@pytest.mark.parametrize("count", range(18))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("kernels")
def test_other_words_change_no_bit(kind: type[GRULayer], count: int) -> None:
    layer = kind(random_tensors(20), "")
    vectors = np.random.default_rng(count).normal(size=(count, WIDTH)).astype(np.float32)
    together = layer.project(vectors)
    assert len(together) == count
    for vector, found in zip(vectors, together, strict=True):
        np.testing.assert_array_equal(layer.project(vector[None])[0], found)


@given(seed=st.integers(0, 99), depth=st.integers(1, 9), hidden=st.integers(1, 33), size=st.sampled_from([0.01, 1, 99]))
def test_sums_of_integers_are_exact(loaded: Kernels, seed: int, depth: int, hidden: int, size: float) -> None:
    generator = np.random.default_rng(seed)
    weights = generator.normal(0, size, size=(2, depth, 3, hidden)).astype(np.float32)
    bias = generator.normal(0, 0.1, size=(2, 3, hidden)).astype(np.float32)
    vectors = generator.normal(size=(3, depth)).astype(np.float32)
    packed = Packed.of(weights, loaded.blocks, fixed=True)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    stored = np.floor(vectors * (np.float32(ROW_ONE) / largest) + np.float32(0.5)).astype(np.int64)
    sums = np.einsum("ne,degh->ndgh", stored, unpacked(packed, depth, hidden))
    factors = packed.factors.reshape(2, 3, -1)[:, :, :hidden].astype(np.float64)
    expected = np.clip((sums * factors * largest[:, :, None, None] + bias) * ADDED_ONE, -32767, 32767)
    found = loaded.gru_projections(packed, bias, vectors).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=0.51)  # rounded to the next


def unpacked(packed: Packed, depth: int, hidden: int) -> NDArray[np.int64]:
    """(2, K, 3, H) integers, one by one from where they are to be."""
    found = np.zeros((2, depth, 3, hidden), dtype=np.int64)
    for (direction, row, gate, unit), _ in np.ndenumerate(found):
        column = gate * 16 * -(-hidden // 16) + unit
        block, within = divmod(column, packed.numbers.shape[3])
        found[direction, row, gate, unit] = packed.numbers[direction, block, row // 2, within, row % 2]
    return found


@given(
    weights=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30),
    scale=st.sampled_from([1.0, 1e-12, 1e-30]),
    blocks=st.sampled_from([1, 3]),
)
def test_no_sum_leaves_its_integer(weights: list[float], scale: float, blocks: int) -> None:
    column = np.array(weights, dtype=np.float32) * np.float32(scale)
    packed = Packed.of(np.broadcast_to(column[None, :, None, None], (2, len(column), 3, 1)), blocks, fixed=True)
    stored = packed.numbers.astype(np.int64)
    assert np.abs(stored).sum(axis=(2, 4)).max() * ROW_ONE <= np.iinfo(np.int32).max
    back = stored[0, 0, :, 0].ravel()[: len(column)] * float(packed.factors[0, 0, 0]) * ROW_ONE
    step = max(np.abs(column).sum() / (np.iinfo(np.int32).max // ROW_ONE - 31), np.abs(column).max() / 32767)
    np.testing.assert_allclose(back, column, atol=max(0.51 * step, 1e-20))


def test_fixed_point_without_compiled_loops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_layers, "kernels", Loaded(None))
    with pytest.raises(UserError, match="precision int16 needs compiled loops, and there is no compiler; use fp32"):
        NumpyEngine(random_folder(), "int16")


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru_reset_before"])
def test_other_cells_have_no_fixed_point(cell: Cell) -> None:
    folder = random_folder(encoder=EncoderConfig(cell=cell, hidden_size=4))
    with pytest.raises(UserError, match=f"precision int16 is for layers of gru, and the model has one of {cell}"):
        NumpyEngine(folder, "int16")
