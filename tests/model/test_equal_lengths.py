"""Sentences of one length need no packing, which takes quadratic time for a long sentence's gradients."""

from __future__ import annotations

import pytest
import torch

from tagger.config import EncoderConfig
from tagger.model import encoder
from tagger.model.encoder import RecurrentEncoder


@pytest.mark.parametrize("layers", [1, 2])
def test_sentences_of_one_length_are_not_packed_and_change_nothing(
    layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    network = RecurrentEncoder(EncoderConfig(hidden_size=5, layers=layers), 3).eval()
    values = torch.randn(3, 7, 3)
    packed = network(values, torch.tensor([7, 7, 4]))
    monkeypatch.setattr(encoder, "pack_padded_sequence", lambda *_, **__: pytest.fail("packed"))
    torch.testing.assert_close(network(values[:2], torch.tensor([7, 7])), packed[:2])
    torch.testing.assert_close(network(values[2:, :4], torch.tensor([4])), packed[2:, :4])
