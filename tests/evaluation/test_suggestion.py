"""Sentences to label next, against rankings worked out in full."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.sentence import Sentence
from tagger.engines.numpy_engine import NumpyEngine
from tagger.evaluation.suggestion import STRATEGIES, Strategy, spread, suggest
from tagger.predict import Tagger
from tests.helpers.random_models import random_folder

WORDS = ["Ada", "met", "Bo", "in", "Paris", "."]


@pytest.fixture(scope="module")
def model() -> Tagger:
    folder = random_folder(parts=("word", "shape"), hidden=4)
    return Tagger(folder, NumpyEngine(folder))


def sentences(number: int) -> list[Sentence]:
    random = np.random.default_rng(7)
    return [Sentence([WORDS[word] for word in random.integers(0, 6, random.integers(1, 9))]) for _ in range(number)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_choices_are_the_same_again_different_and_long_enough(model: Tagger, strategy: Strategy) -> None:
    some = sentences(200)
    chosen = suggest(model, iter(some), 10, strategy, seed=3)
    assert [(one.tokens, score) for one, score in chosen] == [
        (one.tokens, score) for one, score in suggest(model, some, 10, strategy, seed=3)
    ]
    assert len({tuple(one.tokens) for one, _ in chosen}) == len(chosen) == 10
    assert all(len(one) >= 3 for one, _ in chosen)


@pytest.mark.parametrize("strategy", ["uncertainty", "margin", "entropy"])
def test_the_chosen_are_those_of_the_highest_scores(model: Tagger, strategy: Strategy) -> None:
    some = sentences(60)
    expected = {}
    for sentence, found in zip(some, model.distributions(some), strict=True):
        (tagged,) = model.tag_sentences([sentence], n_best=2)
        first, *rest = [one.score for one in tagged.alternatives or []]
        expected[tuple(sentence.tokens)] = {
            "uncertainty": -np.log(found.confidence) / len(sentence),
            "margin": 1 - first + sum(rest),
            "entropy": -(found.marginals * np.log(found.marginals + 1e-30)).sum() / len(sentence),
        }[strategy]
    best = sorted((score for words, score in expected.items() if len(words) >= 3), reverse=True)[:5]
    chosen = suggest(model, some, 5, strategy)
    assert [score for _, score in chosen] == pytest.approx(best, rel=1e-4)


def test_another_seed_draws_others(model: Tagger) -> None:
    some = sentences(200)
    drawn = [[one.tokens for one, _ in suggest(model, some, 10, "random", seed=seed)] for seed in (1, 2)]
    assert drawn[0] != drawn[1]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_spread_takes_the_farthest_each_time(rows: int, number: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors, weights = random.normal(size=(rows, 3)).astype(np.float32), random.uniform(0.1, 1, rows)
    chosen = list(spread(vectors, weights.tolist(), number))
    assert len(set(chosen)) == len(chosen) == min(rows, number)
    assert weights[chosen[0]] == weights.max()
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for count in range(1, len(chosen)):
        gain = weights * (1 - units @ units[chosen[:count]].T).min(axis=1)
        gain[chosen[:count]] = -1
        assert gain[chosen[count]] == pytest.approx(gain.max(), abs=1e-5)
