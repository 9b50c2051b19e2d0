"""Generation: the NumPy model against PyTorch's, and how words are drawn."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from tagger.config import EncoderConfig
from tagger.errors import UserError
from tagger.generation.forward_model import ForwardModel
from tagger.generation.sampling import Sampling, generate
from tagger.model.batch import TensorBatch
from tagger.pretraining.batches import BatchMaker
from tests.helpers.language_models import PARTS, SENTENCES, encoder_of, network_of, random_language_model

FREQUENCIES = np.log(np.array([0.4, 0.3, 0.2, 0.1]))


@pytest.mark.parametrize("parts", [PARTS, ("word",)], ids=["all", "words"])
@pytest.mark.parametrize(
    "encoder",
    [
        *(EncoderConfig(cell=cell, hidden_size=5) for cell in ("gru", "rnn", "lstm", "gru_reset_before")),  # type: ignore[arg-type]
        EncoderConfig(hidden_size=5, feed_forward=4, skip=True, layer_norm=True, merge="mean"),
    ],
    ids=lambda encoder: f"{encoder.cell}-{encoder.merge}",
)
def test_the_numpy_model_has_the_probabilities_of_pytorchs(encoder: EncoderConfig, parts: tuple[str, ...]) -> None:
    folder = random_language_model(parts=parts, encoder=encoder)
    model, sentence = ForwardModel(folder), SENTENCES[0]
    batch = BatchMaker(encoder_of(folder), folder.predicted).batch([sentence])
    expected = network_of(folder).log_probabilities(TensorBatch.of(batch, torch.device("cpu")))[0]
    state, found = model.begin(), []
    for word, number in zip([*sentence, ""], [*batch.tags[0], 0], strict=True):
        distribution = model.log_probabilities(state)
        assert np.exp(distribution).sum() == pytest.approx(1)
        found.append(distribution[number])
        state = model.read(state, word) if word else state
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.4, 0.3, 0.2, 0.1]),
        (Sampling(temperature=0), [1, 0, 0, 0]),
        (Sampling(temperature=1e-300), [1, 0, 0, 0]),
        (Sampling(temperature=0.5), [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        (Sampling(top_k=2), [4 / 7, 3 / 7, 0, 0]),
        (Sampling(top_k=9), [0.4, 0.3, 0.2, 0.1]),
        (Sampling(top_p=0.39), [1, 0, 0, 0]),
        (Sampling(top_p=0.6), [4 / 7, 3 / 7, 0, 0]),
        (Sampling(top_p=0.8), [4 / 9, 3 / 9, 2 / 9, 0]),
        (Sampling(top_k=3, top_p=0.5), [4 / 7, 3 / 7, 0, 0]),
    ],
    ids=str,
)
def test_words_are_drawn_with_these_probabilities(sampling: Sampling, expected: list[float]) -> None:
    shuffled = [2, 0, 3, 1]
    np.testing.assert_allclose(sampling.probabilities(FREQUENCIES[shuffled]), np.array(expected)[shuffled])


def test_a_seed_gives_the_same_text_without_unknown_words_or_empty_sentences() -> None:
    model = ForwardModel(random_language_model(known=5))
    first, second, other = (
        [one.word for one in islice(generate(model, ["Ada"], Sampling(), seed=seed), 300)] for seed in (1, 1, 2)
    )
    assert first == second != other
    assert {""} < set(first) <= {"", *model.predicted.vocabulary.entries}
    assert not any(one == other == "" for one, other in pairwise(first))


def test_scores_are_those_of_the_model_before_the_temperature() -> None:
    model = ForwardModel(random_language_model(known=5))
    state = model.read(model.begin(), "Ada")
    expected = model.log_probabilities(state)
    for seed in range(20):
        one = next(generate(model, ["Ada"], Sampling(temperature=3), seed=seed))
        number = model.predicted.numbers([one.word])[0] if one.word else 0
        assert one.probability == pytest.approx(np.exp(expected[number]))
        assert one.rank == sorted(-expected).index(-expected[number]) + 1


@pytest.mark.parametrize("given", [{"temperature": -1}, {"temperature": float("nan")}, {"top_k": 0}, {"top_p": 0}])
def test_impossible_settings_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(UserError, match="must"):
        Sampling(**given)  # type: ignore[arg-type]
