"""Probabilities against every legal path, enumerated, and what holds of them whatever the scores."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Span
from tagger.decoding import forward_backward
from tagger.decoding.decoder import Decoder
from tests.helpers.legal_paths import (
    SCHEMES,
    TAGS,
    Floats,
    legal_paths,
    packed,
    path_score,
    random_emissions,
    random_scores,
)

SPAN_SCHEMES = [Scheme.IOB2, Scheme.BIOES]
LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(lambda lengths: sorted(lengths, reverse=True))
SEEDS = st.integers(0, 2**32 - 1)
TEMPERATURES = st.sampled_from([1.0, 0.3, 4.0])
EXACT = 1e-6


def probabilities(
    scheme: Scheme, emissions: Floats, scores: dict[str, Floats], temperature: float
) -> dict[tuple[int, ...], float]:
    """The probability of each legal path by its definition."""
    paths = legal_paths(scheme, len(emissions))
    exponents = [path_score(path, emissions, scores) / temperature for path in paths]
    weights = [math.exp(exponent - max(exponents)) for exponent in exponents]
    return {path: weight / sum(weights) for path, weight in zip(paths, weights, strict=True)}


def rows_of(values: NDArray[np.float64], lengths: list[int]) -> list[NDArray[np.float64]]:
    """(N, K) packed by time as (T, K) for each sentence."""
    places: list[list[int]] = [[] for _ in lengths]
    number = itertools.count()
    for step in range(lengths[0]):
        for sentence, length in enumerate(lengths):
            if step < length:
                places[sentence].append(next(number))
    return [values[place] for place in places]


def every_span(length: int, labels: str = "XYZ") -> list[Span]:
    bounds = itertools.combinations(range(length + 1), 2)
    return [Span(start, end, label) for start, end in bounds for label in labels]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("crf", [True, False])
@given(lengths=LENGTHS, seed=SEEDS, temperature=TEMPERATURES)
@settings(max_examples=30)
def test_marginals_are_those_of_all_legal_paths_enumerated(
    scheme: Scheme, crf: bool, lengths: list[int], seed: int, temperature: float
) -> None:
    scores = random_scores(scheme, seed) if crf else {}
    emissions = random_emissions(scheme, lengths, seed)
    lattice = Decoder(TAGS[scheme], scheme, **scores, temperature=temperature).lattice(*packed(emissions))
    for rows, found in zip(emissions, rows_of(lattice.marginals(), lengths), strict=True):
        expected = np.zeros(rows.shape)
        for path, probability in probabilities(scheme, rows, scores, temperature).items():
            expected[np.arange(len(path)), path] += probability
        np.testing.assert_allclose(found, expected, atol=EXACT)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("crf", [True, False])
@given(lengths=LENGTHS, seed=SEEDS, temperature=TEMPERATURES)
@settings(max_examples=30)
def test_expected_transitions_are_those_of_all_legal_paths_enumerated(
    scheme: Scheme, crf: bool, lengths: list[int], seed: int, temperature: float
) -> None:
    scores = random_scores(scheme, seed) if crf else {}
    emissions = random_emissions(scheme, lengths, seed)
    lattice = Decoder(TAGS[scheme], scheme, **scores, temperature=temperature).lattice(*packed(emissions))
    for rows, found in zip(emissions, lattice.transition_counts(), strict=True):
        expected = np.zeros((rows.shape[1], rows.shape[1]))
        for path, probability in probabilities(scheme, rows, scores, temperature).items():
            for pair in itertools.pairwise(path):
                expected[pair] += probability
        np.testing.assert_allclose(found, expected, atol=EXACT)


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
@pytest.mark.parametrize("crf", [True, False])
@given(lengths=LENGTHS, seed=SEEDS, temperature=TEMPERATURES)
@settings(max_examples=30)
def test_a_span_has_the_probability_of_all_legal_paths_in_which_just_it_stands(
    scheme: Scheme, crf: bool, lengths: list[int], seed: int, temperature: float
) -> None:
    scores = random_scores(scheme, seed) if crf else {}
    emissions = random_emissions(scheme, lengths, seed)
    decoder = Decoder(TAGS[scheme], scheme, **scores, temperature=temperature)
    asked = [every_span(length) for length in lengths]
    found = decoder.span_probabilities(*packed(emissions), asked)
    for rows, spans, of_spans in zip(emissions, asked, found, strict=True):
        expected = dict.fromkeys(spans, 0.0)
        for path, probability in probabilities(scheme, rows, scores, temperature).items():
            for span in spans_from_tags([TAGS[scheme][number] for number in path]):
                expected[span] += probability
        assert dict(zip(spans, of_spans, strict=True)) == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(lengths=LENGTHS, seed=SEEDS, temperature=TEMPERATURES)
@settings(max_examples=20)
def test_the_partition_sum_makes_the_probabilities_of_all_legal_paths_sum_to_one(
    scheme: Scheme, lengths: list[int], seed: int, temperature: float
) -> None:
    decoder = Decoder(TAGS[scheme], scheme, **random_scores(scheme, seed), temperature=temperature)
    for rows in random_emissions(scheme, lengths, seed):
        lattice = decoder.lattice(*packed([rows]))
        total = sum(math.exp(lattice.log_probability(np.array(path))[0]) for path in legal_paths(scheme, len(rows)))
        assert total == pytest.approx(1, abs=EXACT)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("crf", [True, False])
@given(lengths=LENGTHS, seed=SEEDS)
@settings(max_examples=20)
def test_scores_of_what_was_decoded(scheme: Scheme, crf: bool, lengths: list[int], seed: int) -> None:
    decoder = Decoder(TAGS[scheme], scheme, **(random_scores(scheme, seed) if crf else {}))
    emissions, batch_sizes = packed(random_emissions(scheme, lengths, seed))
    decoded = decoder.decode(emissions, batch_sizes)
    marginals_of = rows_of(decoder.lattice(emissions, batch_sizes).marginals(), lengths)
    spans = [spans_from_tags(tags) for tags in decoded]
    for number, (tags, scores) in enumerate(zip(decoded, decoder.scores(emissions, batch_sizes, decoded), strict=True)):
        if scheme is Scheme.PLAIN:
            assert scores == [marginals_of[number][at, TAGS[scheme].index(tag)] for at, tag in enumerate(tags)]
            continue
        assert [score is None for score in scores] == [tag == "O" for tag in tags]
        expected = decoder.span_probabilities(emissions, batch_sizes, spans)[number]
        for span, probability in zip(spans[number], expected, strict=True):
            assert scores[span.start : span.end] == [probability] * (span.end - span.start)


@given(lengths=LENGTHS, seed=SEEDS)
def test_without_transitions_the_marginals_of_plain_tags_are_the_softmax(lengths: list[int], seed: int) -> None:
    emissions, batch_sizes = packed(random_emissions(Scheme.PLAIN, lengths, seed))
    found = Decoder(TAGS[Scheme.PLAIN], Scheme.PLAIN).lattice(emissions, batch_sizes).marginals()
    exponentials = np.exp(emissions.astype(np.float64))
    np.testing.assert_allclose(found, exponentials / exponentials.sum(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=8).map(lambda x: sorted(x, reverse=True)), seed=SEEDS)
@settings(max_examples=20)
def test_a_batch_of_one_equals_a_batch_of_many(scheme: Scheme, lengths: list[int], seed: int) -> None:
    decoder = Decoder(TAGS[scheme], scheme, **random_scores(scheme, seed))
    emissions = random_emissions(scheme, lengths, seed)
    together = rows_of(decoder.lattice(*packed(emissions)).marginals(), lengths)
    for rows, found in zip(emissions, together, strict=True):
        np.testing.assert_allclose(found, decoder.lattice(*packed([rows])).marginals(), atol=1e-12)


def test_the_only_tagging_that_is_legal_is_certain() -> None:
    decoder = Decoder(["O"], Scheme.IOB2)
    assert decoder.lattice(*packed([np.full((5, 1), -3, dtype=np.float32)])).marginals().tolist() == [[1.0]] * 5


def test_a_label_or_a_tag_of_it_that_is_not_known_has_no_probability() -> None:
    emissions = packed(random_emissions(Scheme.BIOES, [3], 0))
    asked = [[Span(0, 1, "Z"), Span(0, 1, "Y"), Span(0, 3, "Y")]]
    assert Decoder(TAGS[Scheme.BIOES], Scheme.BIOES).span_probabilities(*emissions, asked) == [[0.0] * 3]


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
@pytest.mark.parametrize("size", [1e3, 1e6])
def test_extreme_scores_stay_exact(scheme: Scheme, size: float) -> None:
    """The first token's I and E tags can only be reached against all odds, and then win by what comes later."""
    tags = TAGS[scheme]
    emissions = np.zeros((3, len(tags)), dtype=np.float32)
    closing = tags.index("I-X" if scheme is Scheme.IOB2 else "E-X")
    emissions[0, tags.index("B-X")] = -size
    emissions[1, tags.index("I-X")] = 3 * size
    emissions[2, closing] = 3 * size
    decoder = Decoder(tags, scheme)
    assert decoder.span_probabilities(*packed([emissions]), [[Span(0, 3, "X")]])[0] == pytest.approx([1])
    assert decoder.lattice(*packed([emissions])).marginals()[0, tags.index("B-X")] == pytest.approx(1)


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_sums_computed_again_by_logarithms_are_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scheme = Scheme.BIOES
    decoder = Decoder(TAGS[scheme], scheme, **random_scores(scheme, 4))
    emissions, batch_sizes = packed(random_emissions(scheme, [9, 6, 6, 2], 4))
    expected = decoder.lattice(emissions, batch_sizes).marginals()
    monkeypatch.setattr(forward_backward, "_SCORES_AT_ONCE", at_once)
    monkeypatch.setattr(forward_backward, "_LOST", np.inf)
    np.testing.assert_allclose(decoder.lattice(emissions, batch_sizes).marginals(), expected, atol=1e-12)


def plain_marginals(emissions: NDArray[np.float64], transitions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Marginals of one sentence by scaled forward and backward sums of plain probabilities, step by step."""
    factors, weights = np.exp(transitions), np.exp(emissions - emissions.max(axis=1, keepdims=True))
    forward, backward = weights.copy(), np.ones_like(weights)
    for step in range(1, len(weights)):
        forward[step] = (forward[step - 1] @ factors) * weights[step]
        forward[step] /= forward[step].sum()
    for step in range(len(weights) - 2, -1, -1):
        backward[step] = factors @ (backward[step + 1] * weights[step + 1])
        backward[step] /= backward[step].sum()
    joint = forward * backward
    return joint / joint.sum(axis=1, keepdims=True)


def test_a_sentence_of_ten_thousand_tokens_is_exact() -> None:
    generator = np.random.default_rng(0)
    emissions = generator.normal(50, 3, size=(10_000, 4)).astype(np.float32)
    transitions = generator.normal(0, 2, size=(4, 4)).astype(np.float32)
    decoder = Decoder(["A", "B", "C", "D"], Scheme.PLAIN, transitions=transitions)
    expected = plain_marginals(emissions.astype(np.float64), transitions.astype(np.float64))
    lattice = decoder.lattice(*packed([emissions]))
    np.testing.assert_allclose(lattice.marginals(), expected, atol=1e-9)
    assert math.isfinite(lattice.log_probability(np.zeros(10_000, dtype=np.int64))[0])


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
def test_a_span_of_ten_thousand_tokens_is_exact(scheme: Scheme) -> None:
    """Of the taggings of one span over all tokens and of none at all, both are the same far ahead of all others."""
    tags = TAGS[scheme]
    emissions = np.full((10_000, len(tags)), -1e4, dtype=np.float32)
    emissions[:, [tags.index("O"), tags.index("I-X")]] = 7
    emissions[0, tags.index("B-X")] = 7
    emissions[-1, tags.index("I-X" if scheme is Scheme.IOB2 else "E-X")] = 7
    transitions = np.zeros((len(tags), len(tags)), dtype=np.float32)
    transitions[:, tags.index("O")] = -100
    transitions[tags.index("O"), tags.index("O")] = 0
    decoder = Decoder(tags, scheme, transitions=transitions)
    found = decoder.span_probabilities(*packed([emissions]), [[Span(0, 10_000, "X")]])
    assert found[0] == pytest.approx([0.5], abs=1e-9)
