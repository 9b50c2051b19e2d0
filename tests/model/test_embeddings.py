"""Embeddings: words, characters, shapes and affixes of a batch as vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tagger.config import CharacterEmbedding, EmbeddingsConfig, StaticEmbedding, WordEmbedding
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.features.encoding import EncodedCorpus, FeatureEncoder, WordFeatures
from tagger.features.vocabulary import PAD, UNK, Vocabularies
from tagger.model.batch import TensorBatch, TensorFeatures
from tagger.model.embeddings import CharCNN, CharGRU, EmbeddingStack, FineTunedVectors, WordVectors
from tests.helpers.random_models import NER_TRAIN, PARTS, embeddings_config

CPU = torch.device("cpu")
CONFIG = embeddings_config()
KNOWN = Vocabularies.build(NER_TRAIN, CONFIG, Scheme.BIOES)


def features_of(words: list[str]) -> TensorFeatures:
    return TensorFeatures.of(FeatureEncoder(CONFIG, KNOWN).encode_words(words), CPU)


def batch_of(sentences: list[list[str]]) -> TensorBatch:
    corpus = EncodedCorpus([Sentence(words) for words in sentences], FeatureEncoder(CONFIG, KNOWN), Scheme.BIOES)
    return TensorBatch.of(corpus.batch(range(len(sentences))), CPU)


def word_vectors(unk_probability: float) -> tuple[WordVectors, dict[str, int]]:
    """Of words that occur once, ten times, and never."""
    train = [Sentence(["once", *["often"] * 10], ["O"] * 11)]
    known = Vocabularies.build(train, CONFIG, Scheme.IOB2)
    more = Vocabularies.build([Sentence(["new"], ["O"])], CONFIG, Scheme.IOB2)
    known = known.extended(more, {"once": 1, "often": 10, "new": 0})
    torch.manual_seed(0)
    vectors = WordVectors(WordEmbedding(size=4, unk_probability=unk_probability), known)
    return vectors, {word: known.words[word] for word in ("once", "often", "new", "unheard")}


def became_unknown(vectors: WordVectors, number: int, tries: int = 2000) -> float:
    """The share of `tries` in which a word got UNK's vector."""
    nothing = np.zeros((tries, 0), dtype=np.int64)
    features = WordFeatures(np.full(tries, number), nothing, nothing, nothing, nothing.astype(np.float32))
    found = vectors(TensorFeatures.of(features, CPU))
    return (found == vectors.table.weight[UNK]).all(dim=1).float().mean().item()


@pytest.mark.parametrize(("word", "expected"), [("once", 0.5), ("often", 0.05), ("new", 0.0)])
def test_in_training_the_rarer_a_word_the_more_often_it_is_unknown(word: str, expected: float) -> None:
    vectors, numbers = word_vectors(0.5)
    assert became_unknown(vectors.train(), numbers[word]) == pytest.approx(expected, abs=0.04 if expected else 0)


@pytest.mark.parametrize("word", ["once", "often", "new"])
def test_in_eval_no_known_word_becomes_unknown(word: str) -> None:
    vectors, numbers = word_vectors(1.0)
    assert became_unknown(vectors.eval(), numbers[word]) == 0


def test_at_probability_zero_no_known_word_becomes_unknown() -> None:
    vectors, numbers = word_vectors(0.0)
    assert became_unknown(vectors.train(), numbers["once"]) == 0


@pytest.mark.parametrize("training", [True, False])
def test_a_word_that_was_not_seen_is_unknown(training: bool) -> None:
    vectors, numbers = word_vectors(0.5)
    assert became_unknown(vectors.train(training), numbers["unheard"]) == 1


@pytest.mark.parametrize("words", [["Anna"], ["x", ""], ["Αθήνα", "of", "♛♛♛♛", "z" * 99]])
def test_characters_are_convolved_as_without_padding(words: list[str]) -> None:
    torch.manual_seed(1)
    assert CONFIG.characters is not None
    vectors = CharCNN(CONFIG.characters, KNOWN).eval()
    found = vectors(features_of([*words, "a word that is much longer"]))
    for row, word in enumerate(words):
        characters = features_of([word]).characters[0]
        expected = torch.zeros(CONFIG.characters.filters)
        if word:
            spelled = vectors.table(characters[characters != PAD]).T[None]  # (1, S, C)
            weight, bias = vectors.convolution.weight, vectors.convolution.bias
            expected = functional.conv1d(spelled, weight, bias, padding=1).amax(dim=2).clamp(min=0)[0]
        torch.testing.assert_close(found[row], expected)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_convolved_characters_and_their_gradients_are_those_of_a_padded_convolution(
    kernel: int, dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    assert CONFIG.characters is not None
    vectors = CharCNN(replace(CONFIG.characters, kernel=kernel, dropout=dropout), KNOWN)
    if dropout:  # the other way through the module, nothing dropped
        monkeypatch.setattr(vectors.character_dropout, "forward", lambda values: values)
    features = features_of(["Anna", "", "aaaa", "bought", "25,000", "x"])
    inside = (features.characters != PAD).unsqueeze(2)
    padded = vectors.convolution((vectors.table(features.characters) * inside).transpose(1, 2)).transpose(1, 2)
    expected = torch.relu(padded.masked_fill(~inside, -torch.inf).amax(dim=1))
    weights = torch.randn(expected.shape)
    found = vectors(features)
    torch.testing.assert_close(found, expected)
    gradients = [
        torch.autograd.grad((values * weights).sum(), list(vectors.parameters())) for values in (found, expected)
    ]
    torch.testing.assert_close(*gradients)


def test_a_dropped_character_is_dropped_in_all_windows() -> None:
    torch.manual_seed(1)
    vectors = CharCNN(CharacterEmbedding(size=4, filters=3, kernel=3, dropout=0.5), KNOWN)
    with torch.no_grad():
        vectors.convolution.weight.fill_(1.0)
        vectors.convolution.bias.zero_()
        vectors.table.weight[PAD + 1 :] = 1.0
    found = vectors(features_of(["a"] * 400))  # the element is doubled or gone, and seen from one place alone
    assert {round(value) for value in found.flatten().tolist()} == {0, 2, 4, 6, 8}
    assert found.mean().item() == pytest.approx(4.0, abs=0.4)


def reading(words: list[str]) -> tuple[CharGRU, Tensor]:
    torch.manual_seed(1)
    vectors = CharGRU(CharacterEmbedding(kind="bigru", size=5, hidden_size=4, max_length=12), KNOWN).eval()
    return vectors, vectors(features_of(words))


@pytest.mark.parametrize("words", [["Anna"], ["x", ""], ["Αθήνα", "", "of", "♛♛♛♛", "z" * 99]])
def test_characters_are_read_from_either_end_as_without_padding(words: list[str]) -> None:
    vectors, found = reading([*words, "a word that is much longer"])
    assert found.shape == (len(words) + 1, vectors.width) == (len(words) + 1, 8)
    for row, word in enumerate(words):
        characters = features_of([word]).characters[0]
        states = []
        for suffix, order in (("", characters), ("_reverse", characters.flip(0))):
            cell = nn.GRUCell(5, 4)
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            stored = {name: vectors.recurrence.get_parameter(f"{name}_l0{suffix}") for name in names}
            cell.load_state_dict(stored)
            state = torch.zeros(1, 4)
            for character in order[order != PAD]:
                state = cell(vectors.table(character)[None], state)
            states.append(state[0])
        torch.testing.assert_close(found[row], torch.cat(states))


@pytest.mark.parametrize("words", [[""], ["", ""], ["", "a", ""]])
def test_a_word_without_characters_is_read_as_zeros(words: list[str]) -> None:
    _, found = reading(words)
    assert [bool(vector.any()) for vector in found] == [bool(word) for word in words]


def fine_tuned(words: list[str]) -> tuple[FineTunedVectors, TensorFeatures]:
    """Trained static vectors, and features of words with random pretrained vectors."""
    torch.manual_seed(5)
    vectors = FineTunedVectors(StaticEmbedding(source="bundled", trainable=True, width=4), KNOWN)
    return vectors, replace(features_of(words), static=torch.randn(len(words), 4))


def test_fine_tuning_starts_at_the_pretrained_vectors() -> None:
    vectors, features = fine_tuned(["Anna", "unheard", "cat"])
    assert torch.equal(vectors(features), features.static)


def test_fine_tuning_moves_the_words_it_met_as_it_would_their_rows_and_no_others() -> None:
    vectors, features = fine_tuned(["Anna", "unheard", "the", "cat"])
    table = nn.Parameter(features.static.clone())
    targets = torch.randn(3, 4)
    for parameter, of in ((table, lambda: table), (vectors.corrections.weight, lambda: vectors(features))):
        optimizer = torch.optim.Adam([parameter], lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            (of()[[0, 1, 3]] - targets).square().sum().backward()
            optimizer.step()
    moved = vectors(features)
    torch.testing.assert_close(moved[[0, 3]], table[[0, 3]])
    assert torch.equal(moved[[1, 2]], features.static[[1, 2]])
    assert not vectors.corrections.weight[: UNK + 1].any()


def test_the_vectors_of_all_parts_stand_side_by_side() -> None:
    torch.manual_seed(2)
    stack = EmbeddingStack(CONFIG, KNOWN).eval()
    batch = batch_of([["Anna", "lives", "here"], ["Anna"]])
    vectors = stack(batch)
    assert vectors.shape == (4, stack.width)  # Anna, Anna, lives, here
    assert stack.width == 7 + 6 + 3 + 3 * 2 * 2
    features = features_of(["Anna"])
    expected = torch.cat([stack.parts[name](features) for name in PARTS], dim=1)[0]
    torch.testing.assert_close(vectors[0], expected)
    torch.testing.assert_close(vectors[1], expected)


def test_affixes_are_looked_up_in_the_tables_of_their_length() -> None:
    torch.manual_seed(3)
    stack = EmbeddingStack(embeddings_config(["affixes"]), KNOWN).eval()
    tables = [table.weight for table in stack.parts["affixes"].tables]  # type: ignore[union-attr]
    known = [*(KNOWN.prefixes[n] for n in (3, 1, 2)), *(KNOWN.suffixes[n] for n in (3, 1, 2))]
    assert [len(table) for table in tables] == [len(vocabulary) for vocabulary in known]
    numbers = [v[affix] for v, affix in zip(known, ["smi", "s", "sm", "ith", "h", "th"], strict=True)]
    expected = torch.cat([table[number] for table, number in zip(tables, numbers, strict=True)])
    torch.testing.assert_close(stack(batch_of([["Smith"]]))[0], expected)


def test_a_new_table_has_nothing_for_padding() -> None:
    for name, parameter in EmbeddingStack(CONFIG, KNOWN).named_parameters():
        if name.endswith(("table.weight", "tables.0.weight")):
            assert not parameter[PAD].any()
            assert parameter[UNK].all()


@pytest.mark.parametrize(
    "dropouts", [{"dropout": 0.5}, {"word_dropout": 0.5}, {"dropout": 0.0, "word": WordEmbedding(size=7, dropout=0.5)}]
)
def test_dropout_acts_in_training_alone(dropouts: dict[str, object]) -> None:
    torch.manual_seed(4)
    config: EmbeddingsConfig = replace(replace(CONFIG, dropout=0.0), **dropouts)  # type: ignore[arg-type]
    stack = EmbeddingStack(config, KNOWN)
    batch = batch_of([["北京"] * 6] * 20)
    assert torch.equal(stack.eval()(batch), stack(batch))
    assert (stack.train()(batch) == 0).sum() > (stack.eval()(batch) == 0).sum()


@pytest.mark.parametrize(
    ("names", "trained", "expected"),
    [(["word", "static"], False, 4), (["word", "static"], True, 0), (["word"], False, 0), (["static"], False, 4)],
)
def test_the_last_values_are_frozen_where_they_are_pretrained_and_stay_so(
    names: list[str], trained: bool, expected: int
) -> None:
    config = embeddings_config(names, trained=trained)
    assert EmbeddingStack(config, Vocabularies.build(NER_TRAIN, config, Scheme.BIOES)).frozen == expected
