"""Test probabilities with and without the model's temperature from one run of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tagger import predict as tagging
from tagger.corpus.sentence import Sentence
from tagger.engines.numpy_engine import NumpyEngine
from tagger.evaluation.model_scores import tag_with_and_without_temperature
from tagger.predict import Tagger
from tests.helpers.random_models import random_folder

SENTENCES = [Sentence([f"w{n % 7}" for n in range(length)]) for length in (3, 0, 9, 1, 5, 4, 8)]


class Counting:
    """An engine that counts the sentences it receives."""

    def __init__(self, engine: NumpyEngine) -> None:
        self._engine, self.sentences = engine, 0

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: np.ndarray) -> np.ndarray:
        self.sentences += len(sentences)
        return self._engine.emissions(sentences, batch_sizes)


def test_each_temperature_gives_what_a_tagger_of_its_own_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagging, "_WINDOW_SENTENCES", 3)  # several windows
    folder = replace(random_folder(), temperature=2.5)
    engine = Counting(NumpyEngine(folder))
    found = list(tag_with_and_without_temperature(Tagger(folder, engine), SENTENCES))
    assert engine.sentences == sum(map(bool, SENTENCES))
    for number, temperature in enumerate((1.0, 2.5)):
        alone = replace(folder, temperature=temperature)
        expected = list(Tagger(alone, NumpyEngine(alone)).tag_sentences(SENTENCES, scores=True))
        assert [one[number].tags for one in found] == [one.tags for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert [score or 0 for score in one[number].scores or []] == pytest.approx(
                [score or 0 for score in other.scores or []]
            )
