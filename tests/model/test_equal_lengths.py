"""Sentences of one length need no packing, which takes quadratic time for a long sentence's gradients."""

from __future__ import annotations

import pytest
import torch

from tagger.config import Cell, EncoderConfig
from tagger.model import encoder
from tagger.model.encoder import RecurrentEncoder
from tests.helpers.padded import padded_run


@pytest.mark.parametrize("cell", ["gru", "lstm", "gru_reset_before"])
@pytest.mark.parametrize("layers", [1, 2])
def test_sentences_of_one_length_are_not_packed_and_change_nothing(
    layers: int, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    network = RecurrentEncoder(EncoderConfig(cell=cell, hidden_size=5, layers=layers), 3).eval()
    values = torch.randn(3, 7, 3)
    packed = padded_run(network, values, [7, 7, 4])
    monkeypatch.setattr(encoder, "PackedSequence", lambda *_, **__: pytest.fail("packed"))
    torch.testing.assert_close(padded_run(network, values[:2], [7, 7]), packed[:2])
    torch.testing.assert_close(padded_run(network, values[2:, :4], [4]), packed[2:, :4])
