"""The decoder against every legal path, enumerated, and against a plain Viterbi in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tagger.corpus.schemes import Scheme, convert_tags, spans_from_tags
from tagger.decoding import decoder as decoder_module
from tagger.decoding.decoder import Decoder, batch_sizes_of
from tests.helpers.legal_paths import (
    SCHEMES,
    TAGS,
    is_legal,
    legal_paths,
    packed,
    path_score,
    random_emissions,
    random_scores,
    unpacked,
)

LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=5).map(lambda lengths: sorted(lengths, reverse=True))
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(params=["compiled", "NumPy"], autouse=True, scope="module")
def _loops(request: pytest.FixtureRequest) -> Iterator[None]:
    """Decode by compiled loops, where numba is installed, and by NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "NumPy":
            patch.setattr(decoder_module, "kernels", lambda: None)
        yield


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("crf", [True, False])
@given(lengths=LENGTHS, seed=SEEDS)
def test_the_best_path_is_that_of_all_legal_paths_enumerated(
    scheme: Scheme, crf: bool, lengths: list[int], seed: int
) -> None:
    scores = random_scores(scheme, seed) if crf else {}
    emissions = random_emissions(scheme, lengths, seed)
    decoder = Decoder(TAGS[scheme], scheme, **scores)
    for rows, path in zip(emissions, unpacked(decoder.best_paths(*packed(emissions)), lengths), strict=True):
        legal = legal_paths(scheme, len(rows))
        assert tuple(path) in legal
        best = max(path_score(other, rows, scores) for other in legal)
        assert path_score(tuple(path), rows, scores) == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
@given(
    lengths=LENGTHS,
    data=st.data(),
    crf=st.booleans(),
)
def test_what_comes_out_is_legal_whatever_the_emissions(
    scheme: Scheme, lengths: list[int], data: Any, crf: bool
) -> None:
    values = st.sampled_from([0.0, 1.0, -1.0, 5e3, -5e3, 1e6, -1e6, 1e30, -1e30])
    count = len(TAGS[scheme])
    emissions = [
        np.array(
            data.draw(st.lists(st.lists(values, min_size=count, max_size=count), min_size=length, max_size=length)),
            dtype=np.float32,
        )
        for length in lengths
    ]
    decoder = Decoder(TAGS[scheme], scheme, **(random_scores(scheme, 0) if crf else {}))
    for path in unpacked(decoder.best_paths(*packed(emissions)), lengths):
        assert is_legal([TAGS[scheme][number] for number in path], scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=8).map(lambda x: sorted(x, reverse=True)), seed=SEEDS)
def test_a_batch_of_one_equals_a_batch_of_many(scheme: Scheme, lengths: list[int], seed: int) -> None:
    decoder = Decoder(TAGS[scheme], scheme, **random_scores(scheme, seed))
    emissions = random_emissions(scheme, lengths, seed)
    together = decoder.decode(*packed(emissions))
    assert [len(tags) for tags in together] == lengths
    assert together == [decoder.decode(*packed([rows]))[0] for rows in emissions]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_sentence_of_far_larger_scores_changes_no_other(scheme: Scheme) -> None:
    scores = random_scores(scheme, 8)
    decoder = Decoder(TAGS[scheme], scheme, **scores)
    large, small = random_emissions(scheme, [4, 4], 8)
    large += 1e7
    assert decoder.decode(*packed([large, small]))[1] == decoder.decode(*packed([small]))[0]
    best = max(legal_paths(scheme, 4), key=lambda path: path_score(path, small, scores))
    assert unpacked(decoder.best_paths(*packed([large, small])), [4, 4])[1] == list(best)
    together, alone = (decoder.alternatives(*packed(rows), 3)[-1] for rows in ([large, small], [small]))
    assert [tagging.tags for tagging in together] == [tagging.tags for tagging in alone]


@pytest.mark.parametrize("name", ["transitions", "start", "end"])
def test_scores_of_one_kind_alone_decide_too(name: str) -> None:
    scores = random_scores(Scheme.PLAIN, 2)
    scores = {other: values if other == name else np.zeros_like(values) for other, values in scores.items()}
    expected = max(legal_paths(Scheme.PLAIN, 2), key=lambda path: path_score(path, np.zeros((2, 3)), scores))
    decoder = Decoder(TAGS[Scheme.PLAIN], Scheme.PLAIN, **{name: scores[name]})
    assert decoder.best_paths(*packed([np.zeros((2, 3), dtype=np.float32)])).tolist() == list(expected) != [0, 0]


@given(lengths=LENGTHS, seed=SEEDS)
def test_without_transitions_plain_tags_are_each_token_s_best(lengths: list[int], seed: int) -> None:
    emissions = random_emissions(Scheme.PLAIN, lengths, seed)
    decoded = Decoder(TAGS[Scheme.PLAIN], Scheme.PLAIN).decode(*packed(emissions))
    assert decoded == [[TAGS[Scheme.PLAIN][int(row.argmax())] for row in rows] for rows in emissions]


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
def test_spans_are_given_out_in_iob2(scheme: Scheme) -> None:
    tags = TAGS[scheme]
    wanted = convert_tags(["B-X", "I-X", "I-X", "O", "B-X"], scheme)
    emissions = np.array([[5.0 * (tag == other) for other in tags] for tag in wanted], dtype=np.float32)
    decoder = Decoder(tags, scheme)
    assert decoder.decode(*packed([emissions])) == [["B-X", "I-X", "I-X", "O", "B-X"]]


@given(lengths=LENGTHS, seed=SEEDS)
def test_iob2_output_has_the_spans_of_the_bioes_path(lengths: list[int], seed: int) -> None:
    decoder = Decoder(TAGS[Scheme.BIOES], Scheme.BIOES)
    emissions, batch_sizes = packed(random_emissions(Scheme.BIOES, lengths, seed))
    paths = unpacked(decoder.best_paths(emissions, batch_sizes), lengths)
    for written, path in zip(decoder.decode(emissions, batch_sizes), paths, strict=True):
        inner = [TAGS[Scheme.BIOES][number] for number in path]
        assert spans_from_tags(written) == spans_from_tags(inner)
        assert convert_tags(written, Scheme.IOB2) == written


def test_plain_tags_that_look_like_bioes_are_given_out_unchanged() -> None:
    tags = ["S-X", "E-X", "NN"]
    decoder = Decoder(tags, Scheme.PLAIN)
    assert decoder.decode(*packed([np.eye(3, dtype=np.float32)])) == [tags]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ties_go_to_the_tag_of_the_lower_number(scheme: Scheme) -> None:
    emissions = [np.zeros((3, len(TAGS[scheme])), dtype=np.float32)]
    for scores in ({}, {"start": np.ones(len(TAGS[scheme]), dtype=np.float32)}):
        assert Decoder(TAGS[scheme], scheme, **scores).best_paths(*packed(emissions)).tolist() == [0, 0, 0]


def test_start_and_end_scores_count_at_the_ends_alone() -> None:
    emissions = [np.zeros((length, 3), dtype=np.float32) for length in (3, 1)]
    start, end = np.array([0, 2, 0], dtype=np.float32), np.array([0, 0, 3], dtype=np.float32)
    decoder = Decoder(TAGS[Scheme.PLAIN], Scheme.PLAIN, start=start, end=end)
    assert decoder.decode(*packed(emissions)) == [["O", "NOUN", "VERB"], ["VERB"]]


def test_the_decoder_of_a_model_takes_the_scores_of_its_crf() -> None:
    scheme = Scheme.IOB2
    scores = random_scores(scheme, 3)
    tensors = {f"crf.{name}": scores[name] for name in scores} | {"emissions.bias": np.zeros(5, dtype=np.float32)}
    emissions = packed(random_emissions(scheme, [9, 7, 2], 3, scale=0.5))
    expected = Decoder(TAGS[scheme], scheme, **scores).decode(*emissions)
    assert Decoder.of(TAGS[scheme], scheme, tensors).decode(*emissions) == expected
    assert Decoder.of(TAGS[scheme], scheme, {}).decode(*emissions) != expected


@pytest.mark.parametrize("given", [{}, {"temperature": 3.0}])
def test_the_decoder_of_a_model_has_its_temperature(given: dict[str, float]) -> None:
    scheme = Scheme.IOB2
    emissions = packed(random_emissions(scheme, [4, 2], 3))
    expected = Decoder(TAGS[scheme], scheme, **given).lattice(*emissions).marginals()
    assert np.array_equal(Decoder.of(TAGS[scheme], scheme, {}, **given).lattice(*emissions).marginals(), expected)


def plain_viterbi(emissions: NDArray[np.float64], transitions: NDArray[np.float64]) -> list[int]:
    """Viterbi of one sentence in double precision, step by step."""
    best = emissions[0].copy()
    came_from = []
    for row in emissions[1:]:
        scores = best[:, None] + transitions
        came_from.append(scores.argmax(axis=0))
        best = scores.max(axis=0) + row
    path = [int(best.argmax())]
    for back in reversed(came_from):
        path.append(int(back[path[-1]]))
    return path[::-1]


def test_a_very_long_sentence_loses_nothing_to_rounding() -> None:
    tags = ["A", "B", "C", "D"]
    generator = np.random.default_rng(0)
    emissions = generator.normal(0, 1, size=(30_000, 4)).astype(np.float32)
    emissions += 50  # the sum over the sentence is far beyond what float32 tells small differences in
    transitions = generator.normal(0, 1, size=(4, 4)).astype(np.float32)
    found = Decoder(tags, Scheme.PLAIN, transitions=transitions).best_paths(*packed([emissions]))
    expected = plain_viterbi(emissions.astype(np.float64), transitions.astype(np.float64))
    differing = np.flatnonzero(found != expected)
    assert len(differing) <= 3  # near ties


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30))
def test_running_sentences_are_those_that_reach_a_step(lengths: list[int]) -> None:
    ordered = np.array(sorted(lengths, reverse=True))
    expected = [sum(length > step for length in lengths) for step in range(max(lengths))]
    assert batch_sizes_of(ordered).tolist() == expected
