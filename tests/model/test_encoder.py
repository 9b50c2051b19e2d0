"""The packed bidirectional GRU: padding changes nothing, and both directions are the same thing mirrored."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tagger.config import EncoderConfig
from tagger.model.encoder import RecurrentEncoder

WIDTH, HIDDEN = 5, 4
LENGTHS = [6, 4, 4, 1]


def random_encoder(layers: int) -> RecurrentEncoder:
    torch.manual_seed(layers)
    encoder = RecurrentEncoder(EncoderConfig(hidden_size=HIDDEN, layers=layers), WIDTH).eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.7)
    return encoder


def mirrored(encoder: RecurrentEncoder, layers: int) -> RecurrentEncoder:
    """The encoder with the directions' weights swapped; a later layer's input halves swap with them."""
    other = random_encoder(layers)
    with torch.no_grad():
        for number, (source, target) in enumerate(zip(encoder.layers, other.layers, strict=True)):
            for name, parameter in source.named_parameters():
                swapped = name.removesuffix("_reverse") if name.endswith("_reverse") else f"{name}_reverse"
                value = parameter.roll(HIDDEN, dims=1) if number and "weight_ih" in name else parameter
                target.get_parameter(swapped).copy_(value)
    return other


def reversed_sentences(values: Tensor, lengths: list[int]) -> Tensor:
    result = values.clone()
    for row, length in enumerate(lengths):
        result[row, :length] = values[row, :length].flip(0)
    return result


@pytest.mark.parametrize("layers", [1, 2])
def test_padding_and_other_sentences_change_nothing(layers: int) -> None:
    encoder = random_encoder(layers)
    values = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH)
    together = encoder(values, torch.tensor(LENGTHS))
    assert together.shape == (len(LENGTHS), max(LENGTHS), 2 * HIDDEN)
    for row, length in enumerate(LENGTHS):
        alone = encoder(values[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
def test_reversed_input_with_swapped_directions_gives_reversed_output(layers: int) -> None:
    encoder = random_encoder(layers)
    values = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH)
    lengths = torch.tensor(LENGTHS)
    states = encoder(values, lengths)
    other = mirrored(encoder, layers)(reversed_sentences(values, LENGTHS), lengths)
    expected = reversed_sentences(states, LENGTHS).roll(HIDDEN, dims=2)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(other[row, :length], expected[row, :length], atol=1e-6, rtol=1e-5)


def test_each_direction_sees_what_lies_behind_it() -> None:
    encoder = random_encoder(1)
    values = torch.randn(1, 5, WIDTH)
    changed = values.clone()
    changed[0, 2] += 1
    difference = (encoder(changed, torch.tensor([5])) != encoder(values, torch.tensor([5])))[0]
    forward, backward = difference[:, :HIDDEN].any(dim=1), difference[:, HIDDEN:].any(dim=1)
    assert forward.tolist() == [False, False, True, True, True]
    assert backward.tolist() == [True, True, True, False, False]


def test_dropout_acts_in_training_alone() -> None:
    encoder = random_encoder(2)
    values = torch.randn(3, 4, WIDTH)
    lengths = torch.tensor([4, 4, 4])
    assert (encoder.train()(values, lengths) == 0).any()
    assert torch.equal(encoder.eval()(values, lengths), encoder(values, lengths))
