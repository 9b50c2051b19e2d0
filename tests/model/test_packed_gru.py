"""GRUs on a CPU beside PyTorch's own layer: states, last states and gradients, by finite differences too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from tagger.model.recurrence import PackedGRU, bidirectional

WIDTH, HIDDEN = 5, 4
RAGGED = [[5, 3, 3, 1], [6, 6, 2], [1, 1], [7]]


def layers(kind: torch.dtype = torch.float64) -> tuple[PackedGRU, nn.GRU]:
    """The layer, and PyTorch's with the same weights."""
    torch.manual_seed(0)
    own = PackedGRU(WIDTH, HIDDEN).to(kind)
    for parameter in own.parameters():
        nn.init.normal_(parameter, std=0.7)
    theirs = nn.GRU(WIDTH, HIDDEN, batch_first=True, bidirectional=True).to(kind)
    theirs.load_state_dict(own.state_dict())
    return own, theirs


def sentences(lengths: list[int]) -> tuple[Tensor, PackedSequence]:
    torch.manual_seed(1)
    values = torch.randn(len(lengths), max(lengths), WIDTH, dtype=torch.float64, requires_grad=True)
    return values, pack_padded_sequence(values, torch.tensor(lengths), batch_first=True, enforce_sorted=False)


@pytest.mark.parametrize("lengths", [*RAGGED, [2, 5, 1, 5]], ids=str)
def test_states_and_gradients_are_those_of_pytorch_s_gru(lengths: list[int]) -> None:
    found = []
    for layer in layers():
        values, packed = sentences(lengths)
        states, last = layer(packed)
        torch.manual_seed(2)
        loss = (states.data * torch.randn_like(states.data)).sum() + (last * torch.randn_like(last)).sum()
        found.append([states.data, last, *torch.autograd.grad(loss, [values, *layer.parameters()])])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("lengths", RAGGED, ids=str)
def test_gradients_are_those_of_finite_differences(lengths: list[int]) -> None:
    own, _ = layers()
    names = [name for name, _ in own.named_parameters()]
    values, _ = sentences(lengths)

    def run(values: Tensor, *parameters: Tensor) -> Tensor:
        packed = pack_padded_sequence(values, torch.tensor(lengths), batch_first=True)
        states, _ = torch.func.functional_call(own, dict(zip(names, parameters, strict=True)), (packed,))
        return states.data

    assert torch.autograd.gradcheck(run, (values, *own.parameters()))


def test_sentences_of_one_length_may_come_unpacked() -> None:
    own, theirs = layers()
    values = torch.randn(3, 6, WIDTH, dtype=torch.float64)
    torch.testing.assert_close(own(values)[0], theirs(values)[0])


@pytest.mark.parametrize("cell", ["gru", "gru_reset_before"])
def test_under_autocast_states_and_gradients_stay_close_and_in_single_precision(cell: str) -> None:
    torch.manual_seed(0)
    layer = bidirectional(cell, WIDTH, HIDDEN)  # type: ignore[arg-type]
    values, _ = sentences([5, 3, 1])
    packed = pack_padded_sequence(values.detach().float(), torch.tensor([5, 3, 1]), batch_first=True)
    exact = layer(packed)[0].data
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = layer(packed)[0].data
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.05
    parameters = list(layer.parameters())
    for ours, theirs in zip(
        *(torch.autograd.grad(states.square().sum(), parameters) for states in (rough, exact)), strict=True
    ):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, atol=0.05, rtol=0.05)


def test_a_state_to_begin_with_is_left_to_pytorch() -> None:
    own, theirs = layers()
    values, state = torch.randn(2, 3, WIDTH).double(), torch.randn(2, 2, HIDDEN).double()
    torch.testing.assert_close(own(values, state), theirs(values, state))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", ["gru", "gru_reset_before"])
def test_values_that_are_not_trained_get_no_gradient_and_change_no_other(cell: str, kind: torch.dtype) -> None:
    found = []
    for frozen in (0, 2):
        torch.manual_seed(0)
        layer = bidirectional(cell, WIDTH, HIDDEN, frozen).to(kind)  # type: ignore[arg-type]
        values, _ = sentences([5, 3, 1])
        packed = pack_padded_sequence(values.to(kind), torch.tensor([5, 3, 1]), batch_first=True)
        loss = layer(packed)[0].data.square().sum()
        found.append(torch.autograd.grad(loss, [values, *layer.parameters()]))
    (of_all, *parameters), (of_some, *others) = found
    torch.testing.assert_close(of_some[..., :-2], of_all[..., :-2])
    assert not of_some[..., -2:].any()
    torch.testing.assert_close(parameters, others)
