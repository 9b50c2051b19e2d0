"""Pretrained vectors on their way through the engines and the model folder."""

from pathlib import Path

import numpy as np
import pytest
from random_models import PARTS, embeddings_config, emissions_by_sentence, random_folder, random_words

from tagger.engines.numpy_embeddings import WordVectors
from tagger.engines.numpy_engine import NumpyEngine
from tagger.engines.torch_engine import TorchEngine
from tagger.errors import UserError
from tagger.features.encoding import FeatureEncoder
from tagger.features.vectors.open import open_static
from tagger.model_folder.folder import ModelFolder

WITH_STATIC = (*PARTS, "static")
SENTENCES = random_words([5, 1, 9, 3])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    random_folder(parts=WITH_STATIC).save(tmp_path / "model", "")
    return tmp_path / "model"


@pytest.mark.parametrize("parts", [WITH_STATIC, ("static",)])
def test_engines_agree(parts: tuple[str, ...]) -> None:
    folder = random_folder(parts=parts)
    ours = emissions_by_sentence(NumpyEngine(folder), SENTENCES)
    theirs = emissions_by_sentence(TorchEngine(folder), SENTENCES)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_corrections_are_added_to_the_vectors_of_known_words_alone() -> None:
    config = embeddings_config(["static"], trained=True)
    folder = random_folder(embeddings=config)
    corrections = folder.tensors["embeddings.parts.static.corrections.weight"]
    words = ["Anna", "ANNA", "New", "unheard", ""]
    features = FeatureEncoder(config, folder.vocabularies, folder.static).encode_words(words)
    numbers = [folder.vocabularies.words[word] for word in ("anna", "anna", "new")]
    expected = features.static.copy()
    expected[:3] += corrections[numbers]
    np.testing.assert_array_equal(WordVectors(config, folder.tensors)(features), expected)


def test_vectors_matter() -> None:
    with_vectors, without = random_folder(parts=WITH_STATIC), random_folder(parts=WITH_STATIC)
    assert without.static is not None
    without.static.vectors[:] = 0  # type: ignore[attr-defined]
    known = [["the", "New", "York"]]
    one, other = (emissions_by_sentence(NumpyEngine(folder), known)[0] for folder in (with_vectors, without))
    assert np.abs(one - other).max() > 1e-3


def test_a_saved_folder_carries_its_vectors(saved: Path) -> None:
    first, again = ModelFolder.load(saved), saved.with_name("again")
    assert first.static is not None
    words = ["Anna", "New", "unheard", ""]
    vectors = first.static.look_up(words)[0]
    first.save(again, "")
    second = ModelFolder.load(again)
    assert second.static is not None
    assert np.array_equal(second.static.look_up(words)[0], vectors)


@pytest.mark.parametrize("name", ["pieces.txt", "vectors.safetensors"])
def test_damaged_or_missing_vectors_are_one_line(saved: Path, name: str) -> None:
    content = (saved / "static" / name).read_bytes()
    (saved / "static" / name).write_bytes(content[:-3] + b"xxx")
    with pytest.raises(UserError, match=f"static/{name}: damaged"):
        ModelFolder.load(saved)
    (saved / "static" / name).unlink()
    with pytest.raises(UserError, match=f"no {name} in it"):
        ModelFolder.load(saved)


def test_the_bundled_vectors_put_like_beside_like() -> None:
    words = ["Paris", "London", "potato"]
    vectors, known = open_static("bundled").look_up(words)
    assert known.all()
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_vectors_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        open_static(str(tmp_path / "nowhere"))
