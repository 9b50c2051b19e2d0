"""Dropout: in training alone, the same along a sentence, whole tokens where asked."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tagger.model.dropout import LockedDropout, TokenDropout

SHAPE = (40, 7, 30)  # (B, T, E)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_a_locked_mask_is_constant_along_a_sentence() -> None:
    dropped = LockedDropout(0.5)(torch.ones(SHAPE))
    assert torch.equal(dropped, dropped[:, :1].expand(SHAPE))


def test_a_locked_mask_differs_between_sentences_and_calls() -> None:
    dropout = LockedDropout(0.5)
    first, second = dropout(torch.ones(SHAPE)), dropout(torch.ones(SHAPE))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_locked_dropout_scales_what_it_keeps(probability: float) -> None:
    dropped = LockedDropout(probability)(torch.ones(SHAPE))
    kept = dropped[dropped != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - probability)))
    assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=0.08)


def test_token_dropout_zeroes_whole_tokens_and_scales_nothing() -> None:
    values = torch.rand(SHAPE) + 1
    dropped = TokenDropout(0.3)(values)
    gone = (dropped == 0).all(dim=2)
    assert torch.equal(dropped[~gone], values[~gone])
    assert gone.float().mean().item() == pytest.approx(0.3, abs=0.1)
    assert not torch.equal(gone, gone[:, :1].expand_as(gone))


@pytest.mark.parametrize("dropout", [LockedDropout(0.5), TokenDropout(0.5)])
def test_nothing_is_dropped_in_eval(dropout: nn.Module) -> None:
    values = torch.randn(SHAPE)
    assert torch.equal(dropout.eval()(values), values)


@pytest.mark.parametrize("dropout", [LockedDropout(0.0), TokenDropout(0.0)])
def test_nothing_is_dropped_at_probability_zero(dropout: nn.Module) -> None:
    values = torch.randn(SHAPE)
    assert torch.equal(dropout(values), values)
