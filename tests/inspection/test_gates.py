"""Compare traces of layers with PyTorch's states, the engine's emissions and explicit sums."""

from __future__ import annotations

import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tagger.config import Cell, EncoderConfig, LayerConfig
from tagger.engines.numpy_embeddings import WordVectors
from tagger.engines.numpy_engine import NumpyEngine
from tagger.engines.torch_engine import TorchEngine
from tagger.features.encoding import FeatureEncoder
from tagger.inspection.gates import Trace, direction_memory, trace
from tagger.model_folder.folder import ModelFolder
from tests.helpers.random_models import emissions_by_sentence, random_folder, random_words, well_conditioned

CELLS = typing.get_args(Cell)
NAMES = {
    "rnn": {"state"},
    "gru": {"reset", "update", "candidate", "state"},
    "gru_reset_before": {"reset", "update", "candidate", "state"},
    "lstm": {"input", "forget", "candidate", "output", "memory", "state"},
}
layers = st.builds(LayerConfig, cell=st.sampled_from(CELLS), hidden_size=st.integers(1, 7))
encoders = st.builds(
    EncoderConfig,
    layers=st.lists(layers, min_size=1, max_size=3).map(tuple),
    merge=st.sampled_from(["concat", "sum", "mean"]),
    feed_forward=st.none() | st.integers(1, 8),
    layer_norm=st.booleans(),
    skip=st.booleans(),
).filter(well_conditioned)


def traced(folder: ModelFolder, words: list[str]) -> Trace:
    return trace(vectors_of(folder, words), folder.config.encoder, folder.tensors)


def vectors_of(folder: ModelFolder, words: list[str]) -> NDArray[np.float32]:
    features = FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static)
    return WordVectors(folder.config.embeddings, folder.tensors)(features.encode_words(words))


def states_of_pytorch(folder: ModelFolder, words: list[str]) -> list[NDArray[np.float32]]:
    """Return the states (T, 2H) of each layer, taken from the PyTorch module while it runs."""
    engine = TorchEngine(folder)
    found: list[NDArray[np.float32]] = []
    for layer in engine._model.encoder.layers:
        layer.register_forward_hook(
            lambda _module, _inputs, output: found.append(output[0].data.reshape(len(words), -1).numpy())
        )
    engine.emissions([words], np.ones(len(words), dtype=np.int64))
    return found


def assert_those_of_the_model(folder: ModelFolder, words: list[str]) -> None:
    found = traced(folder, words)
    for layer, expected in zip(found.layers, states_of_pytorch(folder, words), strict=True):
        states = np.concatenate([layer.forward["state"], layer.backward["state"]], axis=1)
        np.testing.assert_allclose(states, expected, atol=1e-5)
    emissions = emissions_by_sentence(NumpyEngine(folder), [words])[0]
    np.testing.assert_allclose(found.emissions, emissions, atol=1e-5 * max(1, np.abs(emissions).max()), rtol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 11])
@pytest.mark.parametrize("cell", CELLS)
def test_states_are_the_model_s(cell: Cell, length: int) -> None:
    assert_those_of_the_model(random_folder(encoder=EncoderConfig(cell=cell, hidden_size=6)), random_words([length])[0])


@settings(max_examples=40)
@given(encoder=encoders, length=st.integers(1, 9))
def test_states_are_the_model_s_in_any_stack(encoder: EncoderConfig, length: int) -> None:
    assert_those_of_the_model(random_folder(encoder=encoder), random_words([length], seed=length)[0])


@pytest.mark.parametrize("cell", CELLS)
def test_every_gate_of_a_cell_is_given_for_every_token(cell: Cell) -> None:
    found = traced(random_folder(encoder=EncoderConfig(cell=cell, hidden_size=5)), random_words([4])[0])
    for gates in found.layers[0].directions.values():
        assert gates.keys() == NAMES[cell]
        assert {values.shape for values in gates.values()} == {(4, 5)}


@pytest.mark.parametrize("cell", ["gru", "gru_reset_before"])
def test_a_gru_s_gates_and_candidates_make_its_states(cell: Cell) -> None:
    (layer,) = traced(random_folder(encoder=EncoderConfig(cell=cell, hidden_size=5)), random_words([6])[0]).layers
    for gates, before in ((layer.forward, -1), (layer.backward, 1)):
        for place in range(6):
            past = gates["state"][place + before] if 0 <= place + before < 6 else np.zeros(5)
            z = gates["update"][place]
            np.testing.assert_allclose(gates["state"][place], (1 - z) * gates["candidate"][place] + z * past)


@pytest.mark.parametrize("backward", [False, True])
def test_what_is_kept_is_the_product_over_the_words_read_since(backward: bool) -> None:
    update = np.random.default_rng(3).uniform(size=(5, 11))
    memory = direction_memory({"update": update}, backward=backward)
    assert memory is not None
    for word in range(5):
        for place in range(5):
            since = range(place, word) if backward else range(word + 1, place + 1)
            products = np.ones(11)
            for later in since:
                products = products * update[later]
            reached = place <= word if backward else place >= word
            assert memory.kept[word, place] == pytest.approx(products.mean() if reached else 0)
            two_of_eleven = (np.sort(products)[-1] + np.sort(products)[-2]) / 2
            assert memory.kept_longest[word, place] == pytest.approx(two_of_eleven if reached else 0)
            assert memory.share[word, place] == pytest.approx(((1 - update[word]) * products).mean() if reached else 0)


@pytest.mark.parametrize("backward", [False, True])
def test_what_is_kept_by_distance_is_the_mean_over_pairs(backward: bool) -> None:
    memory = direction_memory({"update": np.random.default_rng(4).uniform(size=(4, 3))}, backward=backward)
    assert memory is not None
    for distance, found in enumerate(memory.by_distance()):
        pairs = [(word, word - distance if backward else word + distance) for word in range(4)]
        kept = [memory.kept[word, place] for word, place in pairs if 0 <= place < 4]
        assert found == pytest.approx(sum(kept) / len(kept))


@pytest.mark.parametrize(("cell", "of"), [("gru", "state"), ("gru_reset_before", "state"), ("lstm", "memory")])
def test_a_state_is_the_sum_of_candidates_by_their_shares(cell: Cell, of: str) -> None:
    (layer,) = traced(random_folder(encoder=EncoderConfig(cell=cell, hidden_size=1)), random_words([7])[0]).layers
    for gates, backward in ((layer.forward, False), (layer.backward, True)):
        memory = direction_memory(gates, backward=backward)
        assert memory is not None
        np.testing.assert_allclose(memory.share.T @ gates["candidate"], gates[of], atol=1e-12)


def test_shares_of_a_gru_sum_to_all_that_its_zero_state_has_left() -> None:
    update = np.random.default_rng(5).uniform(size=(6, 3))
    memory = direction_memory({"update": update}, backward=False)
    assert memory is not None
    np.testing.assert_allclose(memory.share.sum(axis=0), 1 - np.cumprod(update, axis=0).mean(axis=1))


def test_a_plain_rnn_has_no_gate_that_keeps() -> None:
    assert direction_memory({"state": np.zeros((3, 2))}, backward=False) is None
