"""The fitted temperature is that at which gold tags were drawn, and changes probabilities alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tagger.corpus.schemes import Scheme
from tagger.decoding.decoder import Decoder
from tagger.decoding.temperature import GoldBatch, fit_temperature
from tests.helpers.legal_paths import SCHEMES, TAGS, legal_paths, packed, path_score, random_emissions, random_scores

LENGTHS = [4] * 150 + [3] * 100 + [1] * 50


def drawn(scheme: Scheme, temperature: float, crf: bool = True) -> tuple[Decoder, GoldBatch]:
    """A decoder, and gold tags drawn from its own distribution at another temperature, path by path."""
    generator = np.random.default_rng(3)
    scores = random_scores(scheme, 3) if crf else {}
    emissions = random_emissions(scheme, LENGTHS, 3)
    gold = []
    for rows in emissions:
        paths = legal_paths(scheme, len(rows))
        exponents = np.array([path_score(path, rows, scores) for path in paths]) / temperature
        weights = np.exp(exponents - exponents.max())
        chosen = paths[generator.choice(len(paths), p=weights / weights.sum())]
        gold.append([TAGS[scheme][number] for number in chosen])
    return Decoder(TAGS[scheme], scheme, **scores), GoldBatch(*packed(emissions), gold)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("crf", [True, False])
@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_the_temperature_is_found_at_which_tags_were_drawn(scheme: Scheme, crf: bool, temperature: float) -> None:
    decoder, gold = drawn(scheme, temperature, crf)
    assert fit_temperature(decoder, [gold]) == pytest.approx(temperature, rel=0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_the_best_of_all_that_are_tried_one_by_one(scheme: Scheme) -> None:
    decoder, gold = drawn(scheme, 2.0)

    def loss(temperature: float) -> float:
        found = decoder.at(temperature).log_probabilities(*gold)
        return 0.5 * np.log(temperature) ** 2 - float(found.sum())

    tried = np.exp(np.linspace(np.log(0.1), np.log(10), 300))
    assert loss(fit_temperature(decoder, [gold])) <= min(map(loss, tried)) + 1e-3


def test_the_order_of_sentences_and_batches_does_not_matter() -> None:
    decoder, gold = drawn(Scheme.IOB2, 1.5)
    emissions = random_emissions(Scheme.IOB2, LENGTHS, 3)
    cuts = [slice(begin, begin + 70) for begin in range(0, len(LENGTHS), 70)]
    apart = [GoldBatch(*packed(emissions[cut]), gold.tags[cut]) for cut in cuts]
    assert fit_temperature(decoder, apart[::-1]) == pytest.approx(fit_temperature(decoder, [gold]), rel=1e-9)


def test_sentences_with_tags_that_are_not_known_have_no_part() -> None:
    decoder, gold = drawn(Scheme.IOB2, 1.5)
    more = GoldBatch(*packed(random_emissions(Scheme.IOB2, [4, 2], 8)), [["O", "B-Z", "I-Z", "O"], ["B-Z", "O"]])
    assert fit_temperature(decoder, [gold, more]) == fit_temperature(decoder, [gold])


def test_gold_tags_of_another_scheme_are_converted() -> None:
    decoder, gold = drawn(Scheme.IOB2, 1.5)
    bilou = gold._replace(tags=[["U-X", "O", "B-Y", "L-Y"] for _ in LENGTHS[:150]] + list(gold.tags[150:]))
    iob2 = gold._replace(tags=[["B-X", "O", "B-Y", "I-Y"] for _ in LENGTHS[:150]] + list(gold.tags[150:]))
    assert fit_temperature(decoder, [bilou]) == fit_temperature(decoder, [iob2])


@pytest.mark.parametrize("sentences", [1, 3, 30])
def test_a_few_sentences_without_a_mistake_make_no_model_certain(sentences: int) -> None:
    emissions = [np.array([[4, 0, 0], [0, 4, 0]], dtype=np.float32)] * sentences
    decoder = Decoder(TAGS[Scheme.PLAIN], Scheme.PLAIN)
    gold = GoldBatch(*packed(emissions), decoder.decode(*packed(emissions)))
    assert 0.3 < fit_temperature(decoder, [gold]) < 1


@pytest.mark.parametrize("advantage", [-1.0, 0.5, 2.0, 4.0])
def test_of_a_single_token_it_weighs_the_normal_prior_against_the_likelihood(advantage: float) -> None:
    """P(gold) of two tags is 1 / (1 + exp(-advantage / T)); the prior of log T is standard normal."""
    tried = np.linspace(np.log(0.1), np.log(10), 20_001)
    best = np.exp(tried[np.argmin(np.log1p(np.exp(-advantage / np.exp(tried))) + tried**2 / 2)])
    gold = GoldBatch(*packed([np.array([[advantage, 0.0]], dtype=np.float32)]), [["A"]])
    assert fit_temperature(Decoder(["A", "B"], Scheme.PLAIN), [gold]) == pytest.approx(best, rel=0.01)


def test_without_gold_tags_the_temperature_is_one() -> None:
    assert fit_temperature(Decoder(TAGS[Scheme.IOB2], Scheme.IOB2), []) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("temperature", [0.2, 0.9, 1.0, 7.0])
def test_the_temperature_changes_no_path(scheme: Scheme, temperature: float) -> None:
    scores = random_scores(scheme, 5)
    plain = Decoder(TAGS[scheme], scheme, **scores)
    warm = Decoder(TAGS[scheme], scheme, **scores, temperature=temperature)
    emissions, batch_sizes = packed(random_emissions(scheme, [6, 5, 5, 2], 5))
    assert warm.decode(emissions, batch_sizes) == plain.decode(emissions, batch_sizes)
    several = [decoder.alternatives(emissions, batch_sizes, 4) for decoder in (plain, warm)]
    tags, warm_tags = ([[tagging.tags for tagging in found] for found in one] for one in several)
    assert warm_tags == tags
    assert (several[0] == several[1]) == (temperature == 1.0)


def test_the_higher_the_temperature_the_less_sure_is_the_best_path() -> None:
    decoder = Decoder(TAGS[Scheme.BIOES], Scheme.BIOES, **random_scores(Scheme.BIOES, 6))
    batch = packed(random_emissions(Scheme.BIOES, [5], 6))
    sure = [decoder.at(temperature).alternatives(*batch, 1)[0][0].score for temperature in (0.2, 0.5, 1, 2, 5)]
    assert all(before > after for before, after in itertools.pairwise(sure))
