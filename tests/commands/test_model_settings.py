"""What shapes a model that starts from another: that one's settings, which no others may contradict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tagger.commands.hydra import hydra_entry
from tagger.commands.model_settings import with_model_of_start
from tagger.config import EncoderConfig
from tagger.errors import UserError
from tagger.model_folder.folder import ModelFolder
from tests.helpers.random_models import random_folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of 12 units per direction, without pretrained vectors."""
    random_folder(hidden=12).save(tmp_path / "model", "")
    return tmp_path / "model"


@pytest.fixture
def unusual(tmp_path: Path) -> Path:
    """A model that no default choice of a group gives: two LSTM layers, softmax, nothing pretrained."""
    encoder = EncoderConfig(cell="lstm", hidden_size=12, layers=2)
    random_folder(encoder=encoder, decoder="softmax").save(tmp_path / "unusual", "")
    return tmp_path / "unusual"


def started(model: Path, *given: str) -> dict[str, Any]:
    names = [override.partition("=")[0].lstrip("+~") for override in given]
    composed = hydra_entry.compose("train", [f"init_from={model}", *given])
    return with_model_of_start(composed, hydra_entry.compose("train"), ["init_from", *names])


def test_settings_that_were_not_given_are_the_model_s(model: Path) -> None:
    found, own = started(model, "seed=7"), ModelFolder.load(model).config.to_mapping()
    assert {group: found[group] for group in own} == own
    assert (found["seed"], found["encoder"]["hidden_size"]) == (7, 12)


@pytest.mark.parametrize("given", ["encoder.hidden_size=12", "encoder=bigru", "decoder=crf", "embeddings.static=none"])
def test_what_is_given_as_the_model_has_it_is_no_contradiction(model: Path, given: str) -> None:
    assert started(model, given)["encoder"]["hidden_size"] == 12


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["encoder.hidden_size=128"], "encoder.hidden_size is 12, not 128"),  # though 128 is the default
        (["encoder=bilstm"], "encoder.cell is gru, not lstm"),
        (["decoder=softmax"], "decoder.kind is crf, not softmax"),
        (["experiment=tiny"], "embeddings.word.min_count is 1, not 2"),
        (["embeddings.static=bundled"], "embeddings.static.source is null, not bundled"),
        (["embeddings.word=null"], "embeddings.word.dropout is 0.0, not null"),
    ],
)
def test_what_is_given_and_the_model_has_otherwise_is_told(model: Path, given: list[str], told: str) -> None:
    with pytest.raises(UserError, match="leave these settings out, or train without init_from") as caught:
        started(model, *given)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["encoder=bigru"], "encoder.cell is lstm, not gru, encoder.layers is 2, not 1; leave"),
        (["encoder=bilstm"], "this model's: encoder.layers is 2, not 1; leave"),
        (["decoder=crf"], "this model's: decoder.kind is softmax, not crf; leave"),
        (["embeddings=default"], "this model's: embeddings.static.source is null, not bundled; leave"),
    ],
)
def test_a_choice_that_is_the_default_is_held_against_the_model_too(unusual: Path, given: list[str], told: str) -> None:
    with pytest.raises(UserError) as caught:
        started(unusual, *given)
    assert told in str(caught.value)


@pytest.mark.parametrize("given", ["decoder=softmax", "embeddings=tiny"])
def test_a_choice_that_the_model_has_is_no_contradiction(unusual: Path, given: str) -> None:
    assert started(unusual, given)["encoder"]["cell"] == "lstm"


@pytest.mark.parametrize("language", ["en", "null"])
def test_automatic_vectors_of_data_without_a_language_are_the_model_s(tmp_path: Path, language: str) -> None:
    random_folder(parts=["word", "static"]).save(tmp_path / "model", "")
    found = started(tmp_path / "model", "embeddings=default", f"data.language={language}")
    assert found["embeddings"]["static"]["source"] == "bundled"
