"""Compare the compiled loops with NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.config import EncoderConfig
from tagger.corpus.schemes import Scheme
from tagger.decoding import decoder
from tagger.decoding.decoder import Decoder
from tagger.engines import numpy_embeddings, numpy_layers
from tagger.engines.numpy_engine import NumpyEngine
from tagger.features.encoding import FeatureEncoder
from tagger.features.vectors import wordpiece
from tagger.features.vectors.wordpiece import WordPieceVectors
from tagger.kernels import compiled
from tests.helpers.random_models import emissions_by_sentence, random_folder, random_words

MODULES = (decoder, numpy_layers, numpy_embeddings, wordpiece)
LENGTHS = [[7, 4, 4, 1], [1], [5], [12, 1, 1]]


@pytest.fixture
def kernels(loaded: compiled.Kernels, monkeypatch: pytest.MonkeyPatch) -> compiled.Kernels:
    """The kernels, made to be used for batches of any size."""
    for module in MODULES:
        monkeypatch.setattr(module, "kernels", lambda: loaded)
    return loaded


def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES:
        monkeypatch.setattr(module, "kernels", lambda: None)


@pytest.mark.parametrize("hidden", [1, 6, 8, 20])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.usefixtures("kernels")
def test_emissions_are_those_of_numpy(hidden: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder(encoder=EncoderConfig(hidden_size=hidden, layers=2))
    sentences = random_words(lengths)
    found = emissions_by_sentence(NumpyEngine(folder), sentences)
    without_kernels(monkeypatch)
    expected = emissions_by_sentence(NumpyEngine(folder), sentences)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures("kernels")
def test_gates_far_from_zero_saturate(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder(hidden=8)
    for name, tensor in folder.tensors.items():
        if name.startswith("encoder."):
            tensor *= 100
    sentences = random_words([9, 5])
    found = emissions_by_sentence(NumpyEngine(folder), sentences)
    without_kernels(monkeypatch)
    for one, other in zip(found, emissions_by_sentence(NumpyEngine(folder), sentences), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("labels", [1, 4, 17])
@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
@pytest.mark.parametrize("grid", [None, 1.0], ids=["different", "tied"])
@pytest.mark.usefixtures("kernels")
def test_best_paths_are_those_of_numpy(
    scheme: Scheme, labels: int, grid: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefixes = "BI" if scheme is Scheme.IOB2 else "BIES"
    tags = ["O", *(f"{prefix}-{label}" for label in range(labels) for prefix in prefixes)]
    generator = np.random.default_rng(labels)

    def scores(*shape: int) -> np.ndarray:
        drawn = generator.normal(size=shape)
        return (drawn if grid is None else np.round(drawn / grid) * grid).astype(np.float32)

    count = len(tags)
    own = Decoder(tags, scheme, transitions=scores(count, count), start=scores(count), end=scores(count))
    batch_sizes = np.array([9, 9, 7, 3, 1, 1])
    emissions = scores(int(batch_sizes.sum()), count)
    found = own.best_paths(emissions, batch_sizes)
    without_kernels(monkeypatch)
    np.testing.assert_array_equal(found, own.best_paths(emissions.copy(), batch_sizes))


@pytest.mark.usefixtures("kernels")
def test_characters_are_convolved_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder()
    words = ["", "a", "New", "Αθήνα", "x" * 200, "25,000", "ꙮꙮ"]
    features = FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static).encode_words(words)
    characters = numpy_embeddings.CharCNN(folder.tensors)
    found = characters(features)
    assert not found[0].any()
    assert found[1:].any()
    without_kernels(monkeypatch)
    np.testing.assert_array_equal(found, characters(features))


@given(counts=st.lists(st.integers(0, 5), max_size=9), seed=st.integers(0, 99))
def test_pieces_are_summed_to_the_same_bits(loaded: compiled.Kernels, counts: list[int], seed: int) -> None:
    chance = np.random.default_rng(seed)
    vectors = chance.integers(-127, 128, size=(7, 5), dtype=np.int8)
    scales = chance.random(7, dtype=np.float32)
    rows = chance.integers(7, size=sum(counts))
    expected = np.zeros((len(counts), 5), dtype=np.float32)
    for word, its_rows in enumerate(np.split(rows, np.cumsum(counts))[: len(counts)]):
        for row in its_rows:
            expected[word] += vectors[row] * scales[row]
    found = loaded.sums_of_pieces(rows, np.array(counts, dtype=np.int64), vectors, scales)
    np.testing.assert_array_equal(found, expected)


toy_pieces = st.lists(st.from_regex(r"(##)?[abc]{1,3}", fullmatch=True), min_size=1, max_size=12, unique=True)
toy_words = st.lists(st.text("abc. ", max_size=8) | st.sampled_from(["a" * 100, "a" * 101, ""]), max_size=6)


@given(pieces=toy_pieces, words=toy_words)
def test_words_have_the_pieces_that_python_finds(loaded: compiled.Kernels, pieces: list[str], words: list[str]) -> None:
    table = WordPieceVectors(pieces, np.eye(len(pieces), dtype=np.float32))
    expected = [table.pieces_of(word) for word in words]
    table._compiled = compiled.PieceIndex(loaded, pieces, "##")
    rows, counts = table._pieces_of_each(words)
    assert [part.tolist() for part in np.split(rows, np.cumsum(counts))[: len(words)]] == expected
