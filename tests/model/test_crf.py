"""The CRF's loss against every legal path, enumerated."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tagger.corpus.schemes import Scheme
from tagger.model import crf as crf_module
from tagger.model.batch import TensorSoftTargets
from tagger.model.crf import LinearChainCRF
from tagger.model.packing import Packing
from tagger.model.partition import StepByStep, by_halves
from tests.helpers.crf import log_sum, path_score, random_crf
from tests.helpers.legal_paths import SCHEMES, TAGS, legal_paths

LENGTHS = [4, 3, 3, 1]
CPU = torch.device("cpu")


@pytest.fixture(params=["step by step", "by halves"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by halves":
        monkeypatch.setattr(crf_module, "log_partition", by_halves)


def losses_of(crf: LinearChainCRF, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
    packing = Packing.of(mask.sum(dim=1).numpy(), CPU)
    return crf(emissions.transpose(0, 1)[mask.T], tags.T[mask.T], packing)


def random_batch(scheme: Scheme, seed: int, lengths: list[int] = LENGTHS) -> tuple[Tensor, Tensor, Tensor]:
    """Emissions, legal gold tags and mask; what stands beyond a sentence's end is garbage."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths))
    emissions = 2 * torch.randn(*shape, len(TAGS[scheme]), generator=generator)
    mask = torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]
    emissions[~mask] = 1e6
    tags = torch.full(shape, 1)
    for row, length in enumerate(lengths):
        paths = legal_paths(scheme, length)
        chosen = int(torch.randint(len(paths), (), generator=generator))
        tags[row, :length] = torch.tensor(paths[chosen])
    return emissions, tags, mask


@pytest.mark.parametrize("scheme", SCHEMES)
@given(seed=st.integers(0, 2**16))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_loss_is_that_of_all_legal_paths_enumerated(scheme: Scheme, seed: int) -> None:
    crf = random_crf(scheme, seed)
    emissions, tags, mask = random_batch(scheme, seed)
    losses = losses_of(crf, emissions, tags, mask)
    for row, length in enumerate(LENGTHS):
        scores = [path_score(crf, emissions[row], path) for path in legal_paths(scheme, length)]
        gold = path_score(crf, emissions[row], tuple(tags[row, :length].tolist()))
        assert losses[row].item() == pytest.approx(log_sum(scores) - gold, abs=1e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_probabilities_of_all_legal_paths_sum_to_one(scheme: Scheme) -> None:
    crf = random_crf(scheme, 3)
    paths = torch.tensor(legal_paths(scheme, 4))
    emissions = torch.randn(1, 4, len(TAGS[scheme])).expand(len(paths), -1, -1)
    losses = losses_of(crf, emissions, paths, torch.ones_like(paths, dtype=torch.bool))
    assert torch.exp(-losses).sum().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_batch_of_one_equals_a_batch_of_many(scheme: Scheme) -> None:
    crf = random_crf(scheme, 5)
    emissions, tags, mask = random_batch(scheme, 5)
    together = losses_of(crf, emissions, tags, mask)
    for row, length in enumerate(LENGTHS):
        one = slice(row, row + 1)
        alone = losses_of(crf, emissions[one, :length], tags[one, :length], mask[one, :length])
        assert together[row].item() == pytest.approx(alone.item(), abs=1e-4)


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
def test_forbidden_transitions_have_no_part(scheme: Scheme) -> None:
    crf = random_crf(scheme, 7)
    emissions, tags, mask = random_batch(scheme, 7)
    before = losses_of(crf, emissions, tags, mask)
    pairs = {pair for path in legal_paths(scheme, 4) for pair in itertools.pairwise(path)}
    firsts = {path[0] for path in legal_paths(scheme, 4)}
    lasts = {path[-1] for path in legal_paths(scheme, 4)}
    count = len(TAGS[scheme])
    forbidden = torch.tensor([[(i, j) not in pairs for j in range(count)] for i in range(count)])
    not_first = torch.tensor([tag not in firsts for tag in range(count)])
    not_last = torch.tensor([tag not in lasts for tag in range(count)])
    assert forbidden.any()
    assert not_first.any()
    with torch.no_grad():
        crf.transitions[forbidden] = 1e3
        crf.start[not_first] = 1e3
        crf.end[not_last] = 1e3
    after = losses_of(crf, emissions, tags, mask)
    assert torch.equal(before, after)
    after.sum().backward()
    assert crf.transitions.grad is not None
    assert crf.start.grad is not None
    assert crf.end.grad is not None
    assert not crf.transitions.grad[forbidden].any()
    assert not crf.start.grad[not_first].any()
    assert not crf.end.grad[not_last].any()
    assert crf.transitions.grad[~forbidden].any()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_gradients_are_finite(scheme: Scheme, scale: float) -> None:
    crf = random_crf(scheme, 11)
    emissions, tags, mask = random_batch(scheme, 11)
    emissions = (scale * emissions).masked_fill(~mask.unsqueeze(2), 0).requires_grad_()
    loss = losses_of(crf, emissions, tags, mask).sum()
    loss.backward()
    assert torch.isfinite(loss)
    for tensor in (emissions, *crf.parameters()):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()
    assert emissions.grad is not None
    assert not emissions.grad[~mask].any()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_sentence_of_far_larger_scores_changes_no_other(scheme: Scheme) -> None:
    crf = random_crf(scheme, 6)
    emissions, tags, mask = random_batch(scheme, 6, [4, 4])
    emissions[0] += 1000
    together, alone = losses_of(crf, emissions, tags, mask)[1], losses_of(crf, emissions[1:], tags[1:], mask[1:])[0]
    assert together.item() == pytest.approx(alone.item(), abs=1e-4)


def test_only_scores_are_saved_with_a_model() -> None:
    crf = random_crf(Scheme.BIOES, 1)
    assert set(crf.state_dict()) == {"transitions", "start", "end"}


def test_double_precision_is_kept() -> None:
    crf = random_crf(Scheme.IOB2, 2).double()
    emissions, tags, mask = random_batch(Scheme.IOB2, 2, [3])
    emissions = emissions.double() + 1e-10  # which float32 cannot hold
    loss = losses_of(crf, emissions, tags, mask)
    scores = [path_score(crf, emissions[0], path) for path in legal_paths(Scheme.IOB2, 3)]
    assert loss.dtype == torch.float64
    assert loss.item() == pytest.approx(log_sum(scores) - path_score(crf, emissions[0], tuple(tags[0].tolist())), 1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_possible_tags_of_a_token_are_those_that_can_begin_or_end_there(scheme: Scheme) -> None:
    tags = range(len(TAGS[scheme]))
    firsts = [any(path[0] == tag for path in legal_paths(scheme, 4)) for tag in tags]
    lasts = [any(path[-1] == tag for path in legal_paths(scheme, 4)) for tag in tags]
    expected = [
        [(step > 0 or firsts[tag]) and (step < length - 1 or lasts[tag]) for tag in tags]
        for step in range(max(LENGTHS))
        for length in LENGTHS
        if step < length
    ]
    found = LinearChainCRF(TAGS[scheme], scheme).possible(Packing.of(np.array(LENGTHS), CPU))
    assert found.tolist() == expected


def test_the_emissions_gradient_is_expected_minus_gold() -> None:
    crf = random_crf(Scheme.BIOES, 13)
    emissions, tags, mask = random_batch(Scheme.BIOES, 13, [3])
    emissions.requires_grad_()
    losses_of(crf, emissions, tags, mask).sum().backward()
    paths = legal_paths(Scheme.BIOES, 3)
    scores = [path_score(crf, emissions[0], path) for path in paths]
    total = log_sum(scores)
    expected = torch.zeros(3, len(TAGS[Scheme.BIOES]))
    for path, score in zip(paths, scores, strict=True):
        for step, tag in enumerate(path):
            expected[step, tag] += math.exp(score - total)
    expected[torch.arange(3), tags[0]] -= 1
    assert emissions.grad is not None
    torch.testing.assert_close(emissions.grad[0], expected, atol=1e-5, rtol=1e-4)


def test_half_precision_emissions_are_summed_in_full() -> None:
    crf = random_crf(Scheme.IOB2, 17)
    emissions, tags, mask = random_batch(Scheme.IOB2, 17)
    emissions = emissions.masked_fill(~mask.unsqueeze(2), 0).bfloat16()
    losses = losses_of(crf, emissions, tags, mask)
    assert losses.dtype == torch.float32
    assert torch.equal(losses, losses_of(crf, emissions.float(), tags, mask))


@pytest.mark.parametrize("way", [StepByStep.apply, by_halves], ids=["step by step", "by halves"])
@pytest.mark.parametrize("lengths", [[5, 3, 3, 1], [1, 1], [4], [9, 2]], ids=str)
def test_gradients_of_the_partition_sum_are_those_of_finite_differences(
    way: Callable[..., Tensor], lengths: list[int]
) -> None:
    torch.manual_seed(0)
    packing = Packing.of(np.array(lengths), CPU)
    shapes = [(sum(lengths), 3), (3, 3), (3,), (3,)]
    arguments = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(lambda *given: way(*given, packing), arguments)


@given(seed=st.integers(0, 2**16), lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5))
@settings(max_examples=30)
def test_both_ways_to_the_partition_sum_agree(seed: int, lengths: list[int]) -> None:
    generator = torch.Generator().manual_seed(seed)
    packing = Packing.of(np.array(sorted(lengths, reverse=True)), CPU)
    shapes = [(sum(lengths), 4), (4, 4), (4,), (4,)]
    arguments = [3 * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    torch.testing.assert_close(by_halves(*arguments, packing), StepByStep.apply(*arguments, packing))


@pytest.mark.parametrize("scheme", SCHEMES)
@given(seed=st.integers(0, 2**16))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_loss_with_soft_targets_is_the_cross_entropy_over_all_legal_paths(scheme: Scheme, seed: int) -> None:
    """Sentences 0 and 2 are learned from a teacher's distribution, the others from gold tags."""
    crf, random = random_crf(scheme, seed), np.random.default_rng(seed)
    emissions, tags, mask = random_batch(scheme, seed)
    count, weights = len(TAGS[scheme]), [0.5, 1.0, 0.5, 1.0]
    marginals, transitions, expected = torch.zeros(*mask.shape, count), torch.zeros(count, count), 0.0
    for row, length in enumerate(LENGTHS):
        paths = legal_paths(scheme, length)
        scores = [path_score(crf, emissions[row, :length], path) for path in paths]
        if row in (1, 3):
            gold = path_score(crf, emissions[row, :length], tuple(tags[row, :length].tolist()))
            expected += weights[row] * (log_sum(scores) - gold)
            continue
        for path, probability, of_path in zip(paths, random.dirichlet(np.ones(len(paths))), scores, strict=True):
            expected += weights[row] * probability * (log_sum(scores) - of_path)
            marginals[row, range(length), path] += probability
            for pair in itertools.pairwise(path):
                transitions[pair] += weights[row] * probability
    packing = Packing.of(np.array(LENGTHS), CPU)
    of_tokens = mask.T
    soft = TensorSoftTargets(
        marginals.transpose(0, 1)[of_tokens],
        transitions,
        torch.tensor([True, False, True, False]),
        torch.tensor(weights),
    )
    losses = crf(emissions.transpose(0, 1)[of_tokens], tags.T[of_tokens], packing, soft=soft)
    assert losses.sum().item() == pytest.approx(expected, rel=1e-4, abs=1e-3)
