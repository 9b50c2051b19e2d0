"""The NumPy engine against the cells run step by step, against PyTorch, and against itself in other batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tagger.config import EmbeddingsConfig, EncoderConfig
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.engines import numpy_embeddings, numpy_engine, numpy_layers
from tagger.engines.numpy_engine import NumpyEngine
from tagger.engines.reference_cells import CellWeights, gru_cell
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.model.batch import TensorBatch, TensorFeatures
from tagger.model.embeddings import CharCNN, CharGRU
from tagger.model.network import TaggerModel
from tagger.model_folder.folder import ModelFolder
from tests.helpers.padded import padded
from tests.helpers.random_models import PARTS, embeddings_config, emissions_by_sentence, random_folder, random_words

Array = NDArray[np.float64]
LENGTHS = [1, 9, 4, 4, 13, 2]
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
PART_SETS = [PARTS, *(tuple(part for part in PARTS if part != left_out) for left_out in PARTS), ("characters",)]


def torch_model(folder: ModelFolder) -> TaggerModel:
    model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
    return model.eval()


def word_vector(folder: ModelFolder, word: str) -> Array:
    """One word's vector by its definition, in double precision: no padding, no batch."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in folder.tensors.items()}
    features = FeatureEncoder(folder.config.embeddings, folder.vocabularies).encode_words([word])
    prefix = "embeddings.parts"
    pieces: list[Array] = []
    if folder.config.embeddings.word:
        pieces.append(tensors[f"{prefix}.word.table.weight"][features.words[0]])
    if folder.config.embeddings.characters:
        pieces.append(convolved(tensors, features.characters[0] if word else features.characters[0, :0]))
    if folder.config.embeddings.shape:
        pieces.append(tensors[f"{prefix}.shape.table.weight"][features.shapes[0]])
    if folder.config.embeddings.affixes:
        for number, affix in enumerate(features.affixes[0]):
            pieces.append(tensors[f"{prefix}.affixes.tables.{number}.weight"][affix])
    return np.concatenate(pieces)


def convolved(tensors: dict[str, Array], characters: NDArray[np.int64]) -> Array:
    prefix = "embeddings.parts.characters."
    vectors = tensors[f"{prefix}table.weight"][characters]  # (C, S)
    weight, bias = tensors[f"{prefix}convolution.weight"], tensors[f"{prefix}convolution.bias"]  # (F, S, W), (F,)
    best = np.zeros(len(bias))  # relu
    for middle in range(len(vectors)):
        value = bias.copy()
        for place in range(weight.shape[2]):
            neighbour = middle + place - weight.shape[2] // 2
            if 0 <= neighbour < len(vectors):
                value += weight[:, :, place] @ vectors[neighbour]
        best = np.maximum(best, value)
    return best


def reference_emissions(folder: ModelFolder, words: list[str]) -> Array:
    """Emissions (T, K) of one sentence by the readable cell, one step and one direction at a time."""
    values = np.stack([word_vector(folder, word) for word in words])
    for layer in range(folder.config.encoder.layers):
        directions = []
        for suffix in ("", "_reverse"):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            stored = (folder.tensors[f"encoder.layers.{layer}.{name}_l0{suffix}"] for name in names)
            weights = CellWeights(*(tensor.astype(np.float64) for tensor in stored))
            state = np.zeros((1, folder.config.encoder.hidden_size))
            states = []
            for step in values[::-1] if suffix else values:
                state = gru_cell(step[None], state, weights).state
                states.append(state[0])
            directions.append(states[::-1] if suffix else states)
        values = np.concatenate(directions, axis=1)
    return values @ folder.tensors["emissions.weight"].T.astype(np.float64) + folder.tensors["emissions.bias"]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("parts", PART_SETS, ids="+".join)
def test_emissions_are_those_of_the_cell_step_by_step(layers: int, parts: tuple[str, ...]) -> None:
    folder = random_folder(layers=layers, parts=parts)
    sentences = random_words(LENGTHS)
    for words, found in zip(sentences, emissions_by_sentence(NumpyEngine(folder), sentences), strict=True):
        np.testing.assert_allclose(found, reference_emissions(folder, words), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("parts", PART_SETS, ids="+".join)
@pytest.mark.parametrize(
    ("decoder", "scheme"), [("crf", Scheme.BIOES), ("crf", Scheme.IOB2), ("softmax", Scheme.PLAIN)]
)
def test_emissions_are_those_of_the_trained_module(
    layers: int, parts: tuple[str, ...], decoder: str, scheme: Scheme
) -> None:
    folder = random_folder(scheme=scheme, decoder=decoder, layers=layers, parts=parts, seed=7)
    sentences = random_words(LENGTHS, seed=7)
    encoder = FeatureEncoder(folder.config.embeddings, folder.vocabularies)
    corpus = EncodedCorpus([Sentence(words) for words in sentences], encoder, scheme)
    batch = corpus.batch(range(len(sentences)))
    tensors = TensorBatch.of(batch, torch.device("cpu"))
    with torch.no_grad():
        expected = padded(torch_model(folder)(tensors), tensors.packing).numpy()
    found = emissions_by_sentence(NumpyEngine(folder), sentences)
    for row, number in enumerate(batch.sentences):
        np.testing.assert_allclose(found[number], expected[row, : LENGTHS[number]], **CLOSE)


@pytest.mark.parametrize("layers", [1, 2])
def test_other_sentences_in_the_batch_change_nothing(layers: int) -> None:
    folder = random_folder(layers=layers)
    sentences = random_words(LENGTHS)
    together = emissions_by_sentence(NumpyEngine(folder), [*sentences, *random_words([30, 1, 1], seed=5)])
    for words, found in zip(sentences, together, strict=False):
        np.testing.assert_allclose(found, emissions_by_sentence(NumpyEngine(folder), [words])[0], **CLOSE)


def mirrored(folder: ModelFolder) -> ModelFolder:
    """The model with forward and backward weights swapped, and with them the halves of what reads their states."""
    hidden = folder.config.encoder.hidden_size
    tensors = {}
    for name, tensor in folder.tensors.items():
        reads_states = name == "emissions.weight" or ("weight_ih" in name and not name.startswith("encoder.layers.0."))
        value = np.roll(tensor, hidden, axis=1) if reads_states else tensor
        if name.startswith("encoder."):
            name = name.removesuffix("_reverse") if name.endswith("_reverse") else f"{name}_reverse"
        tensors[name] = value
    return replace(folder, tensors=tensors)


@pytest.mark.parametrize("layers", [1, 2])
def test_reversed_input_with_swapped_directions_gives_reversed_output(layers: int) -> None:
    folder = random_folder(layers=layers)
    sentences = random_words(LENGTHS)
    straight = emissions_by_sentence(NumpyEngine(folder), sentences)
    reverse = emissions_by_sentence(NumpyEngine(mirrored(folder)), [words[::-1] for words in sentences])
    for one, other in zip(straight, reverse, strict=True):
        np.testing.assert_allclose(other[::-1], one, **CLOSE)


@pytest.mark.parametrize("words_kept", [1, 3, 20])
def test_a_full_cache_changes_nothing(words_kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder()
    batches = [random_words([8, 5, 3], seed=seed) for seed in range(6)]
    expected = [emissions_by_sentence(NumpyEngine(folder), batch) for batch in batches]
    projected: list[int] = []
    project = NumpyEngine._project

    def counted(engine: NumpyEngine, words: list[str]) -> object:
        projected.append(len(words))
        return project(engine, words)

    monkeypatch.setattr(NumpyEngine, "_project", counted)
    monkeypatch.setattr(numpy_engine, "_CACHE_BYTES", words_kept * (300 + 24 * folder.config.encoder.hidden_size))
    engine = NumpyEngine(folder)
    for batch, wanted in zip(batches, expected, strict=True):
        for one, other in zip(emissions_by_sentence(engine, batch), wanted, strict=True):
            np.testing.assert_allclose(one, other, **CLOSE)
    distinct = {word for batch in batches for words in batch for word in words}
    assert sum(projected) > len(distinct)  # words were forgotten and met again


def test_a_word_is_projected_once() -> None:
    engine = NumpyEngine(random_folder())
    batches = [random_words([8, 5, 3], seed=seed) for seed in range(6)]
    for batch in batches:
        emissions_by_sentence(engine, batch)
    assert len(engine._words) == len({word for batch in batches for words in batch for word in words})


WORDS = ["", "a", "of", "Anna", "München", "♛♜♝♞", "z" * 11, "z" * 12, "z" * 13, "Anna" * 5000, "北京", "हिन्दी"]


@pytest.mark.parametrize("at_once", [1, 100, 1 << 22])
@pytest.mark.parametrize(
    "chosen", [WORDS, [""], ["", ""], ["♛"], ["a" * 9999]], ids=["many", "0", "00", "unknown", "long"]
)
def test_the_character_convolution_is_that_of_pytorch(
    chosen: list[str], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numpy_embeddings, "_ELEMENTS_AT_ONCE", at_once)
    folder = random_folder(parts=("characters",))
    features = FeatureEncoder(folder.config.embeddings, folder.vocabularies).encode_words(chosen)
    module = torch_model(folder).embeddings.parts["characters"]
    assert isinstance(module, CharCNN)
    with torch.no_grad():
        from_torch = module(TensorFeatures.of(features, torch.device("cpu"))).numpy()
    found = numpy_embeddings.CharCNN(folder.tensors)(features)
    np.testing.assert_allclose(found, from_torch, **CLOSE)
    np.testing.assert_allclose(found, [word_vector(folder, word) for word in chosen], **CLOSE)


@pytest.mark.parametrize("at_once", [1, 100, 1 << 22])
@pytest.mark.parametrize(
    "chosen", [WORDS, [""], ["", ""], ["♛"], ["a" * 9999]], ids=["many", "0", "00", "unknown", "long"]
)
def test_characters_are_read_as_pytorch_reads_them(
    chosen: list[str], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numpy_embeddings, "_ELEMENTS_AT_ONCE", at_once)
    folder = random_folder(embeddings=embeddings_config(["characters"], spelling="bigru"))
    features = FeatureEncoder(folder.config.embeddings, folder.vocabularies).encode_words(chosen)
    module = torch_model(folder).embeddings.parts["characters"]
    assert isinstance(module, CharGRU)
    with torch.no_grad():
        from_torch = module(TensorFeatures.of(features, torch.device("cpu"))).numpy()
    np.testing.assert_allclose(numpy_embeddings.CharGRU(folder.tensors)(features), from_torch, **CLOSE)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_every_width_of_kernel_sees_its_neighbours(kernel: int) -> None:
    folder = random_folder(parts=("characters",))
    assert folder.config.embeddings.characters is not None
    tensors = dict(folder.tensors)
    name = "embeddings.parts.characters.convolution.weight"
    filters, size, _ = tensors[name].shape
    tensors[name] = np.random.default_rng(kernel).normal(size=(filters, size, kernel)).astype(np.float32)
    features = FeatureEncoder(folder.config.embeddings, folder.vocabularies).encode_words(WORDS)
    expected = [word_vector(replace(folder, tensors=tensors), word) for word in WORDS]
    np.testing.assert_allclose(numpy_embeddings.CharCNN(tensors)(features), expected, **CLOSE)


def test_what_was_run_before_changes_no_bit() -> None:
    folder = random_folder(embeddings=EmbeddingsConfig(), hidden=128)  # small products have other kernels
    words = random_words([300])[0]
    [expected] = emissions_by_sentence(NumpyEngine(folder), [words])
    for before in (1, 2, 20):
        engine = NumpyEngine(folder)
        emissions_by_sentence(engine, [words[:before]])
        np.testing.assert_array_equal(emissions_by_sentence(engine, [words])[0], expected)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("spelling", ["cnn", "bigru"])
@pytest.mark.parametrize(
    "encoder",
    [
        EncoderConfig(hidden_size=20),
        EncoderConfig(hidden_size=20, cell="lstm"),
        EncoderConfig(hidden_size=20, cell="gru_reset_before", skip=True),
        EncoderConfig(hidden_size=20, feed_forward=9),
    ],
    ids=["gru", "lstm", "skip", "feed_forward"],
)
def test_what_is_kept_of_a_word_has_the_same_bits_whichever_words_come_with_it(
    encoder: EncoderConfig, spelling: Literal["cnn", "bigru"], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        for module in (numpy_embeddings, numpy_layers):
            monkeypatch.setattr(module, "kernels", lambda: None)
    embeddings = embeddings_config(("word", "characters", "affixes"), spelling=spelling)
    engine = NumpyEngine(random_folder(embeddings=embeddings, encoder=encoder))
    words = [*WORDS, *(f"word{number}" for number in range(40))]
    together = engine._project(words)
    for number, word in enumerate(words):
        for alone, row in zip(engine._project([word]), together, strict=True):
            np.testing.assert_array_equal(alone[0], row[number])


def test_the_weights_of_the_folder_are_left_as_they_are() -> None:
    folder = random_folder(layers=2)
    before = {name: tensor.copy() for name, tensor in folder.tensors.items()}
    emissions_by_sentence(NumpyEngine(folder), random_words(LENGTHS))
    for name, tensor in folder.tensors.items():
        np.testing.assert_array_equal(tensor, before[name])


def test_emissions_given_out_are_not_written_over() -> None:
    engine = NumpyEngine(random_folder())
    first = emissions_by_sentence(engine, random_words([5, 3]))
    kept = [array.copy() for array in first]
    emissions_by_sentence(engine, random_words([5, 3], seed=9))
    for one, other in zip(first, kept, strict=True):
        np.testing.assert_array_equal(one, other)
