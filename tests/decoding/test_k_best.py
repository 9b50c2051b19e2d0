"""The n best paths against all legal paths, enumerated and sorted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.corpus.schemes import Scheme, convert_tags
from tagger.decoding import k_best
from tagger.decoding.decoder import Decoder
from tests.helpers.legal_paths import SCHEMES, TAGS, legal_paths, packed, path_score, random_emissions, random_scores

LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(lambda lengths: sorted(lengths, reverse=True))
SEEDS = st.integers(0, 2**32 - 1)


def written(scheme: Scheme, path: tuple[int, ...]) -> list[str]:
    return convert_tags(
        [TAGS[scheme][number] for number in path], Scheme.PLAIN if scheme is Scheme.PLAIN else Scheme.IOB2
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("crf", [True, False])
@given(lengths=LENGTHS, seed=SEEDS, count=st.integers(1, 12), temperature=st.sampled_from([1.0, 0.5, 3.0]))
@settings(max_examples=30)
def test_they_are_the_best_of_all_legal_paths_enumerated_with_their_probabilities(
    scheme: Scheme, crf: bool, lengths: list[int], seed: int, count: int, temperature: float
) -> None:
    scores = random_scores(scheme, seed) if crf else {}
    emissions = random_emissions(scheme, lengths, seed)
    decoder = Decoder(TAGS[scheme], scheme, **scores, temperature=temperature)
    for rows, found in zip(emissions, decoder.alternatives(*packed(emissions), count), strict=True):
        legal = {tuple(written(scheme, path)): path for path in legal_paths(scheme, len(rows))}
        by_path = {tags: path_score(path, rows, scores) / temperature for tags, path in legal.items()}
        highest = max(by_path.values())
        total = sum(math.exp(score - highest) for score in by_path.values())
        expected = sorted((math.exp(score - highest) / total for score in by_path.values()), reverse=True)[:count]
        assert [score for _, score in found] == pytest.approx(expected, abs=1e-6)
        assert len({tuple(tags) for tags, _ in found}) == len(found) == min(count, len(legal))
        for tags, score in found:
            assert score == pytest.approx(math.exp(by_path[tuple(tags)] - highest) / total, abs=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6).map(lambda x: sorted(x, reverse=True)),
    seed=SEEDS,
    scale=st.sampled_from([0.0, 1e-4, 1.0, 1e3]),
)
@settings(max_examples=40)
def test_the_first_is_what_decoding_gives(scheme: Scheme, lengths: list[int], seed: int, scale: float) -> None:
    for scores in ({}, random_scores(scheme, seed)):
        decoder = Decoder(TAGS[scheme], scheme, **scores)
        emissions, batch_sizes = packed(random_emissions(scheme, lengths, seed, scale=scale))
        found = decoder.alternatives(emissions, batch_sizes, 3)
        assert [taggings[0].tags for taggings in found] == decoder.decode(emissions, batch_sizes)


def test_of_equal_scores_the_lower_tags_come_first_the_last_token_s_before_all() -> None:
    emissions = np.zeros((3, 3), dtype=np.float32)
    found = Decoder(TAGS[Scheme.PLAIN], Scheme.PLAIN).alternatives(*packed([emissions]), 27)
    expected = sorted(legal_paths(Scheme.PLAIN, 3), key=lambda path: path[::-1])
    assert [tags for tags, _ in found[0]] == [written(Scheme.PLAIN, path) for path in expected]
    assert [score for _, score in found[0]] == pytest.approx([1 / 27] * 27)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_sentence_has_as_many_as_there_are_legal_ones(scheme: Scheme) -> None:
    found = Decoder(TAGS[scheme], scheme).alternatives(*packed(random_emissions(scheme, [3, 2, 1], 0)), 10_000)
    assert [len(taggings) for taggings in found] == [len(legal_paths(scheme, length)) for length in (3, 2, 1)]
    assert [sum(score for _, score in taggings) for taggings in found] == pytest.approx([1] * 3)


@pytest.mark.parametrize("at_once", [1, 30])
def test_sentences_taken_a_few_at_a_time_get_the_same(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    scheme = Scheme.BIOES
    decoder = Decoder(TAGS[scheme], scheme, **random_scores(scheme, 1))
    emissions = packed(random_emissions(scheme, [7, 7, 4, 1], 1))
    expected = decoder.alternatives(*emissions, 5)
    monkeypatch.setattr(k_best, "_SCORES_AT_ONCE", at_once)
    assert decoder.alternatives(*emissions, 5) == expected


def test_the_best_of_a_very_long_sentence_differ_where_it_is_least_sure() -> None:
    """Independent tokens: the second best path is the best one but for the token whose two tags are closest."""
    generator = np.random.default_rng(0)
    emissions = np.zeros((10_000, 3), dtype=np.float32)
    emissions[:, 1] = generator.uniform(3, 9, size=10_000)
    emissions[[17, 6_000], 1] = [0.5, 1.0]
    emissions[:, 2] = -30
    found = Decoder(TAGS[Scheme.PLAIN], Scheme.PLAIN).alternatives(*packed([emissions]), 4)[0]
    differing = [[place for place, tag in enumerate(tags) if tag != "O"] for tags, _ in found]
    assert differing == [[], [17], [6_000], [17, 6_000]]
    ratios = [score / found[0].score for _, score in found]
    assert ratios == pytest.approx([1, math.exp(-0.5), math.exp(-1), math.exp(-1.5)])
