"""Every shape of model: the engines agree, the folder expects its tensors, and batches change nothing."""

from __future__ import annotations

import typing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from omegaconf import OmegaConf

from tagger.config import Cell, EncoderConfig, LayerConfig
from tagger.config_parsing import from_mapping
from tagger.engines.numpy_engine import NumpyEngine
from tagger.engines.torch_engine import TorchEngine
from tagger.model.network import TaggerModel
from tagger.model_folder.folder import ModelFolder
from tagger.tensor_shapes import expected_shapes
from tests.helpers.random_models import (
    PARTS,
    embeddings_config,
    emissions_by_sentence,
    random_folder,
    random_words,
    well_conditioned,
)

CONF = Path(__file__).parents[2] / "conf" / "encoder"
CELLS = typing.get_args(Cell)


def encoder_preset(name: str) -> EncoderConfig:
    """The encoder of `encoder=NAME`, with small layers."""
    base, preset = OmegaConf.load(CONF / "bigru.yaml"), OmegaConf.load(CONF / f"{name}.yaml")
    settings = OmegaConf.to_container(OmegaConf.merge(base, preset))
    assert isinstance(settings, dict)
    settings.pop("defaults", None)
    return from_mapping(EncoderConfig, {str(key): value for key, value in settings.items()} | {"hidden_size": 9})


cells = st.none() | st.sampled_from(CELLS)
layers = st.builds(LayerConfig, cell=cells, hidden_size=st.none() | st.integers(1, 7))
encoders = st.builds(
    EncoderConfig,
    cell=st.sampled_from(CELLS),
    hidden_size=st.integers(1, 7),
    layers=st.integers(1, 2) | st.lists(layers, min_size=1, max_size=3).map(tuple),
    merge=st.sampled_from(["concat", "sum", "mean"]),
    feed_forward=st.none() | st.integers(1, 8),
    layer_norm=st.booleans(),
    skip=st.booleans(),
).filter(well_conditioned)
embeddings = st.builds(
    embeddings_config,
    st.lists(st.sampled_from([*PARTS, "static"]), min_size=1, unique=True),
    spelling=st.sampled_from(["cnn", "bigru"]),
    trained=st.booleans(),
)


def assert_close(one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    """Equal to 3e-5 of the largest emission: float32's rounding grows with what is summed, and from layer to layer."""
    np.testing.assert_allclose(one, other, atol=3e-5 * max(1, np.abs(other).max()), rtol=1e-5)


def assert_engines_agree(folder: ModelFolder, lengths: list[int]) -> None:
    sentences = random_words(lengths, seed=3)
    ours = emissions_by_sentence(NumpyEngine(folder), sentences)
    theirs = emissions_by_sentence(TorchEngine(folder), sentences)
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one, other)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_engines_agree_on_every_encoder_preset(name: str) -> None:
    assert_engines_agree(random_folder(encoder=encoder_preset(name)), [5, 1, 9, 3])


@pytest.mark.parametrize(
    ("name", "stack"),
    [
        ("bigru", [("gru", 9)]),
        ("bilstm", [("lstm", 9)]),
        ("birnn", [("rnn", 9)]),
        ("gru_reset_before", [("gru_reset_before", 9)]),
        ("gru_stack", [("gru", 128), ("gru", 64)]),
        ("gru_blstm", [("gru", 9), ("lstm", 9)]),
    ],
)
def test_an_encoder_preset_has_the_layers_of_its_name(name: str, stack: list[tuple[str, int]]) -> None:
    assert [(layer.cell, layer.hidden_size) for layer in encoder_preset(name).stack] == stack


@settings(max_examples=60)
@given(embeddings=embeddings, encoder=encoders, lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6))
def test_engines_agree_on_any_model(embeddings: object, encoder: EncoderConfig, lengths: list[int]) -> None:
    folder = random_folder(embeddings=embeddings, encoder=encoder, seed=len(lengths))  # type: ignore[arg-type]
    model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert expected_shapes(folder.config, folder.vocabularies) == shapes
    assert_engines_agree(folder, lengths)


@settings(max_examples=30)
@given(embeddings=embeddings, encoder=encoders, lengths=st.lists(st.integers(1, 12), min_size=2, max_size=6))
def test_other_sentences_in_the_batch_change_nothing(
    embeddings: object, encoder: EncoderConfig, lengths: list[int]
) -> None:
    folder = random_folder(embeddings=embeddings, encoder=encoder, seed=len(lengths))  # type: ignore[arg-type]
    sentences = random_words(lengths, seed=4)
    engine = NumpyEngine(folder)
    for words, found in zip(sentences, emissions_by_sentence(engine, sentences), strict=True):
        assert_close(emissions_by_sentence(NumpyEngine(folder), [words])[0], found)
        assert_close(emissions_by_sentence(engine, [words])[0], found)


@pytest.mark.parametrize("extras", [{"skip": True}, {"skip": True, "feed_forward": 4}, {"feed_forward": 4}])
def test_a_full_cache_changes_nothing(extras: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder(encoder=EncoderConfig(hidden_size=3, **extras))  # type: ignore[arg-type]
    batches = [random_words([8, 5, 3], seed=seed) for seed in range(5)]
    expected = [emissions_by_sentence(NumpyEngine(folder), batch) for batch in batches]
    monkeypatch.setattr("tagger.engines.numpy_engine._CACHE_BYTES", 500)
    engine = NumpyEngine(folder)
    for batch, wanted in zip(batches, expected, strict=True):
        for one, other in zip(emissions_by_sentence(engine, batch), wanted, strict=True):
            assert_close(one, other)


@settings(max_examples=15)
@given(embeddings=embeddings, encoder=encoders)
def test_any_model_survives_its_folder(
    embeddings: object, encoder: EncoderConfig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = random_folder(embeddings=embeddings, encoder=encoder)  # type: ignore[arg-type]
    path = tmp_path_factory.mktemp("any") / "model"
    folder.save(path, "")
    loaded = ModelFolder.load(path)
    assert loaded.config == folder.config
    for name, tensor in folder.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], tensor)
