"""The encoder: padding changes nothing, both directions are one thing mirrored, and each setting does what it says."""

from __future__ import annotations

import typing
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tagger.config import Cell, EncoderConfig, LayerConfig
from tagger.model.encoder import RecurrentEncoder
from tests.helpers.padded import padded_run

WIDTH, HIDDEN = 5, 4
LENGTHS = [6, 4, 4, 1]
CELLS = typing.get_args(Cell)
MIXED = (LayerConfig(cell="lstm", hidden_size=3), LayerConfig(cell="rnn"), LayerConfig(cell="gru_reset_before"))
STACKS = [*(EncoderConfig(hidden_size=HIDDEN, cell=cell, layers=n) for cell in CELLS for n in (1, 2))]
EXTRAS = [
    {"merge": "sum"},
    {"merge": "mean", "layer_norm": True},
    {"feed_forward": 7, "skip": True},
    {"merge": "sum", "layer_norm": True, "skip": True},
]
OTHERS = [EncoderConfig(hidden_size=HIDDEN, layers=MIXED, **extra) for extra in ({}, *EXTRAS)]  # type: ignore[arg-type]


def name(config: EncoderConfig) -> str:
    cells = "-".join(layer.cell for layer in config.stack)
    extras = [config.merge, "ff" * bool(config.feed_forward), "norm" * config.layer_norm, "skip" * config.skip]
    return "-".join(filter(None, [cells, *extras]))


def random_encoder(config: EncoderConfig) -> RecurrentEncoder:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(config, WIDTH).eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.7)
    return encoder


def mirrored(encoder: RecurrentEncoder, config: EncoderConfig) -> RecurrentEncoder:
    """The encoder with the directions' weights swapped; a later layer's input halves swap with them."""
    other = random_encoder(config)
    with torch.no_grad():
        for number, (source, target) in enumerate(zip(encoder.layers, other.layers, strict=True)):
            for entry, parameter in source.named_parameters():
                swapped = entry.removesuffix("_reverse") if entry.endswith("_reverse") else f"{entry}_reverse"
                halves = number and "weight_ih" in entry and config.merge == "concat"
                value = parameter.roll(config.stack[number - 1].hidden_size, dims=1) if halves else parameter
                target.get_parameter(swapped).copy_(value)
    return other


def reversed_sentences(values: Tensor, lengths: list[int]) -> Tensor:
    result = values.clone()
    for row, length in enumerate(lengths):
        result[row, :length] = values[row, :length].flip(0)
    return result


@pytest.mark.parametrize("config", [*STACKS, *OTHERS], ids=name)
def test_padding_and_other_sentences_change_nothing(config: EncoderConfig) -> None:
    encoder = random_encoder(config)
    values = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH)
    together = padded_run(encoder, values, LENGTHS)
    assert together.shape == (len(LENGTHS), max(LENGTHS), encoder.width)
    assert encoder.width == HIDDEN * (2 if config.merge == "concat" else 1)
    for row, length in enumerate(LENGTHS):
        alone = padded_run(encoder, values[row : row + 1, :length], [length])
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("config", [*STACKS, OTHERS[0], replace(OTHERS[1], merge="mean"), OTHERS[1]], ids=name)
def test_reversed_input_with_swapped_directions_gives_reversed_output(config: EncoderConfig) -> None:
    encoder = random_encoder(config)
    values = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH)
    lengths = LENGTHS
    states = padded_run(encoder, values, lengths)
    other = padded_run(mirrored(encoder, config), reversed_sentences(values, LENGTHS), LENGTHS)
    expected = reversed_sentences(states, LENGTHS)
    if config.merge == "concat":
        expected = expected.roll(HIDDEN, dims=2)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(other[row, :length], expected[row, :length], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_each_direction_sees_what_lies_behind_it(cell: Cell) -> None:
    encoder = random_encoder(EncoderConfig(cell=cell, hidden_size=HIDDEN))
    values = torch.randn(1, 5, WIDTH)
    changed = values.clone()
    changed[0, 2] += 1
    difference = (padded_run(encoder, changed, [5]) != padded_run(encoder, values, [5]))[0]
    forward, backward = difference[:, :HIDDEN].any(dim=1), difference[:, HIDDEN:].any(dim=1)
    assert forward.tolist() == [False, False, True, True, True]
    assert backward.tolist() == [True, True, True, False, False]


def parts(encoder: RecurrentEncoder, values: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward states of the first layer."""
    forward, backward = encoder.layers[0](values)[0].chunk(2, dim=2)
    return forward, backward


@pytest.mark.parametrize(("merge", "factor"), [("sum", 1.0), ("mean", 0.5)])
def test_directions_are_added_or_averaged(merge: str, factor: float) -> None:
    encoder = random_encoder(EncoderConfig(hidden_size=HIDDEN, merge=merge))  # type: ignore[arg-type]
    values = torch.randn(2, 3, WIDTH)
    forward, backward = parts(encoder, values)
    torch.testing.assert_close(padded_run(encoder, values, [3, 3]), factor * (forward + backward))


def test_a_feed_forward_is_in_front_of_the_first_layer() -> None:
    encoder = random_encoder(EncoderConfig(hidden_size=HIDDEN, feed_forward=7))
    front = encoder.feed_forward
    assert front is not None
    values = torch.randn(2, 3, WIDTH)
    inner = functional.gelu(values @ front.inner.weight.T + front.inner.bias, approximate="tanh")
    expected = encoder.layers[0](inner @ front.outer.weight.T + front.outer.bias)[0]
    torch.testing.assert_close(padded_run(encoder, values, [3, 3]), expected)


@pytest.mark.parametrize("width", [WIDTH, 2 * HIDDEN])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_a_skip_connection_adds_the_input_to_what_was_normalised(layer_norm: bool, width: int) -> None:
    torch.manual_seed(3)
    encoder = RecurrentEncoder(EncoderConfig(hidden_size=HIDDEN, skip=True, layer_norm=layer_norm), width).eval()
    values = torch.randn(2, 3, width)
    states = torch.cat(parts(encoder, values), dim=2)
    if layer_norm:
        spread = (states - states.mean(dim=2, keepdim=True)).square().mean(dim=2, keepdim=True)
        states = (states - states.mean(dim=2, keepdim=True)) / (spread + 1e-5).sqrt()
    skips = list(encoder.skips.parameters())  # type: ignore[union-attr]
    assert [tuple(skip.shape) for skip in skips] == ([] if width == 2 * HIDDEN else [(2 * HIDDEN, width)])
    expected = states + (values @ skips[0].T if skips else values)
    torch.testing.assert_close(padded_run(encoder, values, [3, 3]), expected)


def test_dropout_acts_in_training_alone() -> None:
    encoder = random_encoder(EncoderConfig(hidden_size=HIDDEN, layers=2))
    values = torch.randn(3, 4, WIDTH)
    lengths = [4, 4, 4]
    assert (padded_run(encoder.train(), values, lengths) == 0).any()
    assert torch.equal(padded_run(encoder.eval(), values, lengths), padded_run(encoder, values, lengths))


def test_each_layer_has_its_own_dropout() -> None:
    layers = (LayerConfig(dropout=0.9), LayerConfig(dropout=0.0))
    encoder = random_encoder(EncoderConfig(hidden_size=HIDDEN, layers=layers)).train()
    values = torch.randn(3, 4, WIDTH)
    lengths = [4, 4, 4]
    assert padded_run(encoder, values, lengths).all()
    assert not torch.equal(padded_run(encoder, values, lengths), padded_run(encoder, values, lengths))


def test_the_default_encoder_s_tensors_keep_their_names() -> None:
    names = [name for name, _ in RecurrentEncoder(EncoderConfig(hidden_size=HIDDEN), WIDTH).named_parameters()]
    weights = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    assert names == [f"layers.0.{weight}_l0{direction}" for direction in ("", "_reverse") for weight in weights]
