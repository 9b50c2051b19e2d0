"""Test explanations of a model with a contextual encoder, which need PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tagger.commands import train
from tagger.engines.numpy_embeddings import WordVectors
from tagger.engines.torch_engine import TorchEngine
from tagger.features.encoding import FeatureEncoder
from tagger.inspection.explainer import Explainer
from tagger.predict import load
from tests.helpers.random_models import random_folder, random_words
from tests.helpers.small_corpus import QUICK, column_files
from tests.helpers.tiny_encoder import write_tiny_encoder


def test_a_model_with_an_encoder_is_explained(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGER_CACHE", str(in_tmp_path / "cache"))
    encoder = write_tiny_encoder(in_tmp_path / "encoder")
    settings = [f"embeddings.transformer={{path: {encoder}, layers: 2}}", f"run_dir={in_tmp_path / 'run'}"]
    assert train.main([*column_files(in_tmp_path), *QUICK, *settings]) == 0
    model = in_tmp_path / "run" / "model"
    found = Explainer.load(model, str(encoder)).explain(["We", "met", "Ada", "in", "New", "York", "."])
    assert found.difference < 1e-4
    assert found.tags == load(model).tag("We met Ada in New York .").sentences[0].tags


def test_token_vectors_of_pytorch_are_those_of_numpy() -> None:
    folder, (words,) = random_folder(), random_words([9])
    features = FeatureEncoder(folder.config.embeddings, folder.vocabularies)
    expected = WordVectors(folder.config.embeddings, folder.tensors)(features.encode_words(words))
    np.testing.assert_allclose(TorchEngine(folder).token_vectors(words), expected, atol=1e-5)
