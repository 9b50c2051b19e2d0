"""Dropout: in training alone, the same along a sentence, whole tokens where asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tagger.model.dropout import LockedDropout, TokenDropout
from tagger.model.packing import Packing

SENTENCES, LENGTH, WIDTH = 40, 7, 30
PACKING = Packing.of(np.full(SENTENCES, LENGTH), torch.device("cpu"))
SHAPE = (SENTENCES * LENGTH, WIDTH)


def by_sentence(values: Tensor) -> Tensor:
    """(N, …) → (B, T, …)."""
    return values.unflatten(0, (LENGTH, SENTENCES)).transpose(0, 1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_a_locked_mask_is_constant_along_a_sentence() -> None:
    dropped = by_sentence(LockedDropout(0.5)(torch.ones(SHAPE), PACKING))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))


def test_a_locked_mask_differs_between_sentences_and_calls() -> None:
    dropout = LockedDropout(0.5)
    first, second = (by_sentence(dropout(torch.ones(SHAPE), PACKING)) for _ in range(2))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_locked_dropout_scales_what_it_keeps(probability: float) -> None:
    dropped = LockedDropout(probability)(torch.ones(SHAPE), PACKING)
    kept = dropped[dropped != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - probability)))
    assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=0.08)


def test_token_dropout_zeroes_whole_tokens_and_scales_nothing() -> None:
    values = torch.rand(SHAPE) + 1
    dropped = TokenDropout(0.3)(values)
    gone = (dropped == 0).all(dim=1)
    assert torch.equal(dropped[~gone], values[~gone])
    assert gone.float().mean().item() == pytest.approx(0.3, abs=0.1)
    assert not torch.equal(by_sentence(gone), by_sentence(gone)[:, :1].expand(SENTENCES, LENGTH))


@pytest.mark.parametrize("probability", [0.0, 0.5])
@pytest.mark.parametrize("kind", [LockedDropout, TokenDropout])
def test_nothing_is_dropped_in_eval_or_at_probability_zero(kind: type[nn.Module], probability: float) -> None:
    values = torch.randn(SHAPE)
    given = (values, PACKING) if kind is LockedDropout else (values,)
    assert torch.equal(kind(probability).train(probability == 0)(*given), values)
